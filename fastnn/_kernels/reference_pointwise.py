"""The part of the oracle for arithmetic, comparison, rounding and the elementary functions."""

import math

import numpy as np

mul, pow, square, reciprocal, neg, abs = (
    np.multiply, np.power, np.square, np.reciprocal, np.negative, np.abs)
floor_divide, remainder, fmod, hypot, heaviside = (
    np.floor_divide, np.remainder, np.fmod, np.hypot, np.heaviside)
sign, signbit, copysign, nan_to_num = np.sign, np.signbit, np.copysign, np.nan_to_num
deg2rad, rad2deg = np.deg2rad, np.rad2deg
maximum, minimum, fmax, fmin = np.maximum, np.minimum, np.fmax, np.fmin
where, isclose = np.where, np.isclose
exp, exp2, expm1, sqrt, logaddexp = np.exp, np.exp2, np.expm1, np.sqrt, np.logaddexp
log, log1p, log2, log10 = np.log, np.log1p, np.log2, np.log10
erf = np.vectorize(math.erf, otypes=[np.float64])
erfc = np.vectorize(math.erfc, otypes=[np.float64])
sin, cos, tan, sinh, cosh, tanh = np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh
asin, acos, atan, atan2 = np.arcsin, np.arccos, np.arctan, np.arctan2
asinh, acosh, atanh = np.arcsinh, np.arccosh, np.arctanh
floor, ceil, trunc = np.floor, np.ceil, np.trunc
eq, ne, lt, le, gt, ge = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
isnan, isinf, isfinite = np.isnan, np.isinf, np.isfinite
logical_not, logical_and, logical_or, logical_xor = (
    np.logical_not, np.logical_and, np.logical_or, np.logical_xor)
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = (
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_not)


def add(input, other, alpha=1):
    return input + alpha * other


def sub(input, other, alpha=1):
    return input - alpha * other


def rsub(input, other, alpha=1):
    return other - alpha * input


def div(input, other, rounding_mode=None):
    rounded = {None: lambda x: x, "trunc": np.trunc, "floor": np.floor}[rounding_mode]
    return rounded(input / other)


def lerp(input, end, weight):
    return input + weight * (end - input)


def addcmul(input, tensor1, tensor2, value=1):
    return input + value * tensor1 * tensor2


def addcdiv(input, tensor1, tensor2, value=1):
    return input + value * tensor1 / tensor2


def rsqrt(input):
    return 1 / np.sqrt(input)


def xlogy(input, other):
    return np.where(input == 0, 0, input * np.log(other))


def logit(input, eps=None):
    clamped = input if eps is None else np.clip(input, eps, 1 - eps)
    return np.log(clamped / (1 - clamped))


def frac(input):
    return input - np.trunc(input)


def round(input, decimals=0):
    return np.round(input, decimals)


def clamp(input, min=-np.inf, max=np.inf):
    return np.minimum(np.maximum(input, min), max)


def clamp_min(input, min):
    return np.maximum(input, min)


def clamp_max(input, max):
    return np.minimum(input, max)
