"""Sums, means and counts over dimensions."""

import math
from functools import lru_cache as cache

from .. import dtypes
from .. import tensor as tensors
from .._kernels import memory, reductions
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import booleans, case, floats, public
from .axes import chosen, count
from .checks import NOT_GIVEN, axes, is_given, remembered, truth
from .shape import expand_, reshape_

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


def _sum_forward(plan, x):
    """Sum over sorted dims, times a scale; memory is walked in its own order."""
    _, dims, result, scale, steps, _ = plan
    if x.flags.c_contiguous:
        return _summed(x, steps, result, scale)
    order = memory.order_of(x)
    steps, sizes, turned = _sum_steps(x.shape, order, dims)
    total = _summed(memory.contiguous(x.transpose(order)), steps, sizes, scale)
    return total.transpose(turned).reshape(result)


def _summed(x, steps, shape, scale):
    if not steps:
        return memory.copy(x, "K").reshape(shape)
    for step in steps[:-1]:
        x = reductions.sum_read_as(step, x, (step[0], step[2]))
    return reductions.sum_read_as(steps[-1], x, shape, scale)


def _sum_rule(node, gradient):
    shape, _, result, scale, _, kept = node.plan
    gradient = gradient if scale == 1.0 else gradient * scale
    return expand_((kept, shape), reshape_((result, kept), gradient))


_sum = Operation("sum", _sum_forward, _sum_rule)
_mean = Operation("mean", _sum_forward, _sum_rule)


@remembered
def _plan(name, shape, dim, keepdim, is_mean):
    """What a sum or a mean needs to know.

    (shape, sorted dims, shape of the result, scale, steps in C order, shape with dims of size 1).
    """
    truth(name, "keepdim", keepdim)
    everything = not is_given(name, dim, keepdim) or dim is None or dim == () or dim == []
    dims = tuple(range(len(shape))) if everything else tuple(sorted(axes(name, dim, len(shape))))
    dims = dims if shape else ()
    kept = tuple(1 if i in dims else n for i, n in enumerate(shape))
    result = kept if keepdim else tuple(n for i, n in enumerate(shape) if i not in dims)
    number = math.prod(shape[i] for i in dims) if is_mean else 1
    steps, _, _ = _sum_steps(shape, tuple(range(len(shape))), dims)
    return shape, dims, result, 1.0 / number if number else math.nan, steps, kept


@public("fastnn", "method", cases=OVER_DIMS)
def sum(input, dim=NOT_GIVEN, keepdim=False, *, dtype=None):
    """The sum over all or some dimensions; integers and booleans are summed as int64.

    >>> import fastnn
    >>> fastnn.sum(fastnn.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    array = tensors.as_tensor("sum", input).array
    if dtype is not None or array.dtype.kind != "f":
        input = input.to(dtype or dtypes.int64)
    return _sum(_plan("sum", array.shape, dim, keepdim, False), input)


@public("fastnn", "method", cases=OVER_DIMS)
def mean(input, dim=NOT_GIVEN, keepdim=False, *, dtype=None):
    """The mean over all or some dimensions of a floating-point tensor; NaN over no element."""
    tensors.as_tensor("mean", input)
    if dtype is not None:
        input = input.to(dtype)
    if not input.is_floating_point():
        raise TypeError(f"mean: expected a floating-point tensor, got {input.dtype}")
    return _mean(_plan("mean", input.array.shape, dim, keepdim, True), input)


@elementwise
def _without_nan(input):
    return 0 if input != input else input


@public("fastnn", "method", cases=OVER_DIMS)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum of what is not NaN."""
    if tensors.as_tensor("nansum", input).is_floating_point():
        input = _without_nan(input)
    return sum(input, dim, keepdim, dtype=dtype)


@public("fastnn", "method", cases=OVER_DIMS)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN; NaN where that is nothing."""
    if not tensors.as_tensor("nanmean", input).is_floating_point():
        raise TypeError(f"nanmean: expected a floating-point tensor, got {input.dtype}")
    total = nansum(input, dim, keepdim, dtype=dtype)
    return total / (input == input).sum(dim, keepdim).to(total.dtype)


@public("fastnn", "method", differentiable=False,
        cases=[case(booleans(3, 4)), case(booleans(3, 4), 1), case(booleans(2, 3, 4), (0, 2))])
def count_nonzero(input, dim=None):
    """How many values are not zero, as int64."""
    return (input != 0).sum(dim)


@public("fastnn", "method", cases=[], differentiable=False)
def all(input, dim=None, keepdim=False):
    """Whether all values are true; over no dimension, ``()``, whether each is."""
    if dim == () or dim == []:
        return tensors.as_tensor("all", input) != 0
    found = (input != 0).sum(dim, keepdim)
    return found == count(input, chosen("all", input, dim))


@public("fastnn", "method", cases=[], differentiable=False)
def any(input, dim=None, keepdim=False):
    """Whether at least one value is true; over no dimension, ``()``, whether each is."""
    if dim == () or dim == []:
        return tensors.as_tensor("any", input) != 0
    return (input != 0).sum(dim, keepdim) > 0
