"""Pooling, and the windows of images as columns."""

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, pool
from ..op import Operation
from ..registry import case, floats, public
from . import checks
from .convolution_rules import output_size
from .shape import reshape


def _logical(image):
    return image.transpose(memory.FROM_CHANNELS_LAST)


def _image(shape, dtype):
    n, c, h, w = shape
    return memory.empty((n, h, w, c), dtype)


def _max_forward(plan, x):
    shape, out_shape, *window = plan
    out = _image(out_shape, x.dtype)
    places = _image(out_shape, pool.index_dtype(window[0]))
    pool.max_forward(memory.channels_last(x), out, places, *window)
    return _logical(out), places


def _max_rule(node, gradient):
    return _max_backward(node.plan, gradient)


def _max_backward_forward(plan, gradient):
    (shape, _, *window), places = plan
    out = _image(shape, gradient.dtype)
    pool.max_backward(memory.channels_last(gradient), places, out, *window)
    return _logical(out)


def _max_gather_forward(plan, x):
    (_, out_shape, *window), places = plan
    out = _image(out_shape, x.dtype)
    pool.max_gather(memory.channels_last(x), places, out, *window)
    return _logical(out)


_max_pool = Operation("max_pool2d", _max_forward, _max_rule)
_max_backward = Operation("max_pool2d_backward", _max_backward_forward,
                          lambda node, gradient: _max_gather(node.plan, gradient))
_max_gather = Operation("max_pool2d_gather", _max_gather_forward,
                        lambda node, gradient: _max_backward(node.plan, gradient))


def _average_forward(plan, x):
    _, out_shape, *window = plan
    out = _image(out_shape, x.dtype)
    pool.average_forward(memory.channels_last(x), out, *window)
    return _logical(out)


def _average_backward_forward(plan, gradient):
    shape, _, *window = plan
    out = _image(shape, gradient.dtype)
    pool.average_backward(memory.channels_last(gradient), out, *window)
    return _logical(out)


_average_pool = Operation("avg_pool2d", _average_forward,
                          lambda node, gradient: _average_backward(node.plan, gradient))
_average_backward = Operation("avg_pool2d_backward", _average_backward_forward,
                              lambda node, gradient: _average_pool(node.plan, gradient))


def _pooled_size(name, size, kernel, stride, padding, dilation, ceil_mode):
    """Windows along an axis; with ``ceil_mode`` a last one may reach beyond the padded end."""
    positions = output_size(name, size, kernel, stride, padding, dilation)
    if ceil_mode:
        reach = size + 2 * padding - dilation * (kernel - 1) - 1
        rounded_up = -(-reach // stride) + 1
        if (rounded_up - 1) * stride < size + padding:
            return rounded_up
    return positions


def _windows(name, input, kernel_size, stride, padding, dilation, ceil_mode):
    """Check a pooling call: (images with a batch dimension, output shape, window parameters)."""
    checks.floating(name, input=tensors.as_tensor(name, input))
    checks.dimensions(name, "input", input, 3, 4)
    images = input if input.ndim == 4 else reshape(input, 1, *input.shape)
    out_shape, window = _window_plan(name, images.array.shape, kernel_size, stride, padding,
                                     dilation, bool(ceil_mode))
    return images, out_shape, window


@checks.remembered
def _window_plan(name, shape, kernel_size, stride, padding, dilation, ceil_mode):
    """Shape rule of pooling: (output shape, (kernel, stride, padding, dilation))."""
    kernel = checks.pair(name, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None or stride == () else checks.pair(name, "stride", stride, 1)
    padding = checks.pair(name, "padding", padding, 0)
    dilation = checks.pair(name, "dilation", dilation, 1)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"{name}: padding {padding} is more than half of kernel_size {kernel}")
    n, c, *sizes = shape
    pooled = [_pooled_size(name, *each, ceil_mode) for each in
              zip(sizes, kernel, stride, padding, dilation, strict=True)]
    return (n, c, *pooled), (kernel, stride, padding, dilation)


def _unbatched(result, input):
    return result if input.ndim == 4 else reshape(result, *result.shape[1:])


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6, 6), 2), case(floats(2, 2, 7, 6), 3, 2, 1),
    case(floats(1, 2, 7, 7), (3, 2), (2, 1), dilation=2), case(floats(2, 5, 5), 2, ceil_mode=True)])
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """The largest value of each window of images (N, C, H, W) or (C, H, W); NaN wins.

    ``stride`` is ``kernel_size`` by default. With ``return_indices`` also the position of each
    maximum, as an int64 index into the flat (H, W) plane. The gradient goes to the first maximum.

    >>> import fastnn
    >>> fastnn.nn.functional.max_pool2d(fastnn.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    images, out_shape, window = _windows("max_pool2d", input, kernel_size, stride, padding,
                                         dilation, ceil_mode)
    plan = (images.array.shape, out_shape, *window)
    result = _unbatched(_max_pool(plan, images), input)
    if not return_indices:
        return result
    _, places = _max_forward(plan, images.array)
    return result, _unbatched(tape.from_array(_flat_indices(plan, places)), input)


def _flat_indices(plan, places):
    """Positions in the (H, W) plane from places in the windows, as (N, C, OH, OW)."""
    (_, _, _, width), _, (_, kw), stride, padding, dilation = plan
    row, column = numpy.divmod(places.astype(numpy.int64), kw)
    tops = numpy.arange(places.shape[1])[:, None, None] * stride[0] - padding[0]
    lefts = numpy.arange(places.shape[2])[:, None] * stride[1] - padding[1]
    return _logical((tops + row * dilation[0]) * width + lefts + column * dilation[1])


@public("functional", cases=[
    case(floats(2, 3, 6, 6), 2), case(floats(2, 2, 7, 6), 3, 2, 1),
    case(floats(2, 2, 7, 6), 3, 2, 1, count_include_pad=False),
    case(floats(2, 5, 5), 2, ceil_mode=True), case(floats(1, 2, 4, 4), 2, divisor_override=3)])
def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    Padding counts as zeros, unless ``count_include_pad`` is False; ``divisor_override`` replaces
    the count of values.
    """
    if divisor_override is not None and divisor_override < 1:
        raise ValueError(f"avg_pool2d: divisor_override must be positive, got {divisor_override}")
    images, out_shape, window = _windows("avg_pool2d", input, kernel_size, stride, padding, 1,
                                         ceil_mode)
    plan = (images.array.shape, out_shape, *window[:3], bool(count_include_pad),
            divisor_override or 0)
    return _unbatched(_average_pool(plan, images), input)


