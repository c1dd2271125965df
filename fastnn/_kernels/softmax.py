"""Softmax and its logarithm along the middle axis of a contiguous (outer, size, inner) array.

Where the axis is the innermost one, a block of rows is handled at once: rows of a few classes are
too short for vectors, but their exponentials lie side by side in memory. Elsewhere a block of
columns is handled at once, row after row, so nothing is turned.
"""

from functools import lru_cache as cache

from . import memory
from .kernel import kernel
from .names import T, exp, log, pointer
from .reductions import sum_run

BLOCK_ELEMENTS = 2048  # of rows: their exponentials stay in the first cache
COLUMNS = 512  # of a block: the largest and the sum of each stay in the first cache
CHUNK_BLOCKS = 4
CHUNK_ELEMENTS = 16384
NANOSECONDS_PER_ELEMENT = 1.0


def max_run(x, first, last):
    """The largest of x[first:last] in 8 chains; NaN wins."""
    a = b = c = d = e = f = g = h = x[first]
    whole = first + (last - first) // 8 * 8
    for block in range((whole - first) // 8):
        i = first + 8 * block
        a = a if a >= x[i] or a != a else x[i]
        b = b if b >= x[i + 1] or b != b else x[i + 1]
        c = c if c >= x[i + 2] or c != c else x[i + 2]
        d = d if d >= x[i + 3] or d != d else x[i + 3]
        e = e if e >= x[i + 4] or e != e else x[i + 4]
        f = f if f >= x[i + 5] or f != f else x[i + 5]
        g = g if g >= x[i + 6] or g != g else x[i + 6]
        h = h if h >= x[i + 7] or h != h else x[i + 7]
    for i in range(whole, last):
        a = a if a >= x[i] or a != a else x[i]
    a = a if a >= b or a != a else b
    c = c if c >= d or c != c else d
    e = e if e >= f or e != e else f
    g = g if g >= h or g != h else h
    a = a if a >= c or a != a else c
    e = e if e >= g or e != e else g
    return a if a >= e or a != a else e


def dot_run(x, y, first, last):
    """Sum of x[i] * y[i] in 8 chains."""
    a = b = c = d = e = f = g = h = T(0)
    whole = first + (last - first) // 8 * 8
    for block in range((whole - first) // 8):
        i = first + 8 * block
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
        e += x[i + 4] * y[i + 4]
        f += x[i + 5] * y[i + 5]
        g += x[i + 6] * y[i + 6]
        h += x[i + 7] * y[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, last):
        total += x[i] * y[i]
    return total


@kernel(uses=(max_run, sum_run))
def forward_rows(start, stop, arguments, numbers):
    """out[row] = exp(x[row] - max) / sum, or its logarithm; a unit is a block of rows."""
    out, tops, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    rows, size, together, logarithm = arguments[3], arguments[4], arguments[5], arguments[6]
    for block in range(start, stop):
        first, last = block * together, min(rows, (block + 1) * together)
        for row in range(first, last):
            base = row * size
            top = max_run(x, base, base + size)
            tops[row] = top
            for j in range(base, base + size):
                out[j] = x[j] - top
        for j in range(first * size, last * size):
            out[j] = exp(out[j])
        for row in range(first, last):
            base = row * size
            total = sum_run(out, base, base + size)
            if logarithm:
                top, shift = tops[row], log(total)
                for j in range(base, base + size):
                    out[j] = (x[j] - top) - shift
            else:
                scale = T(1) / total
                for j in range(base, base + size):
                    out[j] *= scale


@kernel(uses=(dot_run, sum_run))
def gradient_rows(start, stop, arguments, numbers):
    """out[row] = y * (g - sum(g * y)), or g - exp(y) * sum(g) for the logarithm."""
    out, gradient, y = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    rows, size, together, logarithm = arguments[3], arguments[4], arguments[5], arguments[6]
    for block in range(start, stop):
        first, last = block * together, min(rows, (block + 1) * together)
        if logarithm:
            for j in range(first * size, last * size):
                out[j] = exp(y[j])
        for row in range(first, last):
            base = row * size
            if logarithm:
                total = sum_run(gradient, base, base + size)
                for j in range(base, base + size):
                    out[j] = gradient[j] - out[j] * total
            else:
                total = dot_run(gradient, y, base, base + size)
                for j in range(base, base + size):
                    out[j] = y[j] * (gradient[j] - total)


@kernel
def forward_columns(start, stop, arguments, numbers):
    """As `forward_rows` along the middle axis; a unit is a block of columns."""
    out, tops, totals = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, size, inner, logarithm = pointer(arguments[3]), arguments[4], arguments[5], arguments[6]
    blocks, width = arguments[7], arguments[8]
    for unit in range(start, stop):
        outer, first = unit // blocks, unit % blocks * width
        last = min(inner, first + width)
        base, place = outer * size * inner, outer * inner
        for j in range(first, last):
            tops[place + j] = x[base + j]
            totals[place + j] = T(0)
        for i in range(1, size):
            for j in range(first, last):
                top, value = tops[place + j], x[base + i * inner + j]
                tops[place + j] = top if top >= value or top != top else value
        for i in range(size):
            for j in range(first, last):
                value = exp(x[base + i * inner + j] - tops[place + j])
                out[base + i * inner + j] = value
                totals[place + j] += value
        for j in range(first, last):
            totals[place + j] = log(totals[place + j]) if logarithm else T(1) / totals[place + j]
        for i in range(size):
            row = base + i * inner
            if logarithm:
                for j in range(first, last):
                    out[row + j] = (x[row + j] - tops[place + j]) - totals[place + j]
            else:
                for j in range(first, last):
                    out[row + j] *= totals[place + j]


@kernel
def gradient_columns(start, stop, arguments, numbers):
    """As `gradient_rows` along the middle axis; a unit is a block of columns."""
    out, totals, gradient = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    y, size, inner, logarithm = pointer(arguments[3]), arguments[4], arguments[5], arguments[6]
    blocks, width = arguments[7], arguments[8]
    for unit in range(start, stop):
        outer, first = unit // blocks, unit % blocks * width
        last = min(inner, first + width)
        base, place = outer * size * inner, outer * inner
        for j in range(first, last):
            totals[place + j] = T(0)
        for i in range(size):
            row = base + i * inner
            if logarithm:
                for j in range(first, last):
                    totals[place + j] += gradient[row + j]
            else:
                for j in range(first, last):
                    totals[place + j] += gradient[row + j] * y[row + j]
        for i in range(size):
            row = base + i * inner
            if logarithm:
                for j in range(first, last):
                    out[row + j] = gradient[row + j] - exp(y[row + j]) * totals[place + j]
            else:
                for j in range(first, last):
                    out[row + j] = y[row + j] * (gradient[row + j] - totals[place + j])


@cache
def _plan(outer, size, inner):
    """(units, of a chunk, options of the kernel) by the sizes alone."""
    if inner == 1:
        together = max(1, BLOCK_ELEMENTS // max(1, size))
        return -(-outer // together), CHUNK_BLOCKS, (outer, size, together)
    width = min(inner, COLUMNS)
    blocks = -(-inner // width)
    return outer * blocks, max(1, CHUNK_ELEMENTS // (width * max(1, size))), (blocks, width)


def forward(x, logarithm):
    """Softmax of a contiguous (outer, size, inner) array along its middle axis."""
    outer, size, inner = x.shape
    out, tops = memory.empty(x.shape, x.dtype), memory.empty((outer, inner), x.dtype)
    if not x.size:
        return out
    units, chunk, options = _plan(outer, size, inner)
    nanoseconds = NANOSECONDS_PER_ELEMENT * x.size
    if inner == 1:
        forward_rows(None, (out, tops, x, *options, int(logarithm)), units, chunk=chunk,
                     nanoseconds=nanoseconds)
    else:
        totals = memory.empty((outer, inner), x.dtype)
        forward_columns(None, (out, tops, totals, x, size, inner, int(logarithm), *options),
                        units, chunk=chunk, nanoseconds=nanoseconds)
    return out


def gradient(upstream, y, logarithm):
    """The gradient of the input, from that of the output ``y``; both as for `forward`."""
    outer, size, inner = y.shape
    out = memory.empty(y.shape, y.dtype)
    if not y.size:
        return out
    units, chunk, options = _plan(outer, size, inner)
    nanoseconds = NANOSECONDS_PER_ELEMENT * y.size
    if inner == 1:
        gradient_rows(None, (out, upstream, y, *options, int(logarithm)), units, chunk=chunk,
                      nanoseconds=nanoseconds)
    else:
        totals = memory.empty((outer, inner), y.dtype)
        gradient_columns(None, (out, totals, upstream, y, size, inner, int(logarithm), *options),
                         units, chunk=chunk, nanoseconds=nanoseconds)
    return out
