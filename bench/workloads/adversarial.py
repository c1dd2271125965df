"""Generators against those who judge them; a step of each."""

import numpy as np

from .weights import convolution, linear, norm, transposed_convolution
from .workload import Workload, normal

NOISE = 100
LAYERS = (NOISE, 256, 512, 1024, 784)  # of the dense generator
JUDGE = (784, 512, 256, 1)
PENALTY = 10.0  # of the critic, for gradients whose norm is not 1

_DCGAN_GENERATOR = [
    *linear(NOISE, 128 * 7 * 7, image=(128, 7, 7), axis=0, bias=False),
    *norm(128),
    *transposed_convolution(128, 64, 4, bias=False),
    *norm(64),
    *transposed_convolution(64, 1, 4),
]
_DCGAN_DISCRIMINATOR = [
    *convolution(1, 64, 4),
    *convolution(64, 128, 4),
    *linear(128 * 7 * 7, 1, image=(128, 7, 7)),
]


def _dense_generator():
    weights = []
    for inputs, outputs in zip(LAYERS[:-2], LAYERS[1:-1], strict=True):
        weights += [*linear(inputs, outputs, bias=False), *norm(outputs)]
    return weights + linear(*LAYERS[-2:])


def _dense_judge():
    pairs = zip(JUDGE[:-1], JUDGE[1:], strict=True)
    return [weight for inputs, outputs in pairs for weight in linear(inputs, outputs)]


def _vectors(generator, batch):
    """Dark images: from ones of mean 0 the discriminator learns too little in its first steps."""
    return [np.tanh(normal(generator, batch, 784) - 1), normal(generator, batch, NOISE)]


def _images(generator, batch):
    return [np.tanh(normal(generator, batch, 1, 28, 28)), normal(generator, batch, NOISE)]


def _images_and_shares(generator, batch):
    """With the share of the real image in each mixture at which the critic's slope is taken."""
    shares = generator.random((batch, 1, 1, 1), dtype=np.float32)
    return [*_images(generator, batch), shares]


ALL = (
    Workload(
        "dcgan",
        "28x28 images, generator 100-7x7x128-64-1 and discriminator 1-64-128-1, Adam on both",
        128,
        _images,
        (_DCGAN_GENERATOR, _DCGAN_DISCRIMINATOR),
        "Adam",
        2e-4,
        betas=(0.5, 0.999),
    ),
    Workload(
        "mlp-gan",
        "generator 100-256-512-1024-784 with batch norm, discriminator 784-512-256-1, Adam on both",
        128,
        _vectors,
        (_dense_generator(), _dense_judge()),
        "Adam",
        2e-4,
        betas=(0.5, 0.999),
        image=False,
    ),
    Workload(
        "wgan-gp",
        "networks of the dcgan, Wasserstein losses, gradient penalty of second order",
        64,
        _images_and_shares,
        (_DCGAN_GENERATOR, _DCGAN_DISCRIMINATOR),
        "Adam",
        1e-4,
        betas=(0.5, 0.9),
    ),
)
