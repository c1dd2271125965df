"""The part of the oracle for grids."""

import itertools
import math

import numpy as np

__all__ = ["grid_sample", "affine_grid"]


def _place(point, size, padding_mode, align_corners):
    place = (point + 1) / 2 * (size - 1) if align_corners else (point + 1) / 2 * size - 0.5
    if padding_mode == "reflection":
        low, high = (0, size - 1) if align_corners else (-0.5, size - 0.5)
        while not low <= place <= high:
            place = 2 * low - place if place < low else 2 * high - place
    return place if padding_mode == "zeros" else min(max(place, 0), size - 1)


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    sizes = x.shape[2:]
    out = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for n, *position in np.ndindex(*grid.shape[:-1]):
        places = [_place(point, size, padding_mode, align_corners)
                  for point, size in zip(grid[(n, *position)][::-1], sizes, strict=True)]
        for corner in itertools.product(*((math.floor(each), math.floor(each) + 1)
                                          for each in places)):
            if all(0 <= c < size for c, size in zip(corner, sizes, strict=True)):
                weight = np.prod([1 - abs(c - each)
                                  for c, each in zip(corner, places, strict=True)])
                out[(n, slice(None), *position)] += weight * x[(n, slice(None), *corner)]
    return out


def affine_grid(theta, size, align_corners=None):
    out = np.zeros((size[0], *size[2:], len(size) - 2))
    for n, *place in np.ndindex(size[0], *size[2:]):
        point = []
        for i, count in zip(place, size[2:], strict=True):
            ends = (2 * i / (count - 1) - 1 if count > 1 else 0.0)
            point.append(ends if align_corners else (2 * i + 1) / count - 1)
        out[(n, *place)] = theta[n] @ [*point[::-1], 1]
    return out
