"""The first few of each row in order, and triangles of matrices."""

import numpy

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64

CHUNK_ELEMENTS = 16384
NANOSECONDS_PER_ELEMENT = 1.0


def goes_before(value, other, largest):
    """Whether a value stands before another one; NaN counts as the largest."""
    if largest:
        return value > other or (value != value and other == other)
    return value < other or (other != other and value == value)


@kernel(uses=(goes_before,))
def first_of_rows(start, stop, arguments, numbers):
    """where[row] = positions of the k first values of x[row] in order, of equals the first.

    ``out`` holds the values; each that goes before the last one is inserted into its place.
    """
    out, where, x = pointer(arguments[0]), pointer_i64(arguments[1]), pointer(arguments[2])
    size, k, largest = arguments[3], arguments[4], arguments[5]
    for row in range(start, stop):
        base = row * k
        for i in range(size):
            value = x[row * size + i]
            if i >= k and not goes_before(value, out[base + k - 1], largest):
                continue
            place = base + min(i, k - 1)
            while place > base and goes_before(value, out[place - 1], largest):
                out[place], where[place] = out[place - 1], where[place - 1]
                place -= 1
            out[place], where[place] = value, i


@kernel
def triangle(start, stop, arguments, numbers):
    """Rows of matrices, zero where the column lies above (or, for upper ones, below) a diagonal."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    rows, columns, diagonal, upper = arguments[2], arguments[3], arguments[4], arguments[5]
    for unit in range(start, stop):
        edge = unit % rows + diagonal + (0 if upper else 1)
        edge = min(columns, edge if edge > 0 else 0)
        first, last = (edge, columns) if upper else (0, edge)
        base = unit * columns
        for j in range(columns):
            out[base + j] = T(0)
        for j in range(first, last):
            out[base + j] = x[base + j]


def _rows_per_chunk(size):
    return max(1, CHUNK_ELEMENTS // max(1, size))


def first_positions(x, k, largest):
    """(rows, k) positions of the first values, in order, of the rows of a contiguous matrix."""
    rows, size = x.shape
    where = memory.empty((rows, k), numpy.int64)
    if where.size:
        first_of_rows(None, (memory.empty((rows, k), x.dtype), where, x, size, k, int(largest)),
                      rows, chunk=_rows_per_chunk(size),
                      nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return where


def triangle_of(x, diagonal, upper):
    """The lower or upper triangle of each matrix of a contiguous array."""
    out = memory.empty(x.shape, x.dtype)
    if out.size:
        rows, columns = x.shape[-2:]
        triangle(None, (out, x, rows, columns, diagonal, int(upper)), x.size // columns,
                 chunk=_rows_per_chunk(columns), nanoseconds=x.size * NANOSECONDS_PER_ELEMENT / 2)
    return out
