"""Normalisation over the last dimensions, and of single positions: layer, RMS and response norm."""

import math
import operator

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, row_norms, windows
from ..operation import Operation
from ..registry import case, floats, public
from .arithmetic import div, square
from .checks import floating, whole
from .composed import rule_of_composition
from .exponential import power, sqrt


def _matrix(x, size):
    return memory.contiguous(x).reshape(x.size // size if size else 0, size)


def _forward(plan, x, weight, bias):
    size, epsilon, centred = plan
    if bias is not None and weight is None:
        weight = numpy.ones(bias.shape, bias.dtype)
    out, means, inverses = row_norms.normalise(
        _matrix(x, size), memory.contiguous(weight), memory.contiguous(bias), epsilon, centred)
    return out.reshape(x.shape), means, inverses


def _rule(node, gradient):
    if tape.is_grad_enabled():
        return _differentiable(node, gradient)
    x, weight, bias = node.saved
    (size, _, centred), means, inverses = node.plan
    need_x, need_weight, need_bias = node.needs
    found = row_norms.gradients(
        _matrix(gradient.array, size), _matrix(x.array, size),
        None if weight is None else memory.contiguous(weight.array), means, inverses, centred,
        need_x, need_weight or need_bias)
    shapes = x.array.shape, *(None if each is None else each.array.shape for each in (weight, bias))
    return tuple(tape.from_array(each.reshape(shape)) if needed else None
                 for each, shape, needed in zip(found, shapes, node.needs, strict=True))


def _composition(plan, x, weight, bias):
    (size, epsilon, centred), *_ = plan
    rows = x.reshape((x.numel() // max(1, size), size))
    rows = rows - rows.mean(1, keepdim=True) if centred else rows
    y = (rows / sqrt((rows * rows).mean(1, keepdim=True) + epsilon)).reshape(x.shape)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


_differentiable = rule_of_composition(_composition)
_norm = Operation("row_norm", _forward, _rule, saves=(0, 1, 2))


def _checked_shape(name, input, normalized_shape, **parameters):
    """``normalized_shape`` as a tuple that the input ends with."""
    floating(name, input=tensors.as_tensor(name, input), **parameters)
    try:
        shape = tuple(operator.index(size) for size in normalized_shape)
    except TypeError:
        raise TypeError(f"{name}: normalized_shape must be a list of integers, got "
                        f"{normalized_shape!r}") from None
    if not shape or input.array.shape[-len(shape):] != shape:
        raise ValueError(f"{name}: input of shape {tuple(input.shape)} does not end with "
                         f"normalized_shape {shape}")
    for key, tensor in parameters.items():
        if tensor is not None and tensor.array.shape != shape:
            raise ValueError(f"{name}: {key} has shape {tuple(tensor.shape)}, expected the "
                             f"normalized_shape {shape}")
    return shape


@public("functional", "fastnn", cases=[
    case(floats(4, 5), (5,), floats(5), floats(5)), case(floats(3, 2, 4), (2, 4), eps=0.01),
    case(floats(3, 20), (20,), floats(20))])
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Give the values over the last dimensions mean 0 and variance 1, then scale and shift them.

    ``normalized_shape`` names the sizes of those dimensions; ``weight`` and ``bias`` have that
    shape. Ba, Kiros and Hinton, Layer Normalization, 2016.

    >>> import fastnn
    >>> fastnn.nn.functional.layer_norm(fastnn.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    shape = _checked_shape("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return _norm((math.prod(shape), eps, True), input, weight, bias)


@public("functional", "fastnn", cases=[
    case(floats(4, 5), (5,), floats(5)), case(floats(3, 2, 4), (2, 4), eps=0.01),
    case(floats(3, 20), (20,))])
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide the values over the last dimensions by their root mean square, then scale them.

    ``eps`` is added to the mean square; by default it is the smallest number that 1 can be told
    from. Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import fastnn
    >>> fastnn.nn.functional.rms_norm(fastnn.tensor([1.0, 7.0]), (2,))
    tensor([0.2000, 1.4000])
    """
    shape = _checked_shape("rms_norm", input, normalized_shape, weight=weight)
    eps = float(numpy.finfo(input.dtype).eps) if eps is None else eps
    return _norm((math.prod(shape), eps, False), input, weight, None)


def _windows_forward(plan, x):
    before, after = plan
    turned = numpy.moveaxis(x, 1, -1)
    last = turned.flags.c_contiguous or not x.flags.c_contiguous
    shape = turned.shape if last else x.shape
    rows = memory.contiguous(turned if last else x)
    rows = rows.reshape((-1, x.shape[1], 1) if last else (x.shape[0], x.shape[1], -1))
    out = windows.window_sums(rows, before, after).reshape(shape)
    return numpy.moveaxis(out, -1, 1) if last else out


# A term reaches the channels that reach it, so the gradient is the same sum turned round.
_window_sums = Operation("window_sums", _windows_forward, lambda node, gradient: _window_sums(
    node.plan[::-1], gradient))


@public("functional", cases=[
    case(floats(2, 5, 3), 3), case(floats(2, 6, 2, 3), 4, alpha=0.3, beta=0.6, k=2.0)])
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide each value by ``(k + alpha * mean of squares) ** beta``.

    The mean is over ``size`` neighbouring channels, zeros beyond the first and the last. Krizhevsky
    et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012.
    """
    floating("local_response_norm", input=tensors.as_tensor("local_response_norm", input))
    if input.ndim < 3:
        raise ValueError("local_response_norm: input must have 3 or more dimensions, got shape "
                         f"{tuple(input.shape)}")
    if whole("local_response_norm", "size", size) < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, got {size}")
    if not input.numel():
        return input
    sums = _window_sums((size // 2, (size - 1) // 2), square(input))
    return div(input, power(sums * (alpha / size) + k, beta))
