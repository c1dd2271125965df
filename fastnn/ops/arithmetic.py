"""Sums, products and quotients, signs and mixtures."""

import math

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels.names import trunc_divide
from ..elementwise import elementwise
from ..registry import case, floats, integers, public
from .promotion import common_type, is_boolean

PAIR = [
    case(floats(2, 3), floats(2, 3)),
    case(floats(2, 1, 3), floats(4, 1)),
    case(floats(3), 1.5),
    case(floats(), floats(2)),
]
SCALED = [case(floats(2, 3), floats(3), alpha=-1.5), case(floats(2), 0.5, alpha=3)]
POSITIVE = dict(low=0.3, high=3.0)
# Quotients that are no integers, whatever the first number is.
UNEVEN = [case(floats(2, 3, low=0.6, high=0.9), floats(3, low=0.4, high=0.55)),
          case(floats(3, low=-1.9, high=-1.1), 1.0)]


@public("fastnn", "method", cases=[*PAIR, *SCALED])
@elementwise
def add(input, other):
    """``input + other``, broadcast; with ``alpha``, ``input + alpha * other``."""
    return input + other


@public("fastnn", "method", cases=[*PAIR, *SCALED])
@elementwise
def sub(input, other):
    """``input - other``, broadcast; with ``alpha``, ``input - alpha * other``."""
    return input - other


@add.with_keywords
def _add_scaled(input, other, *, alpha=1):
    return add(input, _scaled("add", input, other, alpha))


@sub.with_keywords
def _sub_scaled(input, other, *, alpha=1):
    return sub(input, _scaled("sub", input, other, alpha))


def _scaled(name, input, other, alpha):
    if not tensors.is_number(alpha):
        raise TypeError(f"{name}: alpha must be a number, got {type(alpha).__name__}")
    if isinstance(alpha, float) and not any(map(_is_floating, (input, other))):
        raise TypeError(f"{name}: alpha must be an integer where the tensors are, got {alpha}")
    booleans = [is_boolean(each) for each in (input, other)]
    if name == "sub" and any(booleans):
        raise TypeError("sub: not defined for boolean tensors")
    if all(booleans):
        return other & bool(alpha)
    if is_boolean(alpha):
        raise TypeError(f"{name}: alpha must be a number where the operands are, got {alpha}")
    if alpha == 1:
        return other
    if not isinstance(other, tensors.Tensor):
        return other * alpha
    return mul(other.to(common_type(name, (input, other))), alpha)


def _is_floating(value):
    return isinstance(value, float) or getattr(
        getattr(value, "dtype", None), "kind", None) == "f"


@public("fastnn", cases=[case(floats(2, 3), floats(3)), case(floats(3), 1.5, alpha=2.0)])
def rsub(input, other, *, alpha=1):
    """``other - alpha * input``."""
    return sub(other, tensors.as_tensor("rsub", input), alpha=alpha)


@public("fastnn", "method", cases=[*PAIR, case(floats(2, 3), floats(3, low=-1, high=1))])
@elementwise
def mul(input, other):
    """``input * other``, broadcast."""
    return input * other


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(2, 3, **POSITIVE)), case(floats(2, 1), floats(3, **POSITIVE)),
    *(case(*each.arguments, rounding_mode=mode) for mode in ("trunc", "floor") for each in UNEVEN)])
@elementwise
def div(input, other):
    """``input / other``, broadcast; integers are divided as floating-point numbers.

    With ``rounding_mode="trunc"`` the quotient is rounded towards zero, with ``"floor"`` down, and
    integers stay integers.
    """
    return input / other


@div.with_keywords
def _div_rounded(input, other, *, rounding_mode=None):
    if rounding_mode not in (None, "trunc", "floor"):
        raise ValueError("div: rounding_mode must be None, 'trunc' or 'floor', got "
                         f"{rounding_mode!r}")
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode == "trunc" and is_boolean(input) and is_boolean(other):
        raise TypeError("div: not defined for boolean tensors, rounded towards zero")
    return (floor_divide if rounding_mode == "floor" else _div_truncated)(input, other)


@elementwise(name="div")
def _div_truncated(input, other):
    return trunc_divide(input, other)


@public("fastnn", "method", cases=UNEVEN)
@elementwise
def floor_divide(input, other):
    """The quotient rounded down, ``input // other``; of integers an integer."""
    return floor_divide(input, other)


@public("fastnn", "method", cases=UNEVEN)
@elementwise
def remainder(input, other):
    """``input - other * (input // other)``, of the sign of ``other``: Python's ``%``."""
    return remainder(input, other)