def _slices(plan):
    """For each place in the kernel: the place, and its slices of the padded image."""
    kernel, stride, dilation, positions = plan
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            top, left = row * dilation[0], column * dilation[1]
            yield row, column, slice(top, top + positions[0] * stride[0], stride[0]), \
                slice(left, left + positions[1] * stride[1], stride[1])


def _unfold_forward(plan, x):
    shape, padding, window = plan
    n, c, h, w = shape
    padded = numpy.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    columns = memory.empty((n, c, *window[0], *window[3]), x.dtype)
    for row, column, rows, lines in _slices(window):
        columns[:, :, row, column] = padded[:, :, rows, lines]
    return columns.reshape(n, c * window[0][0] * window[0][1], window[3][0] * window[3][1])


def _fold_forward(plan, columns):
    shape, padding, window = plan
    n, c, h, w = shape
    padded = numpy.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), columns.dtype)
    parts = columns.reshape(n, c, *window[0], *window[3])
    for row, column, rows, lines in _slices(window):
        padded[:, :, rows, lines] += parts[:, :, row, column]
    return padded[:, :, padding[0]:padding[0] + h, padding[1]:padding[1] + w]


_unfold = Operation("unfold", _unfold_forward, lambda node, gradient: _fold(node.plan, gradient))
_fold = Operation("fold", _fold_forward, lambda node, gradient: _unfold(node.plan, gradient))


def _fold_plan(name, shape, kernel_size, dilation, padding, stride):
    kernel = checks.pair(name, "kernel_size", kernel_size, 1)
    dilation = checks.pair(name, "dilation", dilation, 1)
    padding = checks.pair(name, "padding", padding, 0)
    stride = checks.pair(name, "stride", stride, 1)
    positions = tuple(output_size(name, *each) for each in
                      zip(shape[2:], kernel, stride, padding, dilation, strict=True))
    return shape, padding, (kernel, stride, dilation, positions)


@public("functional", cases=[case(floats(2, 3, 4, 5), (2, 3)),
                             case(floats(1, 2, 6, 6), 3, dilation=2, padding=1, stride=2)])
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images (N, C, H, W) as columns (N, C * KH * KW, windows)."""
    checks.floating("unfold", input=tensors.as_tensor("unfold", input))
    checks.dimensions("unfold", "input", input, 4)
    plan = _fold_plan("unfold", input.array.shape, kernel_size, dilation, padding, stride)
    return _unfold(plan, input)


@public("functional", cases=[case(floats(2, 12, 6), (3, 4), 2),
                             case(floats(1, 8, 9), (6, 6), 2, padding=1, stride=2, dilation=3)])
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Sum columns (N, C * KH * KW, windows) into images (N, C, H, W): the adjoint of ``unfold``."""
    checks.floating("fold", input=tensors.as_tensor("fold", input))
    checks.dimensions("fold", "input", input, 3)
    height, width = checks.pair("fold", "output_size", output_size, 1)
    kernel = checks.pair("fold", "kernel_size", kernel_size, 1)
    n, rows, columns = input.array.shape
    if rows % (kernel[0] * kernel[1]):
        raise ValueError(f"fold: {rows} rows do not divide into kernels of {kernel}")
    shape = (n, rows // (kernel[0] * kernel[1]), height, width)
    plan = _fold_plan("fold", shape, kernel, dilation, padding, stride)
    positions = plan[2][3]
    if positions[0] * positions[1] != columns:
        raise ValueError(f"fold: {positions[0]} x {positions[1]} windows fit, input has {columns} "
                         "columns")
    return _fold(plan, input)
