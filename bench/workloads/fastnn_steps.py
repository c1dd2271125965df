"""Training steps of fastnn: the very code that PyTorch runs."""

import fastnn

from . import WORKLOADS, torch_models
from .program import Program

VERSION = fastnn.__version__


def prepare(threads, options):
    fastnn.set_num_threads(threads)


def build(name, options):
    """The step of workload `name`; there are no options."""
    workload = WORKLOADS[name]
    nets = torch_models.networks(fastnn, name)
    for net, arrays in zip(nets, workload.start(), strict=True):
        torch_models.load(fastnn, net, arrays)
    batch = [fastnn.tensor(array) for array in workload.inputs()]
    updates = torch_models.optimizers(fastnn, name, nets)
    losses = torch_models.losses(fastnn, name, nets)
    step = torch_models.training_step(name, nets, losses, updates, batch)
    parameters = sum(parameter.numel() for net in nets for parameter in net.parameters())
    return Program(step, lambda loss: loss.item(), parameters)
