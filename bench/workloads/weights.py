"""The starting weights of the networks: plain NumPy arrays, the same for every library.

They are listed in the order and in the layout of PyTorch's `parameters()`; `channels_last` gives
the layout that TensorFlow and JAX use.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weight:
    """One parameter: PyTorch's shape, the bound of its uniform start, and its channels-last form.

    `image` is the (channels, height, width) that a flattened axis stands for and `axis` that axis
    (0 output, 1 input): channels-last libraries flatten in another order, so it is permuted. A
    `table` is read by rows and has the same form everywhere.
    """

    shape: tuple
    bound: float
    offset: float = 0.0
    image: tuple | None = None
    axis: int = 1
    table: bool = False

    def start(self, generator):
        values = generator.uniform(-self.bound, self.bound, self.shape) + self.offset
        return values.astype(np.float32)

    def channels_last(self, values):
        if self.table:
            return values
        if values.ndim == 4:
            return values.transpose(2, 3, 1, 0)  # (out, in, kh, kw) -> (kh, kw, in, out)
        if self.image is None:
            return values.T
        if self.axis == 1:
            grouped = values.reshape(len(values), *self.image)  # (out, C, H, W)
            return grouped.transpose(2, 3, 1, 0).reshape(-1, len(values))
        grouped = values.reshape(*self.image, -1)  # (C, H, W, in)
        return grouped.transpose(3, 1, 2, 0).reshape(grouped.shape[-1], -1)


def linear(inputs, outputs, image=None, axis=1, bias=True):
    bound = inputs**-0.5
    return [Weight((outputs, inputs), bound, image=image, axis=axis)] + [
        Weight((outputs,), bound)
    ] * bias


def convolution(inputs, outputs, size, bias=True):
    bound = (inputs * size * size) ** -0.5
    return [Weight((outputs, inputs, size, size), bound)] + [Weight((outputs,), bound)] * bias


def transposed_convolution(inputs, outputs, size, bias=True):
    bound = (outputs * size * size) ** -0.5
    return [Weight((inputs, outputs, size, size), bound)] + [Weight((outputs,), bound)] * bias


def norm(channels):
    """The scale and the shift of batch or layer norm."""
    return [Weight((channels,), 0.0, offset=1.0), Weight((channels,), 0.0)]


def embedding(count, size):
    return [Weight((count, size), 1.0, table=True)]


def lstm(inputs, units):
    """Gates in the order input, forget, cell, output; weights before biases."""
    bound = units**-0.5
    shapes = ((4 * units, inputs), (4 * units, units), (4 * units,), (4 * units,))
    return [Weight(shape, bound) for shape in shapes]
