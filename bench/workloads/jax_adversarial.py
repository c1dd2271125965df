"""Steps of generators against those who judge them, for JAX."""

from functools import partial

import jax
import jax.numpy as jnp

from .adversarial import LAYERS, PENALTY
from .jax_updates import adam


def _convolutional_generator(layers, running, net, noise):
    w, s1, t1, k2, s2, t2, k3, c3 = net
    x = layers.linear(noise, w).reshape(-1, 7, 7, 128)
    x, first = layers.batch_norm(x, s1, t1, running[0])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k2)
    x, second = layers.batch_norm(x, s2, t2, running[1])
    x = layers.transposed_convolution(jax.nn.leaky_relu(x, 0.2), k3)
    return jnp.tanh(x + c3), (first, second)


def _convolutional_judge(layers, net, x):
    k1, c1, k2, c2, w, b = net
    x = jax.nn.leaky_relu(layers.convolution(x, k1, c1, padding=1, stride=2), 0.2)
    x = jax.nn.leaky_relu(layers.convolution(x, k2, c2, padding=1, stride=2), 0.2)
    return layers.linear(layers.flatten(x), w, b)


def _dense_generator(layers, running, net, x):
    after = []
    for i, before in enumerate(running):
        weight, scale, shift = net[3 * i : 3 * i + 3]
        x, statistics = layers.batch_norm(layers.linear(x, weight), scale, shift, before)
        after.append(statistics)
        x = jax.nn.leaky_relu(x, 0.2)
    return jnp.tanh(layers.linear(x, *net[-2:])), tuple(after)


def _dense_judge(layers, net, x):
    *hidden, weight, bias = net
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = jax.nn.leaky_relu(layers.linear(x, w, b), 0.2)
    return layers.linear(x, weight, bias)


def _entropies(judge):
    """The losses of the generator and of the discriminator."""

    def of_discriminator(net, images, fakes):
        real, fake = judge(net, images), judge(net, fakes)
        return jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()

    return lambda net, fakes: jax.nn.softplus(-judge(net, fakes)).mean(), of_discriminator


def _distances(judge):
    """The losses of the generator and of a critic whose slope is to be 1."""

    def of_critic(net, images, fakes, shares):
        mixed = fakes + shares * (images - fakes)
        slopes = jax.grad(lambda x: judge(net, x).sum())(mixed)
        norms = jnp.sqrt((slopes * slopes).sum((1, 2, 3)))
        penalty = ((norms - 1) ** 2).mean()
        return judge(net, fakes).mean() - judge(net, images).mean() + PENALTY * penalty

    return lambda net, fakes: -judge(net, fakes).mean(), of_critic


_PARTS = {
    "dcgan": (_convolutional_generator, _convolutional_judge, _entropies, (128, 64)),
    "mlp-gan": (_dense_generator, _dense_judge, _entropies, LAYERS[1:-1]),
    "wgan-gp": (_convolutional_generator, _convolutional_judge, _distances, (128, 64)),
}
NAMES = tuple(_PARTS)


def running(workload):
    """Mean and variance of each batch norm of the generator."""
    return tuple((jnp.zeros(c), jnp.ones(c)) for c in _PARTS[workload.name][3])


def step(workload, layers, state, images, noise, *others):
    """Both losses share one forward of the generator, whose gradient is taken by `vjp`."""
    generate, judge, losses, _ = _PARTS[workload.name]
    of_generator, of_discriminator = losses(partial(judge, layers))
    generator, discriminator = state["nets"]
    count = state["count"] + 1
    generate = partial(generate, layers, state["rest"])
    fakes, backward, rest = jax.vjp(lambda net: generate(net, noise), generator, has_aux=True)
    lower = jax.value_and_grad(of_discriminator)
    loss, gradients = lower(discriminator, images, fakes, *others)
    discriminator, second = adam(workload, discriminator, state["moments"][1], gradients, count)
    (gradients,) = backward(jax.grad(of_generator, 1)(discriminator, fakes))
    generator, first = adam(workload, generator, state["moments"][0], gradients, count)
    nets, moments = (generator, discriminator), (first, second)
    return {"nets": nets, "moments": moments, "count": count, "rest": rest}, loss
