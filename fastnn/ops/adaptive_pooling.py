"""Pooling to a given size: ordinary pooling where the windows are equal, else axis by axis.

Window i of ``count`` over an axis of ``size`` is [i size // count, ceil((i + 1) size / count)).
"""

import math

import numpy

from .. import tape
from .._kernels import memory, places, program
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    batch,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    unbatched,
)
from .resampling import over_axes, window_edges, window_means
from .unpooling import add_at

AVERAGE = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
MAXIMUM = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}


@checks.remembered
def _counts(name, sizes, output_size):
    """The windows along each axis; None in ``output_size`` keeps the axis."""
    if output_size is None:
        raise TypeError(f"{name}: output_size must be given; None is for one dimension of several")
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
    given = tuple(given) * (len(sizes) if len(given) == 1 else 1)
    if len(given) == len(sizes):
        given = tuple(size if count is None else count
                      for count, size in zip(given, sizes, strict=True))
    counts = checks.numbers(name, "output_size", given, 0, len(sizes))
    if 0 in sizes:
        raise ValueError(f"{name}: the dimensions to pool must not be empty, got {sizes}")
    return counts


def _equal_windows(sizes, counts):
    """The size of the windows if all of an axis are of one size, else None."""
    if any(not count or size % count for size, count in zip(sizes, counts, strict=True)):
        return None
    return tuple(size // count for size, count in zip(sizes, counts, strict=True))


def _no_windows(x, counts):
    """The result of no windows, empty but on the tape."""
    rows = x.reshape((*x.shape[:2], math.prod(x.shape[2:])))
    return rows[:, :, :0].reshape((*x.shape[:2], *counts))


def _average(name, rank, input, output_size):
    x = batch(name, rank, input)
    sizes = tuple(x.array.shape[2:])
    counts = _counts(name, sizes, output_size)
    if 0 in counts:
        return unbatched(_no_windows(x, counts), input)
    if math.prod(counts) == 1:
        return unbatched(x.mean(tuple(range(2, x.ndim)), keepdim=True), input)
    kernel = _equal_windows(sizes, counts)
    if kernel is not None:
        return unbatched(AVERAGE[rank](x, kernel), input)
    return unbatched(over_axes(x, [None if size == count else window_means(size, count)
                                   for size, count in zip(sizes, counts, strict=True)]), input)


def _axis_forward(plan, x):
    """Maxima along one axis: (values, places along the axis, the three sizes they are seen as)."""
    axis, count = plan
    shape = (math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1:]))
    edges = (numpy.ascontiguousarray(each) for each in window_edges(shape[1], count))
    values, where = places.maxima(memory.contiguous(x).reshape(shape), *edges)
    result = (*x.shape[:axis], count, *x.shape[axis + 1:])
    return values.reshape(result), where, x.shape


def _axis_rule(node, gradient):
    (axis, _), where, shape = node.plan
    added = add_at((where, shape[axis]), gradient.reshape(where.shape))
    return added.reshape(shape)


_axis_maxima = Operation("adaptive_max", _axis_forward, _axis_rule)


def _joined_indices(earlier, where, axis, below):
    """Flat indices behind ``axis``: the places there, and the earlier indices found at them."""
    if earlier is None:
        return where
    return where * below + numpy.take_along_axis(earlier, where, axis)


def _maxima(x, counts, return_indices):
    """Axis by axis from the last: the values, and their indices in the flat dimensions pooled."""
    indices, below = None, 1
    values = x
    for axis in range(x.ndim - 1, 1, -1):
        if return_indices:
            _, where, _ = program.unit(_axis_forward, (axis, counts[axis - 2]),
                                       tape.used(values))
        size = values.shape[axis]
        values = _axis_maxima((axis, counts[axis - 2]), values)
        if return_indices:
            indices = program.apart(
                _joined_indices, indices, where.reshape(values.array.shape), axis, below)
        below *= size
    return values, indices


