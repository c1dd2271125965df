"""Images sampled at the points of a grid, and the grids of affine maps."""

import itertools
import math

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import program
from ..elementwise import elementwise
from ..registry import case, floats, public
from . import checks
from .comparison import clamp, where
from .linear import matmul
from .shape import permute, reshape
from .unpooling import take_at


@elementwise
def _mirrored(x, low, span):
    """x reflected at ``low`` and at ``low + span``, as often as it takes."""
    turns = math.floor(abs(x - low) / span)
    rest = abs(x - low) - turns * span
    return low + rest if turns - 2 * math.floor(turns / 2) == 0 else low + span - rest


def _position(point, size, padding_mode, align_corners):
    """Coordinates from [-1, 1] as positions along an axis, those beyond it as the mode wants."""
    position = (point + 1) * ((size - 1) / 2) if align_corners else (point + 1) * (size / 2) - 0.5
    if padding_mode == "reflection" and align_corners:
        position = _mirrored(position, 0.0, size - 1.0) if size > 1 else position * 0
    elif padding_mode == "reflection":
        position = _mirrored(position, -0.5, float(size))
    return position if padding_mode == "zeros" else clamp(position, 0, size - 1)


def _whole(array, size):
    """Rounded positions as int64; those far outside, or NaN, stay outside."""
    return numpy.clip(numpy.nan_to_num(array, nan=-2), -2, size + 1).astype(numpy.int64)


def _nearest(position, size):
    return _whole(numpy.rint(position), size)


def _around(position, size):
    """Positions rounded down, and the places below and above."""
    floor = numpy.floor(position)
    below = _whole(floor, size)
    return floor, below, below + 1


def _neighbours(position, size, mode):
    """(places, weights) of the sources along one axis; a weight of None is 1."""
    if mode == "nearest":
        # Where the grid is on the tape it has a gradient: 0.
        share = position * 0 + 1 if position.requires_grad else None
        return [(program.apart(_nearest, position.array, size), share)]
    floor, below, above = program.apart(_around, position.array, size)
    share = position - tape.from_array(floor)
    return [(below, 1 - share), (above, share)]


def _taken(flat, sizes, places):
    """Values (N, C, P) at places along each axis, all inside, of images as (N C, H W, 1)."""
    n, channels = places[0].shape[0], flat.shape[0] // places[0].shape[0]
    index = program.apart(_joined_places, sizes, places, channels).reshape(len(flat), -1, 1)
    return reshape(take_at((index, math.prod(sizes)), flat), n, channels, -1)


def _joined_places(sizes, places, channels):
    """Places along each axis as one number, clipped to lie inside, for each channel."""
    index = 0
    for size, place in zip(sizes, places, strict=True):
        index = index * size + numpy.clip(place, 0, size - 1)
    return numpy.repeat(index[:, None], channels, 1)


def _inside(sizes, places):
    inside = True
    for size, place in zip(sizes, places, strict=True):
        inside = inside & (place >= 0) & (place < size)
    return numpy.ascontiguousarray(inside)


def _corner(flat, sizes, corner):
    """What one combination of neighbours contributes: its values times its weights."""
    weight = None
    for _, share in corner:
        if share is not None:
            weight = share if weight is None else weight * share
    places = [place for place, _ in corner]
    mask = tape.from_array(program.apart(_inside, sizes, places))
    weight = where(mask, 1.0 if weight is None else weight, 0.0).to(flat.dtype)
    return _taken(flat, sizes, places) * reshape(weight, len(places[0]), 1, -1)


def _check_grid(input, grid, mode, padding_mode):
    name = "grid_sample"
    checks.floating(name, input=tensors.as_tensor(name, input), grid=grid)
    checks.dimensions(name, "input", input, 4, 5)
    rank = input.ndim - 2
    if grid.ndim != input.ndim or grid.shape[0] != input.shape[0] or grid.shape[-1] != rank:
        raise ValueError(f"{name}: grid has shape {tuple(grid.shape)}, wanted "
                         f"({input.shape[0]}, ..., {rank}) of {input.ndim} dimensions")
    if 0 in input.array.shape[2:]:
        raise ValueError(f"{name}: input must not be empty, got shape {tuple(input.shape)}")
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f"{name}: mode must be bilinear or nearest, got {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"{name}: padding_mode must be zeros, border or reflection, got "
                         f"{padding_mode!r}")


