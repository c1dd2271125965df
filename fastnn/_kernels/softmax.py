"""Softmax and its logarithm along the middle axis of a contiguous (outer, size, inner) array.

Where the axis is the innermost one, a block of rows is handled at once: their exponentials, or of
rows of a few classes those of the block, lie side by side in memory. Elsewhere a block of columns
is handled at once, row after row, so nothing is turned.
"""

from functools import lru_cache as cache

from . import memory
from .kernel import kernel
from .names import T, exp, larger, log, plus, pointer
from .reductions import sum_run, sum_runs

BLOCK_ELEMENTS = 2048  # of rows: their exponentials stay in the first cache
SHORT = 32  # a row below it does not fill vectors: exponentials are taken of its whole block
COLUMNS = 512  # of a block: the largest and the sum of each stay in the first cache
CHUNK_BLOCKS = 4
CHUNK_ELEMENTS = 16384
NANOSECONDS_PER_ELEMENT = 0.5


def max_run(x, first, last):
    """The largest of x[first:last]; NaN wins. From the first on: vectors want even sizes."""
    top = x[first]
    for i in range(first, last):
        top = larger(top, x[i])
    return top


def power_run(out, x, first, last, top):
    """out[first:last] = exp(x - top), and the sum of that, of at most 4096 as `sum_run`."""
    total = T(0)
    for i in range(first, last):
        power = exp(x[i] - top)
        out[i] = power
        total = plus(total, power)
    return total


def dot_run(x, y, first, last):
    """Sum of x[i] * y[i], in vectors as `sum_run`."""
    total = T(0)
    for i in range(first, last):
        total = plus(total, x[i] * y[i])
    return total


@kernel(uses=(max_run, sum_run, power_run))
def forward_rows(start, stop, arguments, numbers):
    """out[row] = exp(x[row] - max) / sum, or its logarithm; a unit is a block of rows.

    A loop over the block's rows for each step takes a third less than one loop over all steps.
    """
    out, tops, totals = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, logarithm = pointer(arguments[3]), arguments[4]
    rows, size, together, short = arguments[5], arguments[6], arguments[7], arguments[8]
    for block in range(start, stop):
        first, last = block * together, min(rows, (block + 1) * together)
        for row in range(first, last):
            tops[row] = max_run(x, row * size, (row + 1) * size)
        if short:
            for row in range(first, last):
                top = tops[row]
                for j in range(row * size, (row + 1) * size):
                    out[j] = x[j] - top
            for j in range(first * size, last * size):
                out[j] = exp(out[j])
            for row in range(first, last):
                totals[row] = sum_run(out, row * size, (row + 1) * size)
        else:
            for row in range(first, last):
                totals[row] = T(0)
            for at in range(0, size, 4096):
                width = min(4096, size - at)
                for row in range(first, last):
                    base = row * size + at
                    totals[row] += power_run(out, x, base, base + width, tops[row])
        for row in range(first, last):
            totals[row] = log(totals[row]) if logarithm else T(1) / totals[row]
        for row in range(first, last):
            base, top, total = row * size, tops[row], totals[row]
            if logarithm:
                for j in range(base, base + size):
                    out[j] = (x[j] - top) - total
            else:
                for j in range(base, base + size):
                    out[j] *= total


@kernel(uses=(dot_run, sum_run, sum_runs))
def gradient_rows(start, stop, arguments, numbers):
    """out[row] = y * (g - sum(g * y)), or g - exp(y) * sum(g) for the logarithm."""
    out, gradient, y = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    logarithm = arguments[3]
    rows, size, together, short = arguments[4], arguments[5], arguments[6], arguments[7]
    for block in range(start, stop):
        first, last = block * together, min(rows, (block + 1) * together)
        if logarithm and short:
            for j in range(first * size, last * size):
                out[j] = exp(y[j])
        for row in range(first, last):
            base = row * size
            if not logarithm:
                total = dot_run(gradient, y, base, base + size)
                for j in range(base, base + size):
                    out[j] = y[j] * (gradient[j] - total)
            elif short:
                total = sum_run(gradient, base, base + size)
                for j in range(base, base + size):
                    out[j] = gradient[j] - out[j] * total
            else:
                total = sum_runs(gradient, base, base + size)
                for j in range(base, base + size):
                    out[j] = gradient[j] - exp(y[j]) * total


@kernel
def forward_columns(start, stop, arguments, numbers):
    """As `forward_rows` along the middle axis; a unit is a block of columns."""
    out, tops, totals = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, logarithm = pointer(arguments[3]), arguments[4]
    size, inner, blocks, width = arguments[5], arguments[6], arguments[7], arguments[8]
    for unit in range(start, stop):
        outer, first = unit // blocks, unit % blocks * width
        last = min(inner, first + width)
        base, place = outer * size * inner, outer * inner
        for j in range(first, last):
            tops[place + j] = x[base + j]
            totals[place + j] = T(0)
        for i in range(1, size):
            for j in range(first, last):
                tops[place + j] = larger(tops[place + j], x[base + i * inner + j])
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
    y, logarithm = pointer(arguments[3]), arguments[4]
    size, inner, blocks, width = arguments[5], arguments[6], arguments[7], arguments[8]
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
    """(units, settings of the launch, sizes that the kernel takes) by the sizes alone."""
    nanoseconds = NANOSECONDS_PER_ELEMENT * outer * size * inner
    if inner == 1:
        together = max(1, BLOCK_ELEMENTS // max(1, size))
        return (-(-outer // together), dict(chunk=CHUNK_BLOCKS, nanoseconds=nanoseconds),
                (outer, size, together, int(size < SHORT)))
    width = min(inner, COLUMNS)
    blocks = -(-inner // width)
    chunk = max(1, CHUNK_ELEMENTS // (width * max(1, size)))
    return outer * blocks, dict(chunk=chunk, nanoseconds=nanoseconds), (size, inner, blocks, width)


def forward(split, logarithm, x):
    """Softmax of a contiguous array, read as ``split`` says, (outer, size, inner)."""
    outer, _, inner = split
    out, tops, totals = (memory.empty(shape, x.dtype) for shape in
                         (x.shape, (outer, inner), (outer, inner)))
    if x.size:
        units, settings, sizes = _plan(*split)
        run = forward_rows if inner == 1 else forward_columns
        run(None, (out, tops, totals, x, logarithm, *sizes), units, **settings)
    return out


def gradient(split, logarithm, upstream, y):
    """The gradient of the input, from that of the output ``y``; both as for `forward`."""
    outer, _, inner = split
    out = memory.empty(y.shape, y.dtype)
    if y.size:
        units, settings, sizes = _plan(*split)
        if inner == 1:
            gradient_rows(None, (out, upstream, y, logarithm, *sizes), units, **settings)
        else:
            totals = memory.empty((outer, inner), y.dtype)
            gradient_columns(None, (out, totals, upstream, y, logarithm, *sizes), units,
                             **settings)
    return out
