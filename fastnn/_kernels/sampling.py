"""Weighted sums of the places along one axis: resizing, padding by copies, irregular means."""

from dataclasses import dataclass
from functools import cached_property

import numpy

from . import memory
from .kernel import kernel
from .names import T, pointer, pointer_i64

NANOSECONDS_PER_TERM = 0.3
CHUNK_TERMS = 16384


@kernel
def weighted_rows(start, stop, arguments, numbers):
    """out[o, i, :] = sum over k in [first[i], first[i + 1]) of weight[k] * x[o, source[k], :]."""
    out, x, weight = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    first, source = pointer_i64(arguments[3]), pointer_i64(arguments[4])
    size, count, inner = arguments[5], arguments[6], arguments[7]
    for row in range(start, stop):
        outer, place, to = row // count, row % count, row * inner
        begin, end = first[place], first[place + 1]
        if end - begin == 2:
            one, other = weight[begin], weight[begin + 1]
            at = (outer * size + source[begin]) * inner
            beside = (outer * size + source[begin + 1]) * inner
            for j in range(inner):
                out[to + j] = one * x[at + j] + other * x[beside + j]
            continue
        if begin == end:
            for j in range(inner):
                out[to + j] = T(0)
        for k in range(begin, end):
            scale, at = weight[k], (outer * size + source[k]) * inner
            if k == begin:
                for j in range(inner):
                    out[to + j] = scale * x[at + j]
            else:
                for j in range(inner):
                    out[to + j] += scale * x[at + j]


@kernel
def weighted_values(start, stop, arguments, numbers):
    """out[o, i] = sum over k in [first[i], first[i + 1]) of weight[k] * x[o, source[k]]."""
    out, x, weight = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    first, source = pointer_i64(arguments[3]), pointer_i64(arguments[4])
    size, count = arguments[5], arguments[6]
    for outer in range(start, stop):
        base, to = outer * size, outer * count
        for place in range(count):
            total = T(0)
            for k in range(first[place], first[place + 1]):
                total += weight[k] * x[base + source[k]]
            out[to + place] = total


@dataclass(frozen=True, eq=False)
class Samples:
    """For each of ``count`` new places along an axis of ``size``: sources and their weights.

    Those of place i stand in [first[i], first[i + 1]) of ``source`` and ``weight``.
    """

    size: int
    count: int
    first: numpy.ndarray
    source: numpy.ndarray
    weight: numpy.ndarray

    @classmethod
    def of(cls, size, source, weight=None):
        """From (count, terms) arrays of sources and weights (1 if None); zero weights go."""
        source = numpy.asarray(source, numpy.int64).reshape(len(source), -1)
        weight = numpy.ones(source.shape) if weight is None else numpy.asarray(weight, float)
        kept = weight.reshape(source.shape) != 0
        first = numpy.concatenate([[0], numpy.cumsum(kept.sum(1))]).astype(numpy.int64)
        return cls(size, len(source), first, source[kept], weight.reshape(source.shape)[kept])

    @cached_property
    def reverse(self):
        """The adjoint: what each new place took from an old one goes back there."""
        order = numpy.argsort(self.source, kind="stable")
        counts = numpy.bincount(self.source, minlength=self.size)
        first = numpy.concatenate([[0], numpy.cumsum(counts)]).astype(numpy.int64)
        places = numpy.repeat(numpy.arange(self.count), numpy.diff(self.first))
        return Samples(self.count, self.size, first, places[order], self.weight[order])

    @cached_property
    def single_weight(self):
        """The weights in float32."""
        return self.weight.astype(numpy.float32)


def sampled(samples, x, axis):
    """The weighted sums along one axis of any array; the result keeps the memory's order."""
    order = memory.order_of(x)
    dense, where = memory.contiguous(x.transpose(order)), order.index(axis)
    shape = (*dense.shape[:where], samples.count, *dense.shape[where + 1:])
    out = memory.empty(shape, x.dtype)
    inner = 1
    for size in dense.shape[where + 1:]:
        inner *= size
    if out.size:
        _launch(samples, dense, out, inner)
    return out.transpose(memory.inverse(order))


def _launch(samples, x, out, inner):
    weight = samples.weight if x.dtype == numpy.float64 else samples.single_weight
    rows = out.size // inner
    terms = max(1, len(samples.source) // samples.count)
    settings = dict(nanoseconds=out.size * terms * NANOSECONDS_PER_TERM)
    operands = (out, x, weight, samples.first, samples.source, samples.size, samples.count)
    if inner == 1:
        weighted_values(None, operands, rows // samples.count,
                        chunk=max(1, CHUNK_TERMS // (samples.count * terms)), **settings)
    else:
        weighted_rows(None, (*operands, inner), rows,
                      chunk=max(1, CHUNK_TERMS // (inner * terms)), **settings)
