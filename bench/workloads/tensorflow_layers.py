"""Layers of the networks in plain TensorFlow operations, channels last."""

import tensorflow as tf


def linear(x, weight, bias):
    return tf.nn.bias_add(tf.matmul(x, weight), bias)


def convolution(x, weight, bias, padding="VALID", stride=1):
    """`SAME` pads as PyTorch does here; explicit numbers would double the dcgan's time."""
    return tf.nn.bias_add(tf.nn.conv2d(x, weight, stride, padding), bias)


def transposed_convolution(x, weight):
    """Stride 2, to twice the size."""
    size = 2 * x.shape[1]
    return tf.nn.conv2d_transpose(x, weight, (x.shape[0], size, size, weight.shape[2]), 2, "SAME")


def max_pool(x):
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def flatten(x):
    return tf.reshape(x, (x.shape[0], -1))


def batch_norm(x, scale, shift, running):
    """Of images; the running mean and variance are moved on."""
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, scale, shift, *running, epsilon=1e-5, exponential_avg_factor=0.1
    )
    running[0].assign(mean)
    running[1].assign(variance)
    return y


def batch_norm_rows(x, scale, shift, running):
    """Of vectors, as images of one pixel."""
    return tf.squeeze(batch_norm(x[:, None, None], scale, shift, running), (1, 2))


def layer_norm(x, scale, shift):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-5)