@public("functional", cases=[
    case(floats(2, 3, 4, 5), floats(2, 2, 3, 2, low=-1.4, high=1.4), align_corners=False),
    case(floats(2, 2, 4, 3), floats(2, 3, 2, 2, low=-1.4, high=1.4), align_corners=True),
    case(floats(1, 2, 4, 3), floats(1, 3, 3, 2), "bilinear", "border", False),
    case(floats(1, 2, 4, 3), floats(1, 3, 3, 2, low=-4, high=4), padding_mode="reflection",
         align_corners=False),
    case(floats(1, 2, 4, 3), floats(1, 3, 3, 2, low=-4, high=4), padding_mode="reflection",
         align_corners=True),
    case(floats(1, 2, 2, 3, 4), floats(1, 2, 2, 3, 3, low=-1.2, high=1.2),
         align_corners=False)])
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Images (N, C, H, W) at the points (N, OH, OW, 2) of a grid, each (x, y), as (N, C, OH, OW);
    or volumes (N, C, D, H, W) at points (N, OD, OH, OW, 3), each (x, y, z).

    -1 and 1 are the outer edges of the image, or with ``align_corners`` the centres of its
    outermost pixels. ``mode`` is ``"bilinear"``, also of volumes, or ``"nearest"``. What lies
    outside is 0, or by ``padding_mode`` that of the ``"border"`` or mirrored (``"reflection"``).

    >>> import fastnn
    >>> image = fastnn.arange(4.0).reshape(1, 1, 2, 2)
    >>> fastnn.nn.functional.grid_sample(image, fastnn.zeros(1, 1, 1, 2))
    tensor([[[[1.5000]]]])
    """
    _check_grid(input, grid, mode, padding_mode)
    n, channels, *sizes = input.array.shape
    if not n * channels:
        return reshape(input, input.numel())[:0].reshape((n, channels, *grid.shape[1:-1]))
    points = reshape(grid, n, math.prod(grid.shape[1:-1]), len(sizes))
    axes = [_neighbours(_position(points[..., len(sizes) - 1 - axis], size, padding_mode,
                                  bool(align_corners)), size, mode)
            for axis, size in enumerate(sizes)]
    flat = reshape(input, n * channels, math.prod(sizes), 1)
    result = None
    for corner in itertools.product(*axes):
        part = _corner(flat, sizes, corner)
        result = part if result is None else result + part
    return reshape(result, n, channels, *grid.shape[1:-1])


def _coordinates(count, align_corners, dtype):
    """Evenly spaced in [-1, 1]: to both ends with ``align_corners``, else at the centres."""
    if align_corners:
        return numpy.linspace(-1, 1, count, dtype=dtype) if count > 1 else numpy.zeros(1, dtype)
    return ((2 * numpy.arange(count) + 1) / count - 1).astype(dtype)


@public("functional", cases=[
    case(floats(2, 2, 3), (2, 1, 3, 4), align_corners=False),
    case(floats(2, 2, 3), (2, 1, 2, 4), align_corners=True),
    case(floats(1, 3, 4), (1, 2, 2, 3, 2), False)])
def affine_grid(theta, size, align_corners=None):
    """The grid for ``grid_sample`` that maps each point of a result of ``size`` (N, C, H, W), or
    (N, C, D, H, W), by the matrices ``theta`` (N, 2, 3), or (N, 3, 4).

    >>> import fastnn
    >>> same = fastnn.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> fastnn.nn.functional.affine_grid(same, (1, 1, 1, 2))
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    checks.floating("affine_grid", theta=tensors.as_tensor("affine_grid", theta))
    n, *sizes = checks.shape_argument("affine_grid", (tuple(size),))
    rank = len(sizes) - 1
    if rank not in (2, 3) or min(n, *sizes) < 1:
        raise ValueError(f"affine_grid: size must be 4 or 5 positive numbers, got {tuple(size)}")
    if tuple(theta.shape) != (n, rank, rank + 1):
        raise ValueError(f"affine_grid: theta has shape {tuple(theta.shape)}, wanted "
                         f"{(n, rank, rank + 1)}")
    lines = [_coordinates(count, align_corners, theta.dtype) for count in sizes[1:]]
    places = numpy.meshgrid(*lines, indexing="ij")[::-1]
    base = numpy.stack([*(each.ravel() for each in places), numpy.ones(places[0].size)], 1)
    base = tape.from_array(program.constant(base.astype(theta.dtype)))
    points = matmul(base, permute(theta, 0, 2, 1))
    return reshape(points, n, *sizes[1:], rank)
