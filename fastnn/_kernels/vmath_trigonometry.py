"""Sine, cosine and tangent: see `vmath`, and `vmath_f32` for accuracy and method.

An angle of any size is x = m * 2**k, m an integer. `TURNS` holds, for each k, what is left of
2**k * 2 / pi without its multiples of 4, cut into floats so short that their products with m
(float32) or with the halves of m (float64) are exact. So the quarter turn and the angle within it
cost the same, and lose nothing, for x = 1 and for x = 1e300. (The method of Payne and Hanek,
"Radian reduction for trigonometric functions", SIGNUM Newsletter 18, 1983, as a table.)
"""

import numpy as np

from .vmath_names import bits_f32, bits_f64, entry, f32, f64, float_f32, float_f64, i32, polynomial

HALF_32, ONE_32, NAN_32 = f32(0.5), f32(1.0), f32("nan")
HALF_64, ONE_64, NAN_64 = f64(0.5), f64(1.0), f64("nan")
# Adding it leaves the nearest integer in the low bits.
ROUNDER = f64(1.5 * 2**52)

# pi / 2, and the same in two parts, the first of 26 bits.
QUARTER = f64(1.5707963267948966)
QUARTER_HIGH, QUARTER_LOW = f64(1.5707963109016418), f64(1.5893254773528196e-08)

# (sin(r) - r) / r**3 and (cos(r) - 1 + r**2/2) / r**4 in r**2 on +-pi/4: 2**-32 and 2**-33.
SIN_32 = (f32(2.8325487164693186e-06), f32(-0.00019853065896313637), f32(0.008333379402756691),
          f32(-0.1666666716337204))
COS_32 = (f32(2.4432327336398885e-05), f32(-0.0013887309469282627), f32(0.04166664555668831))
SIN_LONG_32, COS_LONG_32 = tuple(map(f64, SIN_32)), tuple(map(f64, COS_32))  # for the tangent
# The same: 2**-58 and 2**-64.
SIN_64 = (f64(1.5895433229493008e-10), f64(-2.5050734388694868e-08), f64(2.7557313538513497e-06),
          f64(-0.0001984126982935853), f64(0.00833333333332184), f64(-0.1666666666666663))
COS_64 = (f64(-1.1358739060629142e-11), f64(2.0875705227542834e-09),
          f64(-2.7557314216037567e-07), f64(2.480158728899958e-05), f64(-0.001388888888887334),
          f64(0.041666666666666595))

# Below it, sin(x) is x to half a unit, as bits.
TINY_32, TINY_64 = 0x39000000, 0x3E40000000000000
INFINITY_32, INFINITY_64 = 0x7F800000, 0x7FF0000000000000


def _arctangent_of_inverse(n, bits):
    """atan(1 / n) * 2**bits, as an integer."""
    power = total = (1 << bits) // n
    k = 1
    while power:
        power //= -n * n
        k += 2
        total += power // k
    return total


def _turns(first, count, widths):
    """Rows of 2**k * 2 / pi mod 4 for k from ``first``, in pieces of so many bits and the rest."""
    bits, guard = first + count + 256, 64
    pi = 4 * (4 * _arctangent_of_inverse(5, bits + guard)
              - _arctangent_of_inverse(239, bits + guard))
    two_over_pi = (1 << (2 * (bits + guard) + 1)) // pi >> guard
    rows = np.empty((count, len(widths) + 1))
    for row, k in enumerate(range(first, first + count)):
        left = (two_over_pi << k if k > 0 else two_over_pi >> -k) % (4 << bits)
        shift = bits + 2
        for place, width in enumerate(widths):
            shift -= width
            rows[row, place] = np.ldexp(float(left >> shift), shift - bits)
            left &= (1 << shift) - 1
        shift = max(left.bit_length() - 53, 0)
        rows[row, -1] = np.ldexp(float(left >> shift), shift - bits)
    return rows


# By the biased exponent of x; for float64 also by that of its upper half, whose unit is 2**27.
TURNS_32 = _turns(-127 - 23, 256, (29,))
TURNS_64 = _turns(-1023 - 52, 2048 + 27, (25, 25, 25, 25))


def _angle_long_f32(x):
    """``(quarter, r)``: abs(x) is a quarter turn times an integer with those low bits, plus r."""
    bits = bits_f32(x)
    row = (bits >> 23) & 0xFF
    m = f64(float_f32((bits & 0x007FFFFF) | 0x4B000000))
    turns, rest = m * entry(TURNS_32, row, 0), m * entry(TURNS_32, row, 1)
    t = (turns + rest) + ROUNDER
    part = (turns - (t - ROUNDER)) + rest
    return i32(bits_f64(t)), part * QUARTER


def _angle_f32(x):
    quarter, r = _angle_long_f32(x)
    return quarter, f32(r)


def _sin_reduced_f32(r):
    return r + r * r * r * polynomial(r * r, SIN_32)


def _cos_reduced_f32(r):
    square = r * r
    return (ONE_32 - HALF_32 * square) + square * square * polynomial(square, COS_32)


