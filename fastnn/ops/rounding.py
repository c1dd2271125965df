"""Rounding; the derivative is 0 wherever there is one, and taken as 0 at the steps."""

import operator

from .._kernels.names import rint
from ..elementwise import elementwise
from ..registry import case, floats, public

STEPS = [case(floats(3, 4, kinks=(-2, -1, 0, 1, 2, -1.5, -0.5, 0.5, 1.5)))]


@public("fastnn", "method", cases=STEPS)
@elementwise
def floor(input):
    """The largest integer that is not above ``input``."""
    return floor(input)


@public("fastnn", "method", cases=STEPS)
@elementwise
def ceil(input):
    """The smallest integer that is not below ``input``."""
    return ceil(input)


@public("fastnn", "method", cases=STEPS)
@elementwise
def trunc(input):
    """``input`` without its fraction: rounded towards zero."""
    return trunc(input)


@public("fastnn", "method", cases=STEPS)
@elementwise
def frac(input):
    """What ``trunc`` takes away, of the sign of ``input``; the derivative is 1."""
    return input - trunc(input)


@elementwise(name="round")
def _round(input):
    return rint(input)


@elementwise(name="round")
def _round_finer(input, scale):
    return rint(input * scale) / scale


@elementwise(name="round")
def _round_coarser(input, scale):
    return rint(input / scale) * scale


@public("fastnn", "method", cases=[*STEPS, case(floats(3, 4, low=0.06, high=0.14), decimals=1),
                                   case(floats(3, 4, low=16, high=24), decimals=-1)])
def round(input, *, decimals=0):
    """The nearest number with so many decimals; of two, the one whose last digit is even."""
    decimals = operator.index(decimals)
    if decimals == 0:
        return _round(input)
    if not input.is_floating_point():
        raise TypeError(f"round: decimals need a floating-point tensor, got {input.dtype}")
    scale = float(10 ** abs(decimals))
    return (_round_finer if decimals > 0 else _round_coarser)(input, scale)
