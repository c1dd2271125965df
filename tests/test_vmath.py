"""Vector mathematics: accuracy over the whole range, special values, and packed machine code."""

import importlib
import inspect
import math
import platform
import re
from functools import cache

import mpmath
import numpy as np
import pytest

from fastnn._kernels import jit, runtime, vmath

LIMIT = 2.0  # units in the last place
numba = jit._numba()  # told to compile for the instruction set in use
DTYPES = {"f32": np.float32, "f64": np.float64}
UNARY = ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos", "tan", "exp2",
         "log2", "log10", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "erfc"]
# The table of sin, cos and tan is read lane by lane, which LLVM leaves scalar without this.
GATHERS = runtime.vectors_name() in ("x86-64-v3", "x86-64-v4")
BINARY = ["pow", "atan2", "hypot"]
PACKED = re.compile(r"\b(?:v?(?:mul|add|sub)|vfn?m(?:add|sub)\d*)p[sd]\b|\bf(?:mul|add|mla)\s+v")
LIBM = re.compile(r"\b_?(?:exp|log|pow|sin|cos|tan|erf|floor|rint|ldexp)(?:2|m1|1p|h)?f?\b")


@cache
def functions(dtype):
    compiler = numba.njit(error_model="numpy", fastmath=jit.FAST, forceinline=True)
    return vmath.bind(dtype, compiler)


