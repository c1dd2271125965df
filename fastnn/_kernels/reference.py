"""The oracle: every operation in plain NumPy, by its own name and with its own arguments.

Written to be read and believed, not to be fast. Tests compare the operations with these; nothing
in the library calls them. Activations, images and losses have files of their own.
"""

import itertools

import numpy as np

from .reference_activations import (  # noqa: F401
    alpha_dropout,
    celu,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    elu,
    erf,
    feature_alpha_dropout,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    mish,
    relu,
    relu6,
    rrelu,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from .reference_attention import scaled_dot_product_attention  # noqa: F401
from .reference_grids import *  # noqa: F403
from .reference_images import (  # noqa: F401
    avg_pool2d,
    conv2d,
    conv_transpose2d,
    fold,
    max_pool2d,
    unfold,
)
from .reference_losses import (  # noqa: F401
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    normalize,
    pairwise_distance,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .reference_norms import (  # noqa: F401
    batch_norm,
    bilinear,
    embedding,
    embedding_bag,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from .reference_pooling import *  # noqa: F403
from .reference_ranks import *  # noqa: F403
from .reference_resizing import *  # noqa: F403

add, sub, mul, div, pow = np.add, np.subtract, np.multiply, np.true_divide, np.power
maximum, minimum, where = np.maximum, np.minimum, np.where
square, neg, abs, exp, expm1 = np.square, np.negative, np.abs, np.exp, np.expm1
log, log1p, sqrt, sin, cos, tanh = np.log, np.log1p, np.sqrt, np.sin, np.cos, np.tanh
eq, ne, lt, le, gt, ge = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
isnan, logical_not, logical_and, logical_or = (
    np.isnan, np.logical_not, np.logical_and, np.logical_or)


def clamp(input, min=-np.inf, max=np.inf):
    return np.minimum(np.maximum(input, min), max)


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


def sum(x, dim=None, keepdim=False, dtype=None):
    return np.sum(x, dim, dtype, keepdims=keepdim)


def mean(x, dim=None, keepdim=False, dtype=None):
    return np.mean(x, dim, dtype, keepdims=keepdim)


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
