"""Training steps of fastnn: the very code that PyTorch runs."""

import fastnn
from fastnn._kernels import runtime

from . import WORKLOADS, torch_models
from .program import Program

VERSION = fastnn.__version__


def prepare(threads, options):
    fastnn.set_num_threads(threads)


def arena():
    """The arena's bytes in use, kept for later, and at their peak."""
    stats = runtime.memory_stats()
    return {name: stats[name] for name in ("used", "kept", "peak")}


def build(name, options):
    """The step of workload `name`, which the option `compile` replays from a recording."""
    nets = torch_models.networks(fastnn, name)
    batch = [fastnn.tensor(array) for array in WORKLOADS[name].inputs()]
    updates = torch_models.optimizers(fastnn, name, nets)
    losses = torch_models.losses(fastnn, name, nets)
    step = torch_models.training_step(fastnn, name, nets, losses, updates, batch)
    if "compile" in options:
        step = _compiled(step)
    parameters = sum(parameter.numel() for net in nets for parameter in net.parameters())
    return Program(step, lambda loss: loss.item(), parameters)


def _compiled(step):
    return fastnn.compile(lambda: step().detach())
