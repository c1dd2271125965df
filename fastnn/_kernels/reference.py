"""The oracle: every operation in plain NumPy, by its own name and with its own arguments.

Written to be read and believed, not to be fast. Tests compare the operations with these; nothing
in the library calls them. ``reference_images`` holds convolution and pooling.
"""

import builtins
import itertools
import math

import numpy as np

from .reference_images import (  # noqa: F401
    avg_pool2d,
    batch_norm,
    conv2d,
    conv_transpose2d,
    fold,
    max_pool2d,
    unfold,
)

add, sub, mul, div, pow = np.add, np.subtract, np.multiply, np.true_divide, np.power
maximum, minimum, where = np.maximum, np.minimum, np.where
square, neg, abs, exp, expm1 = np.square, np.negative, np.abs, np.exp, np.expm1
log, log1p, sqrt, sin, cos, tanh = np.log, np.log1p, np.sqrt, np.sin, np.cos, np.tanh
eq, ne, lt, le, gt, ge = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
isnan, logical_not, logical_and, logical_or = (
    np.isnan, np.logical_not, np.logical_and, np.logical_or)
erf = np.vectorize(math.erf, otypes=[np.float64])


def clamp(input, min=-np.inf, max=np.inf):
    return np.minimum(np.maximum(input, min), max)


# Activations


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


def softmax(x, dim):
    weights = np.exp(x - x.max(dim, keepdims=True))
    return weights / weights.sum(dim, keepdims=True)


def log_softmax(x, dim):
    return np.log(softmax(x, dim))


def dropout(x, p=0.5, training=True):
    """Only where nothing is random."""
    if not training or p == 0:
        return x
    raise NotImplementedError


# Shapes


def reshape(x, *shape):
    return np.reshape(x, _sizes(shape))


def _sizes(shape):
    return shape[0] if isinstance(shape[0], tuple) else shape


view = reshape


def flatten(x, start_dim=0, end_dim=-1):
    end = end_dim % x.ndim
    return x.reshape(*x.shape[:start_dim], -1, *x.shape[end + 1:])


def permute(x, *dims):
    return np.transpose(x, _sizes(dims))


def transpose(x, dim0, dim1):
    return np.swapaxes(x, dim0, dim1)


def t(x):
    return x.T


def expand(x, *sizes):
    sizes = _sizes(sizes)
    old = (1,) * (len(sizes) - x.ndim) + x.shape
    return np.broadcast_to(x, [o if new == -1 else new for o, new in zip(old, sizes, strict=True)])


def squeeze(x, dim=None):
    if dim is not None and x.shape[dim] != 1:
        return x
    return np.squeeze(x, dim)


unsqueeze = np.expand_dims


def contiguous(x):
    return x.copy()


clone = contiguous


def cat(tensors, dim=0):
    return np.concatenate(tensors, dim)


def stack(tensors, dim=0):
    return np.stack(tensors, dim)


def narrow(x, dim, start, length):
    return np.take(x, range(start, start + length), dim)


def split(x, split_size_or_sections, dim=0):
    if isinstance(split_size_or_sections, int):
        stops = range(split_size_or_sections, x.shape[dim], split_size_or_sections)
    else:
        stops = itertools.accumulate(split_size_or_sections[:-1])
    return tuple(np.split(x, list(stops), dim))


