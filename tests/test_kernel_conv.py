"""The three convolution kernels against a plain NumPy reference in float64."""

import numpy as np
import pytest
from convolutions import Case, assert_close, blank, reference, run
from helpers import fences_memory, guarded

from fastnn._kernels import conv

CASES = [
    Case(2, 3, 7, 9, 4, (3, 3)),
    Case(2, 32, 12, 11, 64, (3, 3), padding=(1, 1)),
    Case(3, 1, 28, 28, 6, (5, 5), padding=(2, 2)),
    Case(3, 1, 28, 28, 32, (3, 3)),
    Case(5, 6, 14, 14, 16, (5, 5)),
    Case(4, 1, 28, 28, 64, (4, 4), stride=(2, 2), padding=(1, 1)),
    Case(4, 64, 14, 14, 128, (4, 4), stride=(2, 2), padding=(1, 1)),
    Case(1, 5, 1, 1, 7, (1, 1)),
    Case(9, 64, 14, 14, 1, (4, 4), stride=(2, 2), padding=(1, 1)),
    Case(3, 21, 9, 8, 3, (3, 2), padding=(1, 2), dilation=(2, 3)),
    Case(2, 70, 40, 9, 13, (2, 3), stride=(1, 2), padding=(0, 1), extra=(1, 0)),
    Case(2, 48, 5, 6, 8, (1, 1)),
    Case(9, 20, 1, 1, 33, (3, 3), padding=(1, 1)),
    Case(2, 17, 9, 8, 19, (2, 3), stride=(3, 2), padding=(1, 2)),
    Case(2, 4, 11, 10, 5, (1, 2), stride=(3, 4)),
    Case(2, 4, 13, 12, 70, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 3)),
    Case(1, 8, 16, 5, 8, (5, 1), stride=(4, 2), dilation=(2, 1)),
    Case(2, 7, 6, 6, 3, (3, 3), stride=(4, 6), padding=(2, 2), dilation=(6, 4)),
    Case(2, 8, 9, 9, 12, (3, 3), padding=(1, 1), groups=2),
    Case(2, 12, 9, 9, 8, (3, 3), stride=(2, 2), padding=(1, 1), groups=4),
    Case(3, 40, 10, 9, 40, (3, 3), padding=(1, 1), groups=40),
    Case(2, 6, 10, 9, 6, (5, 3), stride=(2, 1), padding=(2, 0), dilation=(1, 2), groups=6),
    Case(2, 6, 10, 9, 18, (3, 3), padding=(1, 1), groups=6),
    Case(1, 3, 4, 4, 5, (7, 7), padding=(3, 3)),
    Case(1, 2, 3, 3, 2, (3, 3), padding=(9, 8)),
    Case(2, 3, 6, 6, 4, (3, 3), stride=(2, 2), extra=(1, 1)),
    Case(2, 10, 8, 8, 10, (2, 2), padding=(0, 0), extra=(1, 1)),
    Case(1, 16, 40, 37, 3, (1, 1)),
    Case(1, 130, 6, 6, 150, (3, 3), padding=(1, 1)),
    Case(40, 6, 9, 9, 1, (3, 3)),
    Case(3, 64, 6, 6, 1, (3, 3), padding=(1, 1)),
    Case(2, 24, 9, 9, 2, (3, 3), padding=(1, 1), dilation=(1, 2)),
    Case(2, 32, 9, 9, 3, (3, 2), padding=(1, 1), stride=(2, 1)),
    Case(2, 16, 8, 8, 6, (5, 5), padding=(2, 2)),
    Case(0, 3, 5, 5, 4, (3, 3)),
    Case(0, 1, 5, 5, 4, (3, 3)),
    Case(2, 3, 0, 5, 4, (3, 3), padding=(2, 0)),
]

ONE_CHANNEL = [
    *(Case(2, 1, 11, 10 + 3 * o, o, (4, 5), padding=(1, 2)) for o in range(1, 10)),
    Case(1, 1, 9, 33, 6, (1, 1)),
    Case(2, 1, 9, 33, 4, (3, 3), padding=(1, 1)),
    Case(3, 1, 7, 3, 5, (3, 2), padding=(2, 0)),
    Case(2, 1, 6, 5, 4, (5, 5), padding=(0, 3), extra=(2, -1)),
    Case(2, 1, 8, 40, 8, (2, 7), padding=(1, 3), extra=(-1, 2)),
    Case(1, 1, 4, 70, 2, (1, 64)),
    Case(2, 1, 1, 1, 3, (3, 3), padding=(9, 8)),
    Case(2, 1, 64, 61, 6, (5, 5), padding=(2, 2)),
    Case(1, 1, 12, 900, 1, (3, 3), padding=(1, 1)),
    Case(1, 1, 5, 4200, 3, (3, 3), padding=(1, 1)),
    Case(40, 1, 5, 4, 6, (3, 3), padding=(1, 1)),
]
CASES += ONE_CHANNEL

