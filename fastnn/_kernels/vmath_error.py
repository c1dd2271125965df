"""The complementary error function: see `vmath`, and `vmath_f32` for accuracy.

erfc(x) is exp(-x**2) / (1 + 2 x) times a function that varies little, here a polynomial in
(x - 2) / (x + 2) (Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x**2)
erfc(x)", 1981), so it keeps its digits to where it underflows.
"""

from .vmath_f32 import erf_f32
from .vmath_f64 import erf_f64, exp_f64, expm1_reduced, reduced
from .vmath_names import bits_f64, f32, f64, float_f64, polynomial

HALF_32, ONE_32 = f32(0.5), f32(1.0)
NEAR = f64(0.6)  # to which erf has digits to spare
ZERO, HALF, ONE, TWO, SIXTH = f64(0.0), f64(0.5), f64(1.0), f64(2.0), f64(1 / 6)
# Beyond them the result underflows.
LAST_32, LAST, UNDERFLOWS = f64(11.0), f64(28.0), f64(26.543)

# exp(x**2) erfc(x) (1 + 2 x) in (x - 2) / (x + 2), for x from 1/2 to 11: 2**-30.
ERFC_SHORT = (f64(0.0002468470407160074), f64(-0.0003234010353534464), f64(-0.001497515527019874),
              f64(0.0012250856722196156), f64(0.008736115141634417), f64(-0.008026550338536134),
              f64(-0.05422177473058624), f64(0.16405077281944333), f64(-0.16603031716222766),
              f64(-0.09276381664192608), f64(1.2769783809784476))
# The same, for x from 1/2 to 28: 2**-58.
ERFC = (f64(-1.0763374723185795e-07), f64(2.0272011008241793e-07), f64(3.32172175901177e-07),
        f64(-4.0756638097851463e-07), f64(-9.466349831960555e-07), f64(-5.582483769850637e-07),
        f64(1.5266640387417878e-06), f64(5.156486788324917e-06), f64(3.716286146463672e-06),
        f64(-1.3473053690458942e-05), f64(-3.6427733942614585e-05), f64(-1.5135227382700147e-06),
        f64(0.00015104031690645124), f64(0.00020636764451044978), f64(-0.00045434098947545927),
        f64(-0.0014568139786800675), f64(0.0012713389783124986), f64(0.008722653877066427),
        f64(-0.008034015082937817), f64(-0.054220000992067315), f64(0.1640512800334517),
        f64(-0.16603039761528912), f64(-0.09276382658574606), f64(1.2769783815525286))
ERFC_VARYING, ERFC_MIDDLE = ERFC[:-1], ERFC[-1]


def erfc_f32(x):
    size = abs(f64(x))
    size = LAST_32 if size > LAST_32 else size
    t = (size - TWO) / (size + TWO)
    far = exp_f64(-size * size) * polynomial(t, ERFC_SHORT) / (ONE + TWO * size)
    y = f32(TWO - far if f64(x) < ZERO else far)
    return ONE_32 - erf_f32(x) if abs(x) < HALF_32 else y


def erfc_f64(x):
    size = abs(x)
    size = LAST if size > LAST else size
    t = (size - TWO) / (size + TWO)
    # The square of the first 26 bits is exact.
    square_head = _head(size)
    rest = (size - square_head) * (size + square_head)
    scale, r = reduced(-square_head * square_head)
    # What the last sums and the quotient round off is gathered in `lost`, a share of the result.
    growth = expm1_reduced(r)
    decay = ONE + growth
    lost = (growth - (decay - ONE)) / decay - rest * (ONE - rest * (HALF - rest * SIXTH))
    varying = t * polynomial(t, ERFC_VARYING)
    factor = ERFC_MIDDLE + varying
    lost += (varying - (factor - ERFC_MIDDLE)) / factor
    below = TWO * size + ONE
    lost -= (ONE - (below - TWO * size)) / below
    quotient = factor / below
    head, below_head = _head(quotient), _head(below)
    left = (factor - head * below_head) - head * (below - below_head)
    lost += (left - (quotient - head) * below) / factor
    product = decay * quotient
    far = float_f64(bits_f64(product + product * lost) + (bits_f64(scale) << 52))
    far = ZERO if size > UNDERFLOWS else far
    far = TWO - far if x < ZERO else far
    return ONE - erf_f64(x) if abs(x) < NEAR else far


def _head(x):
    """The first 26 bits of ``x``."""
    return float_f64(bits_f64(x) & -0x8000000)


def ndtr_f64(x):
    return HALF * (ONE + erf_f64(x * f64(0.70710678118654752440)))
