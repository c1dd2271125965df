"""Comparison, choice between values, and limits."""

import math

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import program
from ..elementwise import elementwise
from ..registry import booleans, case, floats, integers, public

COMPARED = [case(floats(2, 3), floats(2, 3)), case(integers(2, 3, high=3), 1)]
CLOSE = [case(floats(2, 3), floats(2, 3), rtol=0.5, atol=0.1), case(floats(3), floats(3))]


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def eq(input, other):
    """Whether ``input == other``, as a boolean tensor."""
    return input == other


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def ne(input, other):
    """Whether ``input != other``, as a boolean tensor."""
    return input != other


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def lt(input, other):
    """Whether ``input < other``, as a boolean tensor."""
    return input < other


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def le(input, other):
    """Whether ``input <= other``, as a boolean tensor."""
    return input <= other


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def gt(input, other):
    """Whether ``input > other``, as a boolean tensor."""
    return input > other


@public("fastnn", "method", cases=COMPARED, differentiable=False)
@elementwise
def ge(input, other):
    """Whether ``input >= other``, as a boolean tensor."""
    return input >= other


@public("fastnn", "method", cases=[case(floats(2, 3))], differentiable=False)
@elementwise
def isnan(input):
    """Whether each value is NaN."""
    return input != input


@public("fastnn", "method", cases=[case(floats(2, 3)), case(integers(3, high=5))],
        differentiable=False)
@elementwise
def isinf(input):
    """Whether each value is infinite."""
    return abs(input) == math.inf


@public("fastnn", "method", cases=[case(floats(2, 3)), case(integers(3, high=5))],
        differentiable=False)
@elementwise
def isneginf(input):
    """Whether each value is minus infinity."""
    return input == -math.inf


@public("fastnn", "method", cases=[case(floats(2, 3)), case(integers(3, high=5))],
        differentiable=False)
@elementwise
def isposinf(input):
    """Whether each value is plus infinity."""
    return input == math.inf


@public("fastnn", "method", cases=[case(floats(2, 3)), case(integers(3, high=5))],
        differentiable=False)
@elementwise
def isfinite(input):
    """Whether each value is neither infinite nor NaN."""
    return input - input == 0.0


@elementwise(name="isclose")
def _isclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=0):
    apart = abs(input - other)
    near = apart <= atol + abs(rtol * other) and apart < math.inf
    return input == other or near or (equal_nan != 0 and input != input and other != other)


@public("fastnn", "method", cases=CLOSE, differentiable=False)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``abs(input - other) <= atol + rtol * abs(other)``; NaN equals NaN if so wished."""
    for each in (input, other):
        tensors.as_tensor("isclose", each)
    if input.dtype != other.dtype:
        raise TypeError(f"isclose: input is {input.dtype}, other is {other.dtype}")
    if rtol < 0 or atol < 0:
        raise ValueError(f"isclose: rtol and atol must be at least 0, got {rtol} and {atol}")
    if not input.is_floating_point():
        input, other = input.to(dtypes.float64), other.to(dtypes.float64)
    return _isclose(input, other, rtol, atol, int(equal_nan))


@public("fastnn", "method", differentiable=False)
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``isclose`` holds everywhere, as a Python boolean."""
    program.refuse(tensors.READ)
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@public("fastnn", "method", differentiable=False)
def equal(input, other):
    """Whether two tensors have the same shape and values, as a Python boolean."""
    for each in (input, other):
        tensors.as_tensor("equal", each)
    program.refuse(tensors.READ)
    return input.array.shape == other.array.shape and bool(eq(input, other).array.all())


@elementwise(name="where")
def _where(condition: bool, input, other):
    return input if condition else other


@public("fastnn", cases=[
    case(booleans(2, 3), floats(2, 3), floats(2, 3)), case(booleans(3, 1), floats(2), 0.5)])
