"""Products that are large enough for AMX's tiles: edges, layouts, values that tiles cannot take.

On processors without tiles the same tests run on the vector kernels.
"""

import itertools

import numpy as np
import pytest
from helpers import fences_memory, guarded

from fastnn._kernels import gemm, runtime

# (m, k, n): whole blocks, every kind of edge, one turn of k and several, both ways of sharing.
SHAPES = [(128, 128, 128), (96, 256, 96), (97, 225, 131), (112, 300, 144), (300, 130, 99),
          (113, 129, 700), (600, 33, 113), (257, 513, 258), (100, 2100, 101), (331, 300, 301),
          (70, 500, 64)]
BLOCK = (113, 300, 145)
PAIRS_OF_LAYOUTS = list(itertools.product(("rows", "columns", "gaps", "reversed"), repeat=2))


def operand(rng, lines, columns, layout):
    if layout == "rows":
        return rng.standard_normal((lines, columns)).astype(np.float32)
    if layout == "columns":
        return rng.standard_normal((columns, lines)).astype(np.float32).T
    if layout == "gaps":
        return rng.standard_normal((lines, columns + 5)).astype(np.float32)[:, 2:-3]
    return rng.standard_normal((columns + 3, lines)).astype(np.float32)[1:-2].T[::-1, ::-1]


def operands(shape, layouts=("rows", "rows")):
    rng = np.random.default_rng(sum(shape))
    m, k, n = shape
    return operand(rng, m, k, layouts[0]), operand(rng, k, n, layouts[1])


def exact(a, b):
    return a.astype(np.float64) @ b.astype(np.float64)


def errors(result, a, b):
    """In units of float32's rounding of the sum of the products' magnitudes."""
    magnitudes = exact(abs(a), abs(b))
    return abs(result - exact(a, b)) / np.where(magnitudes, magnitudes, 1) * 2**24


# A part of the numbers that is left out costs 2**6 at least. The vector kernels reach 20.
MOST = 24


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layouts", PAIRS_OF_LAYOUTS, ids="-".join)
def test_layouts(shape, layouts):
    a, b = operands(shape, layouts)
    assert errors(gemm.matmul(a, b), a, b).max() < MOST


def test_what_is_left_out_does_not_add_up():
    """Of positive numbers: parts that were cut, not rounded, would make it 1.2."""
    a, b = np.random.default_rng(0).uniform(1, 1.1, (2, 256, 256)).astype(np.float32)
    wrong = (gemm.matmul(a, b) - exact(a, b)) / exact(a, b) * 2**24
    assert abs(wrong).max() < MOST
    assert abs(wrong.mean()) < 0.3


@pytest.mark.parametrize("shape", [(113, 300, 145), (300, 300, 113), (128, 128, 128)], ids=str)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("below", [1, 0, 0.25])
@pytest.mark.parametrize("with_bias", [False, True])
def test_bias_bend_and_accumulation(shape, turned, accumulate, below, with_bias):
    """``turned``: C lies by columns, so that the bias is one of rows for the kernel."""
    rng = np.random.default_rng(0)
    m, k, n = shape
    a, b = operands(shape)
    start = rng.standard_normal((n, m) if turned else (m, n)).astype(np.float32)
    start = start.T if turned else start
    bias = rng.standard_normal(n).astype(np.float32) if with_bias else None
    out = start.copy(order="K") if accumulate else np.full_like(start, np.nan)
    gemm.matmul(a, b, out, bias=bias, below=below, accumulate=accumulate)
    wanted = exact(a, b) + (start if accumulate else 0) + (bias if with_bias else 0)
    wanted = np.where(wanted > 0, wanted, below * wanted)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=4e-4)


def test_only_the_output_is_written():
    a, b = operands(BLOCK)
    room = np.full((BLOCK[0] + 4, BLOCK[2] + 9), 7, np.float32)
    gemm.matmul(a, b, room[2:-2, 3:-6])
    np.testing.assert_array_equal(room[2:-2, 3:-6], gemm.matmul(a, b))
    room[2:-2, 3:-6] = 7
    assert (room == 7).all()


