"""Random tensors."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import random as kernels
from ..generator import default_generator
from ..registry import public
from .checks import floating, shape_argument
from .creation import new


def uniform_array(shape, dtype, low=0.0, high=1.0, generator=None):
    """A new array of numbers uniform in [low, high)."""
    wide = dtype == dtypes.float64
    words = 2 if wide else 1
    size = int(numpy.prod(shape, dtype=numpy.int64))
    key, offset = (generator or default_generator).take(kernels.blocks(size, words))
    return kernels.fill(kernels.uniform_wide if wide else kernels.uniform, shape, dtype, key,
                        offset, words, (low, high))


def normal_array(shape, dtype, mean=0.0, deviation=1.0, generator=None):
    """A new array of normally distributed numbers."""
    size = int(numpy.prod(shape, dtype=numpy.int64))
    key, offset = (generator or default_generator).take(kernels.blocks(size))
    return kernels.fill(kernels.normal, shape, dtype, key, offset, 1, (mean, deviation))


def _integer_array(shape, low, high, generator):
    size = int(numpy.prod(shape, dtype=numpy.int64))
    key, offset = (generator or default_generator).take(kernels.blocks(size, 2))
    return kernels.fill(kernels.integers, shape, dtypes.int64, key, offset, 2,
                        options=(low, high - low))


def _floating_type(operation, dtype):
    dtype = dtypes.check(operation, dtype or dtypes.get_default_dtype())
    if dtype not in dtypes.FLOATING:
        raise TypeError(f"{operation}: expected float32 or float64, got {dtype}")
    return dtype


@public("fastnn", differentiable=False)
def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1).

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> fastnn.rand(2, 3).shape
    fastnn.Size([2, 3])
    """
    array = uniform_array(shape_argument("rand", size), _floating_type("rand", dtype),
                          generator=generator)
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Normally distributed numbers of mean 0 and variance 1."""
    array = normal_array(shape_argument("randn", size), _floating_type("randn", dtype),
                         generator=generator)
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def rand_like(input, *, dtype=None):
    """Uniform numbers in the shape of ``input``."""
    return rand(*input.shape, dtype=dtype or input.dtype)


@public("fastnn", differentiable=False)
def randn_like(input, *, dtype=None):
    """Normal numbers in the shape of ``input``."""
    return randn(*input.shape, dtype=dtype or input.dtype)


@public("fastnn", differentiable=False)
def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None):
    """Integers uniform in [low, high); ``randint(high, size)`` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if high is None or size is None:
        raise TypeError("randint: expected randint(high, size) or randint(low, high, size)")
    if low >= high:
        raise ValueError(f"randint: low {low} is not below high {high}")
    array = _integer_array(shape_argument("randint", (size,)), low, high, generator)
    return new(array.astype(dtypes.check("randint", dtype or dtypes.int64), copy=False),
               device=device)


@public("fastnn", differentiable=False)
def randperm(n, *, generator=None, device=None):
    """The integers from 0 to ``n - 1`` in random order."""
    keys = _integer_array((n,), -(1 << 62), (1 << 62) - 1, generator)
    return new(numpy.argsort(keys, kind="stable"), device=device)


@public("fastnn", differentiable=False)
def bernoulli(input, *, generator=None):
    """1 with the probability that ``input`` gives, else 0."""
    floating("bernoulli", input=tensors.as_tensor("bernoulli", input))
    drawn = uniform_array(input.array.shape, input.dtype, generator=generator)
    return new((drawn < input.array).astype(input.dtype))


def _filled(name, tensor, array):
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(f"{name}: a result on the tape cannot be filled")
    tensor.array[...] = array
    tensor._bump_version()
    return tensor


@public("method", differentiable=False)
def uniform_(input, a=0.0, b=1.0, *, generator=None):
    """Fill with numbers uniform in [a, b)."""
    return _filled("uniform_", input,
                   uniform_array(input.array.shape, input.dtype, a, b, generator))


@public("method", differentiable=False)
def normal_(input, mean=0.0, std=1.0, *, generator=None):
    """Fill with normally distributed numbers."""
    return _filled("normal_", input,
                   normal_array(input.array.shape, input.dtype, mean, std, generator))
