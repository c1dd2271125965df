"""The networks in plain TensorFlow operations."""

import tensorflow as tf

from . import tensorflow_sequences
from .adversarial import LAYERS
from .segmentation import CHANNELS
from .tensorflow_layers import (
    batch_norm,
    batch_norm_rows,
    convolution,
    flatten,
    linear,
    max_pool,
    transposed_convolution,
)


def networks(workload):
    """One callable with `trainable_variables` for each network of the workload."""
    starts = workload.start(channels_last=True)
    return [Network(workload, f, s) for f, s in zip(_FORWARD[workload.name], starts, strict=True)]


class Network:
    """Its weights, and the variables that `running` gives it for what a step hands to the next."""

    def __init__(self, workload, forward, arrays):
        self.forward = forward
        self.trainable_variables = [tf.Variable(array) for array in arrays]
        self.running = _RUNNING[forward](workload) if forward in _RUNNING else []

    def __call__(self, x, training):
        return self.forward(self, x, *self.trainable_variables)


def _mlp(network, x, w1, b1, w2, b2, w3, b3):
    x = tf.nn.relu(linear(x, w1, b1))
    return linear(tf.nn.relu(linear(x, w2, b2)), w3, b3)


def _lenet(network, x, k1, c1, k2, c2, *classifier):
    x = max_pool(tf.nn.relu(convolution(x, k1, c1, padding="SAME")))
    x = max_pool(tf.nn.relu(convolution(x, k2, c2)))
    return _mlp(network, flatten(x), *classifier)


def _cnn(network, x, k1, c1, k2, c2, w1, b1, w2, b2):
    x = tf.nn.relu(convolution(x, k1, c1))
    x = max_pool(tf.nn.relu(convolution(x, k2, c2)))
    x = flatten(tf.nn.dropout(x, 0.25))
    x = tf.nn.dropout(tf.nn.relu(linear(x, w1, b1)), 0.5)
    return linear(x, w2, b2)


def _tiny(network, x, w1, b1, w2, b2):
    return linear(tf.nn.tanh(linear(x, w1, b1)), w2, b2)


def _generate(network, x, w, s1, t1, k2, s2, t2, k3, c3):
    x = tf.reshape(tf.matmul(x, w), (-1, 7, 7, 128))
    x = tf.ensure_shape(x, (len(x), 7, 7, 128))
    x = tf.nn.leaky_relu(batch_norm(x, s1, t1, network.running[0]), 0.2)
    x = transposed_convolution(x, k2)
    x = tf.nn.leaky_relu(batch_norm(x, s2, t2, network.running[1]), 0.2)
    return tf.nn.tanh(tf.nn.bias_add(transposed_convolution(x, k3), c3))


def _judge(network, x, k1, c1, k2, c2, w, b):
    x = tf.nn.leaky_relu(convolution(x, k1, c1, padding="SAME", stride=2), 0.2)
    x = tf.nn.leaky_relu(convolution(x, k2, c2, padding="SAME", stride=2), 0.2)
    return linear(flatten(x), w, b)


def _generate_rows(network, x, *weights):
    for i, running in enumerate(network.running):
        weight, scale, shift = weights[3 * i : 3 * i + 3]
        x = batch_norm_rows(tf.matmul(x, weight), scale, shift, running)
        x = tf.nn.leaky_relu(x, 0.2)
    return tf.nn.tanh(linear(x, *weights[-2:]))


def _judge_rows(network, x, w1, b1, w2, b2, w3, b3):
    x = tf.nn.leaky_relu(linear(x, w1, b1), 0.2)
    return linear(tf.nn.leaky_relu(linear(x, w2, b2), 0.2), w3, b3)


def _convolutions(x, weights, running):
    for i, before in enumerate(running):
        kernel, scale, shift = weights[3 * i : 3 * i + 3]
        x = tf.nn.relu(batch_norm(tf.nn.conv2d(x, kernel, 1, "SAME"), scale, shift, before))
    return x


def _unet(network, x, *weights):
    """Weights: 6 of each encoder, 2 of each enlargement, 6 of each decoder, 2 of the classifier."""
    levels = len(CHANNELS)
    enlargements, decoders = weights[6 * levels :], weights[8 * levels - 2 :]
    kept = []
    for i in range(levels):
        x = _convolutions(max_pool(x) if i else x, weights[6 * i :], network.running[2 * i :][:2])
        kept.append(x)
    kept.pop()
    for i in range(levels - 1):
        kernel, bias = enlargements[2 * i : 2 * i + 2]
        x = tf.nn.bias_add(transposed_convolution(x, kernel), bias)
        running = network.running[2 * (levels + i) :][:2]
        x = _convolutions(tf.concat([kept.pop(), x], -1), decoders[6 * i :], running)
    return convolution(x, *weights[-2:])


def _statistics(*widths):
    """A function that makes the running means and variances of batch norms."""
    return lambda workload: [(tf.Variable(tf.zeros(c)), tf.Variable(tf.ones(c))) for c in widths]


_FORWARD = {
    "mlp": [_mlp],
    "lenet": [_lenet],
    "cnn": [_cnn],
    "dcgan": [_generate, _judge],
    "mlp-gan": [_generate_rows, _judge_rows],
    "wgan-gp": [_generate, _judge],
    "tiny": [_tiny],
    "lstm": [tensorflow_sequences.lstm],
    "gpt": [tensorflow_sequences.gpt],
    "unet": [_unet],
}
_RUNNING = {
    _generate: _statistics(128, 64),
    _generate_rows: _statistics(*LAYERS[1:-1]),
    _unet: _statistics(*(c for c in (*CHANNELS, *CHANNELS[-2::-1]) for _ in range(2))),
    tensorflow_sequences.lstm: tensorflow_sequences.zero_state,
}
