"""Losses of classifiers for JAX: `loss(layers, net, rest, *batch)` gives loss and new rest.

The rest is what a step hands to the next beside the weights: nothing, or the key of random numbers.
"""

import jax
import jax.numpy as jnp


def dense(layers, net, x):
    """Linear layers with ReLU between them."""
    *hidden, weight, bias = net
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = jax.nn.relu(layers.linear(x, w, b))
    return layers.linear(x, weight, bias)


def cross_entropy(logits, labels):
    """The mean over all labels; classes are the last dimension."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1)
    return -chosen.mean()


def _mlp(layers, net, rest, x, labels):
    return cross_entropy(dense(layers, net, x), labels), rest


def _lenet(layers, net, rest, x, labels):
    k1, c1, k2, c2, *classifier = net
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k1, c1, padding=2)))
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k2, c2)))
    return _mlp(layers, classifier, rest, layers.flatten(x), labels)


def _dropout(x, key, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def _cnn(layers, net, key, x, labels):
    k1, c1, k2, c2, w1, b1, w2, b2 = net
    key, first, second = jax.random.split(key, 3)
    x = jax.nn.relu(layers.convolution(x, k1, c1))
    x = layers.max_pool(jax.nn.relu(layers.convolution(x, k2, c2)))
    x = layers.flatten(_dropout(x, first, 0.25))
    x = _dropout(jax.nn.relu(layers.linear(x, w1, b1)), second, 0.5)
    return cross_entropy(layers.linear(x, w2, b2), labels), key


def _key(workload):
    return jax.random.key(0, impl="unsafe_rbg")  # threefry is slow on a CPU


def _tiny(layers, net, rest, x, targets):
    w1, b1, w2, b2 = net
    y = layers.linear(jnp.tanh(layers.linear(x, w1, b1)), w2, b2)
    return ((y - targets) ** 2).mean(), rest


LOSSES = {"mlp": _mlp, "lenet": _lenet, "cnn": _cnn, "tiny": _tiny}
STARTS = {"cnn": _key}