@cache
def loop(name, dtype):
    """The function over arrays, compiled as kernels are."""
    function = functions(dtype)[name]
    element = numba.float32 if dtype == "f32" else numba.float64

    def unary(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def binary(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    kernel, arrays = (binary, 3) if name in BINARY else (unary, 2)
    signature = numba.void(*[element[::1]] * arrays)
    return numba.njit(signature, error_model="numpy", fastmath=jit.FAST)(kernel)


def apply(name, dtype, *inputs):
    inputs = [np.ascontiguousarray(x, DTYPES[dtype]) for x in inputs]
    out = np.full_like(inputs[0], 777.0)
    loop(name, dtype)(*inputs, out)
    return out


def plain(name, dtype):
    """The Python function behind a compiled one."""
    modules = [importlib.import_module(f"fastnn._kernels.{each}") for each in vmath.MODULES]
    found = [getattr(module, f"{name}_{dtype}", None) for module in modules]
    return next(each for each in found if each is not None)


def sigmoid(x):
    return np.where(x < 0, np.exp(x), 1.0) / (1.0 + np.exp(-np.abs(x)))


def numpy_float64(name):
    own = {"sigmoid": sigmoid, "erf": np.vectorize(math.erf, otypes=[np.float64]),
           "erfc": np.vectorize(math.erfc, otypes=[np.float64])}
    return own.get(name) or getattr(np, name)


def units(result, expected, spacing):
    return np.abs(result.astype(np.float64) - expected) / spacing


def every_magnitude(dtype, count):
    """Numbers of both signs, evenly over the bit patterns, NaN and infinities left out."""
    integers, top = (np.uint32, 0x7F800000) if dtype == "f32" else (np.uint64, 0x7FF << 52)
    step = top // count | 1
    positive = np.arange(0, top, step, dtype=integers).view(DTYPES[dtype])
    return np.concatenate([positive, -positive])


DOMAINS = {
    "log": (0, np.inf), "log2": (0, np.inf), "log10": (0, np.inf), "log1p": (-0.9999999, np.inf),
    "asin": (-1, 1), "acos": (-1, 1), "acosh": (1, np.inf), "atanh": (-0.9999999, 0.9999999),
}


def inside(name, x):
    """The numbers at which a function has a value, those that may count as zero left out."""
    low, high = DOMAINS.get(name, (-np.inf, np.inf))
    return x[(x >= (np.finfo(x.dtype).tiny if low == 0 else low)) & (x <= high)]


@pytest.mark.parametrize("name", UNARY)
def test_float32_is_accurate_over_the_whole_range(name):
    near = np.random.default_rng(0).uniform(-20, 20, 100_000).astype(np.float32)
    x = inside(name, np.concatenate([every_magnitude("f32", 100_000), near]))
    with np.errstate(all="ignore"):
        expected = numpy_float64(name)(x.astype(np.float64))
        rounded = expected.astype(np.float32)
    result = apply(name, "f32", x)
    normal = np.isfinite(rounded) & (np.abs(rounded) >= np.finfo(np.float32).tiny)
    error = units(result[normal], expected[normal], np.spacing(np.abs(rounded[normal])))
    assert error.max() <= LIMIT, x[normal][error.argmax()]
    np.testing.assert_array_equal(result[np.isinf(rounded)], rounded[np.isinf(rounded)])
    assert np.all(np.abs(result[~normal & np.isfinite(rounded)]) <= np.finfo(np.float32).tiny)


def float64_points(name):
    generator = np.random.default_rng(1)
    parts = [every_magnitude("f64", 150), generator.uniform(-1, 1, 300),
             generator.uniform(-8, 8, 300), generator.uniform(-40, 40, 200),
             generator.uniform(-745, 709, 200), generator.uniform(0.4, 2.5, 300),
             np.pi / 2 * np.arange(-50.0, 51.0), [5.319372648326541e255, -1e22]]
    return inside(name, np.concatenate(parts))


def exact_units(result, expected):
    """Distance of a float64 from a long number, None where that is not a normal float64."""
    size = abs(expected)
    if not 2 * np.finfo(np.float64).tiny < size < np.finfo(np.float64).max:
        return None
    spacing = mpmath.mpf(2) ** (mpmath.frexp(size)[1] - 53)
    return float(abs(mpmath.mpf(float(result)) - expected) / spacing)


@pytest.mark.parametrize("name", UNARY)
def test_float64_is_accurate_over_the_whole_range(name):
    x = float64_points(name)
    own = {"sigmoid": lambda v: mpmath.exp(min(v, 0)) / (1 + mpmath.exp(-abs(v))),
           "exp2": lambda v: mpmath.power(2, v), "log2": lambda v: mpmath.log(v, 2),
           "erfc": lambda v: mpmath.erfc(max(-30, min(v, 30)))}
    long = own.get(name) or getattr(mpmath, name)
    with mpmath.workprec(150):
        for value, result in zip(x, apply(name, "f64", x), strict=True):
            error = exact_units(result, long(mpmath.mpf(float(value))))
            assert error is None or error <= LIMIT, value


@pytest.mark.parametrize("dtype, error", [("f32", 7e-8), ("f64", 1.2e-16)])
def test_the_normal_distribution_function_is_accurate_for_numbers_about_one(dtype, error):
    x = np.linspace(-10, 10, 4001).astype(DTYPES[dtype])
    wanted = [mpmath.ncdf(float(each)) for each in x]
    errors = [abs(float(result - exact))
              for result, exact in zip(map(float, apply("ndtr", dtype, x)), wanted, strict=True)]
    assert max(errors) <= error


@pytest.mark.parametrize("dtype", DTYPES)
def test_pow_is_accurate_to_its_largest_results(dtype):
    generator = np.random.default_rng(2)
    largest = 120 if dtype == "f32" else 1000
    x = np.concatenate([np.exp2(generator.uniform(-largest, largest, 300)),
                        1 + generator.uniform(-0.3, 0.3, 300), generator.uniform(0, 3, 300)])
    y = np.concatenate([generator.uniform(-largest, largest, 600) / np.log2(x[:600]),
                        generator.uniform(-5, 5, 300)])
    x, y = x.astype(DTYPES[dtype]), y.astype(DTYPES[dtype])
    digits = 24 if dtype == "f32" else 53
    with mpmath.workprec(200):
        for a, b, result in zip(x, y, apply("pow", dtype, x, y), strict=True):
            expected = mpmath.power(mpmath.mpf(float(a)), mpmath.mpf(float(b)))
            spacing = mpmath.mpf(2) ** (mpmath.frexp(expected)[1] - digits)
            assert abs(mpmath.mpf(float(result)) - expected) / spacing <= LIMIT, (a, b)


def pairs_of_all_sizes(dtype):
    generator = np.random.default_rng(3)
    x = generator.permutation(every_magnitude(dtype, 400))
    near = generator.uniform(-3, 3, (2, 600)).astype(DTYPES[dtype])
    beside = x * generator.uniform(0.1, 10, x.size).astype(DTYPES[dtype])
    with np.errstate(over="ignore"):
        return (np.concatenate([x, near[0], x]),
                np.concatenate([generator.permutation(x), near[1], beside]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["atan2", "hypot"])
def test_two_arguments_are_accurate_over_the_whole_range(name, dtype):
    with np.errstate(over="ignore"):
        x, y = pairs_of_all_sizes(dtype)
    kind = np.finfo(DTYPES[dtype])
    with mpmath.workprec(150):
        for a, b, result in zip(x, y, apply(name, dtype, x, y), strict=True):
            if not np.isfinite(a) or not np.isfinite(b) or min(abs(a), abs(b)) < kind.tiny:
                continue
            expected = getattr(mpmath, name)(mpmath.mpf(float(a)), mpmath.mpf(float(b)))
            size = abs(expected)
            if float(kind.tiny) < size < float(kind.max):
                spacing = mpmath.mpf(2) ** (mpmath.frexp(size)[1] - kind.nmant - 1)
                assert abs(mpmath.mpf(float(result)) - expected) / spacing <= LIMIT, (a, b)


TWO_ARGUMENTS = {
    "atan2": [(0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (0.0, -0.0, math.pi), (-0.0, -1.0, -math.pi),
              (1.0, 0.0, math.pi / 2), (-1.0, -0.0, -math.pi / 2), (math.inf, 2.0, math.pi / 2),
              (math.inf, math.inf, math.pi / 4), (-math.inf, -math.inf, -3 * math.pi / 4),
              (2.0, -math.inf, math.pi), (math.nan, 1.0, math.nan), (1.0, math.nan, math.nan)],
    "hypot": [(0.0, -0.0, 0.0), (-3.0, 4.0, 5.0), (math.inf, math.nan, math.inf),
              (math.nan, -math.inf, math.inf), (math.nan, 1.0, math.nan),
              (1.0, math.nan, math.nan)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_special_values_of_two_arguments(name, dtype):
    x, y, _ = zip(*TWO_ARGUMENTS[name], strict=True)
    for case, result in zip(TWO_ARGUMENTS[name], apply(name, dtype, x, y), strict=True):
        assert same(result, DTYPES[dtype](case[2])), (*case, result)


def same(result, expected):
    """Equal, with equal signs of zero; NaN is NaN."""
    return (np.isnan(result) and math.isnan(expected)) or (
        result == expected and np.signbit(result) == np.signbit(expected))


INF, NAN = math.inf, math.nan
ODD_AT_THE_ENDS = [(0.0, 0.0), (-0.0, -0.0), (NAN, NAN)]
SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0), (NAN, NAN)],
    "expm1": [*ODD_AT_THE_ENDS, (INF, INF), (-INF, -1.0), (1e4, INF), (-1e4, -1.0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-INF, NAN), (-1.0, NAN)],
    "log1p": [*ODD_AT_THE_ENDS, (INF, INF), (-1.0, -INF), (-2.0, NAN), (-INF, NAN)],
    "tanh": [*ODD_AT_THE_ENDS, (INF, 1.0), (-INF, -1.0), (30.0, 1.0), (-30.0, -1.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (50.0, 1.0), (NAN, NAN)],
    "erf": [*ODD_AT_THE_ENDS, (INF, 1.0), (-INF, -1.0), (7.0, 1.0), (-7.0, -1.0)],
    "sin": [*ODD_AT_THE_ENDS, (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "tan": [*ODD_AT_THE_ENDS, (INF, NAN), (-INF, NAN)],
    "exp2": [(0.0, 1.0), (3.0, 8.0), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0), (NAN, NAN)],
    "log2": [(0.0, -INF), (-0.0, -INF), (8.0, 3.0), (INF, INF), (-INF, NAN), (-1.0, NAN)],
    "log10": [(0.0, -INF), (1.0, 0.0), (1000.0, 3.0), (INF, INF), (-1.0, NAN), (NAN, NAN)],
    "sinh": [*ODD_AT_THE_ENDS, (INF, INF), (-INF, -INF), (1e4, INF)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (-1e4, INF), (NAN, NAN)],
    "asin": [*ODD_AT_THE_ENDS, (1.5, NAN), (-INF, NAN)],
    "acos": [(1.0, 0.0), (1.5, NAN), (-1.5, NAN), (INF, NAN), (NAN, NAN)],
    "atan": ODD_AT_THE_ENDS,
    "asinh": [*ODD_AT_THE_ENDS, (INF, INF), (-INF, -INF)],
    "acosh": [(1.0, 0.0), (0.5, NAN), (-3.0, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "atanh": [*ODD_AT_THE_ENDS, (1.0, INF), (-1.0, -INF), (1.5, NAN), (-INF, NAN)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (40.0, 0.0), (-7.0, 2.0), (NAN, NAN)],
    "ndtr": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (40.0, 1.0), (-40.0, 0.0),
             (NAN, NAN)],
    "trunc": [(1.5, 1.0), (-1.5, -1.0), (-0.5, -0.0), (INF, INF), (NAN, NAN)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (4.0, 2.0), (INF, INF), (-1.0, NAN), (NAN, NAN)],
    "floor": [(0.5, 0.0), (-0.5, -1.0), (3.0, 3.0), (-0.0, -0.0), (INF, INF), (NAN, NAN)],
    "ceil": [(0.5, 1.0), (-1.5, -1.0), (3.0, 3.0), (-0.0, -0.0), (-INF, -INF), (NAN, NAN)],
    "rint": [(0.5, 0.0), (1.5, 2.0), (-2.5, -2.0), (-0.0, -0.0), (INF, INF), (NAN, NAN)],
    "abs": [(-1.5, 1.5), (-0.0, 0.0), (-INF, INF), (NAN, NAN)],
    "isnan": [(NAN, 1.0), (INF, 0.0), (0.0, 0.0), (-1.0, 0.0)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype):
    inputs, expected = zip(*SPECIAL[name] * 10, strict=True)  # enough to reach the packed loop
    for x, result, wanted in zip(inputs, apply(name, dtype, inputs), expected, strict=True):
        assert same(result, wanted), (x, result, wanted)


NANS = {"f32": np.array([0x7FC00001, 0xFFC00001, 0x7F8000FF, 0x7FC001FF] * 8, np.uint32),
        "f64": np.array([0x7FF8000000000001, 0xFFF8000000000001, 0x7FF80000000007FF] * 8,
                        np.uint64)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*UNARY, "ndtr"])
def test_nan_stays_nan_whatever_its_bits(name, dtype):
    assert np.isnan(apply(name, dtype, NANS[dtype].view(DTYPES[dtype]))).all()


POWERS = [
    (NAN, 0.0, 1.0), (1.0, NAN, 1.0), (NAN, 1.0, NAN), (2.0, NAN, NAN), (INF, 0.0, 1.0),
    (-1.0, INF, 1.0), (-1.0, -INF, 1.0), (0.5, INF, 0.0), (0.5, -INF, INF), (-2.0, INF, INF),
    (2.0, -INF, 0.0), (0.0, -INF, INF), (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0),
    (-0.0, 0.5, 0.0), (-0.0, -3.0, -INF), (-0.0, -2.0, INF), (0.0, -1.0, INF), (INF, 0.5, INF),
    (INF, -1.0, 0.0), (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, -3.0, -0.0),
    (-INF, -2.0, 0.0), (-INF, 0.5, INF), (-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25), (-2.0, 0.5, NAN),
    (-1.0, 2.0**53, 1.0), (-1.0, 7.0, -1.0), (2.0, 10.0, 1024.0), (3.0, 1.0, 3.0),
    (10.0, 1e4, INF), (10.0, -1e4, 0.0), (-10.0, 1001.0, -INF),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_of_pow(dtype):
    x, y, _ = zip(*POWERS, strict=True)
    for case, result in zip(POWERS, apply("pow", dtype, x, y), strict=True):
        assert same(result, case[2]), (*case, result)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pow_by_one_reaches_the_largest_number(dtype):
    x = every_magnitude(dtype, 1000)
    x = x[np.abs(x) >= np.finfo(DTYPES[dtype]).tiny]
    largest = np.finfo(DTYPES[dtype]).max
    x = np.append(x, [largest, -largest])
    np.testing.assert_array_max_ulp(apply("pow", dtype, x, np.ones_like(x)), x, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*UNARY, "pow"])
def test_plain_python_agrees(name, dtype):
    function = plain(name, dtype)
    inputs = [np.array([-7.3, -1.0, -0.4, -0.0, 0.3, 0.9, 1.0, 2.5, 19.0], DTYPES[dtype])]
    inputs *= len(inspect.signature(function).parameters)
    with np.errstate(all="ignore"):
        expected = np.array([function(*row) for row in zip(*inputs, strict=True)])
    assert expected.dtype == DTYPES[dtype]
    np.testing.assert_array_max_ulp(apply(name, dtype, *inputs), expected, 3)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64", "arm64", "aarch64"),
                    reason="the packed instructions are those of x86-64 and ARM")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [
    name for name in (*UNARY, "pow", "ndtr") if GATHERS or name not in ("sin", "cos", "tan")])
def test_loops_are_packed_and_free_of_libm(name, dtype):
    (assembly,) = loop(name, dtype).inspect_asm().values()
    called = [line for line in assembly.splitlines() if re.search(r"\b(?:call|movabs|bl)", line)]
    assert len(PACKED.findall(assembly)) >= 8
    assert not [line for line in called if LIBM.search(line)]


def test_a_float_of_the_other_width_is_refused():
    with pytest.raises(Exception, match="expected float32|same type"):
        numba.njit(functions("f32")["log"].py_func)(1.0)
