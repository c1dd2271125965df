"""Normalisation of channels: batch, instance and group norm."""

from functools import lru_cache
from typing import NamedTuple

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, norms, program
from ..operation import Operation
from ..registry import case, floats, public
from .activation import before_bend, bent
from .checks import floating, whole
from .composed import rule_of_composition
from .exponential import sqrt

UNIT = dict(low=0.3, high=1.5)


class _Plan(NamedTuple):
    groups: int
    merged: bool     # moments of all samples together: batch norm
    epsilon: float
    running: tuple   # (running mean, running variance, momentum) to be moved, or ()
    below: float = 1.0  # by which what is not above 0 is multiplied at last: a rectifier's slope


@lru_cache
def _orders(ndim):
    """The axes (N, ..., C) of (N, C, ...), and the way back."""
    return (0, *range(2, ndim), 1), (0, ndim - 1, *range(1, ndim - 1))


def _lies_last(x):
    """Whether the channels are read as the last dimension: where any copy is needed, they are."""
    if x.ndim == 2 or not x.flags.c_contiguous:
        return True
    return x.transpose(_orders(x.ndim)[0]).flags.c_contiguous


def _read(x, last):
    """The array in the order (N, ..., C) or (N, C, ...); a copy only if it lies otherwise."""
    if not last or x.ndim == 2:
        return memory.contiguous(x)
    return memory.channels_last(x) if x.ndim == 4 else \
        memory.contiguous(x.transpose(_orders(x.ndim)[0]))


def _image(array, last):
    return array.transpose(_orders(array.ndim)[1]) if last else array


def _layout(plan, x, last):
    channels = x.shape[1]
    positions = x.size // max(1, x.shape[0] * channels) if x.size else 0
    return norms.layout_of(last, x.shape[0], channels, positions, plan.groups, plan.merged)


def _forward(plan, x, weight, bias):
    last = _lies_last(x)
    read, layout = _read(x, last), _layout(plan, x, last)
    mean, variance = norms.moments(layout, read)
    if plan.running and x.size:
        _move_running(plan.running, layout, mean, variance)
    centre, scale, shift = norms.coefficients(
        layout, mean, variance, plan.epsilon, memory.contiguous(weight), memory.contiguous(bias))
    out = norms.normalised(layout, read, centre, scale, shift, plan.below)
    return _image(out, last), layout, variance, centre, scale, shift


def _move_running(running, layout, mean, variance):
    running_mean, running_var, momentum = running
    for each, value, unbiased in ((running_mean, mean, False), (running_var, variance, True)):
        if each is not None:
            program.changes(each, each.array)
            norms.move_running(layout, each.array, value, momentum, unbiased)
            each._bump_version()


def _rule(node, gradient):
    plan, layout, variance, centre, scale, shift = node.plan
    output = None if plan.below == 1 else node.output  # raises where it was changed
    if tape.is_grad_enabled():
        before = gradient if output is None else before_bend(node, gradient, plan.below)
        return _differentiable(node, before)
    x, weight = node.saved[:2]
    read, g = _read(x.array, layout.last), _read(gradient.array, layout.last)
    line = centre, scale, shift, plan.below
    sums = norms.gradient_sums(layout, g, read, *line)
    d_x = d_weight = d_bias = None
    if node.needs[0]:
        d_x = tape.from_array(_image(norms.input_gradient(
            layout, g, read, sums, *line, variance, plan.epsilon,
            None if weight is None else memory.contiguous(weight.array)), layout.last))
    if node.needs[1] or node.needs[2]:
        d_weight, d_bias = map(tape.from_array, norms.parameter_gradients(
            layout, sums, variance, plan.epsilon))
    return d_x, d_weight if node.needs[1] else None, d_bias if node.needs[2] else None


