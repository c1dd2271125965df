"""The matrix product against NumPy in float64: shapes, layouts, epilogues, threads, levels."""

import itertools
import os

import numpy as np
import pytest
from helpers import fences_memory, guarded
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._kernels import gemm, integer_products

DTYPES = [np.float32, np.float64]
LAYOUTS = ["rows", "columns", "gaps", "reversed", "strided_transposed"]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 15, 16, 17, 31, 33, 47, 48, 49, 63, 65, 97, 130, 259]
# Shapes of real layers and the edges of blocks: (m, k, n).
SHAPES = [
    (1, 10, 32), (1, 32, 10), (10, 1, 32), (32, 10, 1), (1, 1, 1), (128, 84, 10), (10, 128, 84),
    (17, 600, 129), (128, 784, 64), (9, 5000, 8), (32, 4100, 9), (300, 40, 200), (40, 257, 193),
    (64, 1153, 130), (5, 2048, 1), (1, 2048, 5), (1, 300, 700), (700, 300, 1), (16, 65, 300),
    (530, 270, 150),
]


def laid_out(values, layout):
    """The same values in memory of another layout, among NaNs where there are gaps."""
    if layout == "rows":
        return values.copy(order="C")
    if layout == "columns":
        return values.swapaxes(-1, -2).copy(order="C").swapaxes(-1, -2)
    if layout == "strided_transposed":
        return laid_out(values.swapaxes(-1, -2), "gaps").swapaxes(-1, -2)
    *batch, rows, columns = values.shape
    room = np.full((*batch, 2 * rows + 3, 3 * columns + 2), np.nan, values.dtype)
    place = room[..., 1:2 * rows + 1:2, 2:3 * columns + 2:3]
    if layout == "reversed":
        place = place[..., ::-1, ::-1]
    place[...] = values
    return place


def operands(m, k, n, dtype, seed=0, batch=()):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((*batch, m, k)).astype(dtype)
    b = rng.standard_normal((*batch, k, n)).astype(dtype)
    bias = rng.standard_normal(n).astype(dtype)
    return a, b, bias, rng.standard_normal((*batch, m, n)).astype(dtype)


def close(result, exact, k, dtype):
    """Within the rounding of two sums of k products of normal numbers."""
    tolerance = np.finfo(dtype).eps * 2 * (k + 16)
    np.testing.assert_allclose(result, exact, rtol=4 * np.finfo(dtype).eps, atol=tolerance)


def expected(a, b, bias=None, below=1, start=None):
    exact = a.astype(np.float64) @ b.astype(np.float64)
    if start is not None:
        exact = exact + start
    if bias is not None:
        exact = exact + bias
    return np.where(exact > 0, exact, below * exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_layout_of_the_operands(shape, dtype):
    m, k, n = shape
    a, b, _, _ = operands(m, k, n, dtype)
    exact = expected(a, b)
    for layout_a, layout_b in itertools.product(LAYOUTS, LAYOUTS):
        out = np.full((m, n), np.nan, dtype)
        result = gemm.matmul(laid_out(a, layout_a), laid_out(b, layout_b), out)
        assert result is out
        close(out, exact, k, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_layout_and_epilogue_of_the_output(shape, layout, dtype):
    m, k, n = shape
    a, b, bias, start = operands(m, k, n, dtype)
    for use_bias, below, accumulate in itertools.product([0, 1], [1, 0, 0.25], [0, 1]):
        before = start if accumulate else np.full((m, n), np.nan, dtype)
        out = laid_out(before, layout)
        room = out.base if out.base is not None else out
        gaps = np.isnan(room).sum() - np.isnan(out).sum()
        added = bias if use_bias else None
        gemm.matmul(a, b.T.copy().T, out, added, below, accumulate)
        close(out, expected(a, b, added, below, start if accumulate else None), k, dtype)
        assert np.isnan(room).sum() == gaps, "wrote outside the output"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SIZES), st.sampled_from([0, *SIZES, 511, 1025]), st.sampled_from(SIZES),
       st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.sampled_from(DTYPES), st.booleans())
def test_any_size(m, k, n, layout_a, layout_b, dtype, accumulate):
    a, b, bias, start = operands(m, k, n, dtype, seed=m * 1000 + n)
    out = start.copy() if accumulate else np.full((m, n), np.nan, dtype)
    gemm.matmul(laid_out(a, layout_a), laid_out(b, layout_b), out, bias, 1, accumulate)
    close(out, expected(a, b, bias, 1, start if accumulate else None), k, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_small_sizes(dtype):
    for m, k, n in itertools.product(range(1, 19), [1, 2, 5, 17], range(1, 52, 3)):
        a, b, _, _ = operands(m, k, n, dtype)
        for right in (b, laid_out(b, "columns")):
            close(gemm.matmul(a, right), expected(a, b), k, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (1, 10, 32), (40, 30, 50), (64, 64, 64), (9, 3000, 8)], ids=str)
