"""Sums and extrema along the middle axis of an (outer, size, inner) array, and softmax.

Long axes are cut into pieces whose results are reduced again, so a result depends on the sizes
alone, not on the threads; it also keeps the rounding error of a sum small.
"""

from functools import lru_cache as cache

import numpy

from . import memory
from .kernel import kernel
from .names import T, exp, log, plus, pointer, pointer_i64

LARGEST_PIECE = 4096  # elements that one piece of a sum along the innermost axis reads
NANOSECONDS_PER_ELEMENT = 0.4
CHUNK_ELEMENTS = 16384


def sum_run(x, first, last):
    """Sum of x[first:last], at most 4096, in as many chains as the compiler keeps in vectors.

    Sixteen chains written out, which LLVM does not turn into vectors, took 4 times as long.
    """
    total = T(0)
    for i in range(first, last):
        total = plus(total, x[i])
    return total


def sum_runs(x, first, last):
    """Sum of x[first:last], of any length: runs of 4096, one after another."""
    total = T(0)
    for block in range(first, last, 4096):
        total += sum_run(x, block, min(last, block + 4096))
    return total


@kernel(uses=(sum_run,))
def sum_pieces(start, stop, arguments, numbers):
    """out[outer, piece, inner] = sum of x[outer, i, inner] over the piece's rows i."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner, pieces, rows = arguments[2], arguments[3], arguments[4], arguments[5]
    scale = T(numbers[0])
    for unit in range(start, stop):
        outer = unit if pieces == 1 else unit // pieces  # a division takes as long as 32 sums
        first = (unit - outer * pieces) * rows
        last = min(size, first + rows)
        base = outer * size * inner
        if inner == 1:
            out[unit] = sum_run(x, base + first, base + last) * scale
        else:
            to = unit * inner
            for j in range(inner):
                out[to + j] = T(0)
            whole = first + (last - first) // 8 * 8
            for block in range((whole - first) // 8):
                at = base + (first + 8 * block) * inner
                for j in range(inner):
                    a = (x[at + j] + x[at + inner + j]) + (
                        x[at + 2 * inner + j] + x[at + 3 * inner + j])
                    b = (x[at + 4 * inner + j] + x[at + 5 * inner + j]) + (
                        x[at + 6 * inner + j] + x[at + 7 * inner + j])
                    out[to + j] += a + b
            for i in range(whole, last):
                for j in range(inner):
                    out[to + j] += x[base + i * inner + j]
            if scale != T(1):
                for j in range(inner):
                    out[to + j] *= scale


@kernel
def extreme_pieces(start, stop, arguments, numbers):
    """out = the largest or smallest along the axis, and where it is first; NaN wins."""
    out, where, x = pointer(arguments[0]), pointer_i64(arguments[1]), pointer(arguments[2])
    size, inner, largest = arguments[3], arguments[4], arguments[5]
    for unit in range(start, stop):
        base = unit * size * inner
        for j in range(inner):
            best, place = x[base + j], 0
            for i in range(1, size):
                value = x[base + i * inner + j]
                beyond = value > best if largest else value < best
                larger = beyond or (value != value and best == best)
                if larger:
                    best, place = value, i
            out[unit * inner + j] = best
            where[unit * inner + j] = place


@kernel
def logsumexp_pieces(start, stop, arguments, numbers):
    """out[outer, inner] = log of the sum along the axis of exp(x)."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner = arguments[2], arguments[3]
    for line in range(start, stop):
        base = line // inner * size * inner + line % inner
        largest = x[base]
        for i in range(1, size):
            value = x[base + i * inner]
            largest = value if value > largest or value != value else largest
        shift = largest if largest - largest == T(0) else T(0)  # infinite ones stay infinite
        total = T(0)
        for i in range(size):
            total = plus(total, exp(x[base + i * inner] - shift))
        out[line] = log(total) + shift


@cache
def _sum_plan(outer, size, inner):
    """(rows of a piece, pieces, units of a chunk, nanoseconds) of a sum, by its sizes alone."""
    rows = LARGEST_PIECE if inner == 1 else max(8, CHUNK_ELEMENTS // max(1, inner))
    pieces = max(1, -(-size // rows))
    chunk = _rows_per_chunk(min(rows, size) * inner)
    return rows, pieces, chunk, outer * size * inner * NANOSECONDS_PER_ELEMENT


def sum_axis(x):
    """Sum along the middle axis of a contiguous (outer, size, inner) array."""
    return sum_read_as(x.shape, x, (x.shape[0], x.shape[2]))


def sum_read_as(sizes, x, shape, scale=1.0):
    """Sum, times ``scale``, a contiguous array along the middle of the axes (outer, size, inner).

    ``sizes`` are theirs, whatever shape ``x`` has; the result gets ``shape``.
    """
    outer, size, inner = sizes
    rows, pieces, chunk, nanoseconds = _sum_plan(outer, size, inner)
    whole = pieces == 1
    out = memory.empty(shape if whole else (outer, pieces, inner), x.dtype)
    sum_pieces(None, (out, x, size, inner, pieces, rows), outer * pieces, chunk=chunk,
               nanoseconds=nanoseconds, numbers=(scale if whole else 1.0,))
    return out if whole else sum_read_as((outer, pieces, inner), out, shape, scale)


def extreme_axis(x, largest):
    """(values, positions) of the largest or smallest along the middle axis; the first of equals."""
    outer, size, inner = x.shape
    out = memory.empty((outer, inner), x.dtype)
    where = memory.empty((outer, inner), numpy.int64)
    extreme_pieces(None, (out, where, x, size, inner, int(largest)), outer,
                   chunk=_rows_per_chunk(size * inner),
                   nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return out, where


def logsumexp(x):
    """The logarithm of the sum of exponentials along the middle axis."""
    outer, size, inner = x.shape
    out = memory.empty((outer, inner), x.dtype)
    if x.size:
        logsumexp_pieces(None, (out, x, size, inner), outer * inner, chunk=_rows_per_chunk(size),
                         nanoseconds=x.size * 2 * NANOSECONDS_PER_ELEMENT)
    else:
        out.fill(-numpy.inf)
    return out


def _rows_per_chunk(elements):
    return max(1, CHUNK_ELEMENTS // max(1, elements))
