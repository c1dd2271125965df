"""Sums, means, variances and extrema over dimensions."""

import math
from functools import lru_cache as cache

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, reductions
from ..op import Operation
from ..registry import case, floats, public
from .checks import axes, axis
from .exponential import sqrt
from .shape import expand_, reshape

OVER_DIMS = [
    case(floats(2, 3, 4)), case(floats(2, 3, 4), 1), case(floats(2, 3, 4), (0, 2), keepdim=True),
    case(floats(2, 3, 4), -1), case(floats()), case(floats(3, 4), (0, 1)),
    case(floats(2, 3), 0, dtype=dtypes.float64),
]


@cache
def _sum_steps(shape, order, dims):
    """How to sum an array whose axes lie in memory in ``order``: (steps, shape, axes to turn).

    Each step joins one run of summed axes, the innermost first, as (outer, size, inner).
    """
    sizes = [shape[i] for i in order]
    summed = [i in dims for i in order]
    steps = []
    while True in summed:
        end = start = len(summed) - summed[::-1].index(True)
        while start and summed[start - 1]:
            start -= 1
        steps.append(tuple(math.prod(part) for part in
                           (sizes[:start], sizes[start:end], sizes[end:])))
        del sizes[start:end], summed[start:end]
    left = [i for i in order if i not in dims]
    return steps, tuple(sizes), tuple(left.index(i) for i in sorted(left))


def _sum_array(dims, x):
    """Sum over sorted dims; memory is walked in its own order."""
    order = tuple(range(x.ndim))
    if not x.flags.c_contiguous:
        order = tuple(sorted(order, key=lambda i: -abs(x.strides[i])))
    steps, sizes, turned = _sum_steps(x.shape, order, dims)
    return _summed(memory.contiguous(x.transpose(order)), steps).reshape(sizes).transpose(turned)


def _summed(x, steps):
    for step in steps:
        x = reductions.sum_axis(x.reshape(step))
    return x if steps else memory.copy(x, "K")


def _sum_rule(node, gradient):
    shape, dims = node.plan
    spread = tuple(1 if i in dims else size for i, size in enumerate(shape))
    return expand_((spread, shape), reshape(gradient, spread))


_sum = Operation("sum", lambda plan, x: _sum_array(plan[1], x), _sum_rule)


def _chosen(name, input, dim):
    tensors.as_tensor(name, input)
    if dim is None or dim == ():
        return tuple(range(input.ndim))
    return tuple(sorted(axes(name, dim, input.ndim))) if input.ndim else ()


def _keep(result, input, dims, keepdim):
    if not keepdim:
        return result
    return reshape(result, tuple(1 if i in dims else n for i, n in enumerate(input.shape)))


@public("fastnn", "method", cases=OVER_DIMS)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all or some dimensions; integers and booleans are summed as int64.

    >>> import fastnn
    >>> fastnn.sum(fastnn.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    dims = _chosen("sum", input, dim)
    if dtype is not None or input.dtype.kind in "iub":
        input = input.to(dtype or dtypes.int64)
    return _keep(_sum((input.array.shape, dims), input), input, dims, keepdim)


@public("fastnn", "method", cases=OVER_DIMS)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all or some dimensions of a floating-point tensor; NaN over no element."""
    dims = _chosen("mean", input, dim)
    if dtype is not None:
        input = input.to(dtype)
    if not input.is_floating_point():
        raise TypeError(f"mean: expected a floating-point tensor, got {input.dtype}")
    count = math.prod(input.shape[i] for i in dims)
    return sum(input, dims or None, keepdim) * (1.0 / count if count else math.nan)


@public("fastnn", "method", cases=[
    case(floats(2, 5)), case(floats(2, 5), 1), case(floats(4, 5), 0, correction=0, keepdim=True)])
def var(input, dim=None, *, correction=1, keepdim=False):
    """The variance: squared distances from the mean, divided by the count less ``correction``."""
    dims = _chosen("var", input, dim)
    count = math.prod(input.shape[i] for i in dims)
    apart = input - mean(input, dims or None, keepdim=True)
    freedom = count - correction
    return sum(apart * apart, dims or None, keepdim) * (1.0 / freedom if freedom > 0 else math.inf)


@public("fastnn", "method", cases=[
    case(floats(2, 5)), case(floats(2, 5), 1), case(floats(3, 4), 0, correction=0, keepdim=True)])
def std(input, dim=None, *, correction=1, keepdim=False):
    """The square root of ``var``."""
    return sqrt(var(input, dim, correction=correction, keepdim=keepdim))


def _extremes(x, dim, largest):
    """Positions of the extrema along one dimension of an array."""
    shape = x.shape
    _, where = reductions.extreme_axis(memory.contiguous(x).reshape(
        math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1:])), largest)
    return where.reshape(shape[:dim] + shape[dim + 1:])


def _place_forward(plan, gradient):
    dim, where, shape = plan
    out = numpy.zeros(shape, gradient.dtype)
    numpy.put_along_axis(out, numpy.expand_dims(where, dim), numpy.expand_dims(gradient, dim), dim)
    return out


def _take_forward(plan, x):
    dim, where, _ = plan
    return numpy.take_along_axis(x, numpy.expand_dims(where, dim), dim).squeeze(dim)


_placed = Operation("place", _place_forward, lambda node, gradient: _taken(node.plan, gradient))
_taken = Operation("take", _take_forward, lambda node, gradient: _placed(node.plan, gradient))


def _extreme_along(name, input, dim, keepdim, largest):
    tensors.as_tensor(name, input)
    position = axis(name, dim, input.ndim)
    flat = reshape(input, 1) if not input.ndim else input
    if not flat.shape[position]:
        raise ValueError(f"{name}: dimension {dim} of shape {tuple(input.shape)} is empty")
    where = _extremes(flat.array, position, largest)
    values = _taken((position, where, flat.array.shape), flat)
    positions = tape.from_array(where)
    if not input.ndim:
        return reshape(values, ()), reshape(positions, ())
    return (_keep(values, flat, (position,), keepdim),
            _keep(positions, flat, (position,), keepdim))


def _extreme_of(name, input, dim, keepdim, largest):
    if dim is not None:
        return _extreme_along(name, input, dim, keepdim, largest)
    if not input.numel():
        raise ValueError(f"{name}: the tensor of shape {tuple(input.shape)} is empty")
    return _extreme_along(name, reshape(input, -1), 0, False, largest)[0]


@public("fastnn", "method", cases=[case(floats(2, 5))])
def max(input, dim=None, keepdim=False):
    """The largest value, or (values, indices) along ``dim``; NaN wins, of equals the first."""
    return _extreme_of("max", input, dim, keepdim, True)


@public("fastnn", "method", cases=[case(floats(2, 5))])
def min(input, dim=None, keepdim=False):
    """The smallest value, or (values, indices) along ``dim``; NaN wins, of equals the first."""
    return _extreme_of("min", input, dim, keepdim, False)


def _position(name, input, dim, keepdim, largest):
    if dim is None:
        return _extreme_along(name, reshape(input, -1), 0, False, largest)[1]
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


@public("fastnn", "method", cases=[], differentiable=False)
def all(input, dim=None, keepdim=False):
    """Whether all values are true."""
    return (input != 0).sum(dim, keepdim) == _count(input, dim)


@public("fastnn", "method", cases=[], differentiable=False)
def any(input, dim=None, keepdim=False):
    """Whether at least one value is true."""
    return (input != 0).sum(dim, keepdim) > 0


def _count(input, dim):
    return math.prod(input.shape[i] for i in _chosen("all", input, dim))