def _max(name, rank, input, output_size, return_indices):
    x = batch(name, rank, input)
    sizes = tuple(x.array.shape[2:])
    counts = _counts(name, sizes, output_size)
    kernel = _equal_windows(sizes, counts)
    if 0 in counts:
        values = _no_windows(x, counts)
        indices = tape.from_array(program.constant(
            numpy.zeros(values.array.shape, numpy.int64)))
    elif kernel is not None:
        found = MAXIMUM[rank](x, kernel, return_indices=return_indices)
        values, indices = found if return_indices else (found, None)
    else:
        values, indices = _maxima(x, counts, return_indices)
        indices = None if indices is None else tape.from_array(indices)
    if not return_indices:
        return unbatched(values, input)
    return unbatched(values, input), unbatched(indices, input)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6), 3), case(floats(2, 3, 7), 3), case(floats(3, 4), (6,)),
    case(floats(2, 3, 7), 1)])
def adaptive_avg_pool1d(input, output_size):
    """The means of ``output_size`` windows of sequences (N, C, L) or (C, L), as
    ``adaptive_avg_pool2d``."""
    return _average("adaptive_avg_pool1d", 1, input, output_size)


@public("functional", cases=[
    case(floats(2, 3, 6, 4), (3, 2)), case(floats(2, 2, 7, 5), (3, 4)),
    case(floats(2, 5, 6), (None, 4)), case(floats(2, 3, 5, 4), 1), case(floats(2, 2, 3, 3), 5)])
def adaptive_avg_pool2d(input, output_size):
    """The means of windows that divide images (N, C, H, W) or (C, H, W) into ``output_size``.

    ``output_size`` is a number or (rows, columns); None keeps a dimension. Where the size is no
    multiple of it, windows overlap by one.

    >>> import fastnn
    >>> fastnn.nn.functional.adaptive_avg_pool2d(fastnn.ones(1, 3, 9, 7), (2, 2)).shape
    fastnn.Size([1, 3, 2, 2])
    """
    return _average("adaptive_avg_pool2d", 2, input, output_size)


@public("functional", cases=[
    case(floats(2, 2, 4, 4, 2), 2), case(floats(1, 2, 5, 3, 4), (2, 3, 3)),
    case(floats(2, 5, 3, 4), (None, 2, 1))])
def adaptive_avg_pool3d(input, output_size):
    """The means of windows that divide volumes (N, C, D, H, W) or (C, D, H, W) into
    ``output_size``, as ``adaptive_avg_pool2d``."""
    return _average("adaptive_avg_pool3d", 3, input, output_size)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6), 3), case(floats(2, 3, 7), 3), case(floats(3, 4), (6,))])
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest values of ``output_size`` windows of sequences (N, C, L) or (C, L), as
    ``adaptive_max_pool2d``."""
    return _max("adaptive_max_pool1d", 1, input, output_size, return_indices)


@public("functional", cases=[
    case(floats(2, 3, 6, 4), (3, 2)), case(floats(2, 2, 7, 5), (3, 4)),
    case(floats(2, 5, 6), (None, 4)), case(floats(2, 2, 3, 3), 5)])
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest values of windows that divide images (N, C, H, W) or (C, H, W) into
    ``output_size``, whose windows are those of ``adaptive_avg_pool2d``; NaN wins.

    With ``return_indices`` also their positions in the flat (H, W) plane, as int64. The gradient
    goes to the first maximum.
    """
    return _max("adaptive_max_pool2d", 2, input, output_size, return_indices)


@public("functional", cases=[
    case(floats(2, 2, 4, 4, 2), 2), case(floats(1, 2, 5, 3, 4), (2, 3, 3)),
    case(floats(2, 5, 3, 4), (None, 2, 1))])
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The largest values of windows that divide volumes (N, C, D, H, W) or (C, D, H, W) into
    ``output_size``, as ``adaptive_max_pool2d``."""
    return _max("adaptive_max_pool3d", 3, input, output_size, return_indices)
