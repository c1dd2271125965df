"""The stable order of rows, by radix sort, and search in rows that are in order.

A number becomes an integer of the same order: a floating-point number's bits, those of a negative
one turned round; NaN counts as the largest and -0.0 as 0. Integers of 32 bits are sorted together
with their positions, as one of 64 bits. Numbers are sorted digit by digit, the lowest first; a
digit that all have in common is passed over. Short rows are sorted by insertion.
"""

import numpy

from . import memory
from .kernel import kernel
from .names import i64, pointer, pointer_i32, pointer_i64

SHORT = 48  # elements of a row that is sorted by insertion
GROUPS = 64  # of rows at most, each with counts and memory of its own
GROUPED_ELEMENTS = 1 << 22  # that all groups' memory holds, where rows are not longer
FEWEST_GROUPS = 8
NANOSECONDS_PER_ELEMENT = 10.0
NANOSECONDS_PER_STEP = 4.0  # of a search
LARGEST_PAIRED = 1 << 32  # elements of a row whose positions fit beside 32 bits


def rank_of(bits, floating, largest, infinity):
    """A number's bits as an integer of the same order: ``largest`` has all bits but the sign."""
    if not floating:
        return bits
    size = bits & largest
    if size > infinity:
        return largest
    return size if bits >= 0 else -size


def clear(counts, first, last):
    """Set counts to 0."""
    for i in range(first, last):
        counts[i] = 0


def begin_buckets(counts, first):
    """Turn the counts of 256 buckets into their begins."""
    total = i64(0)
    for i in range(first, first + 256):
        count = counts[i]
        counts[i] = total
        total += count


def spread_pairs(pairs, base, spare, spare_base, size, counts, first):
    """Sort pairs (32 bits, position) by their upper halves, whose digits are counted; the result
    lies in ``pairs``."""
    old, old_base, new, new_base, away = pairs, base, spare, spare_base, False
    for digit in range(4):
        shift, table = 32 + 8 * digit, first + 256 * digit
        if counts[table + ((old[old_base] >> shift) & 255)] == size:
            continue
        begin_buckets(counts, table)
        for i in range(old_base, old_base + size):
            value = old[i]
            at = table + ((value >> shift) & 255)
            new[new_base + counts[at]] = value
            counts[at] += 1
        old, old_base, new, new_base, away = new, new_base, old, old_base, not away
    if away:
        for i in range(size):
            pairs[base + i] = old[old_base + i]