@public("fastnn", "method", cases=UNEVEN)
@elementwise
def fmod(input, other):
    """What division towards zero leaves, of the sign of ``input``: C's ``fmod``, exact."""
    return fmod(input, other)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def square(input):
    """``input * input``."""
    return input * input


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def reciprocal(input):
    """``1 / input``."""
    return 1 / input


@reciprocal.written_derivative()
def _reciprocal_slope(output):
    return -output * output


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def neg(input):
    """``-input``."""
    return -input


@public("fastnn", "method", cases=[case(floats(2, 3))])
def positive(input):
    """The tensor itself; not defined for booleans."""
    if tensors.as_tensor("positive", input).dtype == dtypes.bool_:
        raise TypeError("positive: not defined for boolean tensors")
    return input


@public("fastnn", "method", name="abs", cases=[case(floats(2, 3, kinks=(0,)))])
@elementwise(name="abs")
def absolute(input):
    """The absolute value; its derivative at 0 is 0."""
    return abs(input)


@public("fastnn", "method", cases=[case(floats(2, 3, kinks=(0,)))])
@elementwise
def sign(input):
    """1 where the number is positive, -1 where it is negative, else 0, also for NaN."""
    return 1 if input > 0 else -1 if input < 0 else 0


@public("fastnn", "method", differentiable=False,
        cases=[case(floats(2, 3)), case(integers(4, low=-3, high=3))])
@elementwise
def signbit(input):
    """Whether the sign is negative, also that of -0.0."""
    return input < 0 or (input == 0 and 1 / input < 0)


@public("fastnn", "method", cases=[case(floats(2, 3, kinks=(0,)), floats(3)),
                                   case(floats(2, 3, kinks=(0,)), -1.0)])
@elementwise
def copysign(input, other):
    """``abs(input)`` with the sign of ``other``, also that of -0.0; the slope at 0 is 0."""
    return copysign(input, other)


@public("fastnn", "method", cases=[case(floats(2, 3, kinks=(0,)), floats(3))])
@elementwise
def heaviside(input, values):
    """0 where ``input`` is negative or NaN, 1 where it is positive, ``values`` where it is 0."""
    return values if input == 0 else 1 if input > 0 else 0


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3)), case(floats(2, 1), floats(3))])
@elementwise
def hypot(input, other):
    """``sqrt(input ** 2 + other ** 2)`` without overflow between."""
    return hypot(input, other)


@hypot.written_derivative("input")
def _hypot_slope(input, output):
    return input / output


@hypot.written_derivative("other")
def _hypot_slope_other(other, output):
    return other / output


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(3), 0.3), case(floats(2, 3), floats(2, 3), 0.8),
    case(floats(2, 3), floats(3), floats(2, 1, low=0.1, high=0.9, kinks=(0.5,)))])
@elementwise
def lerp(input, end, weight):
    """``input + weight * (end - input)``, which is exactly ``end`` for weight 1."""
    apart = end - input
    return input + weight * apart if abs(weight) < 0.5 else end - apart * (1 - weight)


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(2, 3), floats(3)),
    case(floats(3), floats(2, 3), floats(2, 1), value=0.5)])
@elementwise
def addcmul(input, tensor1, tensor2, value=1):
    """``input + value * tensor1 * tensor2``."""
    return input + value * tensor1 * tensor2


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(2, 3), floats(3, **POSITIVE)),
    case(floats(3), floats(2, 3), floats(2, 1, **POSITIVE), value=0.5)])
@elementwise
def addcdiv(input, tensor1, tensor2, value=1):
    """``input + value * tensor1 / tensor2``."""
    return input + value * (tensor1 / tensor2)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def deg2rad(input):
    """An angle in degrees as radians."""
    return input * (math.pi / 180)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def rad2deg(input):
    """An angle in radians as degrees."""
    return input * (180 / math.pi)


@elementwise(name="nan_to_num")
def _nan_to_num(input, nan, posinf, neginf):
    plain = posinf if input == math.inf else neginf if input == -math.inf else input
    return nan if input != input else plain


@public("fastnn", "method", cases=[case(floats(2, 3)), case(floats(3), 1.0, 2.0, -3.0)])
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN, infinity and minus infinity replaced, by default by 0 and the largest numbers."""
    if not tensors.as_tensor("nan_to_num", input).is_floating_point():
        return input.clone()
    largest = float(numpy.finfo(input.dtype).max)
    return _nan_to_num(input, 0.0 if nan is None else nan, largest if posinf is None else posinf,
                       -largest if neginf is None else neginf)
