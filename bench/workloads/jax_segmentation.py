"""The loss of the U-Net for JAX: `loss(layers, net, rest, *batch)` gives loss and new rest."""

import jax
import jax.numpy as jnp

from .jax_classifiers import cross_entropy
from .segmentation import CHANNELS

BLOCK = 6  # weights of two convolutions with batch norm


def _convolutions(layers, net, running, x):
    after = []
    for i, before in enumerate(running):
        kernel, scale, shift = net[3 * i : 3 * i + 3]
        x = layers.convolution(x, kernel, padding=1)
        x, statistics = layers.batch_norm(x, scale, shift, before)
        after.append(statistics)
        x = jax.nn.relu(x)
    return x, tuple(after)


def _unet(layers, net, running, x, labels):
    """The rest is the running statistics, two for each pair of convolutions."""
    levels = len(CHANNELS)
    encoders, net = net[: BLOCK * levels], net[BLOCK * levels :]
    enlargements, net = net[: 2 * levels - 2], net[2 * levels - 2 :]
    kept, after = [], []
    for i in range(levels):
        x = layers.max_pool(x) if i else x
        weights = encoders[BLOCK * i : BLOCK * (i + 1)]
        x, statistics = _convolutions(layers, weights, running[i], x)
        kept.append(x)
        after.append(statistics)
    kept.pop()
    for i in range(levels - 1):
        x = layers.enlarge(x, *enlargements[2 * i : 2 * i + 2])
        x = jnp.concatenate([kept.pop(), x], -1)
        weights = net[BLOCK * i : BLOCK * (i + 1)]
        x, statistics = _convolutions(layers, weights, running[levels + i], x)
        after.append(statistics)
    return cross_entropy(layers.convolution(x, *net[-2:]), labels), tuple(after)


def _running(workload):
    widths = (*CHANNELS, *CHANNELS[-2::-1])
    return tuple(tuple((jnp.zeros(c), jnp.ones(c)) for _ in range(2)) for c in widths)


LOSSES = {"unet": _unet}
STARTS = {"unet": _running}
