"""Resizing images, sequences and volumes: axis by axis, each new place a sum of a few old ones."""

import math

import numpy

from .. import tensor as tensors
from .._kernels import sampling
from ..operation import Operation
from ..registry import case, floats, public
from . import checks

along = Operation("sample", lambda plan, x: sampling.sampled(plan[1], x, plan[0]),
                  lambda node, gradient: along((node.plan[0], node.plan[1].reverse), gradient))


def over_axes(input, samples):
    """The samples of each of the last axes, None for an axis that stays."""
    result = input
    for position in reversed(range(len(samples))):
        if samples[position] is not None:
            result = along((input.ndim - len(samples) + position, samples[position]), result)
    return result if result is not input else input.clone()


def _nearest(size, count, step, align_corners):
    """The place in which the new one's start lies, in float32 as PyTorch rounds it."""
    new = numpy.arange(count)
    places = new if size == count else new // 2 if count == 2 * size else numpy.floor(
        new.astype(numpy.float32) * numpy.float32(step))
    return numpy.minimum(places, size - 1)[:, None], None


def _nearest_exact(size, count, step, align_corners):
    """The place in which the new one's centre lies."""
    centres = numpy.arange(count, dtype=numpy.float32) + numpy.float32(0.5)
    places = numpy.floor(centres * numpy.float32(step))
    return numpy.minimum(places, size - 1)[:, None], None


def _positions(count, step, align_corners):
    new = numpy.arange(count)
    return new * step if align_corners else (new + 0.5) * step - 0.5


def _linear(size, count, step, align_corners):
    """The two neighbours, weighted by their nearness; beyond the first or last one that alone."""
    position = numpy.clip(_positions(count, step, align_corners), 0, size - 1)
    below = numpy.minimum(numpy.floor(position), size - 1)
    above = numpy.minimum(below + 1, size - 1)
    share = position - below
    return numpy.stack([below, above], 1), numpy.stack([1 - share, share], 1)


def cubic(distance, sharpness):
    """The cubic convolution kernel (Keys, 1981); ``sharpness`` is its slope at distance 1."""
    near = ((sharpness + 2) * distance - (sharpness + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * sharpness - 4 * sharpness
    return numpy.where(distance <= 1, near, numpy.where(distance < 2, far, 0))


def _bicubic(size, count, step, align_corners):
    """Four neighbours, weighted by the cubic kernel of -0.75; the border repeats itself."""
    position = _positions(count, step, align_corners)[:, None]
    places = numpy.floor(position) + numpy.arange(-1, 3)
    return numpy.clip(places, 0, size - 1), cubic(numpy.abs(position - places), -0.75)


RULES = {"nearest": _nearest, "nearest-exact": _nearest_exact, "linear": _linear,
         "bilinear": _linear, "trilinear": _linear, "bicubic": _bicubic}
RANKS = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,),
         "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}
FILTERS = {"bilinear": (1, lambda distance: numpy.maximum(0, 1 - distance)),
           "bicubic": (2, lambda distance: cubic(distance, -0.5))}


def _smoothed(mode, size, count, step):
    """All places under the kernel, which is stretched where the result is smaller."""
    reach, weigh = FILTERS[mode]
    stretch = max(step, 1.0)
    centre = (numpy.arange(count) + 0.5) * step
    low = numpy.maximum(numpy.floor(centre - reach * stretch + 0.5), 0)
    high = numpy.minimum(numpy.floor(centre + reach * stretch + 0.5), size)
    places = low[:, None] + numpy.arange(int((high - low).max()))
    weights = weigh(numpy.abs(places - centre[:, None] + 0.5) / stretch)
    weights = numpy.where(places < high[:, None], weights, 0)
    return numpy.minimum(places, size - 1), weights / weights.sum(1, keepdims=True)


@checks.remembered
def _samples(mode, size, count, scale, align_corners, antialias):
    """The samples that make ``count`` places of ``size``; None if they are the same.

    As PyTorch has it, most modes copy an axis whose size stays, whatever the scale.
    """
    step = size / count if scale is None else 1.0 / scale
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    if size == count and (align_corners or antialias or step == 1.0
                          or mode not in ("nearest-exact", "bicubic")):
        return None
    if antialias:
        return sampling.Samples.of(size, *_smoothed(mode, size, count, step))
    return sampling.Samples.of(size, *RULES[mode](size, count, step, align_corners))


def window_edges(size, count):
    """Where the ``count`` windows of adaptive pooling start and stop."""
    places = numpy.arange(count)
    return places * size // count, -(-(places + 1) * size // count)


@checks.remembered
def window_means(size, count):
    """The samples that are means of the windows of adaptive pooling."""
    starts, stops = window_edges(size, count)
    places = starts[:, None] + numpy.arange(int((stops - starts).max()))
    inside = places < stops[:, None]
    return sampling.Samples.of(size, numpy.minimum(places, size - 1),
                               inside / (stops - starts)[:, None])


def _scales(name, scale_factor, rank):
    values = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (
        scale_factor,) * rank
    if len(values) != rank:
        raise ValueError(f"{name}: scale_factor must have {rank} numbers, got {scale_factor!r}")
    try:
        values = tuple(float(each) for each in values)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: scale_factor must be a number or numbers, got "
                        f"{scale_factor!r}") from None
    if not all(0 < each < checks.LARGEST for each in values):
        raise ValueError(f"{name}: scale_factor must be positive and finite, got {scale_factor!r}")
    return values


