"""The oracle of shapes, selection and order, in plain NumPy; see `reference`."""

import itertools

import numpy as np


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
    dims = range(x.ndim) if dim is None else np.atleast_1d(dim) % x.ndim
    return x.reshape([size for i, size in enumerate(x.shape) if size != 1 or i not in dims])


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


def index_put(x, indices, values, accumulate=False):
    out = x.copy()
    if accumulate:
        np.add.at(out, tuple(indices), values)
    else:
        out[tuple(indices)] = values
    return out


swapaxes = swapdims = transpose
concat = concatenate = cat
movedim = moveaxis = np.moveaxis
broadcast_to, ravel = np.broadcast_to, np.ravel
atleast_1d, atleast_2d, atleast_3d = np.atleast_1d, np.atleast_2d, np.atleast_3d
hstack, vstack, dstack, column_stack = np.hstack, np.vstack, np.dstack, np.column_stack
row_stack = np.vstack
hsplit, vsplit, dsplit = np.hsplit, np.vsplit, np.dsplit
flip, fliplr, flipud, roll, rot90 = np.flip, np.fliplr, np.flipud, np.roll, np.rot90
tril, triu, diag, trace, diagonal = np.tril, np.triu, np.diag, np.trace, np.diagonal
argwhere = np.argwhere


def broadcast_tensors(*xs):
    return tuple(np.broadcast_arrays(*xs))


def unflatten(x, dim, sizes):
    dim %= x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1:])


def split_with_sizes(x, split_sizes, dim=0):
    return split(x, split_sizes, dim)


def tensor_split(x, parts, dim=0):
    return tuple(np.array_split(x, parts, dim))


def unbind(x, dim=0):
    return tuple(np.moveaxis(x, dim, 0))


def repeat(x, *repeats):
    return np.tile(x, _sizes(repeats))


tile = repeat


def repeat_interleave(x, repeats, dim=None):
    return np.repeat(x, repeats, dim)


def meshgrid(*xs, indexing):
    return tuple(np.meshgrid(*xs, indexing=indexing))


def cartesian_prod(*xs):
    return np.array(list(itertools.product(*xs))) if len(xs) > 1 else xs[0]


def combinations(x, r=2, with_replacement=False):
    choose = itertools.combinations_with_replacement if with_replacement \
        else itertools.combinations
    return np.array(list(choose(x, r)))


def scatter(x, dim, index, src, reduce=None):
    out = x.copy()
    for place in np.ndindex(index.shape):
        target = (*place[:dim], index[place], *place[dim + 1:])
        value = src if np.isscalar(src) else src[place]
        out[target] = out[target] + value if reduce == "add" else value
    return out


def scatter_add(x, dim, index, src):
    return scatter(x, dim, index, src, "add")


def take_along_dim(x, indices, dim=None):
    return np.take_along_axis(x.ravel() if dim is None else x,
                              indices.ravel() if dim is None else indices, dim or 0)


take = np.take


def index_add(x, dim, index, source, alpha=1):
    out = np.moveaxis(x.copy(), dim, 0)
    for place, row in zip(index, np.moveaxis(source, dim, 0), strict=True):
        out[place] += alpha * row
    return np.moveaxis(out, 0, dim)


def index_copy(x, dim, index, source):
    out = np.moveaxis(x.copy(), dim, 0)
    out[index] = np.moveaxis(source, dim, 0)
    return np.moveaxis(out, 0, dim)


def index_fill(x, dim, index, value):
    out = np.moveaxis(x.copy(), dim, 0)
    out[index] = value
    return np.moveaxis(out, 0, dim)


def masked_fill(x, mask, value):
    return np.where(mask, value, x)


def masked_select(x, mask):
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def masked_scatter(x, mask, source):
    out = x.copy()
    out[mask] = source.ravel()[:mask.sum()]
    return out


def nonzero(x, as_tuple=False):
    return np.nonzero(x) if as_tuple else np.argwhere(x)


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    size = x.shape[-1] + abs(offset)
    out = np.zeros((*x.shape[:-1], size, size))
    for i in range(x.shape[-1]):
        out[..., i + max(0, -offset), i + max(0, offset)] = x[..., i]
    return np.moveaxis(out, (-2, -1), (dim1, dim2))


def argsort(x, dim=-1, descending=False, stable=False):
    return np.argsort(-x if descending else x, dim, kind="stable")


def one_hot(classes, num_classes):
    return np.eye(num_classes, dtype=np.int64)[classes]
