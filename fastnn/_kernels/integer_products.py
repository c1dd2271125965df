"""Products of matrices of integers, which wrap around as sums and products of integers do."""

from . import memory
from .kernel import kernel
from .names import T, pointer

CHUNK_TERMS = 65536


@kernel
def _rows(start, stop, arguments, numbers):
    """out[row] = a[row] @ b of the stack that the row belongs to."""
    out, a, b = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    rows, size, columns = arguments[3], arguments[4], arguments[5]
    for row in range(start, stop):
        stack = row // rows * size * columns
        for j in range(columns):
            out[row * columns + j] = T(0)
        for k in range(size):
            factor = a[row * size + k]
            for j in range(columns):
                out[row * columns + j] += factor * b[stack + k * columns + j]


def product(a, b):
    """(..., rows, size) times (..., size, columns), of any layout, in the type of both."""
    *stack, rows, size = a.shape
    columns = b.shape[-1]
    out = memory.empty((*stack, rows, columns), a.dtype)
    lines = out.size // columns if columns else 0
    if lines:
        _rows(None, (out, memory.contiguous(a), memory.contiguous(b), rows, size, columns), lines,
              chunk=max(1, CHUNK_TERMS // max(1, size * columns)),
              nanoseconds=float(lines * size * columns))
    return out
