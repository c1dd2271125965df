"""Gradients and parameters of many tensors at once."""

import math

from ..autograd import no_grad
from ..ops.shape import cat
from ..tensor import Tensor


def _with_gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter for parameter in parameters if parameter.grad is not None]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Scale all gradients so that their joint norm is at most ``max_norm``; return the norm."""
    gradients = [parameter.grad for parameter in _with_gradients(parameters)]
    if norm_type == math.inf:
        norm = max((gradient.abs().max().item() for gradient in gradients), default=0.0)
    elif norm_type == 2:
        norm = math.sqrt(math.fsum(gradient.square().sum().item() for gradient in gradients))
    else:
        norm = math.fsum(gradient.abs().pow(norm_type).sum().item()
                         for gradient in gradients) ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {norm}")
    scale = max_norm / (norm + 1e-6)
    if scale < 1 or scale != scale:
        for gradient in gradients:
            gradient.mul_(scale)
    return Tensor(norm)


@no_grad()
def clip_grad_value_(parameters, clip_value):
    """Limit every gradient to [-clip_value, clip_value]."""
    for parameter in _with_gradients(parameters):
        parameter.grad.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters):
    """All parameters as one vector."""
    return cat([parameter.reshape(-1) for parameter in parameters])


@no_grad()
def vector_to_parameters(vec, parameters):
    """Copy the parts of a vector into parameters."""
    start = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.copy_(vec[start:start + size].reshape(parameter.shape))
        start += size