def where(condition, input=None, other=None):
    """``input`` where the boolean ``condition`` holds, ``other`` elsewhere; all broadcast.

    With ``condition`` alone, the positions at which it holds: a tensor for each dimension.
    """
    if input is None and other is None:
        program.refuse("the size of the result depends on values")
        array = numpy.atleast_1d(tensors.as_tensor("where", condition).array)
        return tuple(tape.from_array(found) for found in array.nonzero())
    return _where(condition, input, other)


@public("fastnn", "method", cases=[case(floats(2, 3), floats(2, 3)),
                                   case(floats(2, 3), floats(3))])
@elementwise
def maximum(input, other):
    """The larger of both; NaN where one is NaN. Of equal values each gets half the gradient."""
    return input if input > other or input != input else other


@maximum.written_derivative("input")
def _maximum_slope(input, other):
    return 0.5 if input == other else 1.0 if input > other else 0.0


@maximum.written_derivative("other")
def _maximum_slope_other(input, other):
    return 0.5 if input == other else 1.0 if other > input else 0.0


@public("fastnn", "method", cases=[case(floats(2, 3), floats(2, 3)),
                                   case(floats(2, 3), floats(3))])
@elementwise
def minimum(input, other):
    """The smaller of both; NaN where one is NaN. Of equal values each gets half the gradient."""
    return input if input < other or input != input else other


@minimum.written_derivative("input")
def _minimum_slope(input, other):
    return 0.5 if input == other else 1.0 if input < other else 0.0


@minimum.written_derivative("other")
def _minimum_slope_other(input, other):
    return 0.5 if input == other else 1.0 if other < input else 0.0


@public("fastnn", "method", cases=[case(floats(2, 3), floats(2, 3)), case(floats(2, 3), floats(3))])
@elementwise
def fmax(input, other):
    """The larger of both, or the one that is not NaN; equal values give the gradient to
    ``input``."""
    return input if input >= other or other != other else other


@public("fastnn", "method", cases=[case(floats(2, 3), floats(2, 3)), case(floats(2, 3), floats(3))])
@elementwise
def fmin(input, other):
    """The smaller of both, or the one that is not NaN; equal values give the gradient to
    ``input``."""
    return input if input <= other or other != other else other


@elementwise(name="clamp")
def _clamp(input, min, max):
    raised = min if input < min or min != min else input
    return max if raised > max or max != max else raised


@elementwise(name="clamp")
def _clamp_min(input, min):
    return min if input < min or min != min else input


@elementwise(name="clamp")
def _clamp_max(input, max):
    return max if input > max or max != max else input


@public("fastnn", "method", cases=[
    case(floats(4, 5, kinks=(-0.5, 0.7)), -0.5, 0.7), case(floats(4, kinks=(0.7,)), max=0.7),
    case(floats(4, kinks=(0.2,)), min=0.2),
    case(floats(4, 3), floats(3, low=-1, high=-0.5), floats(4, 1, low=0.5, high=1)),
    case(floats(4, 3), floats(4, 3)), case(floats(4, 3), max=floats(3))])
def clamp(input, min=None, max=None):
    """Limit the values to [min, max], numbers or tensors; the gradient is 1 within and at the
    limits, 0 beyond. Where ``min`` is above ``max`` the result is ``max``.

    >>> import fastnn
    >>> fastnn.clamp(fastnn.tensor([-2.0, 0.5, 3.0]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max is needed")
    tensors.as_tensor("clamp", input)
    if max is None:
        return _clamp_min(input, min)
    return _clamp_max(input, max) if min is None else _clamp(input, min, max)


@public("fastnn", "method", cases=[case(floats(4, kinks=(0.2,)), 0.2)])
def clamp_min(input, min):
    """The values, but at least ``min``."""
    return clamp(input, min)


@public("fastnn", "method", cases=[case(floats(4, kinks=(0.2,)), 0.2)])
def clamp_max(input, max):
    """The values, but at most ``max``."""
    return clamp(input, None, max)