def sin_f32(x):
    quarter, r = _angle_f32(x)
    y = _cos_reduced_f32(r) if quarter & 1 else _sin_reduced_f32(r)
    y = float_f32(bits_f32(y) ^ ((quarter & 2) << 30) ^ (bits_f32(x) & 0x80000000))
    size = bits_f32(x) & 0x7FFFFFFF
    y = y if size < INFINITY_32 else NAN_32
    return x if size < TINY_32 else y


def cos_f32(x):
    quarter, r = _angle_f32(x)
    y = _sin_reduced_f32(r) if quarter & 1 else _cos_reduced_f32(r)
    y = float_f32(bits_f32(y) ^ (((quarter + 1) & 2) << 30))
    return y if (bits_f32(x) & 0x7FFFFFFF) < INFINITY_32 else NAN_32


def tan_f32(x):
    quarter, r = _angle_long_f32(x)
    square = r * r
    sine = r + r * square * polynomial(square, SIN_LONG_32)
    cosine = (ONE_64 - HALF_64 * square) + square * square * polynomial(square, COS_LONG_32)
    y = f32(-cosine / sine if quarter & 1 else sine / cosine)
    y = float_f32(bits_f32(y) ^ (bits_f32(x) & 0x80000000))
    size = bits_f32(x) & 0x7FFFFFFF
    y = y if size < INFINITY_32 else NAN_32
    return x if size < TINY_32 else y


def _sum(a, b):
    """``(total, lost)``: the rounded sum and its rounding error (Knuth's TwoSum)."""
    total = a + b
    second = total - a
    return total, (a - (total - second)) + (b - second)


def _angle_f64(x):
    """As `_angle_f32`, r with what its rounding lost: ``(quarter, r, lost)``."""
    bits = bits_f64(x)
    row = (bits >> 52) & 0x7FF
    # Halves of m: 26 bits in units of 2**27, and 27 bits.
    high = float_f64(((bits & 0x000FFFFFF8000000) >> 27) | 0x4330000002000000) - f64(2.0**52)
    low = float_f64((bits & 0x7FFFFFF) | 0x4330000000000000) - f64(2.0**52)
    # Each sum of two products is exact as well; the last only is rounded.
    first, second = high * entry(TURNS_64, row + 27, 0), low * entry(TURNS_64, row, 0)
    t1, t2 = first + ROUNDER, second + ROUNDER
    part = (first - (t1 - ROUNDER)) + (second - (t2 - ROUNDER))
    part += high * entry(TURNS_64, row + 27, 1) + low * entry(TURNS_64, row, 1)
    t = part + ROUNDER
    third = high * entry(TURNS_64, row + 27, 2) + low * entry(TURNS_64, row, 2)
    fourth = high * entry(TURNS_64, row + 27, 3) + low * entry(TURNS_64, row, 3)
    last = high * entry(TURNS_64, row + 27, 4) + low * entry(TURNS_64, row, 4)
    part, lost3 = _sum(part - (t - ROUNDER), third)
    part, lost4 = _sum(part, fourth)
    part, lost = _sum(part, (lost3 + lost4) + last)
    quarter = (bits_f64(t1) + bits_f64(t2)) + bits_f64(t)
    head = float_f64(bits_f64(part) & -0x8000000)
    start = head * QUARTER_HIGH
    tail = (part - head) * QUARTER + (head * QUARTER_LOW + lost * QUARTER)
    r = start + tail
    return quarter, r, tail - (r - start)


def _sin_reduced_f64(r, lost):
    square = r * r
    return r + (r * square * polynomial(square, SIN_64) + lost * (ONE_64 - HALF_64 * square))


def _cos_reduced_f64(r, lost):
    square = r * r
    start = ONE_64 - HALF_64 * square
    rounding = (ONE_64 - start) - HALF_64 * square
    return start + (rounding + (square * square * polynomial(square, COS_64) - r * lost))


def sin_f64(x):
    quarter, r, lost = _angle_f64(x)
    y = _cos_reduced_f64(r, lost) if quarter & 1 else _sin_reduced_f64(r, lost)
    y = float_f64(bits_f64(y) ^ ((quarter & 2) << 62) ^ (bits_f64(x) & -0x8000000000000000))
    size = bits_f64(x) & 0x7FFFFFFFFFFFFFFF
    y = y if size < INFINITY_64 else NAN_64
    return x if size < TINY_64 else y


def cos_f64(x):
    quarter, r, lost = _angle_f64(x)
    y = _sin_reduced_f64(r, lost) if quarter & 1 else _cos_reduced_f64(r, lost)
    y = float_f64(bits_f64(y) ^ (((quarter + 1) & 2) << 62))
    return y if (bits_f64(x) & 0x7FFFFFFFFFFFFFFF) < INFINITY_64 else NAN_64


def tan_f64(x):
    quarter, r, lost = _angle_f64(x)
    sine, cosine = _sin_reduced_f64(r, lost), _cos_reduced_f64(r, lost)
    y = -cosine / sine if quarter & 1 else sine / cosine
    y = float_f64(bits_f64(y) ^ (bits_f64(x) & -0x8000000000000000))
    size = bits_f64(x) & 0x7FFFFFFFFFFFFFFF
    y = y if size < INFINITY_64 else NAN_64
    return x if size < TINY_64 else y
