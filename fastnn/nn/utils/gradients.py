"""Norms of the gradients of many parameters, and limits to them."""

import math

import numpy

from ..._kernels import program
from ..._kernels.program import aside
from ...autograd import no_grad
from ...dtypes import get_default_dtype
from ...tape import from_array
from ...tensor import Tensor


def _several(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters):
    return [each.grad for each in _several(parameters) if each.grad is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors together, as if they were one vector.

    >>> import fastnn
    >>> fastnn.nn.utils.get_total_norm([fastnn.tensor([3.0]), fastnn.tensor([[4.0]])])
    tensor(5.)
    """
    return from_array(program.apart(_total_norm, "get_total_norm", _several(tensors), norm_type,
                                    error_if_nonfinite))


@no_grad()
def _total_norm(name, tensors, norm_type, error_if_nonfinite):
    """The joint norm as an array."""
    norm = _joint_norm(tensors, float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"{name}: the norm of the gradients is {norm}")
    return numpy.asarray(norm, tensors[0].dtype if tensors else get_default_dtype())


def _joint_norm(tensors, norm_type):
    if norm_type == math.inf:
        largest = [each.abs().max().item() for each in tensors if each.numel()]
        return math.nan if any(map(math.isnan, largest)) else max(largest, default=0.0)
    if norm_type == 2:
        return math.sqrt(math.fsum(each.square().sum().item() for each in tensors))
    if norm_type == 0:
        return float(sum((each != 0).sum().item() for each in tensors))
    return math.fsum(each.abs().pow(norm_type).sum().item() for each in tensors) ** (1 / norm_type)


@aside
@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients by ``max_norm / total_norm`` if that is less than 1."""
    _scale(parameters, float(max_norm) / (float(total_norm) + 1e-6))


def _scale(parameters, scale):
    if not scale >= 1:
        for gradient in _gradients(parameters):
            gradient.mul_(scale)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients so that their joint norm is at most ``max_norm``; return the norm.

    ``foreach`` is there for PyTorch's sake and changes nothing.

    >>> import fastnn
    >>> weight = fastnn.zeros(2, requires_grad=True)
    >>> weight.grad = fastnn.tensor([3.0, 4.0])
    >>> fastnn.nn.utils.clip_grad_norm_(weight, max_norm=1.0)
    tensor(5.)
    >>> weight.grad
    tensor([0.6000, 0.8000])
    """
    return from_array(program.apart(_clip, _several(parameters), max_norm, norm_type,
                                    error_if_nonfinite))


@no_grad()
def _clip(parameters, max_norm, norm_type, error_if_nonfinite):
    norm = _total_norm("clip_grad_norm_", _gradients(parameters), norm_type, error_if_nonfinite)
    _scale(parameters, float(max_norm) / (float(norm) + 1e-6))
    return norm


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every gradient to [-clip_value, clip_value]."""
    for gradient in _gradients(parameters):
        gradient.clamp_(-clip_value, clip_value)
