"""Compile kernels ahead: `fastnn.warmup()`, or ``python -m fastnn.warmup`` once installed."""

import sys

import numpy

from . import nn, optim
from .dtypes import get_default_dtype
from .generator import get_rng_state, set_rng_state
from .nn import functional as F
from .op import Elementwise
from .ops.creation import ones, tensor
from .ops.promotion import UNDEFINED
from .ops.random import rand, randn
from .registry import REGISTRY


def warmup(dtype=None, progress=False):
    """Compile what training needs, so that no first step has to wait for it.

    These are the elementwise operations with their derivatives, and what layers of every kind,
    losses and optimizers use, for a floating-point type (the default one if None). The kernels
    are kept on disk (`fastnn.show_config` says where), so that this is worth its time, about a
    minute, once for each installation. ``progress`` shows a bar. Returns the number of parts.
    """
    from tqdm import tqdm  # not at the top: fastnn is imported without it in 0.16 s

    dtype = get_default_dtype() if dtype is None else dtype
    parts = [*_operations(), *_STEPS]
    state = get_rng_state()
    try:
        for part in tqdm(parts, desc="compiling", disable=not progress):
            part(dtype)
    finally:
        set_rng_state(state)
    return len(parts)


def _operations():
    return [entry.function.compile_for for entry in REGISTRY.values()
            if isinstance(entry.function, Elementwise)
            and "f" not in UNDEFINED.get(entry.function.name, "")]


def _images(dtype):
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
        nn.AvgPool2d(2), nn.ConvTranspose2d(4, 4, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3)).to(dtype)
    x, labels = randn(2, 1, 12, 12, dtype=dtype), tensor([0, 2])
    _train(net, lambda: F.cross_entropy(net(x), labels), optim.Adam)


def _dense(dtype):
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(), nn.RMSNorm(8),
                        nn.BatchNorm1d(8), nn.Linear(8, 2), nn.Softmax(-1)).to(dtype)
    x = rand(6, 4, dtype=dtype)
    for loss in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.binary_cross_entropy,
                 F.binary_cross_entropy_with_logits):
        _train(net, lambda loss=loss: loss(net(x), ones(6, 2, dtype=dtype)), optim.SGD)


def _sequences(dtype):
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        net = nn.ModuleList([nn.Embedding(5, 4), kind(4, 6), nn.Linear(6, 5)]).to(dtype)
        symbols = tensor([[0, 1], [2, 3], [4, 0]])

        def loss(net=net, symbols=symbols):
            scores = net[2](net[1](net[0](symbols))[0])
            return F.cross_entropy(scores.flatten(0, 1), symbols.flatten())

        _train(net, loss, optim.RMSprop)


def _attention(dtype):
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).to(dtype)
    x = randn(2, 5, 8, dtype=dtype)
    _train(net, lambda: net(x).square().mean(), optim.AdamW)


def _train(net, loss_of, optimizer):
    """Two steps, the second with the states that the first has made."""
    updates = optimizer(net.parameters(), lr=1e-3)
    for _ in range(2):
        updates.zero_grad()
        loss_of().backward()
        nn.utils.clip_grad_norm_(list(net.parameters()), 1.0)
        updates.step()


_STEPS = (_images, _dense, _sequences, _attention)


def main(arguments=None):
    import argparse

    parser = argparse.ArgumentParser(prog="python -m fastnn.warmup",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options = parser.parse_args(arguments)
    warmup(numpy.dtype(options.dtype), progress=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
