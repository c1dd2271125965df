"""Values taken from, and put to, given places along the middle axis of (outer, size, inner)."""

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64

NANOSECONDS_PER_VALUE = 1.0
CHUNK_VALUES = 16384


@kernel
def take_places(start, stop, arguments, numbers):
    """out[o, i, j] = x[o, where[o, i, j], j]."""
    out, x, where = pointer(arguments[0]), pointer(arguments[1]), pointer_i64(arguments[2])
    size, count, inner = arguments[3], arguments[4], arguments[5]
    for outer in range(start, stop):
        for i in range(count):
            to = (outer * count + i) * inner
            for j in range(inner):
                out[to + j] = x[(outer * size + where[to + j]) * inner + j]


@kernel
def put_places(start, stop, arguments, numbers):
    """x[o, where[o, i, j], j] receives values[o, i, j], or with ``adds`` their sum; else 0."""
    x, values, where = pointer(arguments[0]), pointer(arguments[1]), pointer_i64(arguments[2])
    size, count, inner, adds = arguments[3], arguments[4], arguments[5], arguments[6]
    for outer in range(start, stop):
        for at in range(outer * size * inner, (outer + 1) * size * inner):
            x[at] = T(0)
        for i in range(count):
            source = (outer * count + i) * inner
            for j in range(inner):
                at = (outer * size + where[source + j]) * inner + j
                x[at] = values[source + j] + (x[at] if adds else T(0))


@kernel
def window_maxima(start, stop, arguments, numbers):
    """The largest x[o, first[i]:last[i], j] and its place: of equals the first, of NaN the last."""
    out, where, x = pointer(arguments[0]), pointer_i64(arguments[1]), pointer(arguments[2])
    first, last = pointer_i64(arguments[3]), pointer_i64(arguments[4])
    size, count, inner = arguments[5], arguments[6], arguments[7]
    for outer in range(start, stop):
        for i in range(count):
            to = (outer * count + i) * inner
            for j in range(inner):
                best, place = x[(outer * size + first[i]) * inner + j], first[i]
                for k in range(first[i] + 1, last[i]):
                    value = x[(outer * size + k) * inner + j]
                    if value > best or value != value:
                        best, place = value, k
                out[to + j] = best
                where[to + j] = place


def _run(launched, operands, outer, values):
    """Run a kernel over the outer axis of arrays that hold so many values."""
    if values:
        launched(None, operands, outer, chunk=max(1, CHUNK_VALUES * outer // values),
                 nanoseconds=values * NANOSECONDS_PER_VALUE)


def taken(x, where):
    """x (outer, size, inner) at the places ``where`` (outer, count, inner)."""
    out = memory.empty(where.shape, x.dtype)
    outer, count, inner = where.shape
    _run(take_places, (out, memory.contiguous(x), where, x.shape[1], count, inner), outer, out.size)
    return out


def put(values, where, size, adds):
    """An array (outer, size, inner) of zeros with the values at their places, or their sums."""
    outer, count, inner = where.shape
    out = memory.empty((outer, size, inner), values.dtype)
    _run(put_places, (out, memory.contiguous(values), where, size, count, inner, int(adds)), outer,
         max(out.size, values.size) if out.size else 0)
    return out


def maxima(x, first, last):
    """(largest values, places) of the windows [first[i], last[i]) of x (outer, size, inner)."""
    outer, size, inner = x.shape
    shape = (outer, len(first), inner)
    out, where = memory.empty(shape, x.dtype), memory.empty(shape, first.dtype)
    _run(window_maxima, (out, where, memory.contiguous(x), first, last, size, len(first), inner),
         outer, max(x.size, out.size) if out.size else 0)
    return out, where
