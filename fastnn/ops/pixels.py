"""Exchanges between channels and pixels."""

from .. import tensor as tensors
from ..registry import case, floats, public
from . import checks
from .shape import copied, permute_, reshape


def _factor(name, argument, value):
    factor, = checks.numbers(name, argument, checks.whole(name, argument, value), 1, 1)
    return factor


def _exchanged(input, apart, order, result):
    """The elements in shape ``apart``, with its axes in another order, as a new ``result``."""
    turned = permute_(order, reshape(input, *apart))
    return reshape(copied("contiguous_format", turned), *result)


def _image_dimensions(name, input):
    tensors.as_tensor(name, input)
    if input.ndim < 3:
        raise ValueError(f"{name}: input must have at least 3 dimensions, got shape "
                         f"{tuple(input.shape)}")
    return input.array.shape[:-3], input.array.shape[-3:], tuple(range(input.ndim - 3))


@public("functional", "fastnn", cases=[
    case(floats(2, 8, 3, 2), 2), case(floats(9, 2, 2), 3), case(floats(2, 1, 4, 2, 1), 2)])
def pixel_shuffle(input, upscale_factor):
    """Images (..., C r r, H, W) as (..., C, H r, W r): r x r channels become a square of pixels.

    Shi et al., Real-time single image and video super-resolution, 2016.

    >>> import fastnn
    >>> fastnn.nn.functional.pixel_shuffle(fastnn.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    factor = _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    lead, (c, h, w), axes = _image_dimensions("pixel_shuffle", input)
    if c % factor ** 2:
        raise ValueError(f"pixel_shuffle: input has {c} channels, which {factor} squared does not "
                         "divide")
    n, channels = len(lead), c // factor ** 2
    return _exchanged(input, (*lead, channels, factor, factor, h, w),
                      (*axes, n, n + 3, n + 1, n + 4, n + 2),
                      (*lead, channels, h * factor, w * factor))


@public("functional", "fastnn", cases=[
    case(floats(2, 2, 6, 4), 2), case(floats(1, 3, 6), 3), case(floats(2, 1, 1, 2, 4), 2)])
def pixel_unshuffle(input, downscale_factor):
    """Images (..., C, H r, W r) as (..., C r r, H, W): the reverse of ``pixel_shuffle``."""
    factor = _factor("pixel_unshuffle", "downscale_factor", downscale_factor)
    lead, (c, h, w), axes = _image_dimensions("pixel_unshuffle", input)
    if h % factor or w % factor:
        raise ValueError(f"pixel_unshuffle: {factor} does not divide images of {h} x {w}")
    n, rows, columns = len(lead), h // factor, w // factor
    return _exchanged(input, (*lead, c, rows, factor, columns, factor),
                      (*axes, n, n + 2, n + 4, n + 1, n + 3),
                      (*lead, c * factor ** 2, rows, columns))


@public("functional", "fastnn", cases=[case(floats(2, 6, 3), 3), case(floats(2, 4, 3, 2), 2)])
def channel_shuffle(input, groups):
    """The channels (N, C, ...) in turn from each of ``groups`` equal parts.

    Zhang et al., ShuffleNet, 2018.
    """
    groups = _factor("channel_shuffle", "groups", groups)
    _image_dimensions("channel_shuffle", input)
    n, c, *sizes = input.array.shape
    if c % groups:
        raise ValueError(f"channel_shuffle: input has {c} channels, which {groups} does not divide")
    return _exchanged(input, (n, groups, c // groups, *sizes),
                      (0, 2, 1, *range(3, input.ndim + 1)), input.array.shape)
