"""The part of the oracle for one and three dimensions, from that for images."""

import numpy as np

from . import reference_images as images

__all__ = ["conv1d", "conv3d", "conv_transpose1d", "conv_transpose3d", "max_pool1d", "max_pool3d",
           "avg_pool1d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]


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


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return images.max_pool2d(
        x[..., None, :], _of_rows(kernel_size, 1), stride and _of_rows(stride, 1),
        _of_rows(padding, 0), _of_rows(dilation, 1), ceil_mode)[..., 0, :]


def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    return images.avg_pool2d(
        x[..., None, :], _of_rows(kernel_size, 1), stride and _of_rows(stride, 1),
        _of_rows(padding, 0), ceil_mode, count_include_pad)[..., 0, :]


def _in_two_passes(pool, x, settings):
    """Pool the planes of (C, D, H, W), then all pixels' columns through them."""
    flat = np.stack([pool(x[..., d, :, :], *(each[1:] for each in settings))
                     for d in range(x.shape[-3])], -3)
    columns = flat.reshape(*flat.shape[:-2], -1)
    through = pool(columns, *((each[0], neutral) for each, neutral in
                              zip(settings, (1, 1, 0, 1), strict=False)))
    return through.reshape(*through.shape[:-1], *flat.shape[-2:])


def max_pool3d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    settings = [_numbers(each, 3) for each in
                (kernel_size, kernel_size if stride is None else stride, padding, dilation)]
    return _in_two_passes(lambda part, *window: images.max_pool2d(part, *window, ceil_mode), x,
                          settings)


def avg_pool3d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    settings = [_numbers(each, 3) for each in
                (kernel_size, kernel_size if stride is None else stride, padding)]
    means = _in_two_passes(
        lambda part, *window: images.avg_pool2d(part, *window, ceil_mode, count_include_pad), x,
        settings)
    return means if divisor_override is None else means * np.prod(settings[0]) / divisor_override


def _power_mean(pool, rank, x, norm_type, kernel_size, stride, ceil_mode):
    means = pool(x ** norm_type, kernel_size, stride, 0, ceil_mode)
    return (means * np.prod(_numbers(kernel_size, rank))) ** (1 / norm_type)


def lp_pool1d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    return _power_mean(avg_pool1d, 1, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    return _power_mean(images.avg_pool2d, 2, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    return _power_mean(avg_pool3d, 3, x, norm_type, kernel_size, stride, ceil_mode)
