"""The k first of rows, and the k-th, without a sort: by the digits of ranks, the highest first.

Of the elements only those stay whose digits so far are those of the k-th one. Ranks are those of
`sorting`: NaN is the largest, and of equal values the first comes first.
"""

import numpy

from . import memory, rows
from .kernel import kernel
from .names import i64, pointer, pointer_i64
from .sorting import as_integers, group_count, order, rank_of

NANOSECONDS_PER_ELEMENT = 4.0
BUCKETS = 2048  # of a digit of 11 bits


def ranks_of_row(x, base, size, work, first, descending, floating, largest, infinity):
    """Write the distances of a row's ranks from the least; (that, highest bit that is set)."""
    least = most = i64(0)
    for i in range(size):
        rank = rank_of(i64(x[base + i]), floating, largest, infinity)
        rank = ~rank if descending else rank
        work[first + i] = rank
        least = rank if rank < least or not i else least
        most = rank if rank > most or not i else most
    for i in range(first, first + size):
        work[i] -= least
    bits = 0
    while bits < 64 and ((most - least) >> bits) != 0:
        bits += 1
    return least, bits


def kth_distance(work, first, size, k, bits, counts, tally):
    """(the k-th of the distances, how many of those equal to it are among the k first)."""
    shift, left, target = bits - 11 if bits > 11 else 0, size, k
    while True:
        for i in range(tally, tally + 2048):
            counts[i] = 0
        for i in range(first, first + left):
            counts[tally + ((work[i] >> shift) & 2047)] += 1
        bucket = 0
        while counts[tally + bucket] < target:
            target -= counts[tally + bucket]
            bucket += 1
        kept = first
        for i in range(first, first + left):
            value = work[i]
            work[kept] = value
            kept += i64(((value >> shift) & 2047) == bucket)
        left = counts[tally + bucket]
        if shift == 0 or left == 1:
            return work[first], target
        shift = shift - 11 if shift > 11 else 0


@kernel(uses=(rank_of, ranks_of_row, kth_distance))
def select(start, stop, arguments, numbers):
    """where[row] = positions of the k first of x[row], ascending, and last[row] that of the k-th.
    """
    x, where, last = pointer(arguments[0]), pointer_i64(arguments[1]), pointer_i64(arguments[2])
    work, counts = pointer_i64(arguments[3]), pointer_i64(arguments[4])
    count, size, groups, k = arguments[5], arguments[6], arguments[7], arguments[8]
    all_wanted, descending = arguments[9], arguments[10]
    floating, largest, infinity = arguments[11], arguments[12], arguments[13]
    for group in range(start, stop):
        for row in range(group * count // groups, (group + 1) * count // groups):
            base = row * size
            least, bits = ranks_of_row(x, base, size, work, group * size, descending, floating,
                                       largest, infinity)
            distance, equal = kth_distance(work, group * size, size, k, bits, counts,
                                           group * 2048)
            to = row * k
            for i in range(size):
                rank = rank_of(i64(x[base + i]), floating, largest, infinity)
                rank = ~rank if descending else rank
                if rank == distance + least:
                    equal -= 1
                    if equal == 0:
                        last[row] = i
                if all_wanted and (rank < distance + least or (
                        rank == distance + least and equal >= 0)):
                    where[to] = i
                    to += 1


def _selected(x, k, descending, all_wanted):
    count, size = x.shape
    where = memory.empty((count, k if all_wanted else 0), numpy.int64)
    last = memory.empty((count,), numpy.int64)
    if count:
        bits, ranks = as_integers(x)
        groups = group_count(count, size)
        work = memory.empty((groups, size), numpy.int64)
        counts = memory.empty((groups, BUCKETS), numpy.int64)
        select(None, (bits, where, last, work, counts, count, size, groups, k, int(all_wanted),
                      int(descending), *ranks), groups, chunk=1,
               nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return where, last


def kth_positions(x, k, descending=False):
    """The position of the k-th (from 1) of each row of a contiguous matrix in stable order."""
    return _selected(x, k, descending, False)[1]


def first_in_order(x, k, descending):
    """(rows, k) positions of the k first of each row of a contiguous matrix, in stable order."""
    where, _ = _selected(x, k, descending, True)
    column = where.reshape(*where.shape, 1)
    values = rows.gather_elements(x.reshape(*x.shape, 1), column)
    inner = order(values.reshape(where.shape), descending)
    return rows.gather_elements(column, inner.reshape(column.shape)).reshape(where.shape)
