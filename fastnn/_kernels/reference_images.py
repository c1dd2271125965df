"""The part of the oracle for images: convolution, pooling, windows, normalisation."""

import numpy as np


def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _padded(x, padding, value=0.0):
    """Images with ``padding`` rows and columns of a value all around."""
    (top, left), (h, w) = padding, x.shape[2:]
    out = np.full((*x.shape[:2], h + 2 * top, w + 2 * left), value, x.dtype)
    out[:, :, top:top + h, left:left + w] = x
    return out


def _positions(sizes, kernel, stride, padding, dilation):
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in
                 zip(sizes, kernel, stride, padding, dilation, strict=True))


def _window(padded, i, j, kernel, stride, dilation):
    """The values (N, C, KH, KW) under the kernel at output position (i, j)."""
    rows = i * stride[0] + dilation[0] * np.arange(kernel[0])
    columns = j * stride[1] + dilation[1] * np.arange(kernel[1])
    return padded[:, :, rows[:, None], columns]


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if x.ndim == 3:
        return conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    stride, dilation, kernel = _pair(stride), _pair(dilation), weight.shape[2:]
    n, c, *sizes = x.shape
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
        positions = tuple(sizes)
    else:
        padding = (0, 0) if padding == "valid" else _pair(padding)
        positions = _positions(sizes, kernel, stride, padding, dilation)
    out = np.zeros((n, len(weight), *positions))
    padded = np.pad(_padded(x, padding), ((0, 0), (0, 0), (0, dilation[0]), (0, dilation[1])))
    filters = len(weight) // groups
    for i, j in np.ndindex(positions):
        window = _window(padded, i, j, kernel, stride, dilation)
        for f in range(len(weight)):
            first = f // filters * (c // groups)
            seen = window[:, first:first + c // groups]
            out[:, f, i, j] = (seen * weight[f]).sum((1, 2, 3))
    return out if bias is None else out + bias[:, None, None]


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """Each input value adds its multiple of the kernel to the output, which then loses its rim."""
    if x.ndim == 3:
        return conv_transpose2d(x[None], weight, bias, stride, padding, output_padding, groups,
                                dilation)[0]
    stride, dilation, padding = _pair(stride), _pair(dilation), _pair(padding)
    extra, kernel = _pair(output_padding), weight.shape[2:]
    n, c, h, w = x.shape
    per_group = weight.shape[1]
    full = [(size - 1) * s + d * (k - 1) + 1 + e for size, s, d, k, e in
            zip((h, w), stride, dilation, kernel, extra, strict=True)]
    out = np.zeros((n, per_group * groups, *full))
    for channel, i, j, a, b in np.ndindex(c, h, w, *kernel):
        first = channel // (c // groups) * per_group
        row, column = i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1]
        out[:, first:first + per_group, row, column] += (
            x[:, channel, i, j, None] * weight[channel, :, a, b])
    out = out[:, :, padding[0]:full[0] - padding[0], padding[1]:full[1] - padding[1]]
    return out if bias is None else out + bias[:, None, None]


def _pool_positions(sizes, kernel, stride, padding, dilation, ceil_mode):
    """With ``ceil_mode`` a window may start inside the image (or its padding) and reach out."""
    positions = _positions(sizes, kernel, stride, padding, dilation)
    if not ceil_mode:
        return positions
    return tuple(
        count + ((count - 1) * s + d * (k - 1) + 1 < size + 2 * p and count * s < size + p)
        for count, size, k, s, p, d in
        zip(positions, sizes, kernel, stride, padding, dilation, strict=True))


def _pool_windows(x, kernel, stride, padding, dilation, ceil_mode):
    """For each output position: all positions, (i, j), and the window's values, 1 where they
    are of the image, 1 where they are of the padded image."""
    positions = _pool_positions(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    reach = [s + d * k for s, d, k in zip(stride, dilation, kernel, strict=True)]
    padded = _padded(x, padding)
    real = _padded(np.ones(x.shape, int), padding)
    wide = [_padded(each, reach)[:, :, reach[0]:, reach[1]:]
            for each in (padded, real, np.ones(padded.shape, int))]
    for place in np.ndindex(positions):
        yield positions, place, *(_window(each, *place, kernel, stride, dilation) for each in wide)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    if x.ndim == 3:
        return max_pool2d(x[None], kernel_size, stride, padding, dilation, ceil_mode)[0]
    kernel, padding, dilation = _pair(kernel_size), _pair(padding), _pair(dilation)
    stride = kernel if stride is None else _pair(stride)
    out = None
    for positions, (i, j), values, real, _ in _pool_windows(
            x, kernel, stride, padding, dilation, ceil_mode):
        out = np.zeros((*x.shape[:2], *positions)) if out is None else out
        out[:, :, i, j] = np.where(real == 1, values, -np.inf).max((2, 3))
    return out


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    if x.ndim == 3:
        return avg_pool2d(x[None], kernel_size, stride, padding, ceil_mode, count_include_pad,
                          divisor_override)[0]
    kernel, padding = _pair(kernel_size), _pair(padding)
    stride = kernel if stride is None else _pair(stride)
    out = None
    for positions, (i, j), values, real, inside in _pool_windows(
            x, kernel, stride, padding, (1, 1), ceil_mode):
        out = np.zeros((*x.shape[:2], *positions)) if out is None else out
        count = (inside if count_include_pad else real).sum((2, 3))
        out[:, :, i, j] = values.sum((2, 3)) / (divisor_override or count)
    return out


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    if x.ndim == 3:
        return unfold(x[None], kernel_size, dilation, padding, stride)[0]
    kernel, dilation, padding, stride = map(_pair, (kernel_size, dilation, padding, stride))
    padded = _padded(x, padding)
    positions = _positions(x.shape[2:], kernel, stride, padding, dilation)
    columns = [_window(padded, i, j, kernel, stride, dilation).reshape(len(x), -1)
               for i, j in np.ndindex(positions)]
    return np.stack(columns, -1)


def fold(columns, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Each column adds its values where ``unfold`` would have read them."""
    if columns.ndim == 2:
        return fold(columns[None], output_size, kernel_size, dilation, padding, stride)[0]
    sizes, kernel, dilation, padding, stride = map(
        _pair, (output_size, kernel_size, dilation, padding, stride))
    n, rows, _ = columns.shape
    image = np.zeros((n, rows // (kernel[0] * kernel[1]), *sizes))
    padded = _padded(image, padding)
    positions = _positions(sizes, kernel, stride, padding, dilation)
    for number, (i, j) in enumerate(np.ndindex(positions)):
        values = columns[:, :, number].reshape(n, -1, *kernel)
        for a, b in np.ndindex(kernel):
            padded[:, :, i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1]] += (
                values[:, :, a, b])
    return padded[:, :, padding[0]:padding[0] + sizes[0], padding[1]:padding[1] + sizes[1]]
