"""The part of the oracle for reductions and running sums."""

import numpy as np


def sum(x, dim=None, keepdim=False, dtype=None):
    return np.sum(x, dim, dtype, keepdims=keepdim)


def mean(x, dim=None, keepdim=False, dtype=None):
    return np.mean(x, dim, dtype, keepdims=keepdim)


nansum, nanmean = sum, mean


def count_nonzero(x, dim=None):
    return np.asarray(np.count_nonzero(x, dim))


def var(x, dim=None, unbiased=True, keepdim=False, correction=1):
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return np.var(x, dim, ddof=correction if unbiased else 0, keepdims=keepdim)


def std(*arguments, **keywords):
    return np.sqrt(var(*arguments, **keywords))


def var_mean(x, dim=None, unbiased=True, keepdim=False, correction=1):
    axis = None if isinstance(dim, bool) else dim
    return (var(x, dim, unbiased, keepdim, correction), np.mean(x, axis, keepdims=keepdim))


def std_mean(*arguments, **keywords):
    variance, middle = var_mean(*arguments, **keywords)
    return np.sqrt(variance), middle


def max(x, dim=None):
    return np.max(x) if dim is None else np.maximum(x, dim)


def min(x, dim=None):
    return np.min(x) if dim is None else np.minimum(x, dim)


def amax(x, dim=None, keepdim=False):
    return np.max(x, dim, keepdims=keepdim)


def amin(x, dim=None, keepdim=False):
    return np.min(x, dim, keepdims=keepdim)


def argmax(x, dim=None, keepdim=False):
    return np.argmax(x, dim, keepdims=keepdim)


def argmin(x, dim=None, keepdim=False):
    return np.argmin(x, dim, keepdims=keepdim)


def median(x):
    return np.sort(x)[(x.size - 1) // 2]


def prod(x, dim=None, keepdim=False, dtype=None):
    return np.prod(x, dim, dtype, keepdims=keepdim)


def cumsum(x, dim, dtype=None):
    return np.cumsum(x, dim, dtype) if x.ndim else x.copy()


def cumprod(x, dim, dtype=None):
    return np.cumprod(x, dim, dtype) if x.ndim else x.copy()


def logsumexp(x, dim, keepdim=False):
    return np.log(np.sum(np.exp(x), dim if x.ndim else None, keepdims=keepdim))


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None):
    sizes = np.abs(x)
    if np.isinf(ord):
        return (np.max if ord > 0 else np.min)(sizes, dim, keepdims=keepdim)
    return np.sum(sizes ** ord, dim, keepdims=keepdim) ** (1 / ord)


def norm(x, p=2, dim=None, keepdim=False, dtype=None):
    return vector_norm(x, p, dim, keepdim)
