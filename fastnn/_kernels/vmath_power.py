"""Powers, and logarithms to base 2 and 10: see `vmath`, and `vmath_f32` for accuracy and method.

Special cases are those of C99's ``pow``: x**0 = 1**y = 1 even for NaN, (-1)**inf = 1, a negative
x to a y that is no integer gives NaN, and the sign of (-0.0)**y and (-inf)**y is negative where y
is odd. For float32 the logarithm is a float64. For float64 it is the sum of two, from products of
numbers cut to 26 bits, which are exact.
"""

from numpy import floor

from .vmath_names import bits_f32, bits_f64, f32, f64, float_f32, float_f64, polynomial

ZERO_32, HALF_32, ONE_32 = f32(0.0), f32(0.5), f32(1.0)
INFINITY_32, NAN_32 = f32("inf"), f32("nan")
ZERO, HALF, ONE, TWO, THREE = f64(0.0), f64(0.5), f64(1.0), f64(2.0), f64(3.0)
INFINITY, NAN = f64("inf"), f64("nan")
EXPONENT_BITS, MANTISSA_BITS = 0x7FF0000000000000, 0x000FFFFFFFFFFFFF
ONE_BITS, SQRT_HALF_BITS = 0x3FF0000000000000, 0x3FE6A09E667F3BCD
NORMAL_BITS = 0x0010000000000000  # the smallest normal number's
# The float64 2**52 has an integer in its low bits.
TWO_52, TWO_52_BITS = f64(2.0**52), 0x4330000000000000
# Adding it leaves the nearest integer in the low bits.
ROUNDER = f64(1.5 * 2**52)

TWO_LOG2_E = f64(2.8853900817779268)
# (atanh(s) / s - 1) / s**2 in s**2, for (1 + s) / (1 - s) within sqrt(2): 2**-37.
ATANH = (f64(0.11791780455729979), f64(0.1426861940599379), f64(0.20000168104984967),
         f64(0.3333333282067212))
# (2**r - 1) / r on +-0.5: 2**-27 of 2**r.
EXP2 = (f64(0.00015376254905974696), f64(0.0013401849206328674), f64(0.009618915563929348),
        f64(0.05550329057765196), f64(0.24022637281404707), f64(0.693147203112663))

SMALLEST = f64(2.0**-1022)  # normal number
# log10(2), and the same in two parts, the first of 26 bits.
LOG10_2 = f64(0.3010299956639812)
LOG10_2_HIGH, LOG10_2_LOW = f64(0.3010299950838089), f64(5.801722962879576e-10)
# 2 / (3 ln 2), and the same in two parts, the first of 26 bits.
SCALE = f64(0.9617966939259756)
SCALE_HIGH, SCALE_LOW = f64(0.9617966860532761), f64(7.872699542894897e-09)
# 3 (atanh(s) / s - 1 - s**2/3) / s**4 in s**2, for the same s: 2**-66.
ATANH_LONG = (f64(0.19796795466856798), f64(0.19884985267301675), f64(0.23080146053496411),
              f64(0.272726763395381), f64(0.3333333378220937), f64(0.42857142855136865),
              f64(0.6000000000000341))
# (2**r - 1) / r on +-0.5: 2**-57 of 2**r.
EXP2_LONG = (f64(4.5190661606527045e-10), f64(7.075755665694827e-09),
             f64(1.0177656623412611e-07), f64(1.3215423683931829e-06),
             f64(1.5252734738566846e-05), f64(0.00015403530480414206),
             f64(0.0013333558145565878), f64(0.009618129107575885), f64(0.05550410866482458),
             f64(0.24022650695910175), f64(0.6931471805599453))


def _split(bits):
    """``(e, f)``: the float64 of ``bits`` is 2**e * (1 + f), 1 + f within sqrt(2)."""
    shifted = bits + (ONE_BITS - SQRT_HALF_BITS)
    f = float_f64((shifted & MANTISSA_BITS) + SQRT_HALF_BITS) - ONE
    e = float_f64(((shifted & EXPONENT_BITS) >> 52) | TWO_52_BITS) - (TWO_52 + f64(1023.0))
    return e, f


def _log2_short(size):
    """log2 of a float64 to 2**-37."""
    e, f = _split(bits_f64(size))
    s = f / (TWO + f)
    square = s * s
    return e + TWO_LOG2_E * (s + s * square * polynomial(square, ATANH))


def _with_ends(y, x):
    """The logarithm ``y`` of the float64 ``x``, which is put right for zero, infinity and below."""
    y = y if x < INFINITY else x
    y = -INFINITY if x < SMALLEST else y
    return NAN if x <= -SMALLEST else y


def log2_f32(x):
    return f32(_with_ends(_log2_short(f64(x)), f64(x)))


def log10_f32(x):
    return f32(_with_ends(_log2_short(f64(x)) * LOG10_2, f64(x)))


