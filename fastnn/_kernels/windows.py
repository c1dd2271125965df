"""Sums over windows of neighbouring channels."""

from . import memory
from .kernel import kernel
from .names import T, pointer
from .reductions import CHUNK_ELEMENTS

NANOSECONDS_PER_ELEMENT = 1.0


@kernel
def window_sum_rows(start, stop, arguments, numbers):
    """out[n, c, i] = sum of x[n, c - before : c + after + 1, i], as far as it exists."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    channels, inner, before, after = arguments[2], arguments[3], arguments[4], arguments[5]
    for n in range(start, stop):
        base = n * channels * inner
        for c in range(channels):
            first, last = c - before, min(channels, c + after + 1)
            first = first if first > 0 else 0
            for i in range(inner):
                out[base + c * inner + i] = T(0)
            for each in range(first, last):
                for i in range(inner):
                    out[base + c * inner + i] += x[base + each * inner + i]


def window_sums(x, before, after):
    """Sums over ``before`` earlier and ``after`` later neighbours along the middle axis."""
    outer, channels, inner = x.shape
    out = memory.empty(x.shape, x.dtype)
    window_sum_rows(None, (out, x, channels, inner, before, after), outer,
                    chunk=max(1, CHUNK_ELEMENTS // max(1, channels * inner)),
                    nanoseconds=x.size * (before + after + 1) * NANOSECONDS_PER_ELEMENT)
    return out
