"""The part of the oracle for adaptive pooling and unpooling."""

import numpy as np

__all__ = [f"adaptive_{kind}_pool{rank}d" for kind in ("avg", "max") for rank in (1, 2, 3)] + [
    f"max_unpool{rank}d" for rank in (1, 2, 3)]


def _adaptive(join, rank):
    def pool(x, output_size):
        sizes = x.shape[-rank:]
        counts = output_size if isinstance(output_size, tuple) else (output_size,) * rank
        counts = [size if count is None else count
                  for size, count in zip(sizes, counts, strict=True)]
        out = np.zeros((*x.shape[:-rank], *counts))
        for place in np.ndindex(*counts):
            window = tuple(slice(i * size // count, -(-(i + 1) * size // count))
                           for i, size, count in zip(place, sizes, counts, strict=True))
            out[(..., *place)] = join(x[(..., *window)], tuple(range(-rank, 0)))
        return out

    return pool


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (
    _adaptive(np.mean, rank) for rank in (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (
    _adaptive(np.max, rank) for rank in (1, 2, 3))


def _unpool(rank):
    def unpool(x, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel, stride, padding = (
            each if isinstance(each, tuple) else (each,) * rank
            for each in (kernel_size, kernel_size if stride is None else stride, padding))
        sizes = output_size or tuple(
            (size - 1) * s - 2 * p + k for size, s, p, k in
            zip(x.shape[-rank:], stride, padding, kernel, strict=True))
        out = np.zeros((*x.shape[:-rank], *sizes))
        for place in np.ndindex(x.shape):
            out[place[:-rank]].flat[indices[place]] = x[place]
        return out

    return unpool


max_unpool1d, max_unpool2d, max_unpool3d = (_unpool(rank) for rank in (1, 2, 3))
