"""Sums of rows of a table over segments: embeddings, bags of them, and their gradients.

A segment k is a run of places ``starts[k] : starts[k + 1]`` in ``order`` (None: the places
themselves); place i stands for row ``rows[i]`` of the table, times ``factors[i]`` if there are any.
Turned round, by sorting the places by their rows, the same kernel makes the table's gradient: every
row of it is written once, and its terms are added in their order.
"""

from typing import NamedTuple

import numpy

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64
from .reductions import CHUNK_ELEMENTS

NANOSECONDS_PER_ELEMENT = 0.4
NANOSECONDS_PER_PLACE = 4.0


class Segments(NamedTuple):
    """Which rows of a table are joined to which segment; all arrays are contiguous int64."""

    starts: object
    order: object   # places, or None
    rows: object    # of each place
    table_size: int


@kernel
def copy_rows(start, stop, arguments, numbers):
    """out[i] = table[rows[i]]."""
    out, table = pointer(arguments[0]), pointer(arguments[1])
    rows, size = pointer_i64(arguments[2]), arguments[3]
    for i in range(start, stop):
        at, row = i * size, rows[i] * size
        for j in range(size):
            out[at + j] = table[row + j]


@kernel
def sum_segments(start, stop, arguments, numbers):
    """out[k] = sum over the places of segment k of table[row]: four rows at a time, in order."""
    out, table = pointer(arguments[0]), pointer(arguments[1])
    starts, order, rows = (pointer_i64(arguments[3]), pointer_i64(arguments[4]),
                           pointer_i64(arguments[5]))
    size, has_order = arguments[6], arguments[4] != 0
    for segment in range(start, stop):
        base, first, last = segment * size, starts[segment], starts[segment + 1]
        if first == last:
            for j in range(size):
                out[base + j] = T(0)
        else:
            a = rows[order[first] if has_order else first] * size
            for j in range(size):
                out[base + j] = table[a + j]
        first += 1
        fours = (last - first) // 4 if last > first else 0
        for four in range(fours):
            p = first + 4 * four
            a = rows[order[p] if has_order else p] * size
            b = rows[order[p + 1] if has_order else p + 1] * size
            c = rows[order[p + 2] if has_order else p + 2] * size
            d = rows[order[p + 3] if has_order else p + 3] * size
            for j in range(size):
                out[base + j] += (table[a + j] + table[b + j]) + (table[c + j] + table[d + j])
        for p in range(first + 4 * fours, last):
            a = rows[order[p] if has_order else p] * size
            for j in range(size):
                out[base + j] += table[a + j]


@kernel
def sum_weighted_segments(start, stop, arguments, numbers):
    """out[k] = sum over the places of segment k of factor * table[row]."""
    out, table, factors = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    starts, order, rows = (pointer_i64(arguments[3]), pointer_i64(arguments[4]),
                           pointer_i64(arguments[5]))
    size, has_order = arguments[6], arguments[4] != 0
    for segment in range(start, stop):
        base = segment * size
        for j in range(size):
            out[base + j] = T(0)
        for position in range(starts[segment], starts[segment + 1]):
            place = order[position] if has_order else position
            at, factor = rows[place] * size, factors[place]
            for j in range(size):
                out[base + j] += factor * table[at + j]


@kernel
def copy_within(start, stop, arguments, numbers):
    """Copy numbers of rows, and count those that lie outside of [0, limit)."""
    out, rows, outside = (pointer_i64(arguments[0]), pointer_i64(arguments[1]),
                          pointer_i64(arguments[2]))
    size, limit = arguments[3], arguments[4]
    count = 0
    for i in range(size):
        out[i] = rows[i]
        count += rows[i] < 0 or rows[i] >= limit
    outside[0] = count


@kernel
def sort_places(start, stop, arguments, numbers):
    """Order the places of all segments by row, those of one row as they come: a counting sort."""
    starts, order, segments = (pointer_i64(arguments[0]), pointer_i64(arguments[1]),
                               pointer_i64(arguments[2]))
    old_starts, old_order, rows = (pointer_i64(arguments[3]), pointer_i64(arguments[4]),
                                   pointer_i64(arguments[5]))
    count, table_size, has_order = arguments[6], arguments[7], arguments[4] != 0
    for row in range(table_size + 1):
        starts[row] = 0
    for position in range(old_starts[0], old_starts[count]):
        place = old_order[position] if has_order else position
        starts[rows[place] + 1] += 1
    for row in range(table_size):
        starts[row + 1] += starts[row]
    for segment in range(count):
        for position in range(old_starts[segment], old_starts[segment + 1]):
            place = old_order[position] if has_order else position
            segments[place] = segment
            row = rows[place]
            order[starts[row]] = place
            starts[row] += 1
    for back in range(table_size):
        row = table_size - back
        starts[row] = starts[row - 1]
    starts[0] = 0


def row_product(a, first, b, second, size):
    total = T(0)
    for j in range(size):
        total += a[first + j] * b[second + j]
    return total


@kernel(sums=(row_product,))
def dot_places(start, stop, arguments, numbers):
    """out[i] = left[segment of place i] . table[row of place i]; 0 where either is -1."""
    out, left, table = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    segments, rows, size = pointer_i64(arguments[3]), pointer_i64(arguments[4]), arguments[5]
    for place in range(start, stop):
        out[place] = T(0)
        if segments[place] >= 0 and rows[place] >= 0:
            out[place] = row_product(left, segments[place] * size, table, rows[place] * size, size)


