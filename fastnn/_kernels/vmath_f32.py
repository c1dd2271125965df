"""Elementary functions in float32: see `vmath`.

Results are within 2 units in the last place over the whole range; zero keeps its sign, infinities
and NaN are those of C99, and numbers below the smallest normal one may count as zero, in and out.
Nothing relies on fused multiply-add: reduced arguments subtract a multiple of a constant cut so
short that the product is exact.

The polynomials are minimax (Remez exchange in 50 digits on 1500 points, error weighted by its
share of the result), their coefficients rounded from the lowest power up and the higher ones
fitted anew after each rounding.
"""

from .vmath_names import bits_f32, f32, float_f32, i32, polynomial

ZERO, HALF, ONE, TWO = f32(0.0), f32(0.5), f32(1.0), f32(2.0)
INFINITY, NAN = f32("inf"), f32("nan")
INFINITY_BITS, NORMAL_BITS = 0x7F800000, 0x00800000  # the smallest normal number's
# The bits of 2/3, from where on a number counts as 2**e * (1 + f) with the next e.
TWO_THIRDS = 0x3F2AAAAB

# Adding it leaves the nearest integer in the low bits.
ROUNDER = f32(1.5 * 2**23)
LOG2_E = f32(1.4426950408889634)
# ln 2 in two parts; the first has 9 bits, so that its product with any exponent is exact.
LN2_HIGH, LN2_LOW = f32(0.693359375), f32(-2.1219444005469057e-4)

# (expm1(r) - r) / r**2 on +-ln(2)/2: 2**-26 of expm1(r).
EXPM1 = (f32(0.0013839409220963717), f32(0.008367056958377361), f32(0.041667744517326355),
         f32(0.16666539013385773), f32(0.4999999701976776))
# (log1p(f) - f + f**2/2) / f**3 on +-1/3: 2**-26.6 of log1p(f).
LOG1P = (f32(-0.10315173119306564), f32(0.1396588832139969), f32(-0.1279323697090149),
         f32(0.14006951451301575), f32(-0.16635696589946747), f32(0.20010481774806976),
         f32(-0.25000786781311035), f32(0.3333321511745453))
# (tanh(x) - x) / x**3 in x**2, for x to 0.6: 2**-28 of tanh(x).
TANH = (f32(-0.005896510556340218), f32(0.0207976046949625), f32(-0.05378449335694313),
        f32(0.13331934809684753), f32(-0.33333298563957214))
# (sinh(x) - x) / x**3 in x**2, for x to 1: 2**-32 of sinh(x), a Chebyshev fit.
SINH = (f32(2.806280235745362e-06), f32(0.00019838102161884308), f32(0.008333339355885983),
        f32(0.1666666716337204))
# erf(x) / x - 1 in x**2, for x to 0.9: 2**-26 of erf(x).
ERF_NEAR = (f32(-0.0006020799628458917), f32(0.004998959135264158), f32(-0.026770493015646935),
            f32(0.11281921714544296), f32(-0.3761250376701355), f32(0.12837915122509003))
# -ln(1 - erf(x)) for x from 0.9 to 3.93: 2**-29 of erf(x).
ERF_FAR = (f32(-0.00019833083206322044), f32(0.003066528821364045), f32(-0.022319188341498375),
           f32(0.10412165522575378), f32(0.6369672417640686), f32(1.1278023719787598),
           f32(0.00016523138037882745))
# -log2(2 N(-x)) / x for x from 0 to 5.6, N the normal distribution function: 2**-27 of N(x).
NDTR = (f32(-5.128683255861688e-07), f32(9.56031544774305e-06), f32(-7.497425394831225e-05),
        f32(0.0002843487891368568), f32(-1.4992513570177834e-05), f32(-0.006931118201464415),
        f32(0.0524347648024559), f32(0.4592214524745941), f32(1.151104211807251))
# (2**r - 1) / r on +-1/2: 2**-26.
EXP2 = (f32(0.00015476187400054187), f32(0.0013400273164734244), f32(0.009618003852665424),
        f32(0.055503278970718384), f32(0.24022650718688965), f32(0.6931471824645996))

EXP_OVERFLOWS = f32(88.72283935546875)
EXP_UNDERFLOWS = f32(-87.33654022216797)
EXPM1_IS_MINUS_ONE = f32(-18.0)
SINH_OVERFLOWS = f32(89.41598510742188)
TANH_IS_ONE, TANH_SPLITS = f32(9.1), f32(0.6)
NDTR_IS_ZERO = f32(5.6)  # to 2**-26
ERF_IS_ONE, ERF_SPLITS = f32(3.93), f32(0.9)
# Below it, expm1(x) and log1p(x) are x to half a unit.
TINY = f32(2.0**-25)