GROUPED = [
    Case(3, 8, 7, 9, 8, (3, 3), padding=(1, 1), groups=4),
    Case(2, 32, 9, 10, 32, (3, 3), padding=(1, 1), groups=4),
    Case(2, 16, 8, 8, 16, (3, 3), padding=(1, 1), groups=4),
    Case(1, 64, 13, 11, 32, (3, 3), stride=(2, 1), padding=(1, 0), groups=4),
    Case(2, 21, 9, 8, 14, (2, 3), padding=(1, 2), dilation=(2, 3), groups=7),
    Case(2, 10, 9, 8, 35, (3, 3), stride=(1, 2), padding=(2, 1), groups=5),
    Case(2, 33, 7, 7, 99, (3, 3), padding=(1, 1), groups=33),
    *(Case(2, i * g, 8, 7, o * g, (3, 2), padding=(1, 1), stride=(1, 2), groups=g)
      for i, o, g in [(1, 2, 35), (1, 4, 19), (2, 1, 37), (2, 2, 21), (2, 4, 5), (4, 1, 35),
                      (4, 2, 11), (4, 3, 9), (4, 4, 7), (8, 1, 13), (8, 3, 2), (16, 1, 5),
                      (16, 4, 3), (2, 3, 9)]),
    Case(1, 17, 12, 9, 17, (5, 3), stride=(2, 2), padding=(2, 1), groups=17),
    Case(2, 65, 6, 5, 65, (3, 3), padding=(2, 2), dilation=(2, 2), groups=65),
    Case(3, 144, 5, 6, 36, (3, 3), padding=(1, 1), groups=2),
    Case(1, 150, 6, 6, 204, (3, 2), padding=(1, 1), groups=2),
    Case(50, 6, 3, 4, 12, (2, 2), padding=(1, 1), groups=3),
    Case(1, 12, 70, 65, 12, (3, 3), padding=(1, 1), groups=2),
    Case(1, 4, 30, 7, 8, (3, 1), padding=(9, 0), dilation=(12, 1), groups=2),
    Case(2, 6, 4, 4, 6, (3, 3), padding=(8, 9), groups=2, extra=(-3, 1)),
    Case(1, 66000, 1, 2, 2, (1, 1), groups=2),
    Case(2, 6, 0, 5, 4, (3, 3), padding=(2, 0), groups=2),
]
CASES += GROUPED


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_against_reference(case, dtype):
    arrays = case.arrays(dtype)
    kept = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    assert_close(run(case, *arrays), reference(case, *arrays), dtype)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("case", range(40))
def test_random_parameters(case):
    random = np.random.default_rng(case)
    groups = int(random.choice([1, 1, 1, 2, 3]))
    kernel, stride, padding, dilation, extra = (
        tuple(int(v) for v in random.integers(*bounds, size=2))
        for bounds in ((1, 6), (1, 5), (0, 5), (1, 4), (0, 2)))
    least = [d * (k - 1) + 1 - 2 * p for k, p, d in zip(kernel, padding, dilation, strict=True)]
    h, w = (max(1, size) + int(random.integers(0, 12)) for size in least)
    n, c, o = (int(v) for v in random.integers(1, [6, 24, 40]))
    drawn = Case(n, c * groups, h, w, o * groups, kernel, stride, padding, dilation, groups, extra)
    arrays = drawn.arrays(np.float32, seed=case)
    assert_close(run(drawn, *arrays), reference(drawn, *arrays), np.float32)


LARGE = [
    Case(16, 32, 13, 13, 64, (3, 3), padding=(1, 1)),
    Case(64, 1, 28, 28, 6, (5, 5), padding=(2, 2)),
    Case(300, 1, 19, 21, 7, (4, 4)),
    Case(16, 64, 14, 14, 128, (4, 4), stride=(2, 2), padding=(1, 1)),
    Case(16, 64, 17, 17, 64, (3, 3), padding=(1, 1), groups=64),
    Case(16, 64, 17, 17, 64, (3, 3), padding=(1, 1), groups=8),
    Case(40, 24, 15, 15, 48, (3, 3), stride=(2, 1), groups=12),
]


