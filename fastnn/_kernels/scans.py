"""Running sums, recurrences and extrema, and products, along the middle axis of three.

`recurrence` is out[i] = b[i] + a[i] * out[i - 1]: the cumulative product is one, and so is the
derivative of every recurrence (walked backwards), so no gradient here divides by an element.
"""

import numpy

from . import memory
from .kernel import kernel
from .names import T, exp, log, pointer, pointer_i64, wide
from .reductions import CHUNK_ELEMENTS, LARGEST_PIECE

NANOSECONDS_PER_ELEMENT = 1.0  # each step waits for the one before


@kernel
def cumulative_sums(start, stop, arguments, numbers):
    """out[i] = x[0] + ... + x[i], or x[i] + ... + x[last] backwards, added up in float64."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner, backwards = arguments[2], arguments[3], arguments[4]
    step = -inner if backwards else inner
    for line in range(start, stop):
        at = line // inner * size * inner + line % inner
        at += (size - 1) * inner if backwards else 0
        total = wide(0)
        for _ in range(size):
            total += x[at]
            out[at] = T(total)
            at += step


@kernel
def recurrences(start, stop, arguments, numbers):
    """out[i] = b[i] + a[i] * out[i - 1], backwards b[i] + a[i + 1] * out[i + 1]."""
    out, a, b = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    size, inner, backwards = arguments[3], arguments[4], arguments[5]
    step = -inner if backwards else inner
    shift = -step if backwards else 0
    for line in range(start, stop):
        at = line // inner * size * inner + line % inner
        at += (size - 1) * inner if backwards else 0
        value = b[at]
        out[at] = value
        for _ in range(1, size):
            at += step
            value = b[at] + a[at + shift] * value
            out[at] = value


@kernel
def cumulative_logsumexps(start, stop, arguments, numbers):
    """out[i] = log(exp(x[0]) + ... + exp(x[i])): the largest so far, and a sum relative to it."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner = arguments[2], arguments[3]
    for line in range(start, stop):
        at = line // inner * size * inner + line % inner
        largest, total = x[at], T(1)
        out[at] = largest
        for _ in range(1, size):
            at += inner
            value = x[at]
            if value > largest or value != value:
                total = total * exp(largest - value) + T(1)
                largest = value
            elif value == largest:
                total += T(1)
            else:
                total += exp(value - largest)
            out[at] = largest + log(total) if largest - largest == T(0) else largest


@kernel
def product_pieces(start, stop, arguments, numbers):
    """out[outer, piece, inner] = product of x[outer, i, inner] over the piece's rows i."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner, pieces, rows = arguments[2], arguments[3], arguments[4], arguments[5]
    for unit in range(start, stop):
        first = unit % pieces * rows
        last = min(size, first + rows)
        base = unit // pieces * size * inner
        for j in range(inner):
            out[unit * inner + j] = T(1)
        for i in range(first, last):
            for j in range(inner):
                out[unit * inner + j] *= x[base + i * inner + j]


@kernel
def cumulative_extremes(start, stop, arguments, numbers):
    """where[i] = position of the extreme of x[0] ... x[i], the last of equals; NaN stays."""
    x, where = pointer(arguments[0]), pointer_i64(arguments[1])
    size, inner, largest = arguments[2], arguments[3], arguments[4]
    for line in range(start, stop):
        at = line // inner * size * inner + line % inner
        best, place = x[at], 0
        for i in range(size):
            value = x[at]
            beyond = value >= best if largest else value <= best
            if beyond or value != value:
                best, place = value, i
            where[at] = place
            at += inner


def _by_line(function, x, operands):
    outer, size, inner = x.shape
    if x.size:
        function(None, operands, outer * inner,
                 chunk=max(1, CHUNK_ELEMENTS // size),
                 nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)


def cumulative_sum(x, backwards):
    """Running sums of a contiguous array along its middle axis."""
    out = memory.empty(x.shape, x.dtype)
    _by_line(cumulative_sums, x, (out, x, *x.shape[1:], int(backwards)))
    return out


def recurrence(a, b, backwards):
    """The recurrence with factors ``a`` and terms ``b``, contiguous arrays of one shape."""
    out = memory.empty(b.shape, b.dtype)
    _by_line(recurrences, b, (out, a, b, *b.shape[1:], int(backwards)))
    return out


def cumulative_logsumexp(x):
    """Running logarithms of sums of exponentials of a contiguous array along its middle axis."""
    out = memory.empty(x.shape, x.dtype)
    _by_line(cumulative_logsumexps, x, (out, x, *x.shape[1:]))
    return out


def product(x):
    """The product along the middle axis, by pieces that are multiplied again."""
    outer, size, inner = x.shape
    rows = max(8, LARGEST_PIECE // max(1, inner))
    pieces = max(1, -(-size // rows))
    out = memory.empty((outer, pieces, inner), x.dtype)
    if out.size:
        product_pieces(None, (out, x, size, inner, pieces, rows), outer * pieces,
                       chunk=max(1, CHUNK_ELEMENTS // max(1, min(rows, size) * inner)),
                       nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return out.reshape(outer, inner) if pieces == 1 else product(out)


def cumulative_extreme(x, largest):
    """Positions of the running extreme along the middle axis."""
    where = memory.empty(x.shape, numpy.int64)
    _by_line(cumulative_extremes, x, (x, where, *x.shape[1:], int(largest)))
    return where
