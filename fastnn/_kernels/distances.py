"""Euclidean distances of the rows of two matrices."""

from . import gemm, memory
from .kernel import kernel
from .names import T, pointer, sqrt

CHUNK_ELEMENTS = 16384


@kernel
def finish(start, stop, arguments, numbers):
    """out[row, j] = |x[row] - y[j]|, where out holds the products x[row] y[j].

    By |x|^2 + |y|^2 - 2 x y, and by differences where that has lost its leading digits.
    """
    out, x, y = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    of_x, of_y = pointer(arguments[3]), pointer(arguments[4])
    rows, columns, size = arguments[5], arguments[6], arguments[7]
    limit = T(numbers[0])
    for unit in range(start, stop):
        place, first = unit * columns, unit // rows * columns
        lost = 0
        for j in range(columns):
            both = of_x[unit] + of_y[first + j]
            square = both - T(2) * out[place + j]
            out[place + j] = square
            lost += 0 if square > limit * both else 1
        if lost:
            for j in range(columns):
                if not out[place + j] > limit * (of_x[unit] + of_y[first + j]):
                    square = T(0)
                    for k in range(size):
                        apart = x[unit * size + k] - y[(first + j) * size + k]
                        square += apart * apart
                    out[place + j] = square
        for j in range(columns):
            out[place + j] = sqrt(out[place + j])


@kernel
def squares(start, stop, arguments, numbers):
    """out[row] = the sum of the squares of x[row]."""
    out, x, size = pointer(arguments[0]), pointer(arguments[1]), arguments[2]
    for row in range(start, stop):
        total = T(0)
        for k in range(size):
            total += x[row * size + k] * x[row * size + k]
        out[row] = total


def _squares(x):
    stack, rows, size = x.shape
    out = memory.empty((stack, rows), x.dtype)
    squares(None, (out, x, size), stack * rows, chunk=max(1, CHUNK_ELEMENTS // max(1, size)),
            nanoseconds=float(x.size))
    return out


def euclidean(x, y, limit=0.25):
    """(stack, rows, columns) distances of contiguous (stack, rows, size), (stack, columns, size).

    Squares below ``limit`` times what they are the difference of are computed anew.
    """
    stack, rows, size = x.shape
    columns = y.shape[1]
    out = memory.empty((stack, rows, columns), x.dtype)
    if out.size:
        gemm.matmul(x, y.transpose(0, 2, 1), out)
        finish(None, (out, x, y, _squares(x), _squares(y), rows, columns, size), stack * rows,
               chunk=max(1, CHUNK_ELEMENTS // columns), nanoseconds=2.0 * out.size,
               numbers=(limit,))
    return out
