"""The five training steps that are compared: their batch, their starting weights, their work.

Everything here is plain NumPy and the same for every library. Weights are listed in the order and
in the layout of PyTorch's `parameters()`; `channels_last` gives the layout that TensorFlow and JAX
use. All libraries start from the same numbers, so their losses must agree step by step: that is
how the benchmark knows that they do the same work.
"""

from dataclasses import dataclass

import numpy as np

CLASSES = 10


@dataclass(frozen=True)
class Weight:
    """One parameter: PyTorch's shape, the bound of its uniform start, and its channels-last form.

    `image` is the (channels, height, width) that a flattened axis stands for and `axis` that axis
    (0 output, 1 input): channels-last libraries flatten in another order, so it is permuted.
    """

    shape: tuple
    bound: float
    offset: float = 0.0
    image: tuple | None = None
    axis: int = 1

    def start(self, generator):
        values = generator.uniform(-self.bound, self.bound, self.shape) + self.offset
        return values.astype(np.float32)

    def channels_last(self, values):
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


def convolution(inputs, outputs, size):
    bound = (inputs * size * size) ** -0.5
    return [Weight((outputs, inputs, size, size), bound), Weight((outputs,), bound)]


def transposed_convolution(inputs, outputs, size, bias=True):
    bound = (outputs * size * size) ** -0.5
    return [Weight((inputs, outputs, size, size), bound)] + [Weight((outputs,), bound)] * bias


def batch_norm(channels):
    return [Weight((channels,), 0.0, offset=1.0), Weight((channels,), 0.0)]


GENERATOR = [
    *linear(100, 128 * 7 * 7, image=(128, 7, 7), axis=0, bias=False),
    *batch_norm(128),
    *transposed_convolution(128, 64, 4, bias=False),
    *batch_norm(64),
    *transposed_convolution(64, 1, 4),
]
DISCRIMINATOR = [
    *convolution(1, 64, 4),
    *convolution(64, 128, 4),
    *linear(128 * 7 * 7, 1, image=(128, 7, 7)),
]


@dataclass(frozen=True)
class Workload:
    """One training step: forward, backward and optimizer update of a whole batch.

    `networks` holds one list of weights for each network. `random` says that the step draws
    random numbers, so that losses of different libraries agree only roughly.
    """

    name: str
    title: str
    batch: int
    networks: tuple
    optimizer: str
    learning_rate: float
    betas: tuple = (0.9, 0.999)
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
        arrays = _BATCHES[self.name](np.random.default_rng(1), self.batch)
        return [_image(array) if channels_last else array for array in arrays]


def _image(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def _normal(generator, *shape):
    return generator.standard_normal(shape, dtype=np.float32)


def _labels(generator, batch):
    return generator.integers(0, CLASSES, batch)


def _classifier(generator, batch):
    return [_normal(generator, batch, 1, 28, 28), _labels(generator, batch)]


_BATCHES = {
    "mlp": lambda generator, batch: [_normal(generator, batch, 784), _labels(generator, batch)],
    "lenet": _classifier,
    "cnn": _classifier,
    "dcgan": lambda generator, batch: [
        np.tanh(_normal(generator, batch, 1, 28, 28)),
        _normal(generator, batch, 100),
    ],
    "tiny": lambda generator, batch: [_normal(generator, batch, 10), _normal(generator, batch, 1)],
}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "mlp",
            "784-512-512-10, ReLU, cross entropy, Adam",
            128,
            ([*linear(784, 512), *linear(512, 512), *linear(512, CLASSES)],),
            "Adam",
            1e-3,
            image=False,
        ),
        Workload(
            "lenet",
            "28x28, conv 6 5x5 padding 2, max-pool, conv 16 5x5, max-pool, 120, 84, 10, ReLU, Adam",
            128,
            (
                [
                    *convolution(1, 6, 5),
                    *convolution(6, 16, 5),
                    *linear(16 * 5 * 5, 120, image=(16, 5, 5)),
                    *linear(120, 84),
                    *linear(84, CLASSES),
                ],
            ),
            "Adam",
            1e-3,
        ),
        Workload(
            "cnn",
            "28x28, conv 32 3x3, conv 64 3x3, max-pool, dropout .25, 128, dropout .5, 10, Adam",
            64,
            (
                [
                    *convolution(1, 32, 3),
                    *convolution(32, 64, 3),
                    *linear(64 * 12 * 12, 128, image=(64, 12, 12)),
                    *linear(128, CLASSES),
                ],
            ),
            "Adam",
            1e-3,
            random=True,
        ),
        Workload(
            "dcgan",
            "28x28 images, generator 100-7x7x128-64-1 and discriminator 1-64-128-1, Adam on both",
            128,
            (GENERATOR, DISCRIMINATOR),
            "Adam",
            2e-4,
            betas=(0.5, 0.999),
        ),
        Workload(
            "tiny",
            "10-32-1, tanh, one sample, mean squared error, SGD",
            1,
            ([*linear(10, 32), *linear(32, 1)],),
            "SGD",
            1e-3,
            image=False,
        ),
    )
}
