"""Linear algebra under PyTorch's names: products and norms of matrices and vectors."""

from .ops.linear import matmul
from .ops.matrices import matrix_exp
from .ops.products import cross_along as _cross
from .ops.products import multi_dot
from .ops.rearranging import diagonal as _diagonal
from .registry import in_place as _in_place

matrix_norm, vector_norm = (_in_place("linalg")[name] for name in ("matrix_norm", "vector_norm"))

__all__ = ["cross", "diagonal", "matmul", "matrix_exp", "matrix_norm", "multi_dot", "norm",
           "vecdot", "vector_norm"]


def cross(input, other, *, dim=-1):
    """The cross product along a dimension of size 3; the other dimensions broadcast."""
    return _cross(input, other, dim)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonal of two dimensions, by default the last ones, as a view."""
    return _diagonal(A, offset, dim1, dim2)


def norm(A, ord=None, dim=None, *, keepdim=False, dtype=None):
    """``matrix_norm`` for a pair of dimensions or a matrix, else ``vector_norm``.

    Without ``ord`` the 2-norm of all elements, or over ``dim``.

    >>> import fastnn
    >>> fastnn.linalg.norm(fastnn.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise ValueError(f"norm: with ord and without dim expected a vector or a matrix, got shape "
                         f"{tuple(A.shape)}")
    dim = tuple(range(A.ndim)) if dim is None and A.ndim == 2 else dim
    if isinstance(ord, str) and (dim is None or isinstance(dim, int)):
        raise ValueError(f"norm: ord {ord!r} is of matrices, got shape {tuple(A.shape)}")
    if isinstance(dim, (tuple, list)) and len(dim) == 2:
        return matrix_norm(A, ord, tuple(dim), keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def vecdot(x, y, *, dim=-1):
    """The sums of the products of two tensors over one dimension; the others broadcast."""
    return (x * y).sum(dim)


def __getattr__(name):
    raise AttributeError(f"fastnn.linalg has no {name!r}; PyTorch's functions that fastnn does not "
                         "offer are absent, never approximated")
