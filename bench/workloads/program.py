"""What every library's `build` returns: a training step that the worker can run and time."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """`step()` runs one training step and may return before it is done; `finish` waits.

    `finish(loss)` takes what the last `step()` returned and gives the loss as a float.
    """

    step: Callable
    finish: Callable
    parameters: int

    def run(self, steps):
        """Run `steps` steps to their end; return the loss of the last."""
        for _ in range(steps):
            loss = self.step()
        return self.finish(loss)
