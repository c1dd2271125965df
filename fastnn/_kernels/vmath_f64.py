"""Elementary functions in float64: see `vmath`, and `vmath_f32` for accuracy and method.

Integers are shifted left, or right without a sign, which is all that AVX2 can do to 64 bits.
"""

from .vmath_names import bits_f64, f64, float_f64, polynomial

ZERO, HALF, ONE, TWO = f64(0.0), f64(0.5), f64(1.0), f64(2.0)
INFINITY, NAN = f64("inf"), f64("nan")
EXPONENT_BITS, MANTISSA_BITS = 0x7FF0000000000000, 0x000FFFFFFFFFFFFF
ONE_BITS, SQRT_HALF_BITS = 0x3FF0000000000000, 0x3FE6A09E667F3BCD
NORMAL_BITS = 0x0010000000000000  # the smallest normal number's
# The float64 2**52 has an integer in its low bits.
TWO_52, TWO_52_BITS = f64(2.0**52), 0x4330000000000000

# Adding it leaves the nearest integer in the low bits.
ROUNDER = f64(1.5 * 2**52)
LOG2_E = f64(1.4426950408889634)
# ln 2 in two parts; the first has 32 bits, so that its product with any exponent is exact.
LN2_HIGH, LN2_LOW = f64(0.6931471803691238), f64(1.9082149292705877e-10)

# (expm1(r) - r) / r**2 on +-ln(2)/2: 2**-60 of expm1(r).
EXPM1 = (f64(2.0945547874328814e-09), f64(2.5109244274506307e-08), f64(2.7557210244733263e-07),
         f64(2.7557244044036994e-06), f64(2.4801587352462292e-05), f64(0.00019841269885834603),
         f64(0.0013888888888886897), f64(0.00833333333332183), f64(0.041666666666666685),
         f64(0.16666666666666677), f64(0.5))
# (2 atanh(s) / s - 2) / s**2 in s**2, for 1 + f = (1 + s) / (1 - s) within sqrt(2): 2**-59.5.
LOG1P = (f64(0.14795749909845832), f64(0.1531407429925073), f64(0.18183563214543755),
         f64(0.22222198599158452), f64(0.28571428742072613), f64(0.3999999999941652),
         f64(0.6666666666666734))
# (tanh(x) - x) / x**3 in x**2, for x to 0.6: 2**-58 of tanh(x).
TANH = (f64(-1.7150746420238816e-05), f64(7.926123691126746e-05), f64(-0.0002303540628983921),
        f64(0.0005871688900631901), f64(-0.0014552098565398612), f64(0.003592036387072756),
        f64(-0.008863226663534823), f64(0.021869487994501956), f64(-0.05396825394896921),
        f64(0.1333333333329901), f64(-0.3333333333333312))
# (sinh(x) - x) / x**3 in x**2, for x to 1: 2**-61 of sinh(x), a Chebyshev fit.
SINH = (f64(7.746178593018827e-13), f64(1.6057679623801638e-10), f64(2.5052117695907823e-08),
        f64(2.7557319191381816e-06), f64(0.00019841269841324198), f64(0.008333333333333299),
        f64(0.16666666666666666))
# erf(x) / x - 1 in x**2, for x to 1.0: 2**-56 of erf(x).
ERF_NEAR = (f64(-7.603153606693649e-10), f64(1.3614527702607414e-08), f64(-1.6183562964101238e-07),
            f64(1.64441039908604e-06), f64(-1.4924462582189301e-05), f64(0.00012055280372041728),
            f64(-0.0008548325481883835), f64(0.005223977596690408), f64(-0.026866170641955716),
            f64(0.1128379167093694), f64(-0.37612638903183343), f64(0.12837916709551256))
# -ln(1 - erf(x)) for x from 1.0 to 5.93: 2**-54.6 of erf(x).
ERF_FAR = (f64(-1.7782286753938778e-11), f64(6.546242667273396e-10), f64(-1.0950051455530388e-08),
           f64(1.0869702079212829e-07), f64(-6.910830563556765e-07), f64(2.68995846927097e-06),
           f64(-3.676180154248845e-06), f64(-2.7804998070004004e-05), f64(0.00023020394022285628),
           f64(-0.0009191493734213894), f64(0.0020976763133561723), f64(-0.0005828991685613078),
           f64(-0.018866312390264334), f64(0.10263818752844338), f64(0.6366673649075529),
           f64(1.1283687643924856), f64(1.0577024345242588e-06))

EXP_OVERFLOWS = f64(709.782712893384)
EXP_UNDERFLOWS = f64(-708.3964185322641)
EXPM1_IS_MINUS_ONE = f64(-38.0)
SINH_OVERFLOWS = f64(710.4758600739439)
TANH_IS_ONE, TANH_SPLITS = f64(20.0), f64(0.6)
ERF_IS_ONE, ERF_SPLITS = f64(5.93), f64(1.0)
# Below it, expm1(x) and log1p(x) are x to half a unit.
TINY = f64(2.0**-54)


