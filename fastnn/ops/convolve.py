"""The public convolutions, and their transposes, in one, two and three dimensions."""

from functools import partial

from .. import tensor as tensors
from .._kernels import memory
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .activation import bent
from .convolution import (
    channels_last,
    convolution,
    data_gradient,
    rectified_convolution,
    rectified_data_gradient,
)
from .convolution_rules import convolution_of, transposed_of
from .shape import permute_, reshape


def _with_channels_apart(depth, gathered):
    """Memory of images (N OD, H, W, C KD) as (N, OD, H, W, groups, KD, C / groups)."""
    n, c, _, h, w = depth.volume
    return gathered.reshape(n, depth.positions, h, w, depth.groups, depth.taps, c // depth.groups)


def _gather_forward(depth, x):
    n, c, d, h, w = depth.volume
    out = memory.empty((n * depth.positions, h, w, c * depth.taps), x.dtype)
    parts = _with_channels_apart(depth, out)
    planes = memory.channels_last(x).reshape(n, d, h, w, depth.groups, c // depth.groups)
    for tap in range(depth.taps):
        positions, sources = depth.planes(tap)
        parts[:, :positions.start, :, :, :, tap] = 0
        parts[:, positions.stop:, :, :, :, tap] = 0
        parts[:, positions, :, :, :, tap] = planes[:, sources]
    return out.transpose(0, 3, 1, 2)


def _spread_forward(depth, images):
    n, c, d, h, w = depth.volume
    out = memory.empty((n, d, h, w, depth.groups, c // depth.groups), images.dtype)
    out.fill(0)
    parts = _with_channels_apart(depth, memory.channels_last(images))
    for tap in range(depth.taps):
        positions, sources = depth.planes(tap)
        out[:, sources] += parts[:, positions, :, :, :, tap]
    return out.reshape(n, d, h, w, c).transpose(0, 4, 1, 2, 3)


_gather_depth = Operation("gather_depth", _gather_forward,
                          lambda node, gradient: _spread_depth(node.plan, gradient))
_spread_depth = Operation("spread_depth", _spread_forward,
                          lambda node, gradient: _gather_depth(node.plan, gradient))


def _kernels_of(whole, weight):
    """The weight as that of the images: depth taps stand before the channels of a group."""
    if whole.depth is not None:
        weight = permute_((0, 2, 1, 3, 4), weight)
    return reshape(weight, whole.plan.weight)


def _volumes(whole, images):
    """Images (N D, C, H, W) as volumes (N, C, D, H, W), and back by `_planes`."""
    n, c, d, h, w = whole.small
    return permute_((0, 2, 1, 3, 4), reshape(images, n, d, c, h, w))


def _planes(whole, volumes):
    return reshape(permute_((0, 2, 1, 3, 4), volumes), whole.plan.output)


def _convolution(whole, below, images, weight, bias):
    if below == 1:
        return convolution(whole.plan, images, weight, bias)
    return rectified_convolution((whole.plan, below), images, weight, bias)


def _data_gradient(whole, below, images, weight, bias):
    if below == 1:
        return data_gradient(whole.plan, images, weight, bias)
    return rectified_data_gradient((whole.plan, below), images, weight, bias)


def _on_images(run, whole, below, image, shape, x, weight, bias):
    """In one or two dimensions: the input in the shape ``image``, the result in ``shape``."""
    if x.ndim == 4:
        return run(whole, below, channels_last(x), weight, bias)
    images = channels_last(reshape(x, image))
    return reshape(run(whole, below, images, _kernels_of(whole, weight), bias), shape)


def _convolved(whole, below, x, weight, bias):
    if whole.depth is None:
        return _on_images(_convolution, whole, below, whole.plan.image, whole.small, x, weight,
                          bias)
    images = _gather_depth(whole.depth, x)
    return _volumes(whole, _convolution(whole, below, images, _kernels_of(whole, weight), bias))


def _transposed(whole, below, x, weight, bias):
    if whole.depth is None:
        return _on_images(_data_gradient, whole, below, whole.plan.output, whole.big, x, weight,
                          bias)
    planes = data_gradient(whole.plan, _planes(whole, x), _kernels_of(whole, weight), None)
    result = _spread_depth(whole.depth, planes)
    result = result if bias is None else result + reshape(bias, -1, 1, 1, 1)
    return bent(result, below)


def _batch(name, rank, input, weight, bias):
    """Check types and dimensions; return the input with a batch dimension."""
    checks.floating(name, input=tensors.as_tensor(name, input), weight=weight, bias=bias)
    checks.dimensions(name, "weight", weight, rank + 2)
    checks.dimensions(name, "input", input, rank + 1, rank + 2)
    return input if input.ndim == rank + 2 else reshape(input, 1, *input.shape)


def _finish(name, run, whole, below, channels, x, input, weight, bias):
    if bias is not None and bias.array.shape != (channels,):
        raise ValueError(f"{name}: bias has shape {tuple(bias.shape)}, expected ({channels},)")
    result = run(whole, below, x, weight, bias)
    return result if x.ndim == input.ndim else reshape(result, *result.shape[1:])


def _forward(name, rank, input, weight, bias, *settings, below=1.0):
    x = _batch(name, rank, input, weight, bias)
    whole = convolution_of(name, x.array.shape, weight.array.shape, *settings)
    return _finish(name, _convolved, whole, below, whole.small[1], x, input, weight, bias)


def _backward(name, rank, input, weight, bias, *settings, below=1.0):
    x = _batch(name, rank, input, weight, bias)
    whole = transposed_of(name, x.array.shape, weight.array.shape, *settings)
    return _finish(name, _transposed, whole, below, whole.big[1], x, input, weight, bias)


def bent_conv(rank):
    """The convolution in ``rank`` dimensions, `bent` as ``below`` says at once."""
    return partial(_forward, f"conv{rank}d", rank)


def bent_conv_transpose(rank):
    """The transposed convolution in ``rank`` dimensions, `bent` as ``below`` says at once."""
    return partial(_backward, f"conv_transpose{rank}d", rank)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 9), floats(4, 3, 3), floats(4)),
    case(floats(2, 4, 9), floats(6, 2, 4), floats(6), stride=2, padding=3, dilation=2, groups=2),
    case(floats(2, 3, 8), floats(3, 1, 4), groups=3, padding="same"),
    case(floats(2, 1, 20), floats(5, 1, 6), stride=3, padding="valid"),
    case(floats(3, 7), floats(2, 3, 2), floats(2), (2,), (1,))])
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlate sequences (N, C, L), or one (C, L), with weights (O, C / groups, K).

    As ``conv2d``, over one dimension; the result is (N, O, OL), its channels last in memory.

    >>> import fastnn
    >>> fastnn.nn.functional.conv1d(fastnn.ones(1, 1, 4), fastnn.ones(1, 1, 2))
    tensor([[[2., 2., 2.]]])
    """
    return _forward("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6, 5), floats(4, 3, 3, 2), floats(4)),
    case(floats(2, 1, 7, 7), floats(3, 1, 3, 3), stride=2, padding=1),
    case(floats(1, 4, 6, 6), floats(6, 2, 3, 3), floats(6), groups=2, dilation=2, padding=(2, 1)),
    case(floats(2, 3, 5, 5), floats(3, 1, 3, 3), groups=3, padding="same"),
    case(floats(2, 2, 5, 6), floats(3, 2, 4, 2), floats(3), padding="same", dilation=(1, 3)),
    case(floats(3, 5, 5), floats(2, 3, 1, 1), floats(2)),
    case(floats(2, 2, 9, 8), floats(5, 2, 4, 4), floats(5), stride=(2, 3), padding=1)])
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlate images (N, C, H, W), or one (C, H, W), with weights (O, C / groups, KH, KW).

    ``stride``, ``padding`` and ``dilation`` are numbers or (vertical, horizontal); ``padding`` may
    be ``"valid"``, which is 0, or ``"same"``: the size stays, and where that takes an odd number of
    zeros the end has one more. The result is (N, O, OH, OW) with
    ``OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1``, its channels last in memory.

    >>> import fastnn
    >>> image, weight = fastnn.ones(1, 1, 3, 3), fastnn.ones(1, 1, 2, 2)
    >>> fastnn.nn.functional.conv2d(image, weight)
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    return _forward("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 2, 4, 3, 5), floats(3, 2, 2, 3, 2), floats(3)),
    case(floats(1, 4, 5, 4, 4), floats(4, 2, 3, 2, 2), floats(4), (2, 1, 2), (2, 1, 0), (2, 1, 1),
         2),
    case(floats(2, 2, 3, 4, 3), floats(2, 1, 2, 3, 3), groups=2, padding="same"),
    case(floats(2, 3, 3, 3), floats(2, 2, 1, 2, 1), floats(2), padding=1, stride=3)])
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlate volumes (N, C, D, H, W), or one (C, D, H, W), with weights
    (O, C / groups, KD, KH, KW).

    As ``conv2d``, over three dimensions; it runs as a convolution of images whose channels are
    those of all the planes under the kernel, for which it needs KD times the input's memory.

    >>> import fastnn
    >>> volume, weight = fastnn.ones(1, 1, 3, 3, 3), fastnn.ones(4, 1, 2, 2, 2)
    >>> fastnn.nn.functional.conv3d(volume, weight).shape
    fastnn.Size([1, 4, 2, 2, 2])
    """
    return _forward("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 5), floats(3, 2, 3), floats(2)),
    case(floats(2, 4, 4), floats(4, 3, 4), floats(6), 3, 1, 2, 2, 2),
    case(floats(3, 4), floats(3, 2, 2), stride=(2,))])
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The data gradient of ``conv1d`` run forward: sequences (N, C, L) by weights
    (C, O / groups, K) to (N, O, OL), as ``conv_transpose2d``."""
    return _backward("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding,
                     dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 4, 5), floats(3, 2, 3, 3), floats(2)),
    case(floats(2, 4, 4, 4), floats(4, 3, 4, 4), floats(3), stride=2, padding=1),
    case(floats(1, 4, 3, 4), floats(4, 1, 3, 2), stride=(2, 3), output_padding=(1, 2), groups=2,
         dilation=(2, 1)),
    case(floats(3, 4, 4), floats(3, 2, 2, 2))])
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The data gradient of ``conv2d`` run forward: images (N, C, H, W) by weights
    (C, O / groups, KH, KW) to (N, O, OH, OW) with
    ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.

    >>> import fastnn
    >>> image, weight = fastnn.ones(1, 1, 1, 1), fastnn.ones(1, 1, 2, 2)
    >>> fastnn.nn.functional.conv_transpose2d(image, weight).shape
    fastnn.Size([1, 1, 2, 2])
    """
    return _backward("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding,
                     dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 2, 3, 2), floats(3, 2, 2, 3, 2), floats(2)),
    case(floats(1, 4, 2, 3, 2), floats(4, 2, 3, 2, 2), floats(4), (2, 1, 3), (1, 0, 1), (1, 0, 2),
         2, (1, 2, 1)),
    case(floats(2, 2, 2, 2), floats(2, 1, 2, 1, 2), stride=2)])
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The data gradient of ``conv3d`` run forward: volumes (N, C, D, H, W) by weights
    (C, O / groups, KD, KH, KW) to (N, O, OD, OH, OW), as ``conv_transpose2d``."""
    return _backward("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding,
                     dilation, groups)