def _sizes(name, input, size, scale_factor, recompute):
    """(new sizes, the scale of each axis or None where the sizes give it)."""
    rank = input.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{name}: give either size or scale_factor, got {size} and "
                         f"{scale_factor}")
    if size is not None:
        if recompute:
            raise ValueError(f"{name}: recompute_scale_factor needs scale_factor, got size {size}")
        return checks.numbers(name, "size", size, 1, rank), (None,) * rank
    scales = _scales(name, scale_factor, rank)
    sizes = tuple(math.floor(old * scale)
                  for old, scale in zip(input.array.shape[2:], scales, strict=True))
    if not 1 <= min(sizes) <= max(sizes) <= checks.LARGEST:
        raise ValueError(f"{name}: scale_factor {scale_factor} makes sizes {sizes} of "
                         f"{tuple(input.shape)}")
    return sizes, (None,) * rank if recompute else scales


def _check(name, input, mode, align_corners, antialias):
    checks.floating(name, input=tensors.as_tensor(name, input))
    if mode not in RANKS:
        raise ValueError(f"{name}: mode must be one of {', '.join(RANKS)}, got {mode!r}")
    if input.ndim - 2 not in RANKS[mode]:
        raise ValueError(f"{name}: mode {mode!r} wants an input of "
                         f"{' or '.join(str(rank + 2) for rank in RANKS[mode])} dimensions, got "
                         f"shape {tuple(input.shape)}")
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError(f"{name}: align_corners has no meaning for mode {mode!r}")
    if antialias and mode not in FILTERS:
        raise ValueError(f"{name}: antialias is for modes bilinear and bicubic, got {mode!r}")
    if 0 in input.array.shape[1:]:
        raise ValueError(f"{name}: input must not be empty, got shape {tuple(input.shape)}")


@public("functional", cases=[
    case(floats(2, 3, 5), 8), case(floats(2, 2, 4, 3), scale_factor=2),
    case(floats(2, 1, 3, 2, 3), (4, 4, 2)), case(floats(2, 2, 7), scale_factor=0.6),
    case(floats(2, 2, 7), scale_factor=(1.7,), recompute_scale_factor=True),
    case(floats(2, 2, 5, 4), (3, 7), mode="nearest-exact"),
    case(floats(2, 3, 5), 8, mode="linear"), case(floats(2, 2, 4), scale_factor=1.2, mode="linear"),
    case(floats(1, 2, 4, 3), scale_factor=(1.2, 1.5), mode="bilinear"),
    case(floats(1, 2, 4, 3), scale_factor=(1.2, 1.5), mode="bicubic"),
    case(floats(1, 1, 4, 3, 2), scale_factor=(1.2, 1.4, 1.5), mode="trilinear"),
    case(floats(2, 3, 5), scale_factor=1.5, mode="linear", align_corners=True),
    case(floats(2, 2, 4, 5), (7, 3), mode="bilinear"),
    case(floats(2, 2, 4, 3), scale_factor=(2, 2.6), mode="bilinear"),
    case(floats(2, 2, 4, 3), scale_factor=2.6, mode="bilinear", recompute_scale_factor=True),
    case(floats(2, 2, 4, 3), (1, 6), mode="bilinear", align_corners=True),
    case(floats(2, 2, 9, 8), (3, 5), mode="bilinear", antialias=True),
    case(floats(2, 1, 3, 2, 3), (5, 3, 2), mode="trilinear"),
    case(floats(2, 2, 4, 5), (7, 3), mode="bicubic"),
    case(floats(2, 2, 4, 5), (7, 3), mode="bicubic", align_corners=True),
    case(floats(2, 2, 9, 8), (4, 11), mode="bicubic", antialias=True),
    case(floats(2, 2, 5, 6), (3, 4), mode="area"), case(floats(2, 2, 5), 3, mode="area")])
def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None,
                recompute_scale_factor=None, antialias=False):
    """Resize sequences (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W).

    Either ``size`` or ``scale_factor``, a number or one for each dimension, gives the new sizes.
    ``mode`` is ``"nearest"``, ``"nearest-exact"``, ``"linear"``, ``"bilinear"``, ``"trilinear"``,
    ``"bicubic"`` or ``"area"``. With ``align_corners`` the centres of the outermost elements stay
    in place, else the outer edges. ``recompute_scale_factor`` takes the scale from the rounded
    sizes. ``antialias`` widens the kernel where the result is smaller.

    >>> import fastnn
    >>> x = fastnn.tensor([[[0.0, 1.0]]])
    >>> fastnn.nn.functional.interpolate(x, scale_factor=2, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    _check("interpolate", input, mode, align_corners, antialias)
    sizes, scales = _sizes("interpolate", input, size, scale_factor, recompute_scale_factor)
    old = input.array.shape[2:]
    if mode == "area":
        return over_axes(input, [None if a == b else window_means(a, b)
                                 for a, b in zip(old, sizes, strict=True)])
    return over_axes(input, [_samples(mode, *each, bool(align_corners), bool(antialias))
                             for each in zip(old, sizes, scales, strict=True)])