@pytest.mark.parametrize("case", LARGE, ids=repr)
def test_same_bits_for_any_number_of_threads(case, threads):
    arrays = case.arrays(np.float32)
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(run(case, *arrays))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_an_image_does_not_depend_on_its_batch():
    case, one = Case(7, 9, 8, 8, 20, (3, 3)), Case(1, 9, 8, 8, 20, (3, 3))
    x, weight, y = case.arrays(np.float32)
    whole = run(case, x, weight, y)
    for n in range(7):
        alone = run(one, x[n:n + 1].copy(), weight, y[n:n + 1].copy())
        np.testing.assert_array_equal(whole[0][n:n + 1], alone[0])
        np.testing.assert_array_equal(whole[1][n:n + 1], alone[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES[:28:3] + ONE_CHANNEL, ids=repr)
def test_bias_and_bend(case, dtype):
    x, weight, y = case.arrays(dtype)
    out, gx = reference(case, x, weight, y)[:2]
    for bias_count, wanted, kernel, image in ((y.shape[3], out, conv.forward, x),
                                              (x.shape[3], gx, conv.data_gradient, y)):
        bias = np.linspace(-1, 1, bias_count).astype(dtype)
        got = [kernel(image, weight, bias, blank(wanted.shape, dtype), *case.parameters, a)
               for a in (1, 0, 0.25)]
        sums = wanted + bias
        assert_close(got, [sums, np.maximum(sums, 0), np.maximum(sums, 0.25 * sums)], dtype)


@pytest.mark.parametrize("poison", [np.inf, np.nan])
@pytest.mark.parametrize("channels", [1, 2])
def test_padding_is_skipped(poison, channels):
    """A non-finite weight meets no padding: 0 * inf would be NaN."""
    case = Case(1, channels, 5, 5, 3, (3, 3), padding=(1, 1))
    x, weight, y = (np.abs(array) + 1 for array in case.arrays(np.float32))
    weight[0, :, 0, 0] = poison
    out, gx, _, _ = run(case, x, weight, y)
    touched = np.zeros((1, 5, 5), bool)
    touched[0, 1:, 1:] = True
    np.testing.assert_array_equal(np.isfinite(out[..., 0]), ~touched)
    assert np.isfinite(out[..., 1:]).all()
    np.testing.assert_array_equal(np.isnan(out[..., 0]), touched & np.isnan(poison))
    np.testing.assert_array_equal(np.isfinite(gx[..., 0]), ~touched[:, ::-1, ::-1])
    y[0, 0, 0, 1] = poison
    _, _, gw, gbias = run(case, x, weight, y)
    expected = np.ones(gw.shape, bool)
    expected[1, :, 1:, 1:] = False
    np.testing.assert_array_equal(np.isfinite(gw), expected)
    np.testing.assert_array_equal(np.isfinite(gbias), [True, False, True])


@pytest.mark.parametrize("channels", [1, 3, 6, 10, 17])
def test_a_non_finite_pixel_reaches_only_its_window(channels):
    case = Case(1, channels, 9, 9, 2, (3, 3))
    x, weight, y = case.arrays(np.float32)
    x[0, 4, 4, channels - 1] = np.nan
    out, _, gw, _ = run(case, x, weight, y)
    expected = np.zeros(out.shape, bool)
    expected[:, 2:5, 2:5] = True
    np.testing.assert_array_equal(np.isnan(out), expected)
    assert np.isnan(gw[:, -1]).all()
    assert np.isfinite(gw[:, :-1]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", GROUPED[:-1], ids=repr)
def test_groups_do_not_meet(case, dtype):
    """What is not finite in one group changes no bit of the others."""
    x, weight, y = case.arrays(dtype)
    wanted = run(case, x, weight, y)
    poisoned = case.groups // 2
    for array, axis in ((x, 3), (weight, 0), (y, 3)):
        _split(array, axis, case.groups)[poisoned] = np.nan
    for one, other, axis in zip(run(case, x, weight, y), wanted, (3, 3, 0, 0), strict=True):
        one, other = (_split(array, axis, case.groups) for array in (one, other))
        np.testing.assert_array_equal(np.delete(one, poisoned, 0), np.delete(other, poisoned, 0))


def _split(array, axis, groups):
    """A view with the groups of an axis first."""
    shape = array.shape
    parts = array.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1:])
    return np.moveaxis(parts, axis, 0)


@pytest.mark.parametrize("column", [0, 24, 32])
def test_a_non_finite_pixel_at_the_edge(column):
    """A row's last pixels are not inputs of the first taps, nor its first of the last taps."""
    case = Case(2, 1, 6, 33, 6, (4, 5))
    x, weight, y = case.arrays(np.float32)
    x[1, 0, column] = np.inf
    out, _, gw, gbias = run(case, x, weight, y)
    reached = [tap for tap in range(5) if 0 <= column - tap < 29]
    finite = np.ones(gw.shape, bool)
    finite[:, 0, 0, reached] = False
    np.testing.assert_array_equal(np.isfinite(gw), finite)
    finite = np.ones(out.shape, bool)
    finite[1, 0, [column - tap for tap in reached]] = False
    np.testing.assert_array_equal(np.isfinite(out), finite)
    assert np.isfinite(gbias).all()


def test_denormals_are_flushed():
    x = np.full((1, 4, 4, 1), 1e-20, np.float32)
    weight = np.full((1, 1, 1, 1), 1e-20, np.float32)
    out = conv.forward(x, weight, None, blank(x.shape, np.float32), (1, 1), (0, 0), (1, 1), 1)
    assert (out == 0).all()
    assert np.float32(1e-20) * np.float32(1e-20) > 0


@fences_memory
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_nothing_beyond_the_arrays_is_touched(case, dtype):
    """A masked access of the wrong kind would end the process here."""
    x, weight, y = (guarded(array) for array in case.arrays(dtype))
    out, gx, gw = (guarded(np.empty_like(array)) for array in (y, x, weight))
    gbias = guarded(np.empty(weight.shape[0], dtype))
    conv.forward(x, weight, None, out, *case.parameters)
    conv.data_gradient(y, weight, None, gx, *case.parameters)
    conv.weight_gradient(x, y, gw, gbias, *case.parameters)
    assert_close((out, gx, gw, gbias), reference(case, x, weight, y), dtype)
