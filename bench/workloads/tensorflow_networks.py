"""The networks in plain TensorFlow operations."""

import tensorflow as tf


def networks(workload):
    """One callable with `trainable_variables` for each network of the workload."""
    starts = workload.start(channels_last=True)
    return [Network(f, s) for f, s in zip(_FORWARD[workload.name], starts, strict=True)]


class Network:
    def __init__(self, forward, arrays):
        self.forward = forward
        self.trainable_variables = [tf.Variable(array) for array in arrays]
        self.running = [
            (tf.Variable(tf.zeros(channels)), tf.Variable(tf.ones(channels)))
            for channels in _NORMALISED.get(forward, ())
        ]

    def __call__(self, x, training):
        return self.forward(self, x, *self.trainable_variables)


def _linear(x, weight, bias):
    return tf.nn.bias_add(tf.matmul(x, weight), bias)


def _convolution(x, weight, bias, padding="VALID", stride=1):
    """`SAME` pads as PyTorch does here; explicit numbers would double the dcgan's time."""
    return tf.nn.bias_add(tf.nn.conv2d(x, weight, stride, padding), bias)


def _max_pool(x):
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def _flatten(x):
    return tf.reshape(x, (x.shape[0], -1))


def _mlp(network, x, w1, b1, w2, b2, w3, b3):
    x = tf.nn.relu(_linear(x, w1, b1))
    return _linear(tf.nn.relu(_linear(x, w2, b2)), w3, b3)


def _lenet(network, x, k1, c1, k2, c2, *classifier):
    x = _max_pool(tf.nn.relu(_convolution(x, k1, c1, padding="SAME")))
    x = _max_pool(tf.nn.relu(_convolution(x, k2, c2)))
    return _mlp(network, _flatten(x), *classifier)


def _cnn(network, x, k1, c1, k2, c2, w1, b1, w2, b2):
    x = tf.nn.relu(_convolution(x, k1, c1))
    x = _max_pool(tf.nn.relu(_convolution(x, k2, c2)))
    x = _flatten(tf.nn.dropout(x, 0.25))
    x = tf.nn.dropout(tf.nn.relu(_linear(x, w1, b1)), 0.5)
    return _linear(x, w2, b2)


def _tiny(network, x, w1, b1, w2, b2):
    return _linear(tf.nn.tanh(_linear(x, w1, b1)), w2, b2)


def _batch_norm(x, scale, shift, running):
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, scale, shift, *running, epsilon=1e-5, exponential_avg_factor=0.1
    )
    running[0].assign(mean)
    running[1].assign(variance)
    return y


def _transposed_convolution(x, weight):
    size = 2 * x.shape[1]
    return tf.nn.conv2d_transpose(x, weight, (x.shape[0], size, size, weight.shape[2]), 2, "SAME")


def _generate(network, x, w, s1, t1, k2, s2, t2, k3, c3):
    x = tf.reshape(tf.matmul(x, w), (-1, 7, 7, 128))
    x = tf.ensure_shape(x, (128, 7, 7, 128))
    x = tf.nn.leaky_relu(_batch_norm(x, s1, t1, network.running[0]), 0.2)
    x = _transposed_convolution(x, k2)
    x = tf.nn.leaky_relu(_batch_norm(x, s2, t2, network.running[1]), 0.2)
    return tf.nn.tanh(tf.nn.bias_add(_transposed_convolution(x, k3), c3))


def _judge(network, x, k1, c1, k2, c2, w, b):
    x = tf.nn.leaky_relu(_convolution(x, k1, c1, padding="SAME", stride=2), 0.2)
    x = tf.nn.leaky_relu(_convolution(x, k2, c2, padding="SAME", stride=2), 0.2)
    return _linear(_flatten(x), w, b)


_FORWARD = {
    "mlp": [_mlp],
    "lenet": [_lenet],
    "cnn": [_cnn],
    "dcgan": [_generate, _judge],
    "tiny": [_tiny],
}
_NORMALISED = {_generate: (128, 64)}  # the channels of each batch norm
