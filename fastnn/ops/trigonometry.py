"""Trigonometric and hyperbolic functions and their inverses; angles are in radians."""

import math

from ..elementwise import elementwise
from ..registry import case, floats, public


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def sin(input):
    """The sine of an angle."""
    return math.sin(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def cos(input):
    """The cosine of an angle."""
    return math.cos(input)


@public("fastnn", "method", cases=[case(floats(2, 3, low=-1.2, high=1.2))])
@elementwise
def tan(input):
    """The tangent of an angle."""
    return math.tan(input)


@tan.written_derivative()
def _tan_slope(output):
    return 1 + output * output


@public("fastnn", "method", cases=[case(floats(2, 3, low=-0.9, high=0.9))])
@elementwise
def asin(input):
    """The angle in [-pi/2, pi/2] whose sine is ``input``; NaN beyond [-1, 1]."""
    return math.asin(input)


@public("fastnn", "method", cases=[case(floats(2, 3, low=-0.9, high=0.9))])
@elementwise
def acos(input):
    """The angle in [0, pi] whose cosine is ``input``; NaN beyond [-1, 1]."""
    return math.acos(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def atan(input):
    """The angle in [-pi/2, pi/2] whose tangent is ``input``."""
    return math.atan(input)


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3)), case(floats(2, 1), floats(3))])
@elementwise
def atan2(input, other):
    """The angle in [-pi, pi] of the point with abscissa ``other`` and ordinate ``input``."""
    return math.atan2(input, other)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def sinh(input):
    """The hyperbolic sine."""
    return math.sinh(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def cosh(input):
    """The hyperbolic cosine."""
    return math.cosh(input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
@elementwise
def asinh(input):
    """The inverse of ``sinh``."""
    return math.asinh(input)


@public("fastnn", "method", cases=[case(floats(2, 3, low=1.2, high=3.0))])
@elementwise
def acosh(input):
    """The inverse of ``cosh`` in [0, inf]; NaN below 1."""
    return math.acosh(input)


@public("fastnn", "method", cases=[case(floats(2, 3, low=-0.9, high=0.9))])
@elementwise
def atanh(input):
    """The inverse of ``tanh``; NaN beyond [-1, 1]."""
    return math.atanh(input)
