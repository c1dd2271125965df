"""The order of the rows of a matrix as of words: by their first element, then by the next."""

import numpy

from . import memory
from .kernel import kernel
from .names import pointer, pointer_i64
from .ranking import goes_before

NANOSECONDS_PER_COMPARISON = 10.0


def row_goes_before(x, row, other, size):
    """Whether the first element in which two rows differ stands before that of the other one."""
    for j in range(size):
        value, against = x[row * size + j], x[other * size + j]
        if goes_before(value, against, False):
            return True
        if goes_before(against, value, False):
            return False
    return False


@kernel(uses=(goes_before, row_goes_before))
def merge_runs(start, stop, arguments, numbers):
    """Pairs of runs of ``width`` rows in order become one run each, from ``order`` to ``out``."""
    x, out, order = pointer(arguments[0]), pointer_i64(arguments[1]), pointer_i64(arguments[2])
    count, size, width = arguments[3], arguments[4], arguments[5]
    for pair in range(start, stop):
        left = pair * 2 * width
        middle, end = min(left + width, count), min(left + 2 * width, count)
        right = middle
        for to in range(left, end):
            if right < end and (left == middle or row_goes_before(x, order[right], order[left],
                                                                  size)):
                out[to] = order[right]
                right += 1
            else:
                out[to] = order[left]
                left += 1


def order_of_rows(x):
    """The positions of a contiguous matrix's rows in stable order; NaN is the largest value."""
    count, size = x.shape
    order, spare = numpy.arange(count), memory.empty((count,), numpy.int64)
    values = x.view(numpy.uint8) if x.dtype == bool else x
    width = 1
    while width < count:
        pairs = -(-count // (2 * width))
        merge_runs(None, (values, spare, order, count, size, width), pairs,
                   chunk=max(1, 2048 // width), nanoseconds=count * NANOSECONDS_PER_COMPARISON)
        order, spare, width = spare, order, 2 * width
    return order