@kernel(uses=(rank_of, clear, begin_buckets, spread_pairs))
def order_narrow(start, stop, arguments, numbers):
    """where[row] = stable order of x[row], of 32 bits each: (rank, position) is one integer."""
    where, x = pointer_i64(arguments[0]), pointer_i32(arguments[1])
    work, counts = pointer_i64(arguments[2]), pointer_i64(arguments[3])
    rows, size, groups = arguments[4], arguments[5], arguments[6]
    descending, short = arguments[7], arguments[8]
    floating, largest, infinity = arguments[9], arguments[10], arguments[11]
    for group in range(start, stop):
        tally = group * 1024
        for row in range(group * rows // groups, (group + 1) * rows // groups):
            base = row * size
            if size <= short:
                for i in range(size):
                    rank = rank_of(i64(x[base + i]), floating, largest, infinity)
                    value = ((~rank if descending else rank) << 32) | i
                    place = base + i
                    while place > base and where[place - 1] > value:
                        where[place] = where[place - 1]
                        place -= 1
                    where[place] = value
            else:
                clear(counts, tally, tally + 1024)
                for i in range(size):
                    rank = rank_of(i64(x[base + i]), floating, largest, infinity)
                    rank = (~rank if descending else rank) + 0x80000000
                    where[base + i] = (rank << 32) | i
                    for digit in range(4):
                        counts[tally + 256 * digit + ((rank >> (8 * digit)) & 255)] += 1
                spread_pairs(where, base, work, group * size, size, counts, tally)
            for i in range(base, base + size):
                where[i] &= 0xFFFFFFFF


def insert_whole(where, base, work, ranks, size):
    """Sort positions and ranks by insertion."""
    for i in range(size):
        rank, place = work[ranks + i], i
        while place > 0 and work[ranks + place - 1] > rank:
            work[ranks + place] = work[ranks + place - 1]
            where[base + place] = where[base + place - 1]
            place -= 1
        work[ranks + place] = rank
        where[base + place] = i


def insert_by_rank(pairs, base, size, ranks, first):
    """Bring pairs of equal upper halves in the order of their whole ranks; False if that is long.
    """
    steps = 4 * size
    for i in range(base + 1, base + size):
        value = pairs[i]
        if (pairs[i - 1] >> 32) == (value >> 32):
            rank, place = ranks[first + (value & 0xFFFFFFFF)] & 0xFFFFFFFF, i
            while place > base and (pairs[place - 1] >> 32) == (value >> 32) and (
                    ranks[first + (pairs[place - 1] & 0xFFFFFFFF)] & 0xFFFFFFFF) > rank:
                pairs[place] = pairs[place - 1]
                place -= 1
                steps -= 1
            pairs[place] = value
            if steps < 0:
                return False
    return True


def spread_whole(where, base, work, ranks, size, counts, first):
    """Sort by all digits of ranks, at ``ranks`` in ``work``; behind them is room for two rows."""
    old, new, spare, away = ranks, ranks + size, ranks + 2 * size, False
    clear(counts, first, first + 2048)
    for i in range(size):
        where[base + i] = i
        for digit in range(8):
            counts[first + 256 * digit + ((work[old + i] >> (8 * digit)) & 255)] += 1
    old_where, old_base, new_where, new_base = where, base, work, spare
    for digit in range(8):
        table = first + 256 * digit
        if counts[table + ((work[old] >> (8 * digit)) & 255)] == size:
            continue
        begin_buckets(counts, table)
        for i in range(size):
            rank = work[old + i]
            at = table + ((rank >> (8 * digit)) & 255)
            place = counts[at]
            counts[at] = place + 1
            work[new + place] = rank
            new_where[new_base + place] = old_where[old_base + i]
        old, new, away = new, old, not away
        old_where, old_base, new_where, new_base = new_where, new_base, old_where, old_base
    if away:
        for i in range(size):
            where[base + i] = old_where[old_base + i]


@kernel(uses=(rank_of, clear, begin_buckets, spread_pairs, insert_whole, insert_by_rank,
              spread_whole))
def order_wide(start, stop, arguments, numbers):
    """where[row] = stable order of x[row], of 64 bits each.

    The upper 32 bits of the ranks' distances from the least are sorted as in ``order_narrow``;
    what they leave open is inserted, or, where that takes too many steps, all digits are sorted.
    """
    where, x = pointer_i64(arguments[0]), pointer_i64(arguments[1])
    work, counts = pointer_i64(arguments[2]), pointer_i64(arguments[3])
    rows, size, groups = arguments[4], arguments[5], arguments[6]
    descending, short = arguments[7], arguments[8]
    floating, largest, infinity = arguments[9], arguments[10], arguments[11]
    least = most = i64(0)
    for group in range(start, stop):
        ranks, tally = group * 3 * size, group * 2048
        for row in range(group * rows // groups, (group + 1) * rows // groups):
            base = row * size
            for i in range(size):
                rank = rank_of(x[base + i], floating, largest, infinity)
                rank = ~rank if descending else rank
                work[ranks + i] = rank
                least = rank if rank < least or not i else least
                most = rank if rank > most or not i else most
            if size <= short:
                insert_whole(where, base, work, ranks, size)
                continue
            shift = 0
            while shift < 32 and ((most - least) >> shift) & -4294967296:
                shift += 1
            clear(counts, tally, tally + 1024)
            for i in range(size):
                work[ranks + i] -= least
                rank = (work[ranks + i] >> shift) & 0xFFFFFFFF
                where[base + i] = (rank << 32) | i
                for digit in range(4):
                    counts[tally + 256 * digit + ((rank >> (8 * digit)) & 255)] += 1
            spread_pairs(where, base, work, ranks + size, size, counts, tally)
            if shift == 0 or insert_by_rank(where, base, size, work, ranks):
                for i in range(base, base + size):
                    where[i] &= 0xFFFFFFFF
            else:
                spread_whole(where, base, work, ranks, size, counts, tally)


@kernel(uses=(rank_of,))
def search(start, stop, arguments, numbers):
    """where[row, i] = how many of sequence[row] are less than x[row, i], or with ``right`` equal.

    NaN counts as the largest.
    """
    sequence, where, x = pointer(arguments[0]), pointer_i64(arguments[1]), pointer(arguments[2])
    size, count, shared, right = arguments[3], arguments[4], arguments[5], arguments[6]
    floating, largest, infinity = arguments[7], arguments[8], arguments[9]
    for i in range(start, stop):
        base = 0 if shared else i // count * size
        rank, low, high = rank_of(i64(x[i]), floating, largest, infinity), base, base + size
        while low < high:
            middle = (low + high) // 2
            other = rank_of(i64(sequence[middle]), floating, largest, infinity)
            if other < rank or (right and other == rank):
                low = middle + 1
            else:
                high = middle
        where[i] = low - base


def as_integers(x):
    """(contiguous integers of 32 or 64 bits, the arguments of ``rank_of``) of an array."""
    if x.dtype.itemsize < 4:
        x = x.astype(numpy.int32)
    bits = x.dtype.itemsize * 8
    largest = (1 << (bits - 1)) - 1
    infinity = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    form = numpy.int32 if bits == 32 else numpy.int64
    return memory.contiguous(x).view(form), (int(x.dtype.kind == "f"), largest, infinity)


def group_count(rows, size):
    """How many groups of rows, by the sizes alone."""
    return min(rows, max(FEWEST_GROUPS, min(GROUPS, GROUPED_ELEMENTS // size)))


def order(x, descending):
    """(rows, size) positions that bring the rows of a matrix in stable order."""
    rows, size = x.shape
    where = memory.empty((rows, size), numpy.int64)
    if not where.size:
        return where
    if size >= LARGEST_PAIRED:
        raise ValueError(f"sort: a row of {size} elements is longer than {LARGEST_PAIRED - 1}")
    x, ranks = as_integers(x)
    narrow = x.dtype.itemsize == 4
    groups = group_count(rows, size)
    work = memory.empty((groups, size if narrow else 3 * size), numpy.int64)
    counts = memory.empty((groups, 1024 if narrow else 2048), numpy.int64)
    (order_narrow if narrow else order_wide)(
        None, (where, x, work, counts, rows, size, groups, int(descending), SHORT, *ranks), groups,
        chunk=1, nanoseconds=where.size * NANOSECONDS_PER_ELEMENT)
    return where


def positions(sequence, x, right):
    """Where the values of ``x`` (rows, count) stand in the rows (or the one row) in order."""
    where = memory.empty(x.shape, numpy.int64)
    if where.size:
        rows, size = sequence.shape
        (sequence, ranks), (x, _) = as_integers(sequence), as_integers(x)
        search(None, (sequence, where, x, size, x.shape[1], int(rows == 1), int(right), *ranks),
               where.size, chunk=1024,
               nanoseconds=where.size * NANOSECONDS_PER_STEP * size.bit_length())
    return where