def _composition(plan, x, weight, bias):
    plan = plan[0]
    statistics = (x.shape[0], plan.groups)
    apart = x if plan.merged else x.reshape(
        (*statistics, x.numel() // max(1, statistics[0] * statistics[1])))
    dims = [i for i in range(apart.ndim) if i != 1] if plan.merged else 2
    apart = apart - apart.mean(dims, keepdim=True)
    y = apart / sqrt((apart * apart).mean(dims, keepdim=True) + plan.epsilon)
    return _scaled(y.reshape(x.shape), weight, bias)


def _scaled(y, weight, bias):
    y = y if weight is None else y * _by_channel(weight, y)
    return y if bias is None else y + _by_channel(bias, y)


def _by_channel(tensor, x):
    return tensor.reshape((-1,) + (1,) * (x.ndim - 2))


_differentiable = rule_of_composition(_composition)
_norm = Operation("channel_norm", _forward, _rule, saves=(0, 1, 2))
_rectified_norm = Operation("channel_norm_rectified", _forward, _rule, saves=(0, 1, 2),
                            saves_output=True)


def _fixed_forward(plan, x, mean, variance, weight, bias):
    """By given moments."""
    last = _lies_last(x)
    read, layout = _read(x, last), _layout(plan, x, last)
    mean, variance, weight, bias = map(memory.contiguous, (mean, variance, weight, bias))
    centre, scale, shift = norms.coefficients(layout, mean, variance, plan.epsilon, weight, bias)
    out = norms.normalised(layout, read, centre, scale, shift)
    return _image(out, last), layout, centre, scale, shift


def _fixed_rule(node, gradient):
    if tape.is_grad_enabled() or node.needs[1] or node.needs[2]:
        return _fixed_differentiable(node, gradient)
    x, _, variance = node.saved[:3]
    plan, layout, centre, scale, shift = node.plan
    g = _read(gradient.array, layout.last)
    d_x = d_weight = d_bias = None
    if node.needs[0]:
        zeros = numpy.zeros(scale.shape, scale.dtype)
        d_x = tape.from_array(_image(norms.normalised(layout, g, zeros, scale, zeros),
                                     layout.last))
    if node.needs[3] or node.needs[4]:
        sums = norms.gradient_sums(layout, g, _read(x.array, layout.last), centre, scale, shift)
        d_weight, d_bias = map(tape.from_array, norms.parameter_gradients(
            layout, sums, memory.contiguous(variance.array), plan.epsilon))
    return (d_x, None, None, d_weight if node.needs[3] else None,
            d_bias if node.needs[4] else None)


def _fixed_composition(plan, x, mean, variance, weight, bias):
    y = (x - _by_channel(mean, x)) / sqrt(_by_channel(variance, x) + plan[0].epsilon)
    return _scaled(y, weight, bias)


_fixed_differentiable = rule_of_composition(_fixed_composition)
_fixed_norm = Operation("channel_norm_by_moments", _fixed_forward, _fixed_rule,
                        saves=(0, 1, 2, 3, 4))


def _check(name, input, **vectors):
    floating(name, input=tensors.as_tensor(name, input), **vectors)
    if input.ndim < 2:
        raise ValueError(f"{name}: input must have shape (N, C, ...), got {tuple(input.shape)}")
    for key, vector in vectors.items():
        if vector is not None and vector.array.shape != (input.array.shape[1],):
            raise ValueError(f"{name}: input has {input.shape[1]} channels, {key} has shape "
                             f"{tuple(vector.shape)}")


def _running(name, mean, variance, momentum):
    """What the moments move, or () if there is nothing; they must be memory to write to."""
    for key, tensor in (("running_mean", mean), ("running_var", variance)):
        if tensor is not None and not tensor.array.flags.writeable:
            raise ValueError(f"{name}: {key} is read-only memory, and training has to change it; "
                             "pass a copy")
    return () if mean is None and variance is None else (mean, variance, momentum)


def _by_running(name, input, running_mean, running_var, weight, bias, eps):
    if running_mean is None or running_var is None:
        raise ValueError(f"{name}: running_mean and running_var are needed in evaluation")
    plan = _Plan(input.shape[1], True, eps, ())
    if tape.is_grad_enabled() and any(
            each is not None and each.requires_grad for each in (input, weight, bias)):
        # A later call in training moves them before this one's gradient is asked for.
        running_mean, running_var = running_mean.clone(), running_var.clone()
    return _fixed_norm(plan, input, running_mean, running_var, weight, bias)


@public("functional", cases=[
    case(floats(4, 3), None, None, floats(3), floats(3), training=True),
    case(floats(3, 2, 4, 3), None, None, floats(2), floats(2), training=True, eps=0.01,
         momentum=0.3),
    case(floats(4, 2, 3), None, None, training=True),
    case(floats(2, 3, 2, 2, 3), None, None, floats(3), None, training=True),
    case(floats(3, 2, 4), floats(2), floats(2, **UNIT), floats(2), floats(2))])
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False,
               momentum=0.1, eps=1e-5):
    """Give each channel of (N, C, ...) mean 0 and variance 1, then scale and shift it.

    In training the moments are those of the batch (variance divided by the count), and the running
    ones are moved towards them by ``momentum`` (there the variance is divided by the count - 1);
    otherwise the running ones are used. Ioffe and Szegedy, Batch Normalization, 2015.
    """
    return bent_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps,
                           1.0)


