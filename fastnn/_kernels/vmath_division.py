"""Division with a remainder, and the length of the hypotenuse: see `vmath`.

A remainder is exact (libm's ``fmod``), so the quotient is right where x / y would round up.
"""

from numpy import floor, fmod, sqrt, trunc

from .vmath_f32 import copysign_f32
from .vmath_f64 import copysign_f64
from .vmath_names import f32, f64

ZERO_32, HALF_32, ONE_32, INFINITY_32 = f32(0.0), f32(0.5), f32(1.0), f32("inf")
ZERO_64, HALF_64, ONE_64, INFINITY_64 = f64(0.0), f64(0.5), f64(1.0), f64("inf")


def fmod_f32(x, y):
    return fmod(x, y)


def remainder_f32(x, y):
    rest = fmod(x, y)
    return rest + y if (rest != ZERO_32) & ((rest < ZERO_32) != (y < ZERO_32)) else rest


def floor_divide_f32(x, y):
    rest = fmod(x, y)
    quotient = (x - rest) / y
    opposite = (rest != ZERO_32) & ((rest < ZERO_32) != (y < ZERO_32))
    quotient = quotient - ONE_32 if opposite else quotient
    whole = floor(quotient)
    whole = whole + ONE_32 if quotient - whole > HALF_32 else whole
    whole = copysign_f32(ZERO_32, x / y) if quotient == ZERO_32 else whole
    return x / y if y == ZERO_32 else whole


def fmod_f64(x, y):
    return fmod(x, y)


def remainder_f64(x, y):
    rest = fmod(x, y)
    return rest + y if (rest != ZERO_64) & ((rest < ZERO_64) != (y < ZERO_64)) else rest


def floor_divide_f64(x, y):
    rest = fmod(x, y)
    quotient = (x - rest) / y
    opposite = (rest != ZERO_64) & ((rest < ZERO_64) != (y < ZERO_64))
    quotient = quotient - ONE_64 if opposite else quotient
    whole = floor(quotient)
    whole = whole + ONE_64 if quotient - whole > HALF_64 else whole
    whole = copysign_f64(ZERO_64, x / y) if quotient == ZERO_64 else whole
    return x / y if y == ZERO_64 else whole


def hypot_f32(x, y):
    size = f32(sqrt(f64(x) * f64(x) + f64(y) * f64(y)))
    return INFINITY_32 if (abs(x) == INFINITY_32) | (abs(y) == INFINITY_32) else size


def hypot_f64(x, y):
    a, b = abs(x), abs(y)
    longer = a if a > b else b
    ratio = (b if a > b else a) / longer
    size = longer * sqrt(ONE_64 + ratio * ratio)
    size = ZERO_64 if longer == ZERO_64 else size
    return INFINITY_64 if (a == INFINITY_64) | (b == INFINITY_64) else size


def trunc_divide_f32(x, y):
    return trunc(x / y)


def trunc_divide_f64(x, y):
    return trunc(x / y)
