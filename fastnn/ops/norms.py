"""Logarithms of sums of exponentials, and norms of vectors."""

import math

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import memory, program, reductions
from .._kernels.names import sqrt
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import case, floats, public
from .axes import chosen, not_empty, reduced
from .checks import axes
from .comparison import where
from .extremes import amax, amin
from .reduction import sum

SMOOTH = dict(kinks=(0,))
NORMS = [
    case(floats(2, 3, **SMOOTH)), case(floats(2, 3, **SMOOTH), 1),
    case(floats(2, 3, **SMOOTH), 3, 1), case(floats(2, 3, 2, **SMOOTH), 2, (0, 2), keepdim=True),
    case(floats(2, 3, **SMOOTH), math.inf, 0), case(floats(2, 3, **SMOOTH), -math.inf, (0, 1)),
    case(floats(2, 3, **SMOOTH), 0.5, -1), case(floats(2, 3), 2, dtype=dtypes.float64),
]


def _logsumexp_rule(node, gradient):
    x, = node.saved
    return (x - node.output.unsqueeze(1)).exp() * gradient.unsqueeze(1)


_logsumexp = Operation(
    "logsumexp", lambda plan, x: reductions.logsumexp(memory.contiguous(x)), _logsumexp_rule,
    saves=(0,), saves_output=True)


@public("fastnn", "method", cases=[case(floats(2, 3), 1), case(floats(2, 3, 2), (0, 2), True),
                                   case(floats(3), 0), case(floats(), 0)])
def logsumexp(input, dim, keepdim=False):
    """``log(sum(exp(input)))`` over dimensions without overflow.

    >>> import fastnn
    >>> fastnn.logsumexp(fastnn.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    tensors.as_tensor("logsumexp", input)
    if not input.is_floating_point():
        input = input.to(dtypes.get_default_dtype())
    if dim is None:
        raise TypeError("logsumexp: dim must be a dimension or several, got None")
    return reduced(_logsumexp, None, input, chosen("logsumexp", input, dim), keepdim)


@elementwise
def _is_there(input):
    return 0 if input == 0 else 1


@elementwise
def _root(input):
    return sqrt(input)


@_root.written_derivative()
def _root_slope(output):
    return 0 if output == 0 else 0.5 / output


@elementwise
def _power_of_size(input, exponent=2.0):
    return math.pow(abs(input), exponent)


@_power_of_size.written_derivative()
def _power_of_size_slope(input, exponent):
    size = exponent * math.pow(abs(input), exponent - 1)
    return 0 if input == 0 else size if input > 0 else -size


@elementwise
def _root_of_power(input, exponent=2.0):
    return math.pow(input, 1 / exponent)


@_root_of_power.written_derivative()
def _root_of_power_slope(input, exponent):
    return 0 if input == 0 else math.pow(input, 1 / exponent - 1) / exponent


def _powers(input, order, dims, keepdim):
    """The norm by powers, which may overflow or underflow."""
    if order == 1:
        return sum(abs(input), dims, keepdim)
    if order == 2:
        return _root(sum(input.square(), dims, keepdim))
    return _root_of_power(sum(_power_of_size(input, order), dims, keepdim), order)


def _scaled(input, order, dims, keepdim):
    """The norm, once more with the largest element taken out where it came out of range."""
    result = _powers(input, order, dims, keepdim)
    if order == 1 or not result.numel() or not input.numel():
        return result
    in_range = _in_range(result.detach())
    if program.noting() is None and in_range.item():
        return result
    scale = amax(abs(input.detach()), dims, keepdim=True)
    scale = where(scale.isfinite() & (scale > 0), scale, 1.0)
    if program.noting() is not None:  # where a scale of 1 takes the place of the other way
        scale = where(in_range, 1.0, scale)
    result = _powers(input / scale, order, dims, True) * scale
    return result if keepdim else result.squeeze(dims) if dims else result


def _in_range(norms):
    """Whether powers cannot have overflowed, nor lost digits, in any of some norms."""
    tiny = float(numpy.sqrt(numpy.finfo(norms.dtype).tiny)) * 1e4
    return ((abs(norms) > tiny) & norms.isfinite()).all()


@public("linalg", cases=NORMS)
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """``sum(abs(x) ** ord) ** (1 / ord)`` over dimensions, without overflow; for ``inf`` and
    ``-inf`` the largest and smallest of ``abs(x)``, for 0 the number of elements that are not 0.
    """
    dims = chosen("vector_norm", x, dim)
    if not tensors.is_number(ord):
        raise TypeError(f"vector_norm: ord must be a number, got {ord!r}")
    if dtype is not None:
        x = x.to(dtype)
    if not x.is_floating_point():
        raise TypeError(f"vector_norm: expected a floating-point tensor, got {x.dtype}")
    if ord < 0 or ord == math.inf:
        not_empty("vector_norm", x, dims)
    if abs(ord) == math.inf:
        return (amax if ord > 0 else amin)(x.abs(), dims, keepdim)
    if ord == 0:
        return sum(_is_there(x), dims, keepdim)
    return _scaled(x, float(ord), dims, keepdim)


MATRIX_NORMS = {"fro": None, math.inf: amax, -math.inf: amin, 1: amax, -1: amin}


@public("linalg", cases=[
    case(floats(2, 3, **SMOOTH)), case(floats(2, 3, 4, **SMOOTH), 1, (0, -1)),
    case(floats(2, 3, 4, **SMOOTH), math.inf, keepdim=True), case(floats(3, 2, **SMOOTH), -1),
    case(floats(3, 2, **SMOOTH), -math.inf), case(floats(2, 3), dtype=dtypes.float64)])
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Norms of matrices: ``"fro"`` the root of the sum of squares, 1 and -1 the largest and
    smallest sum of sizes of a column, ``inf`` and ``-inf`` of a row."""
    if ord in (2, -2, "nuc"):
        raise ValueError(f"matrix_norm: ord {ord!r} needs singular values, which are NumPy's")
    if ord not in MATRIX_NORMS:
        raise ValueError(f"matrix_norm: ord must be 'fro', 1, -1, inf or -inf, got {ord!r}")
    if tensors.as_tensor("matrix_norm", A).ndim < 2 or len(dim) != 2:
        raise ValueError(f"matrix_norm: expected a matrix in two dimensions, got shape "
                         f"{tuple(A.shape)} and dim {dim}")
    rows, columns = axes("matrix_norm", tuple(dim), A.ndim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, dtype=dtype)
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, first, True, dtype=dtype)
    is_empty = ord > 0 and not A.shape[second]
    result = sum(sums, second, True) if is_empty else MATRIX_NORMS[ord](sums, second, True)
    return result if keepdim else result.squeeze((rows, columns))


@public("fastnn", "method", cases=[case(*each.arguments, **each.keywords) for each in NORMS])
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """``linalg.vector_norm``; ``p="fro"`` is 2.

    >>> import fastnn
    >>> fastnn.tensor([3.0, 4.0]).norm()
    tensor(5.)
    """
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"norm: p must be a number or 'fro', got {p!r}")
    return vector_norm(input, 2 if p == "fro" or p is None else p, dim, keepdim, dtype=dtype)
