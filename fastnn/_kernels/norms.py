"""Normalisation of channels and groups of channels: batch, instance and group norm.

An image lies with its channels last, (samples, rows, channels), or first, (samples, channels,
rows), and is read as it lies. Batch norm joins the moments of all samples; with the channels last
its samples are but more rows.
"""

from functools import lru_cache
from typing import NamedTuple

from . import channel_norms as kernels
from . import memory
from .reductions import CHUNK_ELEMENTS, sum_axis

NANOSECONDS_PER_ELEMENT = 0.4
WIDTH = 512  # elements that neighbouring rows are joined to: loops over 64 channels cost twice


class Layout(NamedTuple):
    """Where the elements lie, and over which of them moments are taken."""

    last: bool
    samples: int     # in memory
    statistics: int  # samples that have moments of their own: all, or 1
    channels: int
    groups: int
    rows: int        # in memory, of ``fold`` positions each
    fold: int

    @property
    def width(self):
        return self.fold * self.channels

    @property
    def step(self):
        """From a sample's coefficients to the next sample's."""
        return self.width if self.statistics > 1 else 0

    @property
    def count(self):
        """Positions that a channel's moments are taken over."""
        return self.rows * self.fold * self.samples // self.statistics

    @property
    def piece_rows(self):
        return max(1, min(self.rows, CHUNK_ELEMENTS // max(1, self.width)))

    @property
    def pieces(self):
        return -(-self.rows // self.piece_rows)


@lru_cache(maxsize=1024)
def layout_of(last, samples, channels, positions, groups, merged):
    """The layout of images of some sizes; ``merged`` takes moments over all samples."""
    if last and merged:
        samples, positions = 1, samples * positions
    fold = 1
    if last:
        largest = max(1, WIDTH // max(1, channels))
        fold = next(k for k in range(min(largest, max(1, positions)), 0, -1) if not positions % k)
    return Layout(last, samples, 1 if merged else samples, channels, groups, positions // fold,
                  fold)


def _new(x, *shapes):
    return [memory.empty(shape, x.dtype) for shape in shapes]


def _over_pieces(layout, kernel, operands, elements):
    """Run a kernel over the pieces of each sample, or over single rows of one channel."""
    units = layout.samples * (layout.pieces if layout.last else layout.channels)
    each = layout.piece_rows * layout.width if layout.last else layout.rows
    kernel(None, operands, units, chunk=max(1, CHUNK_ELEMENTS // max(1, each)),
           nanoseconds=elements * NANOSECONDS_PER_ELEMENT)


def _over_rows(layout, kernel, operands, elements):
    units = layout.samples * (layout.rows if layout.last else layout.channels)
    each = layout.width if layout.last else layout.rows
    kernel(None, operands, units, chunk=max(1, CHUNK_ELEMENTS // max(1, each)),
           nanoseconds=elements * NANOSECONDS_PER_ELEMENT)


def moments(layout, x):
    """(mean, variance) of each statistic and group, as vectors; divided by the count."""
    statistics, channels, groups = layout.statistics, layout.channels, layout.groups
    parts = (layout.samples, layout.pieces if layout.last else 1, layout.width)
    means, squares = _new(x, parts, parts)
    if layout.last:
        rest, = _new(x, parts)
        _over_pieces(layout, kernels.moments_last, (
            means, squares, x, rest, layout.width, layout.rows, layout.piece_rows, layout.pieces),
            x.size)
        pieces = layout.pieces, layout.fold, layout.rows, layout.piece_rows
    else:
        _over_pieces(layout, kernels.moments_first, (means, squares, x, layout.rows), x.size)
        pieces = layout.samples // statistics, 1, layout.count, layout.rows
    mean, variance, *scratch = _new(x, *[(statistics * groups,)] * 2,
                                    *[(statistics * channels,)] * 2)
    kernels.join_moments(None, (mean, variance, means, squares, *scratch, *pieces[:2], channels,
                                groups, *pieces[2:]), statistics, chunk=1,
                         nanoseconds=means.size * NANOSECONDS_PER_ELEMENT)
    return mean, variance


def coefficients(layout, mean, variance, epsilon, weight, bias):
    """(centre, scale, shift) of each channel of each statistic."""
    found = _new(mean, *[(layout.statistics * layout.width,)] * 3)
    kernels.coefficients(None, (*found, mean, variance, weight, bias, layout.fold,
                                layout.channels, layout.groups), layout.statistics,
                         chunk=max(1, CHUNK_ELEMENTS // max(1, layout.width)),
                         nanoseconds=3 * found[0].size * NANOSECONDS_PER_ELEMENT,
                         numbers=(epsilon,))
    return found


def normalised(layout, x, centre, scale, shift):
    """(x - centre) * scale + shift."""
    out, = _new(x, x.shape)
    if layout.last:
        sizes = layout.width, layout.rows, layout.step
        _over_rows(layout, kernels.apply_last, (out, x, centre, scale, shift, *sizes), x.size)
    else:
        _over_rows(layout, kernels.apply_first, (out, x, centre, scale, shift, layout.rows,
                                                 layout.statistics * layout.channels), x.size)
    return out


def gradient_sums(layout, gradient, x, centre):
    """By statistic and channel: (sum of the gradient, sum of it times x less its centre)."""
    statistics, channels = layout.statistics, layout.channels
    if layout.last:
        parts = (statistics, layout.pieces * layout.fold, channels)
        found = _new(x, parts, parts)
        _over_pieces(layout, kernels.sums_last, (
            *found, gradient, x, centre, layout.width, layout.step, layout.rows,
            layout.piece_rows, layout.pieces), 2 * x.size)
    else:
        parts = (statistics, layout.samples // statistics, channels)
        found = _new(x, parts, parts)
        _over_pieces(layout, kernels.sums_first, (
            *found, gradient, x, centre, layout.rows, statistics * channels), 2 * x.size)
    return [sum_axis(each).reshape(-1) for each in found] if parts[1] > 1 else \
        [each.reshape(-1) for each in found]


def input_gradient(layout, gradient, x, sums, centre, scale, variance, epsilon, weight):
    """The gradient of x, through the moments too."""
    out, slope, offset = _new(x, x.shape, scale.shape, scale.shape)
    kernels.gradient_coefficients(
        None, (slope, offset, *sums, variance, weight, layout.fold, layout.channels,
               layout.groups), layout.statistics,
        chunk=max(1, CHUNK_ELEMENTS // max(1, layout.width)),
        nanoseconds=2 * slope.size * NANOSECONDS_PER_ELEMENT, numbers=(epsilon, layout.count))
    operands = out, gradient, x, centre, scale, slope, offset
    if layout.last:
        _over_rows(layout, kernels.input_gradient_last, (
            *operands, layout.width, layout.rows, layout.step), 2 * x.size)
    else:
        _over_rows(layout, kernels.input_gradient_first, (
            *operands, layout.rows, layout.statistics * layout.channels), 2 * x.size)
    return out


def parameter_gradients(layout, sums, variance, epsilon):
    """(gradient of the weight, gradient of the bias)."""
    found = _new(variance, (layout.channels,), (layout.channels,))
    kernels.parameter_gradients(
        None, (*found, *sums, variance, layout.statistics, layout.channels, layout.groups),
        layout.channels, chunk=max(1, CHUNK_ELEMENTS // max(1, layout.statistics)),
        nanoseconds=sums[0].size * NANOSECONDS_PER_ELEMENT, numbers=(epsilon,))
    return found
