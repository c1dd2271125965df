"""Linear algebra under PyTorch's names: products and norms of matrices and vectors."""

from .ops.linear import matmul
from .ops.products import cross_along as _cross
from .ops.products import multi_dot
from .ops.rearranging import diagonal as _diagonal
from .registry import in_place as _in_place

vector_norm = _in_place("linalg")["vector_norm"]

__all__ = ["cross", "diagonal", "matmul", "multi_dot", "vecdot", "vector_norm"]


def cross(input, other, *, dim=-1):
    """The cross product along a dimension of size 3; the other dimensions broadcast."""
    return _cross(input, other, dim)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonal of two dimensions, by default the last ones, as a view."""
    return _diagonal(A, offset, dim1, dim2)


def vecdot(x, y, *, dim=-1):
    """The sums of the products of two tensors over one dimension; the others broadcast."""
    return (x * y).sum(dim)


def __getattr__(name):
    raise AttributeError(f"fastnn.linalg has no {name!r}; PyTorch's functions that fastnn does not "
                         "offer are absent, never approximated")
