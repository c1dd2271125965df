"""Convolutions that AMX's tiles take: against the float64 kernels, which no tile touches.

On processors without tiles the same tests run on the vector kernels.
"""

import itertools

import numpy as np
import pytest
from helpers import fences_memory, guarded

from fastnn._kernels import conv, runtime

# images, height, width, inputs, outputs, kernel, stride, padding
CASES = {
    "dcgan": (3, 14, 14, 64, 128, (4, 4), (2, 2), (1, 1)),
    "five": (2, 28, 27, 32, 32, (5, 5), (1, 1), (2, 2)),
    "no padding": (3, 17, 19, 32, 64, (4, 4), (1, 1), (0, 0)),
    "uneven": (4, 15, 22, 29, 60, (5, 4), (2, 1), (2, 0)),
    "wide padding": (4, 9, 11, 64, 30, (4, 6), (2, 3), (3, 5)),
    "wide stride": (2, 40, 37, 32, 45, (8, 8), (3, 4), (1, 2)),
    "remainder": (3, 16, 18, 96, 64, (5, 5), (2, 2), (0, 1)),
    "many weights": (4, 7, 7, 256, 160, (3, 3), (1, 1), (1, 1)),
    "bands": (1, 160, 150, 32, 32, (5, 5), (1, 1), (2, 1)),
    "bands of phases": (1, 160, 151, 64, 32, (4, 4), (2, 2), (1, 2)),
    "many images": (40, 10, 10, 64, 64, (4, 4), (2, 2), (1, 1)),
}


def prepared(name, dtype=np.float32):
    n, h, w, c, o, kernel, stride, padding = CASES[name]
    sizes = [(size + 2 * pad - taps) // step + 1
             for size, taps, step, pad in zip((h, w), kernel, stride, padding, strict=True)]
    rng = np.random.default_rng(0)
    shapes = {"x": (n, h, w, c), "weight": (o, c, *kernel), "gy": (n, *sizes, o), "bias": (o,),
              "gx_bias": (c,)}
    arrays = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
    return {key: array.astype(dtype) for key, array in arrays.items()}, (stride, padding, (1, 1), 1)


def run(kind, arrays, parameters, biased=True, below=1, wrap=np.array):
    """The results of a kernel on memory that was full of NaN."""
    def room(like):
        return wrap(np.full_like(like, np.nan))

    x, weight, gy = arrays["x"], arrays["weight"], arrays["gy"]
    if kind == "forward":
        return [conv.forward(x, weight, arrays["bias"] if biased else None, room(gy), *parameters,
                             below)]
    if kind == "data":
        return [conv.data_gradient(gy, weight, arrays["gx_bias"] if biased else None, room(x),
                                   *parameters, below)]
    bias = room(arrays["bias"]) if biased else None
    return [conv.weight_gradient(x, gy, room(weight), bias, *parameters), *([bias] * biased)]


def close(results, wanted):
    """Sums of some thousand products, whose roundings are a share of the largest."""
    for result, exact in zip(results, wanted, strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, exact, rtol=0, atol=6e-6 * abs(exact).max())


KINDS = ["forward", "data", "weight"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_against_float64(name, kind):
    arrays, parameters = prepared(name)
    exact, _ = prepared(name, np.float64)
    for biased, below in itertools.product([True, False], [1, 0, 0.25]):
        close(run(kind, arrays, parameters, biased, below),
              run(kind, exact, parameters, biased, below))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dcgan", "bands", "many images", "uneven"])
def test_every_number_of_threads_gives_the_same_bits(name, kind):
    arrays, parameters = prepared(name)
    before, results = runtime.get_thread_count(), []
    try:
        for threads in (1, 2, 3, 8):
            runtime.set_thread_count(threads)
            results.append(run(kind, arrays, parameters))
    finally:
        runtime.set_thread_count(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


@fences_memory
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dcgan", "uneven", "wide padding"])
def test_no_memory_beyond_the_arrays_is_touched(name, kind):
    arrays, parameters = prepared(name)
    fenced = {key: guarded(array) for key, array in arrays.items()}
    for result, wanted in zip(run(kind, fenced, parameters, wrap=guarded),
                              run(kind, arrays, parameters), strict=True):
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20, 3e38])
@pytest.mark.parametrize("kind", ["forward", "data"])
def test_an_image_with_numbers_that_tiles_cannot_take_is_alone_with_them(kind, value):
    arrays, parameters = prepared("dcgan")
    wanted = run(kind, arrays, parameters)[0]
    arrays["x" if kind == "forward" else "gy"][1, 5, 5, 7] = value
    result = run(kind, arrays, parameters)[0]
    np.testing.assert_array_equal(result[[0, 2]], wanted[[0, 2]])
    changed = (result[1] != wanted[1]).any(axis=-1)
    far = np.ones_like(changed)
    middle = 3 if kind == "forward" else 11
    far[middle - 3:middle + 4, middle - 3:middle + 4] = False
    exact = {key: array.astype(np.float64) for key, array in arrays.items()}
    exact = run(kind, exact, parameters)[0][1]
    assert changed.any()
    np.testing.assert_array_equal(np.isnan(result[1]), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(result[1]), np.isinf(exact) | (abs(exact) > 3.4e38))
    np.testing.assert_allclose(result[1][far], wanted[1][far], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["x", "gy", "weight"])
@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e17])
def test_large_and_small_numbers(kind, which, scale):
    arrays, parameters = prepared("dcgan")
    arrays[which] = (arrays[which] * scale).astype(np.float32)
    exact = {key: array.astype(np.float64) for key, array in arrays.items()}
    close(run(kind, arrays, parameters, biased=False), run(kind, exact, parameters, biased=False))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["forward", "data"])
def test_weights_that_are_not_finite(kind, value):
    arrays, parameters = prepared("dcgan")
    arrays["weight"][5, 3, 1, 2] = value
    exact = {key: array.astype(np.float64) for key, array in arrays.items()}
    result, wanted = (run(kind, each, parameters)[0] for each in (arrays, exact))
    np.testing.assert_array_equal(np.isnan(result), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(result), np.isinf(wanted))
