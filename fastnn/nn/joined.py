"""Neighbouring layers that `Sequential` runs as one, to the same bits and with fewer passes.

A ReLU after a product acts on the sums while they are in registers. A ReLU before maximum pooling
acts on the maxima, which are fewer: the largest of rectified values is the rectified largest, and
where it is not positive no gradient flows in either order. A training step of two convolutions,
pooling and two linear layers on 64 images of 28x28 went from 45.8 to 44.0 ms (one thread, medians).
A rectifier after batch norm acts on the normalised values before they are written, and backward on
gradients as they are read.

Only layers of these very classes are joined, and none that has hooks or a ``forward`` of its own.
"""

from .activations import LeakyReLU, ReLU
from .convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from .linear import Linear
from .norms import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .pooling import MaxPool1d, MaxPool2d, MaxPool3d

PRODUCTS = {Linear, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d}
MAXIMA = {MaxPool1d, MaxPool2d, MaxPool3d}
NORMS = {BatchNorm1d, BatchNorm2d, BatchNorm3d}
RECTIFIERS = {ReLU, LeakyReLU}


def _is_plain(module):
    return not module._hooks and "forward" not in module.__dict__


def _is_pool(module):
    return type(module) in MAXIMA and not module.return_indices and _is_plain(module)


def _takes_rectifier(module, rectifier):
    """Whether a norm takes the ReLU, or the leaky one whose slopes are positive, after it."""
    return (type(module) in NORMS and _is_plain(module) and type(rectifier) in RECTIFIERS
            and _is_plain(rectifier) and (type(rectifier) is ReLU or _slope(rectifier) > 0))


def _slope(rectifier):
    return 0.0 if type(rectifier) is ReLU else rectifier.negative_slope


def _takes_relu(module, relu, after):
    """Whether ``relu`` is joined to ``module`` before it, and not to a pooling ``after`` it."""
    return (type(module) in PRODUCTS and _is_plain(module) and _is_plain(relu)
            and not _is_pool(after))


def run(modules, input):
    """Pass ``input`` through modules."""
    if any(type(module) in RECTIFIERS for module in modules):
        return _run_joined([*modules, None, None], input)
    for module in modules:
        input = module(input)
    return input


def _run_joined(modules, input):
    place, end = 0, len(modules) - 2
    while place < end:
        module, second, third = modules[place:place + 3]
        if type(second) is ReLU and _takes_relu(module, second, third):
            input, place = module.forward_relu(input), place + 2
        elif _takes_rectifier(module, second):
            input, place = module.forward_bent(input, _slope(second)), place + 2
        elif type(module) is ReLU and _is_pool(second) and _is_plain(module):
            input, place = module.forward(second.forward(input)), place + 2
        else:
            input, place = module(input), place + 1
    return input
