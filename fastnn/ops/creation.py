"""New tensors, from data or filled."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, program
from ..device import check_device
from ..registry import public
from .checks import several, shape_argument, whole


def new(array, requires_grad=False, device=None):
    """A leaf around an array of ours."""
    check_device(device)
    result = tape.from_array(array)
    if requires_grad:
        result.requires_grad = True
    return result


@public("fastnn", differentiable=False)
def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new leaf with a copy of ``data``: nested lists, numbers, a NumPy array or a tensor.

    Python floats become the default floating-point type, Python integers int64.

    >>> import fastnn
    >>> fastnn.tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    """
    if program.noting() is not None and isinstance(data, tensors.Tensor):
        return _taken_over(data.detach().clone(), dtype, requires_grad)
    array = tensors.as_array("tensor", data, dtype)
    if not isinstance(data, (numpy.ndarray, tensors.Tensor)):
        return new(_constant(data, array), requires_grad, device)
    source = data.array if isinstance(data, tensors.Tensor) else data
    if isinstance(source, numpy.ndarray) and numpy.may_share_memory(array, source):
        array = array.copy(order="K")
    return new(array, requires_grad, device)


def _taken_over(copy, dtype, requires_grad):
    copy = copy if dtype is None else copy.to(dtype)
    return copy.requires_grad_() if requires_grad else copy


def _constant(data, array):
    """The array made of data, as a constant of a program that notes if numbers alone are in it."""
    if program.noting() is None:
        return array
    holders = [data]
    while holders:
        holder = holders.pop()
        if isinstance(holder, (tuple, list)):
            holders.extend(holder)
        elif isinstance(holder, (tensors.Tensor, numpy.ndarray)):
            program.refuse("a tensor is made of other tensors' values; use stack()")
    return program.constant(array)


@public("fastnn", differentiable=False)
def as_tensor(data, dtype=None, device=None):
    """As ``tensor``, but sharing the memory of ``data`` where that is possible."""
    check_device(device)
    if isinstance(data, tensors.Tensor):
        return data if dtype is None else data.to(dtype)
    array = _sharable("as_tensor", tensors.as_array("as_tensor", data, dtype))
    return new(array if isinstance(data, numpy.ndarray) else _constant(data, array), device=device)


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


@public("fastnn", differentiable=False)
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor from a tensor, NumPy array, object with ``__dlpack__``, sequence or number.

    The memory is shared where that is possible; with ``copy=True`` never, and with ``copy=False``
    a copy that is needed is a ValueError.
    """
    if not isinstance(obj, (tensors.Tensor, numpy.ndarray)) and hasattr(obj, "__dlpack__"):
        obj = from_dlpack(obj)
    result = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)
    source = obj.array if isinstance(obj, tensors.Tensor) else obj
    if copy is False and not (isinstance(source, numpy.ndarray)
                              and numpy.may_share_memory(source, result.array)):
        raise ValueError("asarray: this needs a copy, which copy=False forbids")
    return result.requires_grad_() if requires_grad else result


@public("fastnn", differentiable=False)
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A tensor without dimensions, of the default floating-point type."""
    return full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device,
                requires_grad=requires_grad)


def _sharable(operation, array):
    """The array, or a copy if its elements lie where a kernel cannot read them."""
    steps = any(step % array.itemsize for step in array.strides)
    plain = type(array) is numpy.ndarray and array.flags.aligned and not steps
    return array if plain else numpy.array(array, subok=False)


def _filled(operation, sizes, size, value, dtype, requires_grad, device):
    shape = shape_argument(operation, sizes, size)
    if any(size < 0 for size in shape):
        raise ValueError(f"{operation}: negative size in shape {shape}")
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.check(operation, dtype)
    array = memory.empty(shape, dtype)
    if value is not None:
        array[...] = _one(operation, value, dtype)
        program.constant(array)
    return new(array, requires_grad, device)


def _one(operation, value, dtype):
    value = value.item() if isinstance(value, tensors.Tensor) else value
    return dtypes.one(operation, value, dtype)


@public("fastnn", differentiable=False)
def empty(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of uninitialised memory."""
    return _filled("empty", sizes, size, None, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _filled("zeros", sizes, size, 0, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _filled("ones", sizes, size, 1, dtype, requires_grad, device)


@public("fastnn", differentiable=False)
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor filled with one value, whose type decides that of the tensor."""
    several("full", "size", size)
    if dtype is None and isinstance(fill_value, (bool, int)):
        dtype = dtypes.bool_ if isinstance(fill_value, bool) else dtypes.int64
    return _filled("full", (), size, fill_value, dtype, requires_grad, device)


def _like(operation, input, value, dtype, requires_grad, device):
    tensors.as_tensor(operation, input)
    dtype = input.dtype if dtype is None else dtypes.check(operation, dtype)
    array = memory.empty_like(input.array.astype(dtype, copy=False))
    if value is not None:
        array[...] = _one(operation, value, dtype)
        program.constant(array)
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
def arange(start=None, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Values from ``start`` (0 if only one is given) up to, not including, ``end``."""
    if start is None and end is None:
        raise TypeError("arange: end must be given")
    start, end = (0, start) if end is None else (0 if start is None else start, end)
    start, end, step = (each.item() if isinstance(each, tensors.Tensor) else each
                        for each in (start, end, step))
    if step == 0 or (end - start) / step < 0:
        raise ValueError(f"arange: no way from {start} to {end} in steps of {step}")
    array = numpy.arange(start, end, step)
    default = dtypes.get_default_dtype() if array.dtype.kind == "f" else dtypes.int64
    return new(program.constant(
        array.astype(dtypes.check("arange", dtype or default), copy=False)), requires_grad, device)


@public("fastnn", name="range", differentiable=False)
def inclusive_range(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Values from ``start`` (0 if only one is given) up to and including ``end``."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) / step < 0:
        raise ValueError(f"range: no way from {start} to {end} in steps of {step}")
    values = start + numpy.arange(int((end - start) / step + 1), dtype=numpy.float64) * step
    dtype = dtypes.check("range", dtype or dtypes.get_default_dtype())
    return new(program.constant(values.astype(dtype)), requires_grad, device)


def _spaced(operation, start, end, steps, dtype):
    """float64 values equally spaced, and the type that is asked for."""
    dtype = dtypes.check(operation, dtype or dtypes.get_default_dtype())
    ends = [each.item() if isinstance(each, tensors.Tensor) else each for each in (start, end)]
    steps = whole(operation, "steps", steps)
    if steps < 0:
        raise ValueError(f"{operation}: steps must be at least 0, got {steps}")
    return numpy.linspace(*ends, steps), dtype


@public("fastnn", differentiable=False)
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """``steps`` equally spaced values from ``start`` to ``end``, both included."""
    values, dtype = _spaced("linspace", start, end, steps, dtype)
    return new(program.constant(values.astype(dtype)), requires_grad, device)


@public("fastnn", differentiable=False)
def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """``base`` to the power of ``steps`` equally spaced exponents."""
    exponents, dtype = _spaced("logspace", start, end, steps, dtype)
    return new(program.constant((float(base) ** exponents).astype(dtype)), requires_grad, device)


@public("fastnn", differentiable=False)
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """A matrix with ones on its diagonal."""
    dtype = dtypes.check("eye", dtype or dtypes.get_default_dtype())
    n, m = whole("eye", "n", n), None if m is None else whole("eye", "m", m)
    if n < 0 or (m is not None and m < 0):
        raise ValueError(f"eye: sizes must be at least 0, got {n} and {m}")
    return new(program.constant(numpy.eye(n, m, dtype=dtype)), requires_grad, device)