def reduced(x):
    """``(t, r)``: x is n ln 2 + r, n in the low bits of ``t``, r within +-ln(2)/2."""
    t = x * LOG2_E + ROUNDER
    n = t - ROUNDER
    return t, (x - n * LN2_HIGH) - n * LN2_LOW


def expm1_reduced(r):
    return r + (r * r) * polynomial(r, EXPM1)


def _exp_scaled(t, r):
    """2**n * exp(r), n in the low bits of ``t``."""
    return float_f64(bits_f64(ONE + expm1_reduced(r)) + (bits_f64(t) << 52))


def exp_f64(x):
    t, r = reduced(x)
    y = _exp_scaled(t, r)
    y = y if x <= EXP_OVERFLOWS else x + INFINITY
    return ZERO if x < EXP_UNDERFLOWS else y


def expm1_f64(x):
    t, r = reduced(EXPM1_IS_MINUS_ONE if x < EXPM1_IS_MINUS_ONE else x)
    # Half of 2**n, since 2**1024 is no float64.
    scale = float_f64(bits_f64(HALF) + (bits_f64(t) << 52))
    y = TWO * (scale * expm1_reduced(r) + (scale - HALF))
    y = y if x <= EXP_OVERFLOWS else x + INFINITY
    return x if abs(x) < TINY else y


def _half_exp(size):
    """exp(size) / 2, which is finite for a little longer than exp."""
    t, r = reduced(size)
    half = HALF * (ONE + expm1_reduced(r))
    y = float_f64(bits_f64(half) + (bits_f64(t) << 52))
    return y if size <= SINH_OVERFLOWS else size + INFINITY


def sinh_f64(x):
    size = abs(x)
    half = _half_exp(size)
    square = size * size
    near = size + size * square * polynomial(square, SINH)
    return copysign_f64(half - HALF * HALF / half if size >= ONE else near, x)


def cosh_f64(x):
    half = _half_exp(abs(x))
    return half + HALF * HALF / half


def tanh_f64(x):
    size = abs(x)
    t, r = reduced(-TWO * (TANH_IS_ONE if size > TANH_IS_ONE else size))
    exp = _exp_scaled(t, r)
    far = ONE - (exp + exp) / (ONE + exp)
    square = size * size
    near = size + size * square * polynomial(square, TANH)
    return copysign_f64(far if size >= TANH_SPLITS else near, x)


def sigmoid_f64(x):
    y = exp_f64(-abs(x))
    start = y if x < ZERO else ONE
    return start - start * (y / (ONE + y))


def erf_f64(x):
    size = abs(x)
    t, r = reduced(-polynomial(ERF_IS_ONE if size > ERF_IS_ONE else size, ERF_FAR))
    far = ONE - _exp_scaled(t, r)
    near = size + size * polynomial(size * size, ERF_NEAR)
    return copysign_f64(far if size >= ERF_SPLITS else near, x)


def copysign_f64(size, x):
    """``size`` with the sign of ``x``, on bits: signless-zero mathematics must not drop it."""
    return float_f64((bits_f64(size) & 0x7FFFFFFFFFFFFFFF) | (bits_f64(x) & -0x8000000000000000))


def _split(bits):
    """``(exponent, f)``: the float64 of ``bits`` is 2**e * (1 + f), e biased in place."""
    shifted = bits + (ONE_BITS - SQRT_HALF_BITS)
    f = float_f64((shifted & MANTISSA_BITS) + SQRT_HALF_BITS) - ONE
    return shifted & EXPONENT_BITS, f


def _log(exponent, f):
    """ln(2**e * (1 + f)), smallest terms first; ``exponent`` holds e biased in place."""
    e = float_f64((exponent >> 52) | TWO_52_BITS) - (TWO_52 + f64(1023.0))
    s = f / (TWO + f)
    square = s * s
    half = HALF * f * f
    y = s * (half + square * polynomial(square, LOG1P)) + e * LN2_LOW
    return (y - half + f) + e * LN2_HIGH


def log_f64(x):
    bits = bits_f64(x)
    exponent, f = _split(bits)
    y = _log(exponent, f)
    y = y if bits < EXPONENT_BITS else x
    y = y if bits >= 0 else NAN
    return -INFINITY if (bits & 0x7FFFFFFFFFFFFFFF) < NORMAL_BITS else y


def log1p_f64(x):
    above = ONE + x
    lost = x - (above - ONE)
    exponent, f = _split(bits_f64(above))
    # `lost` times 2**-e.
    correction = lost * float_f64(2 * ONE_BITS - exponent)
    y = _log(exponent, f + (correction if x < f64(2.0**54) else ZERO))
    y = y if x < INFINITY else x
    y = -INFINITY if x == -ONE else y
    y = NAN if x < -ONE else y
    return x if abs(x) < TINY else y
