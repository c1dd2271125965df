"""Inverse trigonometric and hyperbolic functions: see `vmath`, and `vmath_f32` for accuracy.

All arithmetic is in float64; float32 takes shorter polynomials where there are any. The
polynomials are Chebyshev fits. asin and acos halve the angle beyond 1/2, and the arctangent turns
it by an eighth beyond tan(pi / 8), so each needs one polynomial near 0.
"""

from numpy import sqrt

from .vmath_f64 import copysign_f64, log1p_f64
from .vmath_names import bits_f64, f32, f64, polynomial

ZERO, QUARTER, HALF, ONE, TWO = f64(0.0), f64(0.25), f64(0.5), f64(1.0), f64(2.0)
INFINITY, NAN = f64("inf"), f64("nan")
# pi, and its half and quarter, each with what its rounding lost.
PI, PI_LOW = f64(3.141592653589793), f64(1.2246467991473532e-16)
HALF_PI, HALF_PI_LOW = f64(1.5707963267948966), f64(6.123233995736766e-17)
QUARTER_PI, QUARTER_PI_LOW = f64(0.7853981633974483), f64(3.061616997868383e-17)
TAN_EIGHTH = f64(0.41421356237309503)
LN2 = f64(0.6931471805599453)

# (asin(x) / x - 1) / x**2 in x**2, for x to 1/2: 2**-33 and 2**-61 of asin(x).
ASIN_SHORT = (f64(0.030974540371355073), f64(0.010574415516912909), f64(0.023611817008891752),
              f64(0.030269138728589183), f64(0.04464766388813485), f64(0.07499992404401838),
              f64(0.16666666686085643))
ASIN = (f64(0.02961201126495512), f64(-0.01924167174674304), f64(0.019554513336123378),
        f64(0.0030448799094556773), f64(0.009319560794767446), f64(0.009621842970100282),
        f64(0.011566459612121669), f64(0.01396378001220357), f64(0.017352816540325496),
        f64(0.02237215744350722), f64(0.03038194447553234), f64(0.044642857142551895),
        f64(0.07500000000000118), f64(0.16666666666666666))
# (atan(x) / x - 1) / x**2 in x**2, for x to tan(pi / 8): 2**-33 and 2**-62 of atan(x).
ATAN_SHORT = (f64(0.050481385120797445), f64(-0.08624676145249494), f64(0.11071365021884794),
              f64(-0.14284151193628614), f64(0.19999977258688387), f64(-0.333333332792548))
ATAN = (f64(0.016285756855221028), f64(-0.034570561981427744), f64(0.04551593220626549),
        f64(-0.05230454270650244), f64(0.05878928997834775), f64(-0.06666424885738255),
        f64(0.07692296375032143), f64(-0.09090908753500877), f64(0.11111111105155447),
        f64(-0.14285714285659828), f64(0.19999999999999804), f64(-0.3333333333333333))

# From here on the square of a number may overflow, and 1 does not count beside it.
HUGE = f64(2.0**60)
LARGEST_SCALED, SMALLEST_SCALED = f64(2.0**900), f64(2.0**-900)
DOWN, UP = f64(2.0**-100), f64(2.0**100)


def _arc(x, coefficients):
    """``(root, tail)``: root + tail is asin(abs(x)), beyond 1/2 that of sqrt((1 - abs(x)) / 2)."""
    size = abs(x)
    square = size * size if size <= HALF else HALF * (ONE - size)
    root = size if size <= HALF else sqrt(square)
    return root, root * square * polynomial(square, coefficients)


def _asin(x, coefficients):
    root, tail = _arc(x, coefficients)
    far = HALF_PI - (TWO * root + (TWO * tail - HALF_PI_LOW))
    return copysign_f64(root + tail if abs(x) <= HALF else far, x)


def _acos(x, coefficients):
    root, tail = _arc(x, coefficients)
    signed = root + (tail - HALF_PI_LOW) if x >= ZERO else -(root + (tail + HALF_PI_LOW))
    far = TWO * (root + tail)
    far = far if x >= ZERO else PI - (far - PI_LOW)
    return HALF_PI - signed if abs(x) <= HALF else far


def _arctangent(top, bottom, coefficients):
    """The arctangent of a quotient between 0 and 1."""
    steep = top > TAN_EIGHTH * bottom
    t = (top - bottom if steep else top) / (top + bottom if steep else bottom)
    square = t * t
    tail = t * square * polynomial(square, coefficients)
    return QUARTER_PI + (t + (tail + QUARTER_PI_LOW)) if steep else t + tail


def _atan(x, coefficients):
    size = abs(x)
    top = ONE if size > ONE else size
    bottom = size if size > ONE else ONE
    angle = _arctangent(top, bottom, coefficients)
    return copysign_f64(HALF_PI - (angle - HALF_PI_LOW) if size > ONE else angle, x)


def _atan2(y, x, coefficients):
    above, beside = abs(y), abs(x)
    both_infinite = (above == INFINITY) & (beside == INFINITY)
    top = beside if above > beside else above
    bottom = above if above > beside else beside
    scale = DOWN if bottom > LARGEST_SCALED else UP if bottom < SMALLEST_SCALED else ONE
    top = ONE if both_infinite else top * scale
    bottom = ONE if both_infinite or bottom == ZERO else bottom * scale
    angle = _arctangent(top, bottom, coefficients)
    signed = -angle if bits_f64(x) < 0 else angle
    flat = PI + (signed + PI_LOW) if bits_f64(x) < 0 else angle
    return copysign_f64(HALF_PI - (signed - HALF_PI_LOW) if above > beside else flat, y)


def asin_f64(x):
    return _asin(x, ASIN)


def acos_f64(x):
    return _acos(x, ASIN)


def atan_f64(x):
    return _atan(x, ATAN)


def atan2_f64(y, x):
    return _atan2(y, x, ATAN)


def asin_f32(x):
    return f32(_asin(f64(x), ASIN_SHORT))


def acos_f32(x):
    return f32(_acos(f64(x), ASIN_SHORT))


def atan_f32(x):
    return f32(_atan(f64(x), ATAN_SHORT))


def atan2_f32(y, x):
    return f32(_atan2(f64(y), f64(x), ATAN_SHORT))


def asinh_f64(x):
    size = abs(x)
    square = size * size
    grown = size + square / (ONE + sqrt(ONE + square))
    y = log1p_f64(size if size > HUGE else grown)
    return copysign_f64(y + (LN2 if size > HUGE else ZERO), x)


def acosh_f64(x):
    above = x - ONE
    grown = above + sqrt(above * (above + TWO))
    y = log1p_f64(x if x > HUGE else grown) + (LN2 if x > HUGE else ZERO)
    return NAN if x < ONE else y


def atanh_f64(x):
    size = abs(x)
    twice = size + size
    grown = twice + twice * size / (ONE - size) if size < HALF else twice / (ONE - size)
    return copysign_f64(HALF * log1p_f64(grown), x)


def asinh_f32(x):
    return f32(asinh_f64(f64(x)))


def acosh_f32(x):
    return f32(acosh_f64(f64(x)))


def atanh_f32(x):
    return f32(atanh_f64(f64(x)))