def chunk(x, chunks, dim=0):
    return split(x, -(-x.shape[dim] // chunks), dim)


def index_select(x, dim, index):
    return np.take(x, index, dim)


def gather(x, dim, index):
    out = np.empty(index.shape, x.dtype)
    for place in np.ndindex(index.shape):
        source = (*place[:dim], index[place], *place[dim + 1:])
        out[place] = x[source]
    return out


# Reductions


def sum(x, dim=None, keepdim=False):
    return np.sum(x, dim, keepdims=keepdim)


def mean(x, dim=None, keepdim=False):
    return np.mean(x, dim, keepdims=keepdim)


def var(x, dim=None, correction=1, keepdim=False):
    return np.var(x, dim, ddof=correction, keepdims=keepdim)


def std(x, dim=None, correction=1, keepdim=False):
    return np.std(x, dim, ddof=correction, keepdims=keepdim)


def max(x, dim=None, keepdim=False):
    if dim is None:
        return np.max(x)
    return np.max(x, dim, keepdims=keepdim), argmax(x, dim, keepdim)


def min(x, dim=None, keepdim=False):
    if dim is None:
        return np.min(x)
    return np.min(x, dim, keepdims=keepdim), argmin(x, dim, keepdim)


def argmax(x, dim=None, keepdim=False):
    return np.argmax(x, dim, keepdims=keepdim)


def argmin(x, dim=None, keepdim=False):
    return np.argmin(x, dim, keepdims=keepdim)


def all(x, dim=None, keepdim=False):
    return np.all(x, dim, keepdims=keepdim)


def any(x, dim=None, keepdim=False):
    return np.any(x, dim, keepdims=keepdim)


# Products


mm = bmm = matmul = np.matmul


def linear(x, weight, bias=0.0):
    return x @ weight.T + bias


# Losses


def _reduced(values, reduction):
    return {"none": np.asarray, "sum": np.sum, "mean": np.mean}[reduction](values)


def mse_loss(input, target, reduction="mean", weight=1.0):
    return _reduced(weight * (input - target) ** 2, reduction)


def l1_loss(input, target, reduction="mean", weight=1.0):
    return _reduced(weight * np.abs(input - target), reduction)


def binary_cross_entropy(input, target, weight=1.0, reduction="mean"):
    values = -(target * np.log(input) + (1 - target) * np.log(1 - input))
    return _reduced(weight * values, reduction)


def binary_cross_entropy_with_logits(input, target, weight=1.0, reduction="mean", pos_weight=1.0):
    p = sigmoid(input)
    values = -(pos_weight * target * np.log(p) + (1 - target) * np.log(1 - p))
    return _reduced(weight * values, reduction)


def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """One loss for each target, weighted by its class; the mean is over the weights."""
    classes = input.shape[1 if input.ndim > 1 else 0]
    weight = np.ones(classes) if weight is None else weight
    losses, weights = np.zeros(target.shape), np.zeros(target.shape)
    for place in np.ndindex(target.shape):
        label = target[place]
        if label != ignore_index:
            weights[place] = weight[label]
            losses[place] = -weight[label] * input[_class_place(place, label)]
    return losses.sum() / weights.sum() if reduction == "mean" else _reduced(losses, reduction)


def _class_place(place, label):
    """The index of a class's value for the target at ``place``: classes are the second axis."""
    return (*place[:1], label, *place[1:])


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean",
                  label_smoothing=0.0):
    axis = 1 if input.ndim > 1 else 0
    logs, classes = log_softmax(input, axis), input.shape[axis]
    if target.dtype.kind == "f":
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing)
    exact = nll_loss(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return exact
    each = [nll_loss(logs, np.where(target == ignore_index, target, label), weight, ignore_index,
                     "none") for label in range(classes)]
    uniform = builtins.sum(each) / classes
    if reduction == "mean":
        counted = np.ones(classes) if weight is None else weight
        uniform = uniform.sum() / counted[target[target != ignore_index]].sum()
    elif reduction == "sum":
        uniform = uniform.sum()
    return (1 - label_smoothing) * exact + label_smoothing * uniform


def _soft_cross_entropy(logs, target, weight, reduction, label_smoothing):
    axis = 1 if logs.ndim > 1 else 0
    classes = logs.shape[axis]
    target = target * (1 - label_smoothing) + label_smoothing / classes
    weight = np.ones(classes) if weight is None else weight
    shape = [1] * logs.ndim
    shape[axis] = classes
    values = -(weight.reshape(shape) * target * logs).sum(axis)
    if reduction == "mean":
        return values.sum() / values.size
    return _reduced(values, reduction)


# Random numbers


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al., 2011) of four counter and two key words, as four words."""
    a, b, c, d = counter
    k, m = key
    word = 0xFFFFFFFF
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ k, second & word, (first >> 32) ^ d ^ m, first & word
        k, m = (k + 0x9E3779B9) & word, (m + 0xBB67AE85) & word
    return a, b, c, d
