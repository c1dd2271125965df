"""The part of the oracle for values reduced where they meet, differences and blocks."""

import math

import numpy as np

__all__ = ["scatter_reduce", "index_reduce", "put", "fill", "select", "diff", "gradient", "dist",
           "renorm", "logcumsumexp", "diagflat", "block_diag", "isin", "nonzero_static",
           "unravel_index", "matrix_norm", "positive", "float_power", "logaddexp2", "isneginf",
           "isposinf", "bitwise_left_shift", "bitwise_right_shift", "matrix_exp"]

REDUCE = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
logaddexp2, float_power, isneginf, isposinf = (
    np.logaddexp2, np.float_power, np.isneginf, np.isposinf)


def positive(x):
    return x


def bitwise_left_shift(x, other):
    return np.where((other < 0) | (np.asarray(other) > 63), 0, np.left_shift(x, other))


def bitwise_right_shift(x, other):
    beyond = (other < 0) | (np.asarray(other) > 63)
    return np.right_shift(x, np.where(beyond, 63, other))


def scatter_reduce(x, dim, index, src, reduce, include_self=True):
    met = {}
    dim = dim % x.ndim
    for place in np.ndindex(index.shape):
        target = (*place[:dim], index[place], *place[dim + 1:])
        met.setdefault(target, [x[target]] * include_self).append(src[place])
    out = x.copy()
    for target, values in met.items():
        out[target] = REDUCE[reduce](values)
    return out


def index_reduce(x, dim, index, source, reduce, include_self=True):
    form = tuple(-1 if i == dim else 1 for i in range(x.ndim))
    places = np.broadcast_to(index.reshape(form), source.shape)
    return scatter_reduce(x, dim, places, source, reduce, include_self)


def put(x, index, source, accumulate=False):
    out = x.copy().reshape(-1)
    for place, value in zip(index.ravel(), source.ravel(), strict=True):
        out[place] = out[place] + value if accumulate else value
    return out.reshape(x.shape)


def fill(x, value):
    return np.full_like(x, value)


def select(x, dim, index):
    return np.take(x, index, dim)


def diff(x, n=1, dim=-1, prepend=None, append=None):
    parts = [each for each in (prepend, x, append) if each is not None]
    return np.diff(np.concatenate(parts, dim), n, dim)


def gradient(x, spacing=1, dim=None, edge_order=1):
    dims = range(x.ndim) if dim is None else np.atleast_1d(dim) % x.ndim
    steps = spacing if isinstance(spacing, list) else [spacing] * len(dims)
    return tuple(np.gradient(x, step, axis=int(each), edge_order=edge_order)
                 for each, step in zip(dims, steps, strict=True))


def dist(x, other, p=2):
    return np.linalg.norm((x - other).ravel(), p)


def renorm(x, p, dim, maxnorm):
    out = x.copy()
    for part in np.moveaxis(out, dim, 0):
        length = np.linalg.norm(part.ravel(), p)
        if length > maxnorm:
            part *= maxnorm / (length + 1e-7)
    return out


def logcumsumexp(x, dim):
    return np.logaddexp.accumulate(np.atleast_1d(x), dim).reshape(x.shape)


def diagflat(x, offset=0):
    return np.diagflat(x, offset)


def block_diag(*blocks):
    blocks = [np.atleast_2d(block) for block in blocks]
    out = np.zeros(np.sum([block.shape for block in blocks], 0))
    row = column = 0
    for block in blocks:
        height, width = block.shape
        out[row:row + height, column:column + width] = block
        row, column = row + height, column + width
    return out


def isin(elements, test_elements, assume_unique=False, invert=False):
    found = np.asarray([each in np.asarray(test_elements) for each in np.ravel(elements)], bool)
    return (found != invert).reshape(np.shape(elements))


def nonzero_static(x, size, fill_value=-1):
    rows = [list(place) for place in np.argwhere(x)[:size]]
    return np.array(rows + [[fill_value] * x.ndim] * (size - len(rows)))


def unravel_index(indices, shape):
    return np.unravel_index(indices % math.prod(shape), shape)


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None):
    return np.linalg.norm(x, ord, dim, keepdim)


def matrix_exp(x):
    """The series of a thousandth of it, to the power of 1024."""
    term = result = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for number in range(1, 30):
        term = term @ x / 1024 / number
        result = result + term
    for _ in range(10):
        result = result @ result
    return result
