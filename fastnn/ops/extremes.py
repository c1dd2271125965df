"""Extrema and medians over dimensions, and where they lie."""

import math
from typing import NamedTuple

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, program, reductions, rows, selecting
from ..operation import Operation
from ..registry import case, floats, public
from .axes import chosen, keep, not_empty, reduced
from .checks import NOT_GIVEN, axis, is_given, truth
from .comparison import maximum, minimum
from .indexing import joined
from .reduction import sum
from .shape import reshape

OVER_DIMS = [case(floats(2, 5)), case(floats(2, 5), 1), case(floats(2, 3, 4), (0, 2), keepdim=True),
             case(floats(2, 3, 4), -2)]


class Extremes(NamedTuple):
    """Values chosen along a dimension, and their positions as int64."""

    values: tensors.Tensor
    indices: tensors.Tensor


class Limits(NamedTuple):
    """The smallest and the largest values."""

    min: tensors.Tensor
    max: tensors.Tensor


def _extremes(x, dim, largest):
    """The extrema along one dimension of an array, and their positions."""
    shape = x.shape[:dim] + x.shape[dim + 1:]
    values, where = reductions.extreme_axis(joined(x, dim), largest)
    return values.reshape(shape), where.reshape(shape)


def _place_forward(plan, gradient):
    dim, where, shape = plan[:3]
    out = memory.empty(shape, gradient.dtype)
    out.fill(0)
    whole = joined(out, dim)
    line = (whole.shape[0], 1, whole.shape[2])
    rows.scatter_elements(
        whole, where.reshape(line), memory.contiguous(gradient).reshape(line), "copy")
    return out


def _take_forward(plan, x):
    dim, where, shape = plan[:3]
    whole = joined(x, dim)
    found = rows.gather_elements(
        whole, memory.contiguous(where).reshape(whole.shape[0], 1, whole.shape[2]))
    return found.reshape(where.shape)


_placed = Operation("place", _place_forward, lambda node, gradient: _taken(node.plan, gradient))
# The values are known already where the kernel found them with their positions.
_found = Operation("take", lambda plan, x: plan[3],
                   lambda node, gradient: _placed(node.plan[:3], gradient))
_taken = Operation("take", _take_forward, lambda node, gradient: _placed(node.plan, gradient))


def _extreme_along(name, input, dim, keepdim, largest):
    tensors.as_tensor(name, input)
    position = axis(name, dim, input.ndim)
    flat = reshape(input, 1) if not input.ndim else input
    if not flat.shape[position]:
        raise ValueError(f"{name}: dimension {dim} of shape {tuple(input.shape)} is empty")
    values, where = program.unit(_extremes, tape.used(flat), position, largest)
    values = _found((position, where, flat.array.shape, values), flat)
    positions = tape.from_array(where)
    if not input.ndim:
        return reshape(values, ()), reshape(positions, ())
    return (keep(values, flat, (position,), keepdim),
            keep(positions, flat, (position,), keepdim))


def _extreme_of(name, input, dim, keepdim, largest):
    if isinstance(dim, tensors.Tensor):
        return (maximum if largest else minimum)(input, dim)
    if is_given(name, dim, keepdim):
        return Extremes(*_extreme_along(name, input, dim, keepdim, largest))
    return _shared(name, input, None, False, largest)


def _shared_forward(largest, x):
    return reductions.extreme_axis(memory.contiguous(x), largest)[0]


def _shared_rule(node, gradient):
    """Equal extremes share the gradient evenly; so do all NaN."""
    x, = node.saved
    found = node.output.unsqueeze(1)
    chosen_ones = ((x == found) | (x.isnan() & found.isnan())).to(gradient.dtype)
    return chosen_ones * (gradient / chosen_ones.sum(1)).unsqueeze(1)


_shared_extreme = Operation("amax", _shared_forward, _shared_rule, saves=(0,), saves_output=True)


def _shared(name, input, dim, keepdim, largest):
    dims = chosen(name, input, dim)
    not_empty(name, input, dims)
    return reduced(_shared_extreme, largest, input, dims, keepdim)


@public("fastnn", "method", cases=OVER_DIMS)
def amax(input, dim=(), keepdim=False):
    """The largest value over dimensions; NaN wins, equal ones share the gradient evenly."""
    return _shared("amax", input, dim, keepdim, True)


