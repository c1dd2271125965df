"""Dropout in its kinds, and the leaky rectifier with random slopes.

Random numbers come from a counter, so a mask is made again in the backward pass, not kept.
"""

import math

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, program
from .._kernels import random as kernels
from ..elementwise import elementwise
from ..generator import default_generator
from ..operation import Operation
from ..registry import case, floats, public
from .activation import SELU_ALPHA, SELU_SCALE, leaky_relu, with_in_place
from .checks import dimensions, floating

SELU_LIMIT = -SELU_ALPHA * SELU_SCALE  # selu's value at minus infinity


def _dropout_forward(plan, x):
    """Drop in memory order, so that channels-last images need no copy."""
    p, place, order = plan
    dense = memory.contiguous(x.transpose(order))
    return kernels.drop(dense, place, p).transpose(memory.inverse(order))


_dropout = Operation(
    "dropout", _dropout_forward, lambda node, gradient: _dropout(node.plan, gradient))


def _dropped(input, p):
    """Each value 0 with probability ``p``, else divided by ``1 - p``."""
    place = default_generator.take(kernels.blocks(input.numel()))
    return _dropout((float(p), place, memory.order_of(input.array)), input)


def _channel_mask(input, p, batch=True):
    """For each channel of (N, C, ...) or (C, ...) 0 with probability ``p``, else 1 / (1 - p)."""
    shape = input.array.shape[:2 if batch else 1]
    place = default_generator.take(kernels.blocks(math.prod(shape)))
    mask = kernels.drop(program.constant(numpy.ones(shape, input.dtype)), place, float(p))
    return tape.from_array(mask.reshape(shape + (1,) * (input.ndim - len(shape))))


def _keeps_all(name, input, p, training):
    """Check the arguments; whether the input is to come back as it is."""
    tensors.as_tensor(name, input)
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p must lie in [0, 1], got {p}")
    keeps_all = not training or p == 0
    if not keeps_all:
        floating(name, input=input)
    return keeps_all


def _result(input, result, inplace):
    return input.copy_(result) if inplace else result


@public("functional", "fastnn", cases=[case(floats(3, 4), training=False), case(floats(3), p=0.0)])
def dropout(input, p=0.5, training=True, inplace=False):
    """Set each value to 0 with probability ``p`` and divide the others by ``1 - p``.

    In evaluation (``training=False``) the input comes back unchanged. The mask comes from the
    default generator and is made again in the backward pass instead of being kept. Srivastava et
    al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.
    """
    if _keeps_all("dropout", input, p, training):
        return input
    return _result(input, _dropped(input, p), inplace)


def _dropout_of_channels(name, input, p, training, inplace, batched):
    keeps_all = _keeps_all(name, input, p, training)
    dimensions(name, "input", input, batched - 1, batched)
    if keeps_all:
        return input
    return _result(input, input * _channel_mask(input, p, input.ndim == batched), inplace)


@public("functional", cases=[case(floats(3, 4, 2), training=False), case(floats(3, 4), p=0.0)])
def dropout1d(input, p=0.5, training=True, inplace=False):
    """Set whole channels of (N, C, L) or (C, L) to 0 with probability ``p``; see ``dropout``.

    Tompson et al., Efficient Object Localization Using Convolutional Networks, 2014.
    """
    return _dropout_of_channels("dropout1d", input, p, training, inplace, 3)


@public("functional", cases=[case(floats(3, 4, 2, 2), training=False),
                             case(floats(3, 4, 2, 2), p=0.0)])
def dropout2d(input, p=0.5, training=True, inplace=False):
    """Set whole channels of (N, C, H, W) to 0 with probability ``p``; see ``dropout``.

    Three dimensions count as (N, C, L), as in PyTorch.
    """
    keeps_all = _keeps_all("dropout2d", input, p, training)
    dimensions("dropout2d", "input", input, 3, 4)
    return input if keeps_all else _result(input, input * _channel_mask(input, p), inplace)


@public("functional", cases=[case(floats(3, 2, 2, 2, 2), training=False),
                             case(floats(3, 4, 2, 2), p=0.0)])
def dropout3d(input, p=0.5, training=True, inplace=False):
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to 0; see ``dropout``."""
    return _dropout_of_channels("dropout3d", input, p, training, inplace, 5)


@elementwise
def _raised(input, by=0.0):
    return input + by


@elementwise
def _scaled_back(dropped, scale=1.0, shift=0.0):
    return dropped * scale + shift


def _alpha_scale(p):
    """What gives the values back their variance, 1, when some are at selu's limit."""
    return 1 / math.sqrt((1 - p) * (1 + p * SELU_LIMIT ** 2))


@public("functional", "fastnn", cases=[case(floats(3, 4)), case(floats(3), p=0.0, training=True)])
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Set values to ``selu``'s lower limit with probability ``p``, keeping mean 0 and variance 1.

    All are scaled and shifted alike afterwards; with ``p`` = 1 they are 0. Klambauer et al.,
    Self-Normalizing Neural Networks, 2017.
    """
    if _keeps_all("alpha_dropout", input, p, training):
        return input
    if p == 1:
        return _result(input, input * 0.0, inplace)
    scale = (1 - p) * _alpha_scale(p)
    apart = _dropped(_raised(input, -SELU_LIMIT), p)
    return _result(input, _scaled_back(apart, scale, SELU_LIMIT * scale), inplace)


@public("functional", "fastnn", cases=[case(floats(3, 4, 2)),
                                       case(floats(3, 2), p=0.0, training=True)])
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """``alpha_dropout`` of whole channels (N, C, ...)."""
    if _keeps_all("feature_alpha_dropout", input, p, training):
        return input
    if input.ndim < 2:
        raise ValueError("feature_alpha_dropout: input must have shape (N, C, ...), got "
                         f"{tuple(input.shape)}")
    if p == 1:
        return _result(input, input * 0.0, inplace)
    scale = (1 - p) * _alpha_scale(p)
    apart = _raised(input, -SELU_LIMIT) * _channel_mask(input, p)
    return _result(input, _scaled_back(apart, scale, SELU_LIMIT * scale), inplace)


def _slopes_forward(plan, y, x):
    low, high, place, order = plan
    result = kernels.slope(*[memory.contiguous(each.transpose(order)) for each in (y, x)],
                           place, low, high)
    return result.transpose(memory.inverse(order))


_random_slopes = Operation(
    "rrelu", _slopes_forward,
    lambda node, gradient: (_random_slopes(node.plan, gradient, node.saved[0]), None), saves=(1,))


@with_in_place("functional", "fastnn")
@public("functional", "fastnn", cases=[
    case(floats(3, 4, kinks=(0,))), case(floats(5, kinks=(0,)), lower=0.2, upper=0.4),
    case(floats(5, kinks=(0,)), lower=0.3, upper=0.3, training=True)])
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """``leaky_relu`` with a slope drawn from [lower, upper) for each value, or their mean.

    The slopes are random in training and made again in the backward pass. Xu et al., Empirical
    Evaluation of Rectified Activations in Convolution Network, 2015.
    """
    floating("rrelu", input=tensors.as_tensor("rrelu", input))
    if not lower <= upper < math.inf:
        raise ValueError(f"rrelu: lower {lower} is above upper {upper}, or that is not finite")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace=inplace)
    place = default_generator.take(kernels.blocks(input.numel()))
    before = input.detach().clone() if inplace else input.detach()
    plan = (float(lower), float(upper), place, memory.order_of(input.array))
    return _result(input, _random_slopes(plan, input, before), inplace)
