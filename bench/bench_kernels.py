"""Kernels at the sizes of real networks, and the cost of a call on four elements.

``FASTNN_BENCH_QUICK=1`` shrinks every size, to see that the benchmarks run.
"""

import os

import numpy
import pytest

import fastnn
from fastnn._kernels import conv, gemm
from fastnn.nn import functional as F

QUICK = os.environ.get("FASTNN_BENCH_QUICK") == "1"
GENERATOR = numpy.random.default_rng(0)
ELEMENTS = [1 << 10] if QUICK else [1 << 10, 1 << 16, 1 << 24]  # in L1, in L2, 64 MB
PRODUCTS = (
    [(16, 16, 16)]
    if QUICK
    else [(1024, 1024, 1024), (128, 784, 512), (128, 512, 512), (128, 512, 10), (64, 9216, 128)]
)
IMAGE = (2, 4, 8, 8) if QUICK else (64, 32, 26, 26)
FILTERS = (8, 4, 3, 3) if QUICK else (64, 32, 3, 3)


def random(*shape):
    return GENERATOR.standard_normal(shape).astype(numpy.float32)


def test_add_four_elements_with_the_tape_on(benchmark):
    x = fastnn.ones(4, requires_grad=True)
    benchmark(lambda: x + x)


@pytest.mark.parametrize("size", ELEMENTS)
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "softplus"])
def test_activation(benchmark, name, size):
    x = fastnn.from_numpy(random(size))
    benchmark(getattr(F, name), x)


@pytest.mark.parametrize("size", ELEMENTS)
def test_sum(benchmark, size):
    benchmark(fastnn.from_numpy(random(size)).sum)


@pytest.mark.parametrize(("m", "k", "n"), PRODUCTS)
def test_product(benchmark, m, k, n):
    a, b, out = random(m, k), random(n, k), random(m, n)
    benchmark.extra_info["flops"] = 2 * m * n * k
    benchmark(gemm.matmul, a, b.T, out)


@pytest.fixture
def images():
    n, c, h, w = IMAGE
    o = FILTERS[0]
    return random(n, h, w, c), random(*FILTERS), random(n, h - 2, w - 2, o)


WINDOW = ((1, 1), (0, 0), (1, 1), 1)


def test_convolution(benchmark, images):
    x, weight, out = images
    benchmark(conv.forward, x, weight, None, out, *WINDOW)


def test_convolution_data_gradient(benchmark, images):
    x, weight, gradient = images
    benchmark(conv.data_gradient, gradient, weight, None, x, *WINDOW)


def test_convolution_weight_gradient(benchmark, images):
    x, weight, gradient = images
    benchmark(conv.weight_gradient, x, gradient, weight, None, *WINDOW)