@public("fastnn", "method", cases=OVER_DIMS)
def amin(input, dim=(), keepdim=False):
    """The smallest value over dimensions; NaN wins, equal ones share the gradient evenly."""
    return _shared("amin", input, dim, keepdim, False)


@public("fastnn", "method", cases=[])
def aminmax(input, *, dim=None, keepdim=False):
    """``(min, max)`` over all dimensions or one."""
    dims = () if dim is None else axis("aminmax", dim, tensors.as_tensor("aminmax", input).ndim)
    return Limits(amin(input, dims, keepdim), amax(input, dims, keepdim))


@public("fastnn", "method", cases=[case(floats(2, 5)), case(floats(2, 5), floats(5))])
def max(input, dim=NOT_GIVEN, keepdim=False, *, other=None):
    """The largest value, or (values, indices) along ``dim``; NaN wins, of equals the first.

    The largest of all shares its gradient among equals; along a dimension it goes to the index.
    ``max(input, other)`` with a tensor is ``maximum``.
    """
    return _extreme_of("max", input, dim if other is None else other, keepdim, True)


@public("fastnn", "method", cases=[case(floats(2, 5)), case(floats(2, 5), floats(5))])
def min(input, dim=NOT_GIVEN, keepdim=False, *, other=None):
    """The smallest value, or (values, indices) along ``dim``; otherwise as ``max``."""
    return _extreme_of("min", input, dim if other is None else other, keepdim, False)


def _position(name, input, dim, keepdim, largest):
    if dim is None:
        truth(name, "keepdim", keepdim)
        place = _extreme_along(name, reshape(input, -1), 0, False, largest)[1]
        return reshape(place, (1,) * input.ndim) if keepdim else place
    return _extreme_along(name, input, dim, keepdim, largest)[1]


@public("fastnn", "method", cases=[case(floats(2, 5)), case(floats(2, 5), 1, keepdim=True)],
        differentiable=False)
def argmax(input, dim=None, keepdim=False):
    """The position of the largest value, the first of equals, as int64."""
    return _position("argmax", input.detach(), dim, keepdim, True)


@public("fastnn", "method", cases=[case(floats(2, 5)), case(floats(2, 5), 0, keepdim=True)],
        differentiable=False)
def argmin(input, dim=None, keepdim=False):
    """The position of the smallest value, the first of equals, as int64."""
    return _position("argmin", input.detach(), dim, keepdim, False)


def _middles(x):
    """Positions along the last axis of the lower median; the first NaN where there is one."""
    size = x.shape[-1]
    lines = memory.contiguous(x).reshape(x.size // size, size)
    middle = selecting.kth_positions(lines, (size + 1) // 2).reshape(x.shape[:-1])
    if x.dtype.kind != "f":
        return middle
    is_nan = numpy.isnan(x)
    return numpy.where(is_nan.any(-1), is_nan.argmax(-1), middle)


_shared_median = Operation(
    "median", lambda plan, x: numpy.take(x, _middles(x[0, :, 0])).reshape(1, 1), _shared_rule,
    saves=(0,), saves_output=True)


def _middles_along(x, axis):
    return numpy.asarray(_middles(numpy.moveaxis(x, axis, -1)))


@public("fastnn", "method", cases=[case(floats(7))])
def median(input, dim=NOT_GIVEN, keepdim=False):
    """The lower of the two middle values, or (values, indices) along ``dim``; NaN wins.

    That of all values shares its gradient among equals, and is NaN where there is none.
    """
    if tensors.as_tensor("median", input).dtype == bool:
        raise TypeError("median: not defined for boolean tensors")
    if not is_given("median", dim, keepdim):
        if not input.numel() and input.is_floating_point():
            return sum(input) * math.nan
        not_empty("median", input, chosen("median", input, None))
        return reshape(_shared_median(None, reshape(input, 1, -1, 1)), ())
    position = axis("median", dim, input.ndim)
    flat = reshape(input, 1) if not input.ndim else input
    not_empty("median", flat, (position,))
    where = program.apart(_middles_along, tape.used(flat), position)
    values = _taken((position, where, flat.array.shape), flat)
    results = values, tape.from_array(where)
    if not input.ndim:
        return Extremes(*(reshape(each, ()) for each in results))
    return Extremes(*(keep(each, flat, (position,), keepdim) for each in results))
