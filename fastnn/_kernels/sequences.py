"""Which rows of a batch of sequences belong to which step, and which states to which rows.

Sequences of different lengths lie packed: all first steps, then all second ones and so on, longest
sequence first, so that the sizes of the steps only fall.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy

MOST_PLANS_KEPT = 256


@dataclass(frozen=True)
class Sequences:
    """The steps of one direction, as `rnn` wants them.

    Rows of states are counted in an array of the initial ones and those of all rows: the initial
    ones lie first, or last if the direction is ``reverse``.
    """

    sizes: tuple  # rows of each step, in the order of the input
    reverse: bool
    spans: numpy.ndarray  # see `rnn`
    before: numpy.ndarray | slice  # for each row of the input, that of the states before
    last: numpy.ndarray | slice  # for each sequence, the row of its last state

    @property
    def batch(self):
        """Number of sequences."""
        return self.sizes[0]

    @cached_property
    def rows(self):
        """Rows of the input."""
        return sum(self.sizes)

    @property
    def initial(self):
        """The first row of the initial states."""
        return self.rows if self.reverse else 0

    @property
    def shift(self):
        """The row of the states that belongs to row 0 of the input."""
        return 0 if self.reverse else self.batch


@lru_cache(maxsize=MOST_PLANS_KEPT)
def sequences(sizes, reverse):
    """The `Sequences` of steps of these sizes, which must not grow."""
    starts = numpy.concatenate([[0], numpy.cumsum(sizes)])
    spans = (_backward_spans if reverse else _forward_spans)(sizes, starts)
    spans = numpy.array(spans, numpy.int64).reshape(-1, 4)
    rows, batch = int(starts[-1]), sizes[0]
    if sizes[-1] == batch:
        before = slice(batch, rows + batch) if reverse else slice(0, rows)
        last = slice(0, batch) if reverse else slice(rows, rows + batch)
        return Sequences(sizes, reverse, spans, before, last)
    before = numpy.empty(rows, numpy.int64)
    last = numpy.arange(batch)
    for place, row, source, count in spans.tolist():
        before[row:row + count] = numpy.arange(source, source + count)
        last[place:place + count] = numpy.arange(row, row + count) + (0 if reverse else batch)
    return Sequences(sizes, reverse, spans, before, last)


def _forward_spans(sizes, starts):
    """Step t comes from the first of the rows of step t - 1; step 0 from the initial states."""
    batch = sizes[0]
    return [(0, starts[t], batch + starts[t - 1] if t else 0, size)
            for t, size in enumerate(sizes)]


def _backward_spans(sizes, starts):
    """Step t comes from all rows of step t + 1; what is longer begins from the initial states."""
    spans = []
    for t in reversed(range(len(sizes))):
        known = sizes[t + 1] if t + 1 < len(sizes) else 0
        if known:
            spans.append((0, starts[t], starts[t + 1], known))
        if known < sizes[t]:
            spans.append((known, starts[t] + known, starts[-1] + known, sizes[t] - known))
    return spans
