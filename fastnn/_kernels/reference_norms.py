"""The oracle of the normalisations and of embeddings."""

import numpy as np


def _normalised(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _scaled(y, weight, bias):
    by_channel = (-1,) + (1,) * (y.ndim - 2)
    y = y if weight is None else y * weight.reshape(by_channel)
    return y if bias is None else y + bias.reshape(by_channel)


def _by_moments(x, mean, variance, weight, bias, eps):
    by_channel = (-1,) + (1,) * (x.ndim - 2)
    y = (x - mean.reshape(by_channel)) / np.sqrt(variance.reshape(by_channel) + eps)
    return _scaled(y, weight, bias)


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
               eps=1e-5):
    """The result alone; the running moments stay as they are."""
    if not training:
        return _by_moments(x, running_mean, running_var, weight, bias, eps)
    return _scaled(_normalised(x, (0, *range(2, x.ndim)), eps), weight, bias)


def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None,
                  use_input_stats=True, momentum=0.1, eps=1e-5):
    if not use_input_stats:
        return _by_moments(x, running_mean, running_var, weight, bias, eps)
    return _scaled(_normalised(x, tuple(range(2, x.ndim)), eps), weight, bias)


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    groups = x.reshape(x.shape[0], num_groups, -1)
    return _scaled(_normalised(groups, 2, eps).reshape(x.shape), weight, bias)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    y = _normalised(x, tuple(range(-len(normalized_shape), 0)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x, normalized_shape, weight=None, eps=None):
    axes = tuple(range(-len(normalized_shape), 0))
    y = x / np.sqrt((x * x).mean(axes, keepdims=True) + (eps or 0.0))
    return y if weight is None else y * weight


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    squares = np.zeros(x.shape)
    for channel in range(x.shape[1]):
        first = max(0, channel - size // 2)
        squares[:, channel] = (x[:, first:channel + (size - 1) // 2 + 1] ** 2).sum(1)
    return x / (k + alpha / size * squares) ** beta


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False):
    return weight[input]


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2,
                  scale_grad_by_freq=False, mode="mean", sparse=False, per_sample_weights=None,
                  include_last_offset=False, padding_idx=None):
    """Of bags of equal size: ``input`` has two dimensions."""
    out = np.zeros((len(input), weight.shape[1]))
    padding = -1 if padding_idx is None else padding_idx % len(weight)
    for bag, members in enumerate(input):
        kept = members != padding
        rows = weight[members[kept]]
        if per_sample_weights is not None:
            rows = rows * per_sample_weights[bag][kept][:, None]
        if len(rows):
            out[bag] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)
    return out


def bilinear(input1, input2, weight, bias=None):
    y = np.einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias
