"""The windows of images as columns, and columns summed into images."""

import numpy

from .. import tensor as tensors
from .._kernels import memory
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .convolution_rules import output_size
from .shape import reshape


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
                             case(floats(1, 2, 6, 6), 3, dilation=2, padding=1, stride=2),
                             case(floats(3, 4, 5), 2, stride=(1, 2))])
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images (N, C, H, W) as columns (N, C * KH * KW, windows); one image
    (C, H, W) gives a matrix."""
    checks.floating("unfold", input=tensors.as_tensor("unfold", input))
    checks.dimensions("unfold", "input", input, 3, 4)
    images = input if input.ndim == 4 else reshape(input, 1, *input.shape)
    plan = _fold_plan("unfold", images.array.shape, kernel_size, dilation, padding, stride)
    result = _unfold(plan, images)
    return result if input.ndim == 4 else reshape(result, *result.shape[1:])


@public("functional", cases=[case(floats(2, 12, 6), (3, 4), 2),
                             case(floats(1, 8, 9), (6, 6), 2, padding=1, stride=2, dilation=3),
                             case(floats(12, 6), (3, 4), 2)])
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Sum columns (N, C * KH * KW, windows) into images (N, C, H, W): the adjoint of ``unfold``;
    a matrix gives one image (C, H, W)."""
    checks.floating("fold", input=tensors.as_tensor("fold", input))
    checks.dimensions("fold", "input", input, 2, 3)
    columns = input if input.ndim == 3 else reshape(input, 1, *input.shape)
    height, width = checks.pair("fold", "output_size", output_size, 1)
    kernel = checks.pair("fold", "kernel_size", kernel_size, 1)
    n, rows, given = columns.array.shape
    if rows % (kernel[0] * kernel[1]):
        raise ValueError(f"fold: {rows} rows do not divide into kernels of {kernel}")
    shape = (n, rows // (kernel[0] * kernel[1]), height, width)
    plan = _fold_plan("fold", shape, kernel, dilation, padding, stride)
    positions = plan[2][3]
    if positions[0] * positions[1] != given:
        raise ValueError(f"fold: {positions[0]} x {positions[1]} windows fit, input has {given} "
                         "columns")
    result = _fold(plan, columns)
    return result if input.ndim == 3 else reshape(result, *result.shape[1:])
