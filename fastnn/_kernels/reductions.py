"""Sums and extrema along the middle axis of an (outer, size, inner) array.

Long axes are cut into pieces whose results are reduced again, so a result depends on the sizes
alone, not on the threads; it also keeps the rounding error of a sum small.
"""

from functools import lru_cache as cache

import numpy

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64

LARGEST_PIECE = 4096  # elements that one piece of a sum reads along the axis
NANOSECONDS_PER_ELEMENT = 0.4
CHUNK_ELEMENTS = 16384


def sum_run(x, first, last):
    """Sum of x[first:last] in 16 chains, which the compiler keeps in vectors."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = T(0)
    b0 = b1_ = b2 = b3 = b4 = b5 = b6 = b7 = T(0)
    whole = first + (last - first) // 16 * 16
    for block in range((whole - first) // 16):
        i = first + 16 * block
        a0 += x[i]
        a1 += x[i + 1]
        a2 += x[i + 2]
        a3 += x[i + 3]
        a4 += x[i + 4]
        a5 += x[i + 5]
        a6 += x[i + 6]
        a7 += x[i + 7]
        b0 += x[i + 8]
        b1_ += x[i + 9]
        b2 += x[i + 10]
        b3 += x[i + 11]
        b4 += x[i + 12]
        b5 += x[i + 13]
        b6 += x[i + 14]
        b7 += x[i + 15]
    total = (((a0 + b0) + (a1 + b1_)) + ((a2 + b2) + (a3 + b3))) + (
        ((a4 + b4) + (a5 + b5)) + ((a6 + b6) + (a7 + b7)))
    for i in range(whole, last):
        total += x[i]
    return total


@kernel(uses=(sum_run,))
def sum_pieces(start, stop, arguments, numbers):
    """out[outer, piece, inner] = sum of x[outer, i, inner] over the piece's rows i."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    size, inner, pieces, rows = arguments[2], arguments[3], arguments[4], arguments[5]
    for unit in range(start, stop):
        outer, piece = unit // pieces, unit % pieces
        first = piece * rows
        last = min(size, first + rows)
        base = outer * size * inner
        if inner == 1:
            out[unit] = sum_run(x, base + first, base + last)
        else:
            for j in range(inner):
                out[unit * inner + j] = T(0)
            for i in range(first, last):
                for j in range(inner):
                    out[unit * inner + j] += x[base + i * inner + j]


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


@cache
def _sum_plan(outer, size, inner):
    """(rows of a piece, pieces, units of a chunk, nanoseconds) of a sum, by its sizes alone."""
    rows = LARGEST_PIECE if inner == 1 else max(8, CHUNK_ELEMENTS // max(1, inner))
    pieces = max(1, -(-size // rows))
    chunk = _rows_per_chunk(min(rows, size) * inner)
    return rows, pieces, chunk, outer * size * inner * NANOSECONDS_PER_ELEMENT


def sum_axis(x):
    """Sum along the middle axis of a contiguous (outer, size, inner) array."""
    outer, size, inner = x.shape
    rows, pieces, chunk, nanoseconds = _sum_plan(outer, size, inner)
    out = memory.empty((outer, pieces, inner), x.dtype)
    sum_pieces(None, (out, x, size, inner, pieces, rows), outer * pieces, chunk=chunk,
               nanoseconds=nanoseconds)
    return out.reshape(outer, inner) if pieces == 1 else sum_axis(out)


def extreme_axis(x, largest):
    """(values, positions) of the largest or smallest along the middle axis; the first of equals."""
    outer, size, inner = x.shape
    out = memory.empty((outer, inner), x.dtype)
    where = memory.empty((outer, inner), numpy.int64)
    extreme_pieces(None, (out, where, x, size, inner, int(largest)), outer,
                   chunk=_rows_per_chunk(size * inner),
                   nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return out, where


def _rows_per_chunk(elements):
    return max(1, CHUNK_ELEMENTS // max(1, elements))