def bent_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps,
                    below):
    """``batch_norm``, of whose result what is not above 0 is multiplied by ``below``."""
    _check("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight,
           bias=bias)
    if eps < 0 or (training and not eps):
        raise ValueError("batch_norm: eps must be at least 0, and positive in training, got "
                         f"{eps}")
    if not training:
        return bent(_by_running("batch_norm", input, running_mean, running_var, weight, bias, eps),
                    below)
    channels = input.array.shape[1]
    if input.array.size == channels:
        raise ValueError("batch_norm: training needs more than one value for each channel, got "
                         f"shape {tuple(input.shape)}")
    running = _running("batch_norm", running_mean, running_var, momentum)
    norm = _norm if below == 1 else _rectified_norm
    return norm(_Plan(channels, True, eps, running, below), input, weight, bias)


@public("functional", cases=[
    case(floats(2, 3, 5), weight=floats(3), bias=floats(3)), case(floats(2, 3, 4, 3), eps=0.01),
    case(floats(2, 2, 2, 3, 2), weight=floats(2)),
    case(floats(2, 3, 4), floats(3), floats(3, **UNIT), floats(3), floats(3), False)])
def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None,
                  use_input_stats=True, momentum=0.1, eps=1e-5):
    """Give each channel of each sample of (N, C, ...) mean 0 and variance 1; scale and shift it.

    With ``use_input_stats=False`` the running moments are used; else these are moved towards the
    mean of the samples' moments. Ulyanov et al., Instance Normalization, 2016.

    >>> import fastnn
    >>> x = fastnn.tensor([[[1.0, 3.0], [10.0, 30.0]]])
    >>> fastnn.nn.functional.instance_norm(x)
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    _check("instance_norm", input, running_mean=running_mean, running_var=running_var,
           weight=weight, bias=bias)
    if not use_input_stats:
        return _by_running("instance_norm", input, running_mean, running_var, weight, bias, eps)
    if numpy.prod(input.array.shape[2:]) == 1:
        raise ValueError("instance_norm: needs more than one value for each channel of a sample, "
                         f"got shape {tuple(input.shape)}")
    running = _running("instance_norm", running_mean, running_var, momentum)
    return _norm(_Plan(input.array.shape[1], False, eps, running), input, weight, bias)


@public("functional", "fastnn", cases=[
    case(floats(2, 4, 3), 2, floats(4), floats(4)), case(floats(3, 6), 3, eps=0.01),
    case(floats(2, 4, 3, 2), 1, floats(4)), case(floats(2, 4, 2, 1, 2), 4, None, floats(4))])
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Give each of ``num_groups`` groups of channels of each sample mean 0 and variance 1.

    ``weight`` and ``bias`` scale and shift each channel. Wu and He, Group Normalization, 2018.

    >>> import fastnn
    >>> fastnn.nn.functional.group_norm(fastnn.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    _check("group_norm", input, weight=weight, bias=bias)
    channels = input.array.shape[1]
    num_groups = whole("group_norm", "num_groups", num_groups)
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"group_norm: {channels} channels do not divide into num_groups="
                         f"{num_groups}")
    if input.numel() == num_groups:
        raise ValueError("group_norm: needs more than one value for each group, got shape "
                         f"{tuple(input.shape)} with num_groups={num_groups}")
    return _norm(_Plan(num_groups, False, eps, ()), input, weight, bias)
