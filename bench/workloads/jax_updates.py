"""Optimizers for JAX, as functions of parameters, moments and gradients."""

import jax.numpy as jnp
from jax import lax


def zero_moments(net):
    return tuple((jnp.zeros_like(array), jnp.zeros_like(array)) for array in net)


def sgd(workload, net, gradients):
    rate = workload.learning_rate
    return tuple(p - rate * g for p, g in zip(net, gradients, strict=True))


def adam(workload, net, moments, gradients, count):
    """Adam, or with a decay AdamW: new parameters and moments."""
    first, second = workload.betas
    rate = workload.learning_rate / (1 - first**count)
    correction = lax.rsqrt(1 - second**count)
    kept = 1 - workload.learning_rate * workload.decay

    def update(parameter, moment, gradient):
        m = first * moment[0] + (1 - first) * gradient
        v = second * moment[1] + (1 - second) * gradient * gradient
        return kept * parameter - rate * m / (jnp.sqrt(v) * correction + 1e-8), (m, v)

    return tuple(zip(*map(update, net, moments, gradients), strict=True))
