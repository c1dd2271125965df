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
    count: int       # positions that a channel's moments are taken over
    width: int       # fold * channels
    step: int        # from a sample's coefficients to the next sample's
    piece_rows: int
    pieces: int      # of each sample, or of each sample and channel
    piece_chunk: int
    units: int       # rows in memory, each of one channel if the channels are first
    row_chunk: int


@lru_cache(maxsize=1024)
def layout_of(last, samples, channels, positions, groups, merged):
    """The layout of images of some sizes; ``merged`` takes moments over all samples."""
    if last and merged:
        samples, positions = 1, samples * positions
    fold = 1
    if last:
        largest = max(1, WIDTH // max(1, channels))
        fold = next(k for k in range(min(largest, max(1, positions)), 0, -1) if not positions % k)
    statistics, rows, width = 1 if merged else samples, positions // fold, fold * channels
    row = width if last else rows
    piece_rows = max(1, min(rows, CHUNK_ELEMENTS // max(1, width))) if last else 1
    pieces = -(-rows // piece_rows) if last else channels
    return Layout(
        last, samples, statistics, channels, groups, rows, fold,
        positions * samples // max(1, statistics), width, width if statistics > 1 else 0,
        piece_rows, pieces, _chunk(piece_rows * row), samples * (rows if last else channels),
        _chunk(row))


def _chunk(elements):
    return max(1, CHUNK_ELEMENTS // max(1, elements))


def _new(x, *shapes):
    return [memory.empty(shape, x.dtype) for shape in shapes]


def _over_pieces(layout, kernel, operands, elements, numbers=()):
    """Run a kernel over the pieces of each sample, or over single rows of one channel."""
    kernel(None, operands, layout.samples * layout.pieces, chunk=layout.piece_chunk,
           nanoseconds=elements * NANOSECONDS_PER_ELEMENT, numbers=numbers)


def _over_rows(layout, kernel, operands, elements, numbers):
    kernel(None, operands, layout.units, chunk=layout.row_chunk,
           nanoseconds=elements * NANOSECONDS_PER_ELEMENT, numbers=numbers)


def moments(layout, x):
    """(mean, variance) of each statistic and group, as vectors; divided by the count."""
    statistics, channels, groups = layout.statistics, layout.channels, layout.groups
    parts = (layout.samples, layout.pieces if layout.last else 1, layout.width)
    means, squares = _new(x, parts, parts)
    if layout.last:
        _over_pieces(layout, kernels.moments_last, (
            means, squares, x, layout.width, layout.rows, layout.piece_rows, layout.pieces),
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


def move_running(layout, running, value, momentum, unbiased):
    """Move a running moment towards the mean of the statistics', in place."""
    target = memory.contiguous(running)
    factor = layout.count / (layout.count - 1) if unbiased and layout.count > 1 else 1.0
    kernels.move_running(None, (target, value, layout.statistics, layout.channels),
                         layout.channels, chunk=_chunk(layout.statistics),
                         nanoseconds=value.size * NANOSECONDS_PER_ELEMENT,
                         numbers=(momentum, factor / max(1, layout.statistics)))
    if target is not running:
        running[...] = target


def coefficients(layout, mean, variance, epsilon, weight, bias):
    """(centre, scale, shift) of each channel of each statistic."""
    found = _new(mean, *[(layout.statistics * layout.width,)] * 3)
    kernels.coefficients(None, (*found, mean, variance, weight, bias, layout.fold,
                                layout.channels, layout.groups), layout.statistics,
                         chunk=_chunk(layout.width),
                         nanoseconds=3 * found[0].size * NANOSECONDS_PER_ELEMENT,
                         numbers=(epsilon,))
    return found


def normalised(layout, x, centre, scale, shift, below=1.0):
    """(x - centre) * scale + shift; what is not above 0 is multiplied by ``below``."""
    out, = _new(x, x.shape)
    operands = out, x, centre, scale, shift
    if layout.last:
        _over_rows(layout, kernels.apply_last, (
            *operands, layout.width, layout.rows, layout.step), x.size, (below,))
    else:
        _over_rows(layout, kernels.apply_first, (
            *operands, layout.rows, layout.statistics * layout.channels), x.size, (below,))
    return out


def gradient_sums(layout, gradient, x, centre, scale, shift, below=1.0):
    """By statistic and channel: (sum of the gradient, sum of it times x less its centre).

    The gradient given is that of what `normalised` returns, that summed is before ``below``.
    """
    statistics, channels = layout.statistics, layout.channels
    parts = layout.pieces * layout.fold if layout.last else layout.samples // statistics
    found, = _new(x, (2, statistics, parts, channels))
    if layout.last:
        _over_pieces(layout, kernels.sums_last, (
            *found, gradient, x, centre, scale, shift, layout.width, layout.step, layout.rows,
            layout.piece_rows, layout.pieces), 2 * x.size, (below,))
    else:
        _over_pieces(layout, kernels.sums_first, (
            *found, gradient, x, centre, scale, shift, layout.rows, statistics * channels),
            2 * x.size, (below,))
    if parts > 1:
        found = sum_axis(found.reshape(2 * statistics, parts, channels))
    return found.reshape(2, -1)


def input_gradient(layout, gradient, x, sums, centre, scale, shift, below, variance, epsilon,
                   weight):
    """The gradient of x, through the moments too."""
    out, slope, offset = _new(x, x.shape, scale.shape, scale.shape)
    kernels.gradient_coefficients(
        None, (slope, offset, *sums, variance, weight, layout.fold, layout.channels,
               layout.groups), layout.statistics,
        chunk=_chunk(layout.width),
        nanoseconds=2 * slope.size * NANOSECONDS_PER_ELEMENT, numbers=(epsilon, layout.count))
    operands = out, gradient, x, centre, scale, shift, slope, offset
    if layout.last:
        _over_rows(layout, kernels.input_gradient_last, (
            *operands, layout.width, layout.rows, layout.step), 2 * x.size, (below,))
    else:
        _over_rows(layout, kernels.input_gradient_first, (
            *operands, layout.rows, layout.statistics * layout.channels), 2 * x.size, (below,))
    return out


def parameter_gradients(layout, sums, variance, epsilon):
    """(gradient of the weight, gradient of the bias)."""
    found = _new(variance, (layout.channels,), (layout.channels,))
    kernels.parameter_gradients(
        None, (*found, *sums, variance, layout.statistics, layout.channels, layout.groups),
        layout.channels, chunk=_chunk(layout.statistics),
        nanoseconds=sums[0].size * NANOSECONDS_PER_ELEMENT, numbers=(epsilon,))
    return found
