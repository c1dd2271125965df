"""What the functions of `vmath_f32` and `vmath_f64` are built from, as plain NumPy.

Kernels get machine versions of the same names from `vmath.bind`; these run without Numba.
"""

import numpy as np

f32, f64 = np.float32, np.float64


def i32(value):
    """The low 32 bits of an integer as a signed integer."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def bits_f32(value):
    """The bits of a float32 as a signed integer."""
    return int(f32(value).view(np.int32))


def float_f32(bits):
    """The float32 that has the low 32 bits of an integer."""
    return np.uint32(bits & 0xFFFFFFFF).view(f32)


def bits_f64(value):
    """The bits of a float64 as a signed integer."""
    return int(f64(value).view(np.int64))


def float_f64(bits):
    """The float64 that has the low 64 bits of an integer."""
    return np.uint64(bits & 0xFFFFFFFFFFFFFFFF).view(f64)


def entry(table, row, column):
    """The number at a place of a table that never changes."""
    return table[row, column]


def polynomial(x, coefficients):
    """``coefficients``, highest power first, at ``x`` by Horner's rule."""
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
