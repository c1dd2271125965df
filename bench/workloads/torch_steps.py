"""Training steps of PyTorch, eager and compiled, with the settings that make it fast."""

import torch

from . import WORKLOADS, torch_models
from .program import Program

VERSION = torch.__version__
SECOND_ORDER = ("wgan-gp",)  # its second loss takes gradients of gradients, not to be compiled


def prepare(threads, options):
    """Settings that have to precede the first operation."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)  # TensorFlow and JAX always do; threads started later inherit it


def build(name, options):
    """The step of workload `name`.

    Options: `channels_last`, `fused` (optimizer), `compile` (networks and losses).
    """
    nets = torch_models.networks(torch, name)
    batch = [torch.tensor(array) for array in WORKLOADS[name].inputs()]
    if "channels_last" in options:
        nets = [net.to(memory_format=torch.channels_last) for net in nets]
        batch = [_channels_last(tensor) for tensor in batch]
    fused = {"fused": True} if "fused" in options else {}
    updates = torch_models.optimizers(torch, name, nets, **fused)
    step = _step(name, options, nets, updates, batch)
    parameters = sum(parameter.numel() for net in nets for parameter in net.parameters())
    return Program(step, lambda loss: loss.item(), parameters)


def _channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _step(name, options, nets, updates, batch):
    losses = torch_models.losses(torch, name, nets)
    if "compile" in options:
        losses = [
            loss if name in SECOND_ORDER and number else torch.compile(loss)
            for number, loss in enumerate(losses)
        ]
        if len(nets) > 1:
            nets = [torch.compile(nets[0]), nets[1]]  # its forward is outside the two losses
    return torch_models.training_step(torch, name, nets, losses, updates, batch)