def test_batches(shape, dtype):
    m, k, n = shape
    for batch in (1, 2, 7, 33):
        a, b, bias, _ = operands(m, k, n, dtype, batch=(batch,))
        for left, right in ((a, b), (a[:1], b), (a, b[:1]), (a[0], b), (a, b[0])):
            for layout in ("rows", "columns", "gaps"):
                out = laid_out(np.full((batch, m, n), np.nan, dtype), layout)
                gemm.matmul(laid_out(left, layout), right, out, bias)
                close(out, expected(left, right, bias), k, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [*SHAPES, (256, 300, 520), (1100, 300, 200), (8, 30000, 9), (1, 4000, 4000)], ids=str)
def test_same_bits_for_any_number_of_threads(shape, dtype, threads):
    m, k, n = shape
    a, b, bias, start = operands(m, k, n, dtype)
    for right in (b, laid_out(b, "columns")):
        results = []
        for count in (1, 2, 3, 5):
            threads(count)
            out = start.copy()
            gemm.matmul(a, right, out, bias, 0, True)
            results.append(out.tobytes())
        assert len(set(results)) == 1


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_not_a_number_and_infinity_stay_in_their_rows(layout):
    for m, k, n in [(1, 40, 20), (40, 40, 40), (5, 3000, 7), (70, 20, 1)]:
        a, b, _, _ = operands(m, k, n, np.float32)
        a[m // 2, k // 2] = np.nan
        b[k // 3, n // 2] = np.inf
        with np.errstate(invalid="ignore"):
            exact = a @ b
            result = gemm.matmul(a, laid_out(b, layout))
        np.testing.assert_array_equal(np.isnan(result), np.isnan(exact))
        np.testing.assert_array_equal(np.isinf(result), np.isinf(exact))


def test_relu_keeps_nan_and_clears_negative_numbers():
    a = np.array([[np.nan, -1.0, 2.0, -np.inf, np.inf, -0.0]]).T
    result = gemm.matmul(a, np.ones((1, 1)), below=0)
    np.testing.assert_array_equal(result.ravel(), [np.nan, 0, 2, 0, np.inf, 0])
    for columns in (3, 16, 40):
        wide = gemm.matmul(a, np.ones((1, columns)), below=0)
        np.testing.assert_array_equal(wide, np.tile(result, columns))


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_sums_and_empty_outputs(dtype):
    bias = np.arange(4, dtype=dtype)
    out = np.full((3, 4), np.nan, dtype)
    gemm.matmul(np.empty((3, 0), dtype), np.empty((0, 4), dtype), out)
    np.testing.assert_array_equal(out, np.zeros((3, 4)))
    gemm.matmul(np.empty((3, 0), dtype), np.empty((0, 4), dtype), out, bias)
    np.testing.assert_array_equal(out, np.tile(bias, (3, 1)))
    gemm.matmul(np.empty((3, 0), dtype), np.empty((0, 4), dtype), out, accumulate=True)
    np.testing.assert_array_equal(out, np.tile(bias, (3, 1)))
    for shape_a, shape_b in [((0, 3), (3, 4)), ((3, 3), (3, 0)), ((0, 2, 3), (0, 3, 4))]:
        result = gemm.matmul(np.empty(shape_a, dtype), np.empty(shape_b, dtype))
        assert result.size == 0


def test_denormals_count_as_zero_and_the_mode_is_restored():
    tiny = np.full((40, 40), 1e-40, np.float32)
    np.testing.assert_array_equal(gemm.matmul(tiny, np.ones((40, 40), np.float32)), 0)
    assert tiny[0, 0] * np.float32(1) != 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_computes_the_same(threads):
    threads(2)
    a, b, _, _ = operands(600, 300, 200, np.float32)
    before = gemm.matmul(a, b)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(gemm.matmul(a, b), before) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_inputs_are_unchanged_and_may_be_read_only():
    a, b, bias, _ = operands(33, 70, 50, np.float32)
    copies = [x.copy() for x in (a, b, bias)]
    for x in (a, b, bias):
        x.flags.writeable = False
    gemm.matmul(a, b, bias=bias, below=0)
    for x, copy in zip((a, b, bias), copies, strict=True):
        np.testing.assert_array_equal(x, copy)


@fences_memory
def test_no_memory_beyond_the_arrays_is_touched():
    """The operands end at a page that may not be read."""
    shapes = [(1, 7, 5), (9, 33, 10), (20, 5, 50), (3, 9, 1)]
    for dtype, (m, k, n) in itertools.product(DTYPES, shapes):
        a, b, bias, start = operands(m, k, n, dtype)
        for left, right in itertools.product((guarded(a), guarded(a.T.copy()).T),
                                             (guarded(b), guarded(b.T.copy()).T)):
            out = guarded(start)
            gemm.matmul(left, right, out, guarded(bias), 1, True)
            close(out, expected(a, b, bias, 1, start), k, dtype)


def array(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


READ_ONLY = array(2, 4)
READ_ONLY.flags.writeable = False
SHARED = array(4, 4)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((array(2, 3), array(4, 5)), ValueError, "a has 3 columns, b has 4 rows"),
    ((array(2, 3), array(3, 5, dtype=np.float64)), TypeError, "b has dtype float64, a has float32"),
    ((array(2, 3, dtype=np.int64), array(3, 5)), TypeError, "a has dtype int64"),
    ((array(3), array(3, 5)), ValueError, "a has 1 dimensions, expected 2 or 3"),
    ((array(2, 2, 3), array(3, 3, 5)), ValueError, "a has a batch of 2, b of 3"),
    ((array(2, 3), array(3, 4), array(2, 5)), ValueError, "expected .2, 4."),
    ((array(2, 3), array(3, 4), array(2, 4, dtype=np.float64)), TypeError, "out has dtype float64"),
    ((array(2, 3), array(3, 4), READ_ONLY), ValueError, "out is read-only"),
    ((SHARED, array(4, 4), SHARED), ValueError, "out shares memory with a"),
    ((array(4, 4), SHARED[::-1], SHARED), ValueError, "out shares memory with b"),
    ((array(2, 3), array(3, 4), None, array(3)), ValueError, "bias has shape .3,., expected .4,."),
    ((array(2, 3), array(3, 4), None, array(8)[::2]), ValueError, "bias must be contiguous"),
    ((array(2, 3), array(3, 4), None, array(4, dtype=np.float64)), TypeError, "bias has dtype"),
    ((array(2, 3), array(3, 4), None, None, "swish"), TypeError, "must be real number, not str"),
    ((array(2, 3), array(3, 4), None, None, 1, True), ValueError, "accumulate=True needs out"),
    ((array(2, 3), array(3, 4).astype(">f4")), ValueError, "native byte order"),
    ((array(2, 3), array(3, 4), np.broadcast_to(array(4), (2, 4))), ValueError, "read-only|share"),
    ((None, array(3, 4)), TypeError, "None"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        gemm.matmul(*arguments)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(), (1,), (5,), (0,), (2, 3), (2, 0, 3)], ids=str)
def test_linear_of_any_rank(lead, dtype):
    x, weight, bias, _ = operands(1, 33, 9, dtype)
    x = np.random.default_rng(1).standard_normal((*lead, 33)).astype(dtype)
    exact = x.astype(np.float64) @ weight.astype(np.float64)
    for turned in (weight.T, weight.T.copy()):
        close(gemm.linear(x, turned, bias), exact + bias, 33, dtype)
        close(gemm.linear(x, turned), exact, 33, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_linear_reads_matrices_as_they_lie(layout):
    x, weight, bias, _ = operands(7, 33, 9, np.float32)
    expected = gemm.matmul(x, weight, bias=bias)
    result = gemm.linear(laid_out(x, layout), laid_out(weight.T, layout), bias)
    close(result, expected.astype(np.float64), 33, np.float32)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((array(2, 3), array(5, 4)), ValueError, "linear: input has 3 features, weight expects 4"),
    ((array(), array(5, 4)), ValueError, "linear: input has no features, weight expects 4"),
    ((array(2, 3), array(3)), ValueError, "linear: weight must have 2 dimensions, got shape .3,."),
    ((array(2, 3), array(5, 3), array(4)), ValueError, "bias has shape .4,., weight expects .5,."),
    ((array(2, 3), array(5, 3), array(5, 1)), ValueError, "bias has shape .5, 1., weight expects"),
    ((array(2, 3), array(5, 3), array(10)[::2]), ValueError, "bias must be contiguous"),
    ((array(4, 2, 6)[..., ::2], array(5, 3)), ValueError, "must be contiguous"),
    ((array(2, 3), array(5, 3, dtype=np.float64)), TypeError, "weight has dtype float64"),
    ((array(2, 3), array(5, 3), array(5, dtype=np.float64)), TypeError, "bias has dtype float64"),
    ((array(2, 3, dtype=np.int64), array(5, 3)), TypeError, "input has dtype int64"),
])
def test_bad_arguments_of_linear(arguments, error, message):
    with pytest.raises(error, match=message):
        gemm.linear(*arguments)


def test_interleaved_output_is_allowed():
    room = np.ones((4, 8))
    gemm.matmul(room[:, :4], np.eye(4), room[:, 4:])
    np.testing.assert_array_equal(room, 1)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_products_of_integers_wrap_around(dtype):
    draw = np.random.default_rng(3)
    limits = np.iinfo(dtype)
    for shape, other in (((5, 7), (7, 4)), ((3, 5, 7), (3, 7, 4)), ((5, 0), (0, 4)),
                         ((0, 5), (5, 2)), ((70, 90), (90, 80))):
        a, b = (draw.integers(limits.min, limits.max, size, dtype, endpoint=True)
                for size in (shape, other))
        with np.errstate(over="ignore"):
            wanted = np.matmul(a, b)
        assert (integer_products.product(a, b) == wanted).all()
        turned = integer_products.product(np.asfortranarray(a), b[..., ::-1])
        assert (turned == wanted[..., ::-1]).all()
