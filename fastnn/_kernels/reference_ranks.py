"""The part of the oracle for one and three dimensions, from that for images."""

import numpy as np

from . import reference_images as images

__all__ = ["conv1d", "conv3d", "conv_transpose1d", "conv_transpose3d"]


def _numbers(value, count):
    return tuple(value) * (count // len(value)) if isinstance(value, (tuple, list)) \
        else (value,) * count


def _of_rows(value, neutral):
    """A setting of one dimension as that of images of one row."""
    return value if isinstance(value, str) else (neutral, *_numbers(value, 1))


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return images.conv2d(x[..., None, :], weight[:, :, None], bias, _of_rows(stride, 1),
                         _of_rows(padding, 0), _of_rows(dilation, 1), groups)[..., 0, :]


def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    return images.conv_transpose2d(
        x[..., None, :], weight[:, :, None], bias, _of_rows(stride, 1), _of_rows(padding, 0),
        _of_rows(output_padding, 0), groups, _of_rows(dilation, 1))[..., 0, :]


def conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Each output plane is a sum of image convolutions, of one input plane for each tap."""
    if x.ndim == 4:
        return conv3d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    stride, dilation = _numbers(stride, 3), _numbers(dilation, 3)
    taps, depth = weight.shape[2], x.shape[2]
    if padding == "same":
        before, flat = dilation[0] * (taps - 1) // 2, "same"
        positions = depth
    else:
        before, *flat = _numbers(padding, 3)
        positions = (depth + 2 * before - dilation[0] * (taps - 1) - 1) // stride[0] + 1
    planes = []
    for position in range(positions):
        total = images.conv2d(0 * x[:, :, 0], weight[:, :, 0], bias, stride[1:], flat,
                              dilation[1:], groups)
        for tap in range(taps):
            plane = position * stride[0] + tap * dilation[0] - before
            if 0 <= plane < depth:
                total = total + images.conv2d(x[:, :, plane], weight[:, :, tap], None, stride[1:],
                                              flat, dilation[1:], groups)
        planes.append(total)
    return np.stack(planes, 2)


def conv_transpose3d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """Each input plane adds to one output plane for each tap."""
    if x.ndim == 4:
        return conv_transpose3d(x[None], weight, bias, stride, padding, output_padding, groups,
                                dilation)[0]
    stride, dilation, padding = (_numbers(each, 3) for each in (stride, dilation, padding))
    extra, taps, depth = _numbers(output_padding, 3), weight.shape[2], x.shape[2]
    count = (depth - 1) * stride[0] - 2 * padding[0] + dilation[0] * (taps - 1) + extra[0] + 1
    settings = (stride[1:], padding[1:], extra[1:], groups, dilation[1:])
    empty = images.conv_transpose2d(0 * x[:, :, 0], weight[:, :, 0], bias, *settings)
    planes = [empty.copy() for _ in range(count)]
    for source, tap in np.ndindex(depth, taps):
        place = source * stride[0] + tap * dilation[0] - padding[0]
        if 0 <= place < count:
            planes[place] += images.conv_transpose2d(x[:, :, source], weight[:, :, tap], None,
                                                     *settings)
    return np.stack(planes, 2)
