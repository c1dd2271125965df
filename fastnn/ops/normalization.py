"""Normalisation."""

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, norms
from ..elementwise import elementwise
from ..op import Operation
from ..registry import case, floats, public
from .arithmetic import sqrt
from .checks import floating
from .composed import rule_of_composition

UNIT = dict(low=0.3, high=1.5)


@elementwise
def _scale_shift(input, scale, shift):
    return input * scale + shift


def _rows(x):
    """(N, C, ...) as (rows, channels), and the shape that it has with its channels last."""
    last = memory.channels_last(x) if x.ndim == 4 else \
        memory.contiguous(numpy.moveaxis(x, 1, -1) if x.ndim > 2 else x)
    return last.reshape(-1, x.shape[1]), last.shape


def _images(rows, shape):
    return numpy.moveaxis(rows.reshape(shape), -1, 1)


def _batch_norm_forward(plan, x, weight, bias):
    epsilon, momentum, running_mean, running_var = plan
    rows, shape = _rows(x)
    mean, variance, inverse = norms.moments(rows, epsilon)
    _move_running(running_mean, mean, momentum)
    _move_running(running_var, variance * (len(rows) / (len(rows) - 1)), momentum)
    scale = inverse if weight is None else inverse * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return _images(norms.scaled(rows, scale, shift), shape), mean, inverse


def _batch_norm_rule(node, gradient):
    if tape.is_grad_enabled():
        return _batch_norm_differentiable(node, gradient)
    x, weight = node.saved[:2]
    _, mean, inverse = node.plan
    rows, shape = _rows(x.array)
    g, _ = _rows(gradient.array)
    total, product = norms.gradient_sums(g, rows, mean, inverse)
    scale = inverse if weight is None else inverse * weight.array
    d_x = None
    if node.needs[0]:
        d_x = tape.from_array(_images(
            norms.input_gradient(g, rows, mean, inverse, scale, total, product), shape))
    return (d_x, tape.from_array(product) if node.needs[1] else None,
            tape.from_array(total) if node.needs[2] else None)


def _batch_norm_composition(plan, x, weight, bias):
    dims = [i for i in range(x.ndim) if i != 1]
    apart = x - x.mean(dims, keepdim=True)
    y = apart / sqrt((apart * apart).mean(dims, keepdim=True) + plan[0][0])
    y = y if weight is None else y * _by_channel(weight, x)
    return y if bias is None else y + _by_channel(bias, x)


def _by_channel(tensor, x):
    return tensor.reshape((-1,) + (1,) * (x.ndim - 2))


_batch_norm_differentiable = rule_of_composition(_batch_norm_composition)
_batch_norm = Operation("batch_norm", _batch_norm_forward, _batch_norm_rule, saves=(0, 1, 2))


def _check(input, **vectors):
    floating("batch_norm", input=tensors.as_tensor("batch_norm", input), **vectors)
    if input.ndim < 2:
        raise ValueError(f"batch_norm: input must have shape (N, C, ...), got "
                         f"{tuple(input.shape)}")
    for name, vector in vectors.items():
        if vector is not None and vector.array.shape != (input.array.shape[1],):
            raise ValueError(f"batch_norm: input has {input.shape[1]} channels, {name} has shape "
                             f"{tuple(vector.shape)}")


@public("functional", cases=[
    case(floats(4, 3), None, None, floats(3), floats(3), training=True),
    case(floats(3, 2, 4, 3), None, None, floats(2), floats(2), training=True, eps=0.01,
         momentum=0.3),
    case(floats(4, 2, 3), None, None, training=True),
    case(floats(3, 2, 4), floats(2), floats(2, **UNIT), floats(2), floats(2))])
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False,
               momentum=0.1, eps=1e-5):
    """Give each channel of (N, C, ...) mean 0 and variance 1, then scale and shift it.

    In training the moments are those of the batch (variance divided by the count), and the running
    ones are moved towards them by ``momentum`` (there the variance is divided by the count - 1);
    otherwise the running ones are used. Ioffe and Szegedy, Batch Normalization, 2015.
    """
    _check(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: running_mean and running_var are needed in evaluation")
        scale = 1.0 / sqrt(running_var + eps)
        scale = scale if weight is None else scale * weight
        shift = -running_mean * scale if bias is None else bias - running_mean * scale
        return _scale_shift(input, _by_channel(scale, input), _by_channel(shift, input))
    count = input.numel() // max(1, input.shape[1])
    if count < 2:
        raise ValueError("batch_norm: training needs more than one value for each channel, got "
                         f"shape {tuple(input.shape)}")
    return _batch_norm((eps, momentum, running_mean, running_var), input, weight, bias)


def _move_running(running, value, momentum):
    if running is not None:
        running.array[...] += momentum * (value - running.array)
        running._bump_version()


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over the last dimensions. Ba et al., Layer Normalization, 2016."""
    dims = tuple(range(-len(normalized_shape), 0))
    apart = input - input.mean(dims, keepdim=True)
    y = apart / sqrt((apart * apart).mean(dims, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
