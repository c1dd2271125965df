"""New tensors, from data or filled."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory
from ..registry import public
from .checks import shape_argument


def new(array, requires_grad=False, device=None):
    """A leaf around an array of ours."""
    check_device(device)
    result = tape.from_array(array)
    if requires_grad:
        result.requires_grad = True
    return result


def check_device(device):
    """Raise for any device but the CPU."""
    if device is not None and str(device).split(":")[0] != "cpu":
        raise ValueError(f"device: fastnn is for CPUs, got {device!r}")


@public("fastnn", differentiable=False)
def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new leaf with a copy of ``data``: nested lists, numbers, a NumPy array or a tensor.

    Python floats become the default floating-point type, Python integers int64.

    >>> import fastnn
    >>> fastnn.tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    """
    array = tensors.as_array("tensor", data, dtype)
    source = data.array if isinstance(data, tensors.Tensor) else data
    if isinstance(source, numpy.ndarray) and numpy.may_share_memory(array, source):
        array = array.copy(order="K")
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def as_tensor(data, dtype=None, device=None):
    """As ``tensor``, but sharing the memory of ``data`` where that is possible."""
    if isinstance(data, tensors.Tensor) and dtype in (None, data.dtype):
        return data
    return new(_sharable("as_tensor", tensors.as_array("as_tensor", data, dtype)), device=device)


@public("fastnn", differentiable=False)
def from_numpy(array):
    """A tensor that shares the memory of a NumPy array, whatever its layout."""
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}")
    dtypes.check("from_numpy", array.dtype)
    return new(_sharable("from_numpy", array))


@public("fastnn", differentiable=False)
def from_dlpack(ext_tensor):
    """A tensor that shares the memory of any object with ``__dlpack__``, on the CPU."""
    return from_numpy(numpy.from_dlpack(ext_tensor))


def _sharable(operation, array):
    """The array, or a copy if its elements lie where a kernel cannot read them."""
    steps = any(step % array.itemsize for step in array.strides)
    plain = type(array) is numpy.ndarray and array.flags.aligned and not steps
    return array if plain else numpy.array(array, subok=False)


def _filled(operation, shape, value, dtype, requires_grad, device):
    shape = shape_argument(operation, shape)
    if any(size < 0 for size in shape):
        raise ValueError(f"{operation}: negative size in shape {shape}")
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.check(operation, dtype)
    array = memory.empty(shape, dtype)
    if value is not None:
        array[...] = value
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def empty(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of uninitialised memory."""
    return _filled("empty", size, None, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _filled("zeros", size, 0, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _filled("ones", size, 1, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor filled with one value, whose type decides that of the tensor."""
    if dtype is None and isinstance(fill_value, (bool, int)):
        dtype = dtypes.bool_ if isinstance(fill_value, bool) else dtypes.int64
    return _filled("full", (size,), fill_value, dtype, requires_grad, device)


def _like(operation, input, value, dtype, requires_grad, device):
    tensors.as_tensor(operation, input)
    dtype = input.dtype if dtype is None else dtypes.check(operation, dtype)
    array = memory.empty_like(input.array.astype(dtype, copy=False))
    if value is not None:
        array[...] = value
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def empty_like(input, *, dtype=None, device=None, requires_grad=False):
    """Uninitialised memory of the shape and layout of ``input``."""
    return _like("empty_like", input, None, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def zeros_like(input, *, dtype=None, device=None, requires_grad=False):
    """Zeros of the shape and layout of ``input``."""
    return _like("zeros_like", input, 0, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def ones_like(input, *, dtype=None, device=None, requires_grad=False):
    """Ones of the shape and layout of ``input``."""
    return _like("ones_like", input, 1, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """One value in the shape and layout of ``input``."""
    return _like("full_like", input, fill_value, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Values from ``start`` (0 if only one is given) up to, not including, ``end``."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) / step < 0:
        raise ValueError(f"arange: no way from {start} to {end} in steps of {step}")
    array = numpy.arange(start, end, step)
    default = dtypes.get_default_dtype() if array.dtype.kind == "f" else dtypes.int64
    return new(array.astype(dtypes.check("arange", dtype or default), copy=False), requires_grad,
               device)


@public("fastnn", differentiable=False)
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """``steps`` equally spaced values from ``start`` to ``end``, both included."""
    dtype = dtypes.check("linspace", dtype or dtypes.get_default_dtype())
    return new(numpy.linspace(start, end, steps).astype(dtype), requires_grad, device)


@public("fastnn", differentiable=False)
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """A matrix with ones on its diagonal."""
    dtype = dtypes.check("eye", dtype or dtypes.get_default_dtype())
    return new(numpy.eye(n, m, dtype=dtype), requires_grad, device)
