"""Matrices with orthogonal rows or columns, made of tensors without constraints."""

import numpy

from ...ops.creation import eye, zeros
from ...ops.joining import cat
from ...ops.matrices import matrix_exp, solve
from ...ops.random import normal_array
from ...tape import from_array
from ...tensor import Tensor
from ..module import Module
from .parametrize import register_parametrization

MAPS = ("matrix_exp", "cayley", "householder")


def _householder(x):
    """The first columns of a product of reflections, whose vectors stand below the diagonal.

    All of them together are I - V T^-1 V', with T the upper triangle of V'V and half its diagonal
    (Puglisi, 1992).
    """
    rows, columns = x.shape[-2:]
    vectors = x.tril(-1) + eye(rows, columns, dtype=x.dtype)
    products = vectors.mT @ vectors
    triangle = products.triu(1) + (products.diagonal(0, -2, -1) / 2).diag_embed()
    top = vectors.narrow(-2, 0, columns).mT
    return eye(rows, columns, dtype=x.dtype) - vectors @ solve(triangle, top)


def _skew(x):
    """A skew-symmetric matrix as large as the rows, from the lower triangle."""
    rows, columns = x.shape[-2:]
    lower = x.tril()
    if rows > columns:
        lower = cat([lower, zeros(*x.shape[:-1], rows - columns, dtype=x.dtype)], -1)
    return lower - lower.mT


def _cayley(skew):
    """(I + A / 2) (I - A / 2)^-1, whose factors commute."""
    one = eye(skew.shape[-1], dtype=skew.dtype).expand(skew.shape)
    return solve(one - skew / 2, one + skew / 2)


class _Orthogonal(Module):

    def __init__(self, orthogonal_map, use_trivialization):
        super().__init__()
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x):
        is_wide = x.shape[-2] < x.shape[-1]
        x = x.mT if is_wide else x
        if self.orthogonal_map == "householder":
            signs = x.detach().diagonal(0, -2, -1).sign().unsqueeze(-2)
            result = _householder(x) * signs
        else:
            skew = _skew(x)
            square = matrix_exp(skew) if self.orthogonal_map == "matrix_exp" else _cayley(skew)
            result = square[..., :x.shape[-1]]
        if hasattr(self, "base"):
            result = self.base @ result
        return result.mT if is_wide else result


class _Assigned(_Orthogonal):
    """Of which a value can be chosen."""

    def right_inverse(self, value):
        array = value.array
        array = array.swapaxes(-1, -2) if array.shape[-2] < array.shape[-1] else array
        if hasattr(self, "base"):
            self.base = from_array(_completed(array))
            return _negative_one(value)
        found = from_array(_reflections(array))
        return found.mT if value.shape[-2] < value.shape[-1] else found


_Assigned.__name__ = _Assigned.__qualname__ = "_Orthogonal"


def _negative_one(value):
    """Zeros with -1 on the diagonal: the reflections of the identity."""
    result = zeros(value.shape, dtype=value.dtype)
    result.diagonal(0, -2, -1).fill_(-1.0)
    return result


def _reflections(array):
    """The vectors of the reflections below the diagonal, on it the signs of the columns.

    The decomposition is NumPy's: it runs once for a parameter, and nothing is differentiated. A
    column that needs no reflection is turned round by ours.
    """
    columns = array.shape[-1]
    raw, scales = numpy.linalg.qr(array, mode="raw")
    found = raw.swapaxes(-1, -2).copy()
    at = numpy.arange(columns)
    found[..., at, at] = numpy.sign(found[..., at, at]) * numpy.where(scales == 0, -1, 1)
    return found


def _completed(array):
    """A square matrix with orthogonal columns, the first of them those of the array made so."""
    rows, columns = array.shape[-2:]
    gram = array.swapaxes(-1, -2) @ array
    limit = 10 * rows * numpy.finfo(array.dtype).eps
    if rows == columns and numpy.allclose(gram, numpy.eye(rows), rtol=0, atol=limit):
        return array.copy()
    drawn = normal_array((*array.shape[:-1], rows - columns), array.dtype)
    q, r = numpy.linalg.qr(numpy.concatenate([array, drawn], -1))
    signs = numpy.where(numpy.diagonal(r, 0, -2, -1) < 0, -1, 1)[..., None, :]
    return (q * signs).astype(array.dtype)


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Let a parameter be a matrix with orthogonal columns (rows, where there are fewer of them).

    ``orthogonal_map`` is ``"matrix_exp"`` (by default for square matrices) or ``"cayley"``, of
    skew-symmetric matrices, or ``"householder"``, a product of reflections. With
    ``use_trivialization`` the result is that of the map times a fixed ``base``, so it may start
    anywhere (Lezcano-Casado, Trivializations for Gradient-Based Optimization on Manifolds, 2019).
    More than two dimensions are stacks of matrices.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.parametrizations.orthogonal(fastnn.nn.Linear(20, 40))
    >>> fastnn.allclose(layer.weight.T @ layer.weight, fastnn.eye(20), atol=1e-5)
    True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"orthogonal: {type(module).__name__} has no parameter or buffer {name!r}")
    if weight.ndim < 2:
        raise ValueError(f"orthogonal: expected matrices, got shape {tuple(weight.shape)}")
    if orthogonal_map is None:
        is_square = weight.shape[-1] == weight.shape[-2]
        orthogonal_map = "matrix_exp" if is_square else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(f"orthogonal: orthogonal_map must be one of {', '.join(MAPS)}, got "
                         f"{orthogonal_map!r}")
    assignable = use_trivialization or orthogonal_map == "householder"
    made = (_Assigned if assignable else _Orthogonal)(orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
