"""Powers, roots, exponentials, logarithms, and the error function."""

import math

from .. import dtypes
from .. import tensor as tensors
from .._kernels.names import sigmoid
from ..elementwise import elementwise
from ..registry import case, floats, public
from .comparison import clamp

POSITIVE = dict(low=0.3, high=3.0)


@public("fastnn", "method", cases=[
    case(floats(2, 3, **POSITIVE), floats(2, 3)), case(floats(3, **POSITIVE), 2.5),
    case(floats(3), 3), case(2.0, floats(3))], name="pow")
@elementwise(name="pow")
def power(input, exponent):
    """``input`` to the power of ``exponent``, as C's ``pow``; the gradient by the exponent is 0
    where ``input`` is 0. Of integers a negative power is 0, but for 1 and -1."""
    return math.pow(input, exponent)


@public("fastnn", "method", cases=[
    case(floats(2, 3, **POSITIVE), floats(2, 3)), case(floats(3), 3),
    case(2.0, floats(3))])
def float_power(input, exponent):
    """``pow`` in float64, of whatever types."""
    return power(*(each.to(dtypes.float64) if isinstance(each, tensors.Tensor) else float(each)
                   for each in (input, exponent)))


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def sqrt(input):
    """The square root; its derivative at 0 is infinite."""
    return math.sqrt(input)


@sqrt.written_derivative()
def _sqrt_slope(output):
    return 0.5 / output


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def rsqrt(input):
    """``1 / sqrt(input)``."""
    return 1 / math.sqrt(input)


@rsqrt.written_derivative()
def _rsqrt_slope(output):
    return -0.5 * output * output * output


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
def exp2(input):
    """2 to the power of ``input``."""
    return math.exp2(input)


@exp2.written_derivative()
def _exp2_slope(output):
    return 0.6931471805599453 * output


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def expm1(input):
    """``exp(input) - 1`` without loss of digits near 0."""
    return math.expm1(input)


@expm1.written_derivative()
def _expm1_slope(output):
    return output + 1


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
def log2(input):
    """The logarithm to base 2."""
    return math.log2(input)


@public("fastnn", "method", cases=[case(floats(2, 3, **POSITIVE))])
@elementwise
def log10(input):
    """The logarithm to base 10."""
    return math.log10(input)


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3)), case(floats(2, 1), floats(3))])
@elementwise
def logaddexp(input, other):
    """``log(exp(input) + exp(other))`` without overflow."""
    larger = input if input > other else other
    return input + 0.6931471805599453 if input == other else larger + math.log1p(
        math.exp(-abs(input - other)))


@logaddexp.written_derivative("input")
def _logaddexp_slope(input, other):
    return sigmoid(input - other)


@logaddexp.written_derivative("other")
def _logaddexp_slope_other(input, other):
    return sigmoid(other - input)


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3)), case(floats(2, 1), floats(3))])
@elementwise
def logaddexp2(input, other):
    """``log2(2 ** input + 2 ** other)`` without overflow."""
    larger = input if input > other else other
    return input + 1 if input == other else larger + 1.4426950408889634 * math.log1p(
        math.exp2(-abs(input - other)))


@logaddexp2.written_derivative("input")
def _logaddexp2_slope(input, other):
    return sigmoid(0.6931471805599453 * (input - other))


@logaddexp2.written_derivative("other")
def _logaddexp2_slope_other(input, other):
    return sigmoid(0.6931471805599453 * (other - input))


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3, **POSITIVE)), case(floats(3), 2.5)])
@elementwise
def xlogy(input, other):
    """``input * log(other)``, 0 where ``input`` is 0, NaN where ``other`` is."""
    return other if other != other else 0 if input == 0 else input * math.log(other)


@xlogy.written_derivative("input")
def _xlogy_slope(input, other):
    return 0 if input == 0 and other <= 0 else math.log(other)


@xlogy.written_derivative("other")
def _xlogy_slope_other(input, other):
    return input / other


@elementwise(name="logit")
def _logit(input):
    return math.log(input / (1 - input))


@_logit.written_derivative()
def _logit_slope(input):
    return 1 / (input * (1 - input)) if 0 <= input <= 1 else math.nan


@public("fastnn", "method", cases=[case(floats(2, 3, low=0.1, high=0.9)),
                                   case(floats(9, low=-0.1, high=1.1, kinks=(0.2, 0.8)), 0.2)])
def logit(input, eps=None):
    """``log(input / (1 - input))``, the inverse of ``sigmoid``; first clamped to [eps, 1 - eps]."""
    tensors.as_tensor("logit", input)
    return _logit(input if eps is None else clamp(input, eps, 1 - eps))


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def erf(input):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to ``input``."""
    return math.erf(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def erfc(input):
    """``1 - erf(input)`` without loss of digits where that is small."""
    return math.erfc(input)
