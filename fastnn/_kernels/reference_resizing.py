"""The part of the oracle for padding and resizing."""

import math

import numpy as np

__all__ = ["pad", "interpolate", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"]

NUMPY_MODES = {"reflect": "reflect", "replicate": "edge"}


def pad(x, pad, mode="constant", value=None):
    pairs = [tuple(pad[i:i + 2]) for i in range(0, len(pad), 2)][::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode == "circular":
        x = x[tuple(slice(max(-low, 0), size - max(-high, 0))
                    for (low, high), size in zip(pairs, x.shape, strict=True))]
        return np.pad(x, [(max(low, 0), max(high, 0)) for low, high in pairs], mode="wrap")
    if mode == "constant":
        options = dict(mode=mode, constant_values=value or 0)
    else:
        options = dict(mode=NUMPY_MODES[mode])
    grown = np.pad(x, [(max(low, 0), max(high, 0)) for low, high in pairs], **options)
    return grown[tuple(slice(max(-low, 0), size - max(-high, 0))
                       for (low, high), size in zip(pairs, grown.shape, strict=True))]


def _triangle(t):
    return max(0.0, 1 - abs(t))


def _cubic(t, a):
    t = abs(t)
    if t <= 1:
        return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1
    return a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a if t < 2 else 0.0


def _row(mode, size, count, step, align, antialias, i):
    """The weights of all old places for the new place i."""
    weights = np.zeros(size)
    if mode == "area":
        weights[i * size // count:-(-(i + 1) * size // count)] = 1
        return weights / weights.sum()
    if mode.startswith("nearest"):
        shift = 0.5 if mode == "nearest-exact" else 0.0
        weights[min(math.floor((i + shift) * step), size - 1)] = 1
        return weights
    centre = i * step if align else (i + 0.5) * step - 0.5
    if antialias:
        wide = max(step, 1.0)
        kernel = _triangle if mode == "bilinear" else lambda t: _cubic(t, -0.5)
        reach = (1 if mode == "bilinear" else 2) * wide
        for j in range(max(0, int(centre - reach + 1)), min(size, int(centre + reach + 1))):
            weights[j] = kernel((j - centre) / wide)
        return weights / weights.sum()
    if mode != "bicubic":
        centre = min(max(centre, 0), size - 1)
    kernel = (lambda t: _cubic(t, -0.75)) if mode == "bicubic" else _triangle
    for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
        weights[min(max(j, 0), size - 1)] += kernel(j - centre)
    return weights


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None,
                recompute_scale_factor=None, antialias=False):
    for axis in range(2, x.ndim):
        old, scale = x.shape[axis], None
        if size is not None:
            new = size if isinstance(size, int) else size[axis - 2]
        else:
            scale = scale_factor[axis - 2] if isinstance(scale_factor, tuple) else scale_factor
            new = math.floor(old * scale)
        step = old / new if scale is None or recompute_scale_factor else 1 / scale
        if align_corners:
            step = (old - 1) / (new - 1) if new > 1 else 0.0
        if old == new and (antialias or mode not in ("nearest-exact", "bicubic")):
            step = 1.0
        matrix = np.stack([_row(mode, old, new, step, align_corners, antialias, i)
                           for i in range(new)])
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


def pixel_shuffle(x, upscale_factor):
    r = upscale_factor
    c, h, w = x.shape[-3:]
    out = np.empty((*x.shape[:-3], c // r ** 2, h * r, w * r))
    for channel, i, j in np.ndindex(out.shape[-3:]):
        out[..., channel, i, j] = x[..., channel * r * r + i % r * r + j % r, i // r, j // r]
    return out


def pixel_unshuffle(x, downscale_factor):
    r = downscale_factor
    c, h, w = x.shape[-3:]
    out = np.empty((*x.shape[:-3], c * r ** 2, h // r, w // r))
    for channel, i, j in np.ndindex(c, h, w):
        out[..., channel * r * r + i % r * r + j % r, i // r, j // r] = x[..., channel, i, j]
    return out


def channel_shuffle(x, groups):
    per_group = x.shape[1] // groups
    return x[:, [place % groups * per_group + place // groups for place in range(x.shape[1])]]