def _reduced(x):
    """``(t, r)``: x is n ln 2 + r, n in the low bits of ``t``, r within +-ln(2)/2."""
    t = x * LOG2_E + ROUNDER
    n = t - ROUNDER
    return t, (x - n * LN2_HIGH) - n * LN2_LOW


def _expm1_reduced(r):
    return r + (r * r) * polynomial(r, EXPM1)


def _exp_scaled(t, r):
    """2**n * exp(r), n in the low bits of ``t``."""
    return float_f32(bits_f32(ONE + _expm1_reduced(r)) + (bits_f32(t) << 23))


def exp_f32(x):
    t, r = _reduced(x)
    y = _exp_scaled(t, r)
    y = y if x <= EXP_OVERFLOWS else x + INFINITY
    return ZERO if x < EXP_UNDERFLOWS else y


def expm1_f32(x):
    t, r = _reduced(EXPM1_IS_MINUS_ONE if x < EXPM1_IS_MINUS_ONE else x)
    # Half of 2**n, since 2**128 is no float32.
    scale = float_f32(bits_f32(HALF) + (bits_f32(t) << 23))
    y = TWO * (scale * _expm1_reduced(r) + (scale - HALF))
    y = y if x <= EXP_OVERFLOWS else x + INFINITY
    return x if abs(x) < TINY else y


def _half_exp(size):
    """exp(size) / 2, which is finite for a little longer than exp."""
    t, r = _reduced(size)
    half = HALF * (ONE + _expm1_reduced(r))
    y = float_f32(bits_f32(half) + (bits_f32(t) << 23))
    return y if size <= SINH_OVERFLOWS else size + INFINITY


def sinh_f32(x):
    size = abs(x)
    half = _half_exp(size)
    square = size * size
    near = size + size * square * polynomial(square, SINH)
    return copysign_f32(half - HALF * HALF / half if size >= ONE else near, x)


def cosh_f32(x):
    half = _half_exp(abs(x))
    return half + HALF * HALF / half


def tanh_f32(x):
    size = abs(x)
    t, r = _reduced(-TWO * (TANH_IS_ONE if size > TANH_IS_ONE else size))
    exp = _exp_scaled(t, r)
    far = ONE - (exp + exp) / (ONE + exp)
    square = size * size
    near = size + size * square * polynomial(square, TANH)
    return copysign_f32(far if size >= TANH_SPLITS else near, x)


def sigmoid_f32(x):
    y = exp_f32(-abs(x))
    start = y if x < ZERO else ONE
    return start - start * (y / (ONE + y))


def erf_f32(x):
    size = abs(x)
    t, r = _reduced(-polynomial(ERF_IS_ONE if size > ERF_IS_ONE else size, ERF_FAR))
    far = ONE - _exp_scaled(t, r)
    near = size + size * polynomial(size * size, ERF_NEAR)
    return copysign_f32(far if size >= ERF_SPLITS else near, x)


def ndtr_f32(x):
    """The normal distribution function, to 7e-8: one polynomial, where erf has two."""
    size = abs(x) if abs(x) <= NDTR_IS_ZERO else NDTR_IS_ZERO
    power = -size * polynomial(size, NDTR) - ONE
    t = power + ROUNDER
    r = power - (t - ROUNDER)
    below = float_f32(bits_f32(ONE + r * polynomial(r, EXP2)) + (bits_f32(t) << 23))
    below = ZERO if size >= NDTR_IS_ZERO else below
    y = below if x < ZERO else ONE - below
    return y if x == x else x


def copysign_f32(size, x):
    """``size`` with the sign of ``x``, on bits: signless-zero mathematics must not drop it."""
    return float_f32((bits_f32(size) & 0x7FFFFFFF) | (bits_f32(x) & -0x80000000))


def _log(e, f):
    """ln(2**e * (1 + f)), smallest terms first."""
    square = f * f
    y = square * f * polynomial(f, LOG1P) + e * LN2_LOW
    return (y - HALF * square + f) + e * LN2_HIGH


def log_f32(x):
    bits = bits_f32(x)
    exponent = i32(i32(bits - TWO_THIRDS) >> 23)
    y = _log(f32(exponent), float_f32(bits - (exponent << 23)) - ONE)
    y = y if bits < INFINITY_BITS else x
    y = y if bits >= 0 else NAN
    return -INFINITY if (bits & 0x7FFFFFFF) < NORMAL_BITS else y


def log1p_f32(x):
    above = ONE + x
    lost = x - (above - ONE)
    bits = bits_f32(above)
    exponent = i32(i32(bits - TWO_THIRDS) >> 23)
    correction = lost * float_f32(0x3F800000 - (exponent << 23))
    f = float_f32(bits - (exponent << 23)) - ONE
    f = f + (correction if x < f32(2.0**25) else ZERO)
    y = _log(f32(exponent), f)
    y = y if x < INFINITY else x
    y = -INFINITY if x == -ONE else y
    y = NAN if x < -ONE else y
    return x if abs(x) < TINY else y
