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
    Case(2, 20, 15, 18, 70, (3, 3), padding=(0, 1)),     # edges of 1 and 2 outputs
    Case(1, 64, 31, 30, 64, (3, 3), padding=(3, 3)),     # more padding than the kernel reaches
    Case(8, 128, 8, 8, 128, (3, 3), padding=(1, 1)),     # blocks of few tiles
    Case(2, 32, 22, 22, 20, (3, 3), extra=(1, 1)),       # outputs beyond the input
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
    got = conv.forward(x, weight, bias, blank(y.shape, y.dtype), *case.parameters, "relu")
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


def test_an_infinity_that_relu_hides():
    case = CASES[0]
    x, weight, y = case.arrays(np.float32)
    x[0, 5, 5] = -np.inf
    weight = np.abs(weight)
    with np.errstate(all="ignore"):
        wanted = np.maximum(reference(case, x, weight, y)[0], 0)
    got = conv.forward(x, weight, None, blank(y.shape, y.dtype), *case.parameters, "relu")
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * wanted.max())
