"""Values that meet in one place, reduced there: extremes, and products by segments.

Several sources of one place are taken in their order by one thread.
"""

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64, pointer_u8

NANOSECONDS_PER_POSITION = 2.0
CHUNK_ELEMENTS = 16384


@kernel
def scatter_extremes(start, stop, arguments, numbers):
    """out[outer, index[outer, i, j], j] becomes x[outer, i, j] where that goes beyond; NaN wins."""
    out, x, index = pointer(arguments[0]), pointer(arguments[1]), pointer_i64(arguments[2])
    count, size, inner, largest = arguments[3], arguments[4], arguments[5], arguments[6]
    for line in range(start, stop):
        outer, j = line // inner, line % inner
        for i in range(count):
            source = (outer * count + i) * inner + j
            place = (outer * size + index[source]) * inner + j
            value, best = x[source], out[place]
            beyond = value > best if largest else value < best
            if beyond or value != value:
                out[place] = value


@kernel
def scatter_product_slopes(start, stop, arguments, numbers):
    """slope[outer, i, j]: the product of all factors of its place but itself, times the gradient.

    ``before`` begins with the place's own values and ``after`` with their gradients, which it turns
    into those of the own values: 0 where these do not count but are written over.
    """
    slope, before, after = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, index = pointer(arguments[3]), pointer_i64(arguments[4])
    count, size, inner, own_counts = arguments[5], arguments[6], arguments[7], arguments[8]
    for line in range(start, stop):
        outer, j = line // inner, line % inner
        for i in range(count):
            source = (outer * count + i) * inner + j
            place = (outer * size + index[source]) * inner + j
            slope[source] = before[place]
            before[place] *= x[source]
        for i in range(count - 1, -1, -1):
            source = (outer * count + i) * inner + j
            place = (outer * size + index[source]) * inner + j
            slope[source] *= after[place]
            after[place] *= x[source]
        if not own_counts:
            for i in range(count):
                source = (outer * count + i) * inner + j
                after[(outer * size + index[source]) * inner + j] = T(0)


@kernel
def segment_recurrences(start, stop, arguments, numbers):
    """out[i] = b[i] + a[i] * out[i - 1], or backwards; where ``head`` is set without the product.
    """
    out, a, b = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    head, size, backwards = pointer_u8(arguments[3]), arguments[4], arguments[5]
    if backwards:
        for step in range(size):
            i = size - 1 - step
            out[i] = b[i]
            if step > 0 and head[i + 1] == 0:
                out[i] += a[i + 1] * out[i + 1]
    else:
        for i in range(size):
            out[i] = b[i]
            if i > 0 and head[i] == 0:
                out[i] += a[i] * out[i - 1]


def scatter_extreme(out, index, x, largest):
    """Put the extremes of ``x`` and of what is there to ``out`` along the middle axis."""
    outer, count, inner = index.shape
    if index.size:
        scatter_extremes(None, (out, x, index, count, out.shape[1], inner, int(largest)),
                         outer * inner, chunk=max(1, CHUNK_ELEMENTS // count),
                         nanoseconds=index.size * NANOSECONDS_PER_POSITION)
    return out


def scatter_product_slope(before, after, index, x, own_counts):
    """The gradients of ``x``; ``after`` becomes those of what it is multiplied to."""
    outer, count, inner = index.shape
    slope = memory.empty(index.shape, x.dtype)
    if index.size:
        scatter_product_slopes(None, (slope, before, after, x, index, count, after.shape[1], inner,
                                      int(own_counts)), outer * inner,
                               chunk=max(1, CHUNK_ELEMENTS // count),
                               nanoseconds=index.size * NANOSECONDS_PER_POSITION * 2)
    return slope


def segment_recurrence(a, b, head, backwards):
    """The recurrence over contiguous vectors, begun anew at each ``head``."""
    out = memory.empty(b.shape, b.dtype)
    if b.size:
        segment_recurrences(None, (out, a, b, head, b.size, int(backwards)), 1, chunk=1,
                            nanoseconds=b.size * NANOSECONDS_PER_POSITION)
    return out
