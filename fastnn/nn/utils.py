"""Gradients and parameters of many tensors at once."""

import math

from ..autograd import no_grad
from ..ops.creation import tensor
from ..ops.joining import cat, split
from ..tensor import Tensor


def _with_gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter for parameter in parameters if parameter.grad is not None]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Scale all gradients so that their joint norm is at most ``max_norm``; return the norm.

    >>> import fastnn
    >>> weight = fastnn.zeros(2, requires_grad=True)
    >>> weight.grad = fastnn.tensor([3.0, 4.0])
    >>> fastnn.nn.utils.clip_grad_norm_(weight, max_norm=1.0)
    tensor(5.)
    >>> weight.grad
    tensor([0.6000, 0.8000])
    """
    gradients = [parameter.grad for parameter in _with_gradients(parameters)]
    norm = _joint_norm(gradients, float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {norm}")
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:
        for gradient in gradients:
            gradient.mul_(scale)
    return tensor(norm, dtype=gradients[0].dtype if gradients else None)


def _joint_norm(gradients, norm_type):
    if norm_type == math.inf:
        return max((gradient.abs().max().item() for gradient in gradients), default=0.0)
    if norm_type == 2:
        return math.sqrt(math.fsum(gradient.square().sum().item() for gradient in gradients))
    return math.fsum(gradient.abs().pow(norm_type).sum().item()
                     for gradient in gradients) ** (1 / norm_type)


@no_grad()
def clip_grad_value_(parameters, clip_value):
    """Limit every gradient to [-clip_value, clip_value]."""
    for parameter in _with_gradients(parameters):
        parameter.grad.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters):
    """All parameters as one vector.

    >>> import fastnn
    >>> fastnn.nn.utils.parameters_to_vector(fastnn.nn.Linear(3, 2).parameters()).shape
    fastnn.Size([8])
    """
    return cat([parameter.reshape(-1) for parameter in parameters])


@no_grad()
def vector_to_parameters(vec, parameters):
    """Copy the parts of a vector into parameters; a ValueError unless it has just their size."""
    parameters = list(parameters)
    sizes = [parameter.numel() for parameter in parameters]
    if tuple(vec.shape) != (sum(sizes),):
        raise ValueError(f"vector_to_parameters: vec has shape {tuple(vec.shape)}, the parameters "
                         f"have {sum(sizes)} elements")
    for parameter, part in zip(parameters, split(vec, sizes), strict=True):
        parameter.copy_(part.reshape(parameter.shape))
