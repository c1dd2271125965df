"""Convolutions that Winograd's tiles compute: their accuracy, edges, and what is not finite."""

import numpy as np
import pytest
from convolutions import Case, assert_close, blank, reference, run

from fastnn._kernels import conv, runtime

ERROR = 4e-6  # of the largest result; the direct kernels stay within 1e-6

CASES = [
    Case(4, 32, 26, 26, 64, (3, 3)),
    Case(3, 16, 28, 27, 33, (3, 3), padding=(1, 1)),
    Case(2, 31, 17, 30, 29, (3, 3), padding=(2, 2)),     # channels not in whole vectors
    Case(2, 20, 27, 30, 70, (3, 3), padding=(0, 1)),     # edges of 1 and 2 outputs
    Case(1, 64, 31, 30, 64, (3, 3), padding=(3, 3)),     # more padding than the kernel reaches
    Case(8, 128, 8, 8, 128, (3, 3), padding=(1, 1)),     # blocks of few tiles
    Case(2, 32, 28, 28, 20, (3, 3), extra=(1, 1)),       # outputs beyond the input
    Case(40, 48, 4, 4, 32, (3, 3), padding=(1, 1)),      # a block of many images
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_against_reference(case):
    arrays = case.arrays(np.float32)
    assert_close(run(case, *arrays), reference(case, *arrays), np.float32)


def test_accuracy():
    case = CASES[0]
    arrays = case.arrays(np.float32)
    for got, wanted in zip(run(case, *arrays), reference(case, *arrays), strict=True):
        assert np.abs(got - wanted).max() <= ERROR * np.abs(wanted).max()


@pytest.mark.parametrize("case", CASES[:4], ids=repr)
def test_same_bits_for_any_number_of_threads(case, threads):
    arrays = case.arrays(np.float32)
    found = []
    for count in (1, 2, 3):
        runtime.set_thread_count(count)
        found.append(run(case, *arrays))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_bias_and_relu():
    case = CASES[1]
    x, weight, y = case.arrays(np.float32)
    bias = np.linspace(-2, 2, len(weight), dtype=np.float32)
    wanted = np.maximum(reference(case, x, weight, y)[0] + bias, 0)
    got = conv.forward(x, weight, bias, blank(y.shape, y.dtype), *case.parameters, 0)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * wanted.max())


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["x", "weight", "y"])
def test_what_is_not_finite_reaches_its_windows_alone(value, which):
    """Nor does what a tile's sums overflow by, and its own window's do not."""
    case = CASES[0]
    arrays = [array * np.float32(1e-3) for array in case.arrays(np.float32)]
    arrays[which].reshape(-1)[1000] = value
    with np.errstate(all="ignore"):
        wanted = [array.astype(np.float32) for array in reference(case, *arrays)]
    for got, expected in zip(run(case, *arrays), wanted, strict=True):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(got[~finite], expected[~finite])
        largest = np.abs(expected[finite]).max()
        np.testing.assert_allclose(got[finite], expected[finite], rtol=0, atol=2e-5 * largest)


def assert_as_exact_as_a_direct_product(case, arrays):
    """Errors are small beside the sum of the sizes of a result's own terms."""
    sizes = reference(case, *[np.abs(array) for array in arrays])
    for got, wanted, size in zip(run(case, *arrays), reference(case, *arrays), sizes, strict=True):
        assert (np.abs(got - wanted) <= 2e-4 * size).all()


@pytest.mark.parametrize("case", [CASES[1], CASES[3]], ids=repr)
@pytest.mark.parametrize("value", [1e6, -1e9, 1e15])
@pytest.mark.parametrize("which", [0, 2], ids=["x", "y"])
def test_a_large_value_leaks_into_no_other_window(case, value, which):
    arrays = case.arrays(np.float32)
    height, width = arrays[which].shape[1:3]
    for row, column in [(0, 0), (5, 6), (height - 1, width - 1), (height - 1, 2)]:
        planted = list(arrays)
        planted[which] = planted[which].copy()
        planted[which][0, row, column, 7] = value
        assert_as_exact_as_a_direct_product(case, planted)


@pytest.mark.parametrize("edge", range(4, 8))
@pytest.mark.parametrize("area", ["columns", "rows", "corner", "inside", "zeros beside"])
def test_a_mask_leaks_into_no_other_window(edge, area):
    case = CASES[1]
    arrays = case.arrays(np.float32)
    masked = {
        "columns": np.s_[:, :, edge:], "rows": np.s_[:, :edge], "corner": np.s_[:, edge:, edge:],
        "inside": np.s_[:, edge:edge + 7, edge:edge + 9], "zeros beside": np.s_[:, edge:]}[area]
    for which in (0, 2):
        planted = [array.copy() for array in arrays]
        if area == "zeros beside":
            planted[which][...] = 0
        planted[which][masked] = -1e9
        assert_as_exact_as_a_direct_product(case, planted)


@pytest.mark.parametrize("value", [1e6, np.inf, np.nan])
def test_an_image_does_not_depend_on_the_others(value):
    """Not even by its last bit."""
    case = CASES[0]
    x, weight, y = case.arrays(np.float32)
    clean = run(case, x, weight, y)
    for images in ([1], [0, 3], [1, 2], [0, 1, 2, 3]):
        bad_x, bad_y = x.copy(), y.copy()
        bad_x[images, 9, 8, 4] = bad_y[images, 9, 8, 4] = value
        others = [image for image in range(len(x)) if image not in images]
        for got, wanted in zip(run(case, bad_x, weight, bad_y)[:2], clean[:2], strict=True):
            np.testing.assert_array_equal(got[others], wanted[others])
            assert (got[images] != wanted[images]).any()


@pytest.mark.parametrize("zeros", [0, 0.5, 0.9, 0.97])
def test_usual_data_are_computed_by_tiles(zeros):
    """Also where nearly all is zero: other bits than those of the direct kernels, which compute the
    same values around a planted one."""
    case = CASES[3]
    x, weight, y = case.arrays(np.float32)
    x = np.where(np.random.default_rng(3).random(x.shape) < zeros, 0, np.abs(x)).astype(np.float32)
    uneven = x.copy()
    uneven[:, 20, 20, 4] = 1e6
    tiles, direct = (conv.forward(each, weight, None, blank(y.shape, y.dtype), *case.parameters)
                     for each in (x, uneven))
    far = np.s_[:, :8, :8]
    for image in range(len(x)):
        assert (tiles[image][far[1:]] != direct[image][far[1:]]).any()
    np.testing.assert_allclose(tiles[far], direct[far], rtol=0, atol=1e-5 * tiles.max())


def test_an_infinity_that_relu_hides():
    case = CASES[0]
    x, weight, y = case.arrays(np.float32)
    x[0, 5, 5] = -np.inf
    weight = np.abs(weight)
    with np.errstate(all="ignore"):
        wanted = np.maximum(reference(case, x, weight, y)[0], 0)
    got = conv.forward(x, weight, None, blank(y.shape, y.dtype), *case.parameters, 0)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * wanted.max())
