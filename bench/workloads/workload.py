"""What one training step is: its batch, its starting weights, its optimizer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    """One training step: forward, backward and optimizer update of a whole batch.

    `draw(generator, batch)` gives the arrays of a batch, and `networks` holds one list of weights
    for each network. `random` says that the step draws random numbers, so that losses of different
    libraries agree only roughly; `image` that there are images, whose layout matters.
    """

    name: str
    title: str
    batch: int
    draw: Callable
    networks: tuple
    optimizer: str
    learning_rate: float
    betas: tuple = (0.9, 0.999)
    decay: float = 0.0
    image: bool = True
    random: bool = False

    @property
    def parameters(self):
        return sum(int(np.prod(weight.shape)) for network in self.networks for weight in network)

    def start(self, channels_last=False):
        """The starting weights, one list for each network, always the same numbers."""
        generator = np.random.default_rng(0)
        return [[self._start(w, generator, channels_last) for w in net] for net in self.networks]

    @staticmethod
    def _start(weight, generator, channels_last):
        values = weight.start(generator)
        return np.ascontiguousarray(weight.channels_last(values) if channels_last else values)

    def inputs(self, channels_last=False):
        """The arrays of one fixed batch; images are (N, C, H, W), or (N, H, W, C) if asked."""
        arrays = self.draw(np.random.default_rng(1), self.batch)
        return [_image(array) if channels_last else array for array in arrays]


def _image(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def normal(generator, *shape):
    return generator.standard_normal(shape, dtype=np.float32)
