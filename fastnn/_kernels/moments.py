"""Mean and variance along the middle axis of a contiguous (outer, size, inner) array.

Each piece of the axis has its mean and the squared distances from it, and the pieces are joined in
their order (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances", 1979), so nothing is lost where the mean is large beside the deviation.
"""

from . import memory
from .kernel import kernel
from .names import T, plus, pointer
from .reductions import CHUNK_ELEMENTS

NANOSECONDS_PER_ELEMENT = 0.5


@kernel
def moment_pieces(start, stop, arguments, numbers):
    """Mean and sum of squared distances from it, for each piece of the axis."""
    mean, square, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    size, inner, pieces, rows = arguments[3], arguments[4], arguments[5], arguments[6]
    for unit in range(start, stop):
        first = unit % pieces * rows
        last = min(size, first + rows)
        base = unit // pieces * size * inner
        share = T(1) / T(last - first)
        if inner == 1:
            total = T(0)
            for i in range(base + first, base + last):
                total = plus(total, x[i])
            middle = total * share
            total = T(0)
            for i in range(base + first, base + last):
                apart = x[i] - middle
                total = plus(total, apart * apart)
            mean[unit] = middle
            square[unit] = total
        else:
            to = unit * inner
            for j in range(inner):
                mean[to + j] = T(0)
                square[to + j] = T(0)
            for i in range(first, last):
                for j in range(inner):
                    mean[to + j] += x[base + i * inner + j]
            for j in range(inner):
                mean[to + j] *= share
            for i in range(first, last):
                for j in range(inner):
                    apart = x[base + i * inner + j] - mean[to + j]
                    square[to + j] += apart * apart


@kernel
def join_pieces(start, stop, arguments, numbers):
    """variance = joined squares of all pieces, divided by the degrees of freedom."""
    variance, means, squares = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    size, inner, pieces, rows = arguments[3], arguments[4], arguments[5], arguments[6]
    for line in range(start, stop):
        at = line // inner * pieces * inner + line % inner
        average, total, count = means[at], squares[at], T(min(size, rows))
        for piece in range(1, pieces):
            at += inner
            more = T(min(size, (piece + 1) * rows) - piece * rows)
            apart = means[at] - average
            average += apart * (more / (count + more))
            total += squares[at] + apart * apart * (count * more / (count + more))
            count += more
        variance[line] = total / T(numbers[0])


def variance(x, freedom):
    """Squared distances from the mean along the middle axis, divided by ``freedom``."""
    outer, size, inner = x.shape
    rows = max(64, CHUNK_ELEMENTS // max(1, inner))
    pieces = max(1, -(-size // rows))
    means, squares = (memory.empty((outer, pieces, inner), x.dtype) for _ in range(2))
    out = memory.empty((outer, inner), x.dtype)
    chunk = max(1, CHUNK_ELEMENTS // max(1, min(rows, size) * inner))
    if out.size:
        moment_pieces(None, (means, squares, x, size, inner, pieces, rows), outer * pieces,
                      chunk=chunk, nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
        join_pieces(None, (out, means, squares, size, inner, pieces, rows), outer * inner,
                    chunk=CHUNK_ELEMENTS, nanoseconds=0.0, numbers=(freedom,))
    return out