def exp2_f32(x):
    # Beyond these every result is infinite or zero.
    power = f64(x)
    power = f64(300.0) if power > f64(300.0) else power
    power = f64(-300.0) if power < f64(-300.0) else power
    t = power + ROUNDER
    r = power - (t - ROUNDER)
    grown = ONE + r * polynomial(r, EXP2)
    y = f32(grown * float_f64(ONE_BITS + (bits_f64(t) << 52)))
    return y if x == x else x


def pow_f32(x, y):
    size = f64(abs(x))
    log2 = _log2_short(size)
    log2 = log2 if size < INFINITY else size
    log2 = -INFINITY if size == ZERO else log2
    power = f64(y) * log2
    # Beyond these every result is infinite or zero.
    power = f64(300.0) if power > f64(300.0) else power
    power = f64(-300.0) if power < f64(-300.0) else power
    t = power + ROUNDER
    r = power - (t - ROUNDER)
    grown = ONE + r * polynomial(r, EXP2)
    result = f32(grown * float_f64(ONE_BITS + (bits_f64(t) << 52)))

    whole = floor(y) == y
    odd = whole & (floor(HALF_32 * y) != HALF_32 * y)
    sign = bits_f32(x) & 0x80000000
    result = float_f32(bits_f32(result) ^ (sign if odd else 0))
    result = NAN_32 if (x < ZERO_32) & (x > -INFINITY_32) & (floor(y) != y) else result
    flat = (x == -ONE_32) & (abs(y) == INFINITY_32)
    return ONE_32 if (x == ONE_32) | (y == ZERO_32) | flat else result


def _head(x):
    """The first 26 bits of ``x``."""
    return float_f64(bits_f64(x) & -0x8000000)


def _log2(bits):
    """log2 of the float64 of ``bits`` as a sum, of whose parts the first has 26 bits."""
    e, f = _split(bits)
    below = TWO + f
    below_head = _head(below)
    below_tail = f - (below_head - TWO)
    inverse = ONE / below
    s = f * inverse
    head = _head(s)
    tail = ((f - head * below_head) - head * below_tail) * inverse
    # 3 atanh(s) / s = 3 + s**2 + ..., then times s, then times SCALE.
    square = s * s
    head_square = head * head
    series = square * square * polynomial(square, ATANH_LONG) + tail * (head + s)
    factor_head = _head(THREE + head_square + series)
    factor_tail = series - ((factor_head - THREE) - head_square)
    product = head * factor_head
    rest = tail * factor_head + factor_tail * s
    atanh_head = _head(product + rest)
    atanh_tail = rest - (atanh_head - product)
    scaled = SCALE_HIGH * atanh_head
    rest = SCALE_LOW * atanh_head + atanh_tail * SCALE
    first = _head((scaled + rest) + e)
    return first, rest - ((first - e) - scaled)


def log2_f64(x):
    first, second = _log2(bits_f64(x))
    return _with_ends(first + second, x)


def log10_f64(x):
    first, second = _log2(bits_f64(x))
    y = first * LOG10_2_HIGH + (first * LOG10_2_LOW + second * LOG10_2)
    return _with_ends(y, x)


def exp2_f64(x):
    t = x + ROUNDER
    r = x - (t - ROUNDER)
    grown = ONE + r * polynomial(r, EXP2_LONG)
    y = float_f64(bits_f64(grown) + (bits_f64(t) << 52))
    y = y if x < f64(1024.0) else x + INFINITY
    return ZERO if x < f64(-1022.0) else y


def pow_f64(x, y):
    size = abs(x)
    bits = bits_f64(size)
    first, second = _log2(bits)
    first = first if size < INFINITY else size
    first = -INFINITY if bits < NORMAL_BITS else first
    y_head = _head(y)
    exact = y_head * first
    rest = (y - y_head) * first + y * second
    rough = y * first
    near = abs(rough) < f64(2000.0)
    power = exact + rest if near else rough
    lost = rest - (power - exact) if near else ZERO
    t = power + ROUNDER
    r = (power - (t - ROUNDER)) + lost
    grown = ONE + r * polynomial(r, EXP2_LONG)
    result = float_f64(bits_f64(grown) + (bits_f64(t) << 52))
    result = result if (power - f64(1024.0)) + lost < ZERO else power + INFINITY
    result = ZERO if (power + f64(1022.0)) + lost < ZERO else result

    whole = floor(y) == y
    odd = whole & (floor(HALF * y) != HALF * y)
    sign = bits_f64(x) & -0x8000000000000000
    result = float_f64(bits_f64(result) ^ (sign if odd else 0))
    result = NAN if (x < ZERO) & (x > -INFINITY) & (floor(y) != y) else result
    flat = (x == -ONE) & (abs(y) == INFINITY)
    return ONE if (x == ONE) | (y == ZERO) | flat else result
