"""Networks that learn labels, and the smallest step of all."""

from .weights import convolution, linear
from .workload import Workload, normal

CLASSES = 10


def _labels(generator, batch):
    return generator.integers(0, CLASSES, batch)


def _images(generator, batch):
    return [normal(generator, batch, 1, 28, 28), _labels(generator, batch)]


ALL = (
    Workload(
        "mlp",
        "784-512-512-10, ReLU, cross entropy, Adam",
        128,
        lambda generator, batch: [normal(generator, batch, 784), _labels(generator, batch)],
        ([*linear(784, 512), *linear(512, 512), *linear(512, CLASSES)],),
        "Adam",
        1e-3,
        image=False,
    ),
    Workload(
        "lenet",
        "28x28, conv 6 5x5 padding 2, max-pool, conv 16 5x5, max-pool, 120, 84, 10, ReLU, Adam",
        128,
        _images,
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
        _images,
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
        "tiny",
        "10-32-1, tanh, one sample, mean squared error, SGD",
        1,
        lambda generator, batch: [normal(generator, batch, 10), normal(generator, batch, 1)],
        ([*linear(10, 32), *linear(32, 1)],),
        "SGD",
        1e-3,
        image=False,
    ),
)
