"""What a training step consists of, and the step of a single network."""

from collections.abc import Callable
from dataclasses import dataclass


def supervised_step(library, nets, loss_functions, updates, batch):
    """Lower the loss of one network."""
    (loss_function,), (update,) = loss_functions, updates

    def step():
        update.zero_grad()
        loss = loss_function(*batch)
        loss.backward()
        update.step()
        return loss

    return step


@dataclass(frozen=True)
class Task:
    """Functions that make the networks, the losses and the step of a workload.

    `networks(library)`; `losses(library, workload, *networks)`;
    `step(library, networks, losses, optimizers, batch)`.
    """

    networks: Callable
    losses: Callable
    step: Callable = supervised_step
