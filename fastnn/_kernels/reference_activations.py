"""The part of the oracle for activations."""

import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[np.float64])


def relu(x):
    return np.where(x > 0, x, 0)


def leaky_relu(x, negative_slope=0.01):
    return np.where(x > 0, x, negative_slope * x)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * (np.exp(x) - 1))


def selu(x):
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return scale * elu(x, alpha)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(beta * x > threshold, x, np.log(1 + np.exp(beta * x)) / beta)


def softsign(x):
    return x / (1 + np.abs(x))


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def softmax(x, dim, dtype=None):
    x = x if dtype is None else x.astype(dtype)
    weights = np.exp(x - x.max(dim, keepdims=True))
    return weights / weights.sum(dim, keepdims=True)


def log_softmax(x, dim, dtype=None):
    return np.log(softmax(x, dim, dtype))


def softmin(x, dim, dtype=None):
    return softmax(-x, dim, dtype)


def celu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1))


def mish(x):
    return x * np.tanh(np.log(1 + np.exp(x)))


def logsigmoid(x):
    return -np.log(1 + np.exp(-x))


def tanhshrink(x):
    return x - np.tanh(x)


def hardtanh(x, min_val=-1.0, max_val=1.0):
    return np.clip(x, min_val, max_val)


def relu6(x):
    return np.clip(x, 0, 6)


def hardsigmoid(x):
    return relu6(x + 3) / 6


def hardswish(x):
    return x * hardsigmoid(x)


def threshold(x, threshold, value):
    return np.where(x > threshold, x, value)


def softshrink(x, lambd=0.5):
    return np.sign(x) * np.maximum(np.abs(x) - lambd, 0)


def hardshrink(x, lambd=0.5):
    return np.where(np.abs(x) > lambd, x, 0)


def glu(x, dim=-1):
    value, gate = np.split(x, 2, dim)
    return value * sigmoid(gate)


def rrelu(x, lower=1 / 8, upper=1 / 3, training=False):
    """Only where nothing is random."""
    if not training or lower == upper:
        return leaky_relu(x, (lower + upper) / 2)
    raise NotImplementedError


def dropout(x, p=0.5, training=True):
    """Only where nothing is random."""
    if not training or p == 0:
        return x
    raise NotImplementedError


def alpha_dropout(x, p=0.5, training=False):
    return dropout(x, p, training)


dropout1d = dropout2d = dropout3d = dropout
feature_alpha_dropout = alpha_dropout
