"""Softmax, its logarithm and its relatives."""

import math
from functools import lru_cache as cache

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import memory, program
from .._kernels import softmax as kernels
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import case, floats, public
from ..tape import from_array
from .checks import axis, floating
from .composed import rule_of_composition
from .random import uniform_array


@cache
def _split(shape, dim):
    """(outer, size, inner): the sizes before a dimension, of it, and after it."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1:])


def _along(kernel, logarithm, dim, *arrays):
    """Run a kernel along ``dim`` of arrays, which are walked in the last one's own order."""
    shape = arrays[-1].shape
    if all([x.flags.c_contiguous for x in arrays]):
        return kernel(_split(shape, dim), logarithm, *arrays)
    order = memory.order_of(arrays[-1])
    dense = [memory.contiguous(x.transpose(order)) for x in arrays]
    return _along(kernel, logarithm, order.index(dim), *dense).transpose(memory.inverse(order))


def _operation(name, logarithm, composition):
    """Softmax or its logarithm: the rule needs the output alone."""
    slope = Operation(
        f"{name}_gradient",
        lambda dim, gradient, y: _along(kernels.gradient, logarithm, dim, gradient, y),
        rule_of_composition(composition), saves=(0, 1))
    return Operation(
        name, lambda dim, x: _along(kernels.forward, logarithm, dim, x),
        lambda node, gradient: slope(node.plan, gradient, node.output), saves_output=True)


def _softmax_composition(dim, gradient, y):
    return y * (gradient - (gradient * y).sum(dim, keepdim=True))


def _log_softmax_composition(dim, gradient, y):
    return gradient - y.exp() * gradient.sum(dim, keepdim=True)


_softmax = _operation("softmax", False, _softmax_composition)
_log_softmax = _operation("log_softmax", True, _log_softmax_composition)


def _checked(name, operation, input, dim, dtype):
    tensors.as_tensor(name, input)
    if dtype is not None:
        input = input.to(dtype)
    floating(name, input=input)
    if dim is None:
        raise ValueError(f"{name}: dim must be given")
    position = axis(name, dim, input.ndim)
    if not input.ndim:
        return operation(0, input.reshape(1)).reshape(())
    return operation(position, input)


SOFTMAX_CASES = [
    case(floats(3, 4), dim=1), case(floats(3, 4, 2), dim=1), case(floats(3, 2), dim=0),
    case(floats(), dim=0), case(floats(2, 3), dim=1, dtype=dtypes.float64),
    case(floats(2, 3, 4, 3), dim=1), case(floats(2, 3, 4, 3), dim=-2), case(floats(3, 70), dim=-1)]


@public("fastnn", "functional", "method", cases=SOFTMAX_CASES)
def softmax(input, dim=None, dtype=None):
    """``exp(input)`` divided by its sum along ``dim``, without overflow.

    >>> import fastnn
    >>> fastnn.softmax(fastnn.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _checked("softmax", _softmax, input, dim, dtype)


@public("fastnn", "functional", "method", cases=SOFTMAX_CASES)
def log_softmax(input, dim=None, dtype=None):
    """The logarithm of ``softmax``, without loss of digits."""
    return _checked("log_softmax", _log_softmax, input, dim, dtype)


@public("functional", cases=SOFTMAX_CASES)
def softmin(input, dim=None, dtype=None):
    """``softmax(-input)``: the smallest value gets the largest share."""
    return _checked("softmin", _softmax, -tensors.as_tensor("softmin", input), dim, dtype)


@elementwise
def _gumbel_scaled(logits, uniform, tau=1.0):
    return (logits - math.log(-math.log(uniform))) / tau


@public("functional", cases=[])
def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """``softmax((logits + noise) / tau)`` with Gumbel's noise: a random choice with a gradient.

    With ``hard`` the result is one-hot, but its gradient is that of the soft one. ``eps`` has no
    effect and is there for PyTorch's sake. Jang et al., Categorical Reparameterization with
    Gumbel-Softmax, 2016.

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> fastnn.nn.functional.gumbel_softmax(fastnn.zeros(2, 3), hard=True).sum(1)
    tensor([1., 1.])
    """
    floating("gumbel_softmax", logits=tensors.as_tensor("gumbel_softmax", logits))
    if not tau > 0:
        raise ValueError(f"gumbel_softmax: tau must be positive, got {tau}")
    shift = float(numpy.finfo(logits.dtype).eps) / 8  # so that neither 0 nor 1 is drawn
    drawn = uniform_array(logits.array.shape, logits.dtype, shift, 1 + shift)
    soft = softmax(_gumbel_scaled(logits, from_array(drawn), tau), dim)
    if not hard:
        return soft
    place = axis("gumbel_softmax", dim, logits.ndim)
    one_hot = program.apart(_largest, soft.array, place)
    return from_array(one_hot) - soft.detach() + soft


def _largest(array, dim):
    """1 at the largest value along a dimension, else 0."""
    one_hot = numpy.zeros(array.shape, array.dtype)
    numpy.put_along_axis(one_hot, array.argmax(dim, keepdims=True), 1, dim)
    return one_hot