@kernel
def largest_in_segments(start, stop, arguments, numbers):
    """The largest of each segment and column, and the row that it is first in, or -1; NaN wins."""
    out, where, table = pointer(arguments[0]), pointer_i64(arguments[1]), pointer(arguments[2])
    starts, order, rows = (pointer_i64(arguments[3]), pointer_i64(arguments[4]),
                           pointer_i64(arguments[5]))
    size, has_order = arguments[6], arguments[4] != 0
    for segment in range(start, stop):
        base = segment * size
        for j in range(size):
            out[base + j] = T(0)
            where[base + j] = -1
        for position in range(starts[segment], starts[segment + 1]):
            row = rows[order[position] if has_order else position]
            for j in range(size):
                value, best = table[row * size + j], out[base + j]
                if where[base + j] < 0 or value > best or (value != value and best == best):
                    out[base + j] = value
                    where[base + j] = row


@kernel
def add_at_rows(start, stop, arguments, numbers):
    """Columns of zeros of (rows, size), with x[k, j] added at row where[k, j], in order."""
    out, x, where = pointer(arguments[0]), pointer(arguments[1]), pointer_i64(arguments[2])
    count, rows, size = arguments[3], arguments[4], arguments[5]
    for row in range(rows):
        for j in range(start, stop):
            out[row * size + j] = T(0)
    for k in range(count):
        for j in range(start, stop):
            row = where[k * size + j]
            if row >= 0:
                out[row * size + j] += x[k * size + j]


@kernel
def take_at_rows(start, stop, arguments, numbers):
    """out[k, j] = x[where[k, j], j], or 0 where there is no row."""
    out, x, where = pointer(arguments[0]), pointer(arguments[1]), pointer_i64(arguments[2])
    size = arguments[3]
    for k in range(start, stop):
        for j in range(size):
            row = where[k * size + j]
            out[k * size + j] = x[row * size + j] if row >= 0 else T(0)


def copied_rows(rows, table_size):
    """The contiguous int64 numbers of rows as a new vector, or None if any row does not exist."""
    out = memory.empty((rows.size,), rows.dtype)
    outside = memory.empty((1,), rows.dtype)
    copy_within("i64", (out, rows, outside, rows.size, table_size), 1, chunk=1, nanoseconds=0)
    return None if outside[0] else out


def looked_up(rows, table):
    """The rows of a table."""
    size = table.shape[1]
    out = memory.empty((len(rows), size), table.dtype)
    copy_rows(None, (out, table, rows, size), len(rows), chunk=_chunk(size),
              nanoseconds=len(rows) * (NANOSECONDS_PER_PLACE + size * NANOSECONDS_PER_ELEMENT))
    return out


def single(rows, table_size):
    """One segment for each row named."""
    return Segments(numpy.arange(len(rows) + 1), None, rows, table_size)


def turned(segments):
    """By the table's rows: which segments each goes to. Places in no segment have segment -1."""
    starts = memory.empty((segments.table_size + 1,), segments.rows.dtype)
    order = memory.empty(segments.rows.shape, segments.rows.dtype)
    named = numpy.full(segments.rows.shape, -1, segments.rows.dtype)
    count = len(segments.starts) - 1
    sort_places("i64", (starts, order, named, segments.starts, segments.order, segments.rows,
                        count, segments.table_size), 1, chunk=1, nanoseconds=0)
    return Segments(starts, order, named, count)


def _chunk(elements):
    return max(1, CHUNK_ELEMENTS // max(1, elements))


def sums(segments, table, factors):
    """The sum of each segment: an array of (segments, size of a row)."""
    count, size = len(segments.starts) - 1, table.shape[1]
    out = memory.empty((count, size), table.dtype)
    terms = len(segments.rows)
    summed = sum_segments if factors is None else sum_weighted_segments
    summed(None, (out, table, factors, segments.starts, segments.order, segments.rows, size),
           count, chunk=_chunk(size * max(1, terms // max(1, count))),
           nanoseconds=terms * (NANOSECONDS_PER_PLACE + size * NANOSECONDS_PER_ELEMENT)
           + out.size * NANOSECONDS_PER_ELEMENT)
    return out


def dots(segments, rows, left, table):
    """The product of each place's rows in two tables; ``segments`` names the first's."""
    out = memory.empty(rows.shape, table.dtype)
    size = table.shape[1]
    dot_places(None, (out, left, table, segments, rows, size), len(rows), chunk=_chunk(size),
               nanoseconds=len(rows) * size)
    return out


def largest(segments, table):
    """(largest of each segment, the row it is in)."""
    count, size = len(segments.starts) - 1, table.shape[1]
    out = memory.empty((count, size), table.dtype)
    where = memory.empty((count, size), segments.rows.dtype)
    largest_in_segments(None, (out, where, table, segments.starts, segments.order, segments.rows,
                               size), count, chunk=_chunk(size),
                        nanoseconds=len(segments.rows) * size)
    return out, where


def added(x, where, rows):
    """Zeros of (rows, size) with x added at the rows that ``where`` names."""
    out = memory.empty((rows, x.shape[1]), x.dtype)
    add_at_rows(None, (out, x, where, len(x), rows, x.shape[1]), x.shape[1], chunk=16,
                nanoseconds=out.size + x.size)
    return out


def taken(x, where):
    """The elements of x at the rows that ``where`` names."""
    out = memory.empty(where.shape, x.dtype)
    take_at_rows(None, (out, x, where, x.shape[1]), len(where), chunk=_chunk(x.shape[1]),
                 nanoseconds=where.size)
    return out