@fences_memory
@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=2)))
def test_nothing_beyond_the_operands_is_touched(turned):
    a, b = operands(BLOCK)
    a_memory = guarded(np.ascontiguousarray(a.T if turned[0] else a))
    b_memory = guarded(np.ascontiguousarray(b.T if turned[1] else b))
    out = guarded(np.zeros((BLOCK[0], BLOCK[2]), np.float32))
    gemm.matmul(a_memory.T if turned[0] else a_memory, b_memory.T if turned[1] else b_memory, out)
    assert errors(out, a, b).max() < MOST


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layouts", [("rows", "rows"), ("rows", "columns"), ("columns", "rows")],
                         ids="-".join)
def test_every_number_of_threads_gives_the_same_bits(shape, layouts):
    a, b = operands(shape, layouts)
    a[shape[0] // 2, shape[1] // 2] = 1e30
    before, results = runtime.get_thread_count(), []
    try:
        for threads in (1, 2, 3, 8):
            runtime.set_thread_count(threads)
            results.append(gemm.matmul(a, b))
    finally:
        runtime.set_thread_count(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("accumulate", [False, True])
def test_numbers_that_are_not_finite(side, value, accumulate):
    pair = operands(BLOCK)
    pair[side][40, 70] = value
    start = np.full((BLOCK[0], BLOCK[2]), 1 if accumulate else np.nan, np.float32)
    out = gemm.matmul(*pair, start, accumulate=accumulate)
    with np.errstate(invalid="ignore"):
        wanted = exact(*pair) + accumulate
    np.testing.assert_allclose(out, wanted, rtol=0, atol=4e-4)
    line = (40, slice(None)) if side == 0 else (slice(None), 70)
    assert not np.isfinite(out[line]).any()
    assert np.isfinite(np.delete(out, line[side], side)).all()


@pytest.mark.parametrize("scale", [1e-35, 1e-30, 1e-20, 1e-14, 1e10, 1e17, 1e30, 1e36])
@pytest.mark.parametrize("side", [0, 1])
def test_large_and_small_numbers(scale, side):
    pair = operands(BLOCK)
    scaled = [each * np.float32(scale if place == side else 1) for place, each in enumerate(pair)]
    # Denormals count as 0 in a product, also when they are sums.
    scaled = [np.where(abs(each) < 2**-126, 0, each).astype(np.float32) for each in scaled]
    tolerance = 4e-4 * scale + 2**-123
    np.testing.assert_allclose(gemm.matmul(*scaled), exact(*scaled), rtol=0, atol=tolerance)


def test_rows_of_very_different_size():
    """Each row by itself is as exact as its own numbers allow."""
    a, b = operands(BLOCK)
    sizes = np.float32(2) ** np.random.default_rng(1).integers(-60, 60, (BLOCK[0], 1))
    sizes[32:64] = np.float32(2) ** -100
    a = (a * sizes).astype(np.float32)
    wrong = errors(gemm.matmul(a, b), a, b)
    assert wrong[32:64].max() < MOST
    panels = [slice(0, 32), slice(64, 96), slice(96, None)]
    for panel in panels:
        assert wrong[panel][sizes[panel, 0] == sizes[panel].max()].max() < MOST


@pytest.mark.parametrize("place", [5, 150, 290, slice(0, 128), slice(128, 256), slice(256, 300)])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("below", [1, 0, 0.25])
@pytest.mark.parametrize("accumulate", [False, True])
def test_bias_where_some_numbers_are_not_for_tiles(place, side, below, accumulate):
    """Some turns of k go to the vector kernels: for one number, or because all are small."""
    pair = operands((128, 300, 160))
    if isinstance(place, slice):
        pair[side][(slice(None), place) if side == 0 else place] *= np.float32(1e-16)
    else:
        pair[side][(40, place) if side == 0 else (place, 40)] = 1e17
    out = np.full((128, 160), 3 if accumulate else np.nan, np.float32)
    bias = np.full(160, 1000, np.float32)
    gemm.matmul(*pair, out, bias=bias, below=below, accumulate=accumulate)
    wanted = exact(*pair) + 1000 + 3 * accumulate
    wanted = np.where(wanted > 0, wanted, below * wanted)
    magnitudes = exact(*map(abs, pair)) + 1003
    assert (abs(out - wanted) / magnitudes).max() < MOST * 2**-24


def test_zeros():
    a, b = operands(BLOCK)
    np.testing.assert_array_equal(gemm.matmul(a * 0, b), np.zeros((BLOCK[0], BLOCK[2])))
    a[32:64] = 0
    assert errors(gemm.matmul(a, b), a, b).max() < MOST
