"""The network of `examples/segmentation.py`, which gives each pixel a class."""

from itertools import pairwise

from .weights import convolution, norm, transposed_convolution
from .workload import Workload, normal

SIZE = 64
CLASSES = 11
CHANNELS = (16, 32, 64, 128)  # at 64, 32, 16 and 8 pixels


def _convolutions(inputs, outputs):
    first = [*convolution(inputs, outputs, 3, bias=False), *norm(outputs)]
    return [*first, *convolution(outputs, outputs, 3, bias=False), *norm(outputs)]


def _unet():
    levels = list(pairwise(CHANNELS))
    weights = _convolutions(1, CHANNELS[0])
    for fewer, more in levels:
        weights += _convolutions(fewer, more)
    for fewer, more in reversed(levels):
        weights += transposed_convolution(more, fewer, 2)
    for fewer, _ in reversed(levels):
        weights += _convolutions(2 * fewer, fewer)
    return weights + convolution(CHANNELS[0], CLASSES, 1)


def _scenes(generator, batch):
    labels = generator.integers(0, CLASSES, (batch, SIZE, SIZE))
    return [normal(generator, batch, 1, SIZE, SIZE), labels]


ALL = (
    Workload(
        "unet",
        "64x64 images, 16-32-64-128 channels and back, batch norm, 11 classes a pixel, AdamW",
        16,
        _scenes,
        (_unet(),),
        "AdamW",
        1e-3,
        decay=0.01,
    ),
)
