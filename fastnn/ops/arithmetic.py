"""Pointwise arithmetic, comparison and choice."""

import math

import numpy

from .. import dtypes
from .. import tensor as tensors
from ..elementwise import elementwise
from ..op import Operation
from ..registry import booleans, case, floats, integers, public

PAIR = [
    case(floats(2, 3), floats(2, 3)),
    case(floats(2, 1, 3), floats(4, 1)),
    case(floats(3), 1.5),
    case(floats(), floats(2)),
]
POSITIVE = dict(low=0.3, high=3.0)


@public("fastnn", "method", cases=PAIR)
@elementwise
def add(input, other):
    """``input + other``, broadcast."""
    return input + other


@public("fastnn", "method", cases=PAIR)
@elementwise
def sub(input, other):
    """``input - other``, broadcast."""
    return input - other


@public("fastnn", "method", cases=[*PAIR, case(floats(2, 3), floats(3, low=-1, high=1))])
@elementwise
def mul(input, other):
    """``input * other``, broadcast."""
    return input * other


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(2, 3, **POSITIVE)), case(floats(2, 1), floats(3, **POSITIVE))])
@elementwise
def div(input, other):
    """``input / other``, broadcast; integers are divided as floating-point numbers."""
    return input / other


@public("fastnn", "method", cases=[
    case(floats(2, 3, **POSITIVE), floats(2, 3)), case(floats(3, **POSITIVE), 2.5),
    case(floats(3), 3)], name="pow")
@elementwise
def power(input, exponent):
    """``input`` to the power of ``exponent``, as C's ``pow``; the gradient by the exponent is 0
    where ``input`` is 0. Of integers a negative power is 0, but for 1 and -1."""
    return math.pow(input, exponent)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def square(input):
    """``input * input``."""
    return input * input


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def neg(input):
    """``-input``."""
    return -input


@public("fastnn", "method", cases=[case(floats(2, 3, kinks=(0,)))], name="abs")
@elementwise
def absolute(input):
    """The absolute value; its derivative at 0 is 0."""
    return abs(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def exp(input):
    """e to the power of ``input``; overflows to infinity above 88.7 (709.8 for float64)."""
    return math.exp(input)


@exp.written_derivative()
def _exp_slope(output):
    return output


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def expm1(input):
    """``exp(input) - 1`` without loss of digits near 0."""
    return math.expm1(input)


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def log(input):
    """The natural logarithm; -inf at 0, NaN below."""
    return math.log(input)


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def log1p(input):
    """``log(1 + input)`` without loss of digits near 0."""
    return math.log1p(input)


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def sqrt(input):
    """The square root; its derivative at 0 is infinite."""
    return math.sqrt(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def sin(input):
    """The sine of an angle in radians."""
    return math.sin(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def cos(input):
    """The cosine of an angle in radians."""
    return math.cos(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def erf(input):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to ``input``."""
    return math.erf(input)


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


@elementwise
def _clamp(input, low=-numpy.inf, high=numpy.inf):
    return high if input > high else low if input < low else input


@public("fastnn", "method", cases=[
    case(floats(4, 5, kinks=(-0.5, 0.7)), -0.5, 0.7), case(floats(4, kinks=(0.7,)), max=0.7),
    case(floats(4, kinks=(0.2,)), min=0.2)])
def clamp(input, min=None, max=None):
    """Limit the values to [min, max]; the gradient is 1 within and at the limits, 0 beyond.

    >>> import fastnn
    >>> fastnn.clamp(fastnn.tensor([-2.0, 0.5, 3.0]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max is needed")
    limits = {} if min is None else {"low": min}
    return _clamp(input, **limits, **({} if max is None else {"high": max}))


@public("fastnn", "method", cases=[
    case(booleans(2, 3), floats(2, 3), floats(2, 3)), case(booleans(3, 1), floats(2), 0.5)])
@elementwise
def where(condition: bool, input, other):
    """``input`` where the boolean ``condition`` holds, ``other`` elsewhere; all broadcast."""
    return input if condition else other


COMPARED = [case(floats(2, 3), floats(2, 3)), case(integers(2, 3, high=3), 1)]


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


@public("fastnn", "method", cases=[case(booleans(2, 3))], differentiable=False)
@elementwise
def logical_not(input):
    """Whether each value is zero or False."""
    return not input


@public("fastnn", "method", cases=[case(booleans(2, 3), booleans(3))], differentiable=False)
@elementwise
def logical_and(input, other):
    """Whether both values are true."""
    return input != 0 and other != 0


@public("fastnn", "method", cases=[case(booleans(2, 3), booleans(3))], differentiable=False)
@elementwise
def logical_or(input, other):
    """Whether at least one value is true."""
    return input != 0 or other != 0


@elementwise
def copy_(input, source):
    """``source``, written over ``input``: no gradient reaches what was there."""
    return source


convert = Operation(
    "to", lambda plan, x: x.astype(plan[1], order="K"),
    lambda node, gradient: convert(node.plan[::-1], gradient))


def _convert(tensor, dtype):
    return convert((tensor.dtype, dtype), tensor)


WITHOUT_BOOLEANS = ("neg", "sub", "absolute", "relu", "power")


def promote(operation, inputs, target):
    """Inputs of an elementwise operation, converted to one type: (inputs, NumPy's type number)."""
    formula = operation.formula
    names = formula.inputs
    plain = [value for name, value in zip(names, inputs, strict=True)
             if name not in formula.boolean_inputs]
    for name, value in zip(names, inputs, strict=True):
        if not isinstance(value, tensors.Tensor) and not tensors.is_number(value):
            raise TypeError(
                f"{operation.name}: {name} must be a tensor or a number, got "
                f"{type(value).__name__}")
    found = [value for value in plain if isinstance(value, tensors.Tensor)]
    if target is not None and not found:
        found = [target]
    dtype = dtypes.result_type(
        operation.name, [value.array for value in found],
        [value for value in plain if not isinstance(value, tensors.Tensor)])
    if operation.float_only and dtype not in dtypes.FLOATING:
        dtype = dtypes.get_default_dtype()
    only_booleans = dtype == dtypes.bool_ and operation.name in WITHOUT_BOOLEANS
    if only_booleans or (operation is sub and any(map(_is_boolean, plain))):
        raise TypeError(f"{operation.name}: not defined for boolean tensors")
    converted = tuple(
        _condition(operation, value) if name in formula.boolean_inputs
        else _as_type(value, dtype) for name, value in zip(names, inputs, strict=True))
    if not any(isinstance(value, tensors.Tensor) for value in converted):
        converted = (tensors.Tensor(converted[0]), *converted[1:])
        converted = (_as_type(converted[0], dtype), *converted[1:])
    return converted, dtype.num


def _is_boolean(value):
    return isinstance(value, (bool, numpy.bool_)) or getattr(value, "dtype", None) == dtypes.bool_


def _as_type(value, dtype):
    if isinstance(value, tensors.Tensor):
        return value if value.dtype == dtype else _convert(value, dtype)
    return float(value) if dtype.kind == "f" else int(value)


def _condition(operation, value):
    if not isinstance(value, tensors.Tensor) or value.dtype != dtypes.bool_:
        kind = value.dtype if isinstance(value, tensors.Tensor) else type(value).__name__
        raise TypeError(f"{operation.name}: condition must be a boolean tensor, got {kind}")
    return value
