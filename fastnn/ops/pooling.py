"""Pooling over windows, in one, two and three dimensions, on the kernels for images.

One dimension is an image of one row. Three are pooled in two passes, over planes and then over
depth: the largest of maxima, the mean of means.
"""

import math

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import memory, pool, program
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .convolution_rules import output_size
from .shape import permute_, reshape


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


def _known(plan, x):
    """The result that the plan holds, which it gives away unless replays need it."""
    return plan[2].pop() if program.noting() is None else plan[2][0]


# The same of an image that has been pooled already: the plan holds the places and the result.
_max_known = Operation("max_pool2d", _known,
                       lambda node, gradient: _max_backward(node.plan[:2], gradient))


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
    if ceil_mode:
        reach = size + 2 * padding - dilation * (kernel - 1) - 1
        rounded_up = -(-reach // stride) + 1
        if rounded_up > 0 and (rounded_up - 1) * stride < size + padding:
            return rounded_up
    return output_size(name, size, kernel, stride, padding, dilation)


@checks.remembered
def _window_plan(name, shape, kernel_size, stride, padding, dilation, ceil_mode):
    """Shape rule of pooling: (output sizes, (kernel, stride, padding, dilation))."""
    rank = len(shape) - 2
    kernel = checks.numbers(name, "kernel_size", kernel_size, 1, rank)
    stride = kernel if stride is None or stride == () else \
        checks.numbers(name, "stride", stride, 1, rank)
    padding = checks.numbers(name, "padding", padding, 0, rank)
    dilation = checks.numbers(name, "dilation", dilation, 1, rank)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"{name}: padding {padding} is more than half of kernel_size {kernel}")
    pooled = tuple(_pooled_size(name, *each, ceil_mode) for each in
                   zip(shape[2:], kernel, stride, padding, dilation, strict=True))
    return pooled, (kernel, stride, padding, dilation)


NEUTRAL = (1, 1, 0, 1)  # kernel, stride, padding and dilation of an axis that is not pooled


def batch(name, rank, input):
    """Check the input's type and dimensions; return it with a batch dimension."""
    checks.floating(name, input=tensors.as_tensor(name, input))
    checks.dimensions(name, "input", input, rank + 1, rank + 2)
    return input if input.ndim == rank + 2 else reshape(input, 1, *input.shape)


def unbatched(result, input):
    """The result for an input that came without a batch dimension, or with one."""
    return result if input.ndim == result.ndim else reshape(result, *result.shape[1:])


def _passes(shape, pooled, window):
    """The image poolings that make up one of any rank: (shape as images, pooled shape, window)."""
    n, c, *sizes = shape
    if len(sizes) == 2:
        return [(shape, (n, c, *pooled), window)]
    if len(sizes) == 1:
        flat = tuple((neutral, *each) for neutral, each in zip(NEUTRAL, window, strict=True))
        return [((n, c, 1, *sizes), (n, c, 1, *pooled), flat)]
    depth, height, width = sizes
    planes = tuple(each[1:] for each in window)
    through = tuple((each[0], neutral) for each, neutral in zip(window, NEUTRAL, strict=True))
    flat = pooled[1] * pooled[2]
    return [((n * depth, c, height, width), (n * depth, c, *pooled[1:]), planes),
            ((n, c, depth, flat), (n, c, pooled[0], flat), through)]


def _as_planes(x):
    """Volumes (N, C, D, H, W) as images (N D, C, H, W)."""
    n, c, d, h, w = x.shape
    return reshape(permute_((0, 2, 1, 3, 4), x), n * d, c, h, w)


def _as_depth(images, n, depth):
    """Images (N D, C, H, W) as images of a column for each pixel (N, C, D, H W)."""
    _, c, h, w = images.shape
    volumes = permute_((0, 2, 1, 3, 4), reshape(images, n, depth, c, h, w))
    return reshape(volumes, n, c, depth, h * w)


def _pooled(pool_images, x, pooled, window):
    """Pool by ``pool_images(plan, images)`` in as many passes as the rank takes."""
    passes = _passes(x.array.shape, pooled, window)
    if x.ndim == 4:
        return pool_images(0, (*passes[0][:2], *window), x)
    images = _as_planes(x) if len(passes) == 2 else reshape(x, passes[0][0])
    for number, (shape, out_shape, part) in enumerate(passes):
        if number:
            images = _as_depth(images, x.shape[0], x.shape[2])
        images = pool_images(number, (shape, out_shape, *part), images)
    return reshape(images, *x.shape[:2], *pooled)


def _max(name, rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    x = batch(name, rank, input)
    pooled, window = _window_plan(name, x.array.shape, kernel_size, stride, padding, dilation,
                                  bool(ceil_mode))
    found = []

    def pool_images(number, plan, images):
        if not return_indices:
            return _max_pool(plan, images)
        out, places = program.unit(_max_forward, plan, tape.used(images))
        found.append(program.apart(_flat_indices, plan, places))
        return _max_known((plan, places, [out]), images)

    result = unbatched(_pooled(pool_images, x, pooled, window), input)
    if not return_indices:
        return result
    indices = found[0] if len(found) == 1 else program.apart(
        _volume_indices, x.array.shape, *found)
    indices = memory.contiguous(indices).reshape(result.array.shape)
    return result, tape.from_array(indices)


def _flat_indices(plan, places):
    """Positions in the (H, W) plane from places in the windows, as (N, C, OH, OW)."""
    (_, _, _, width), _, (_, kw), stride, padding, dilation = plan
    row, column = numpy.divmod(places.astype(numpy.int64), kw)
    tops = numpy.arange(places.shape[1])[:, None, None] * stride[0] - padding[0]
    lefts = numpy.arange(places.shape[2])[:, None] * stride[1] - padding[1]
    return _logical((tops + row * dilation[0]) * width + lefts + column * dilation[1])


def _volume_indices(shape, in_planes, in_depth):
    """Positions in the (D, H, W) volume from those in planes and in columns of their maxima."""
    n, c, depth, height, width = shape
    flat = in_depth.shape[3]
    planes = in_planes.reshape(n, depth, c, flat).transpose(0, 2, 1, 3)
    chosen = in_depth // flat
    return chosen * (height * width) + numpy.take_along_axis(planes, chosen, 2)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6), 2), case(floats(2, 2, 7), 3, 2, 1),
    case(floats(1, 2, 9), (3,), (2,), dilation=2), case(floats(2, 5), 2, ceil_mode=True),
    case(floats(2, 2, 7), 5, 3, 0, 2, ceil_mode=True)])
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """The largest value of each window of sequences (N, C, L) or (C, L), as ``max_pool2d``."""
    return _max("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode,
                return_indices)


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
    return _max("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode,
                return_indices)


@public("functional", "fastnn", cases=[
    case(floats(2, 2, 4, 4, 4), 2), case(floats(1, 2, 5, 6, 5), 3, 2, 1, ceil_mode=True),
    case(floats(1, 5, 6, 5), (3, 2, 1), (1, 2, 2), dilation=(2, 1, 2))])
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """The largest value of each window of volumes (N, C, D, H, W) or (C, D, H, W), as
    ``max_pool2d``; indices are into the flat (D, H, W) volume."""
    return _max("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode,
                return_indices)


def _divisors(name, divisor_override, passes):
    """What each pass divides by, 0 for its own count."""
    if divisor_override is None:
        return (0,) * passes
    divisor, = checks.numbers(name, "divisor_override", divisor_override, 1, 1)
    return (divisor, *(1,) * (passes - 1))


def _average(name, rank, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
             divisor_override=None):
    divisors = _divisors(name, divisor_override, 2 if rank == 3 else 1)
    x = batch(name, rank, input)
    pooled, window = _window_plan(name, x.array.shape, kernel_size, stride, padding, 1,
                                  bool(ceil_mode))

    def pool_images(number, plan, images):
        return _average_pool((*plan[:5], bool(count_include_pad), divisors[number]), images)

    return unbatched(_pooled(pool_images, x, pooled, window), input)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6), 2), case(floats(2, 2, 7), 3, 2, 1),
    case(floats(2, 2, 7), (3,), 2, 1, True, False), case(floats(2, 5), 2, ceil_mode=True)])
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False,
               count_include_pad=True):
    """The mean of each window of sequences (N, C, L) or (C, L), as ``avg_pool2d``."""
    return _average("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode,
                    count_include_pad)


@public("functional", cases=[
    case(floats(2, 3, 6, 6), 2), case(floats(2, 2, 7, 6), 3, 2, 1),
    case(floats(2, 2, 7, 6), 3, 2, 1, count_include_pad=False),
    case(floats(2, 5, 5), 2, ceil_mode=True), case(floats(1, 2, 4, 4), 2, divisor_override=3)])
def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    Padding counts as zeros, unless ``count_include_pad`` is False; ``divisor_override`` replaces
    the count of values.

    >>> import fastnn
    >>> fastnn.nn.functional.avg_pool2d(fastnn.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return _average("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode,
                    count_include_pad, divisor_override)


@public("functional", cases=[
    case(floats(2, 2, 4, 4, 4), 2), case(floats(1, 2, 5, 6, 5), 3, 2, 1, True),
    case(floats(1, 2, 5, 6, 5), 3, 2, 1, True, False),
    case(floats(2, 4, 3, 4), (2, 1, 2), divisor_override=5)])
def avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W), as ``avg_pool2d``."""
    return _average("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode,
                    count_include_pad, divisor_override)


@elementwise
def _root(x, exponent):
    """x ** exponent, with the derivative 0 at 0."""
    return x ** exponent if x != 0 else 0 * x


def _power_mean(name, rank, input, norm_type, kernel_size, stride, ceil_mode):
    norm_type = float(norm_type)
    if not norm_type > 0:
        raise ValueError(f"{name}: norm_type must be positive, got {norm_type}")
    kernel = checks.numbers(name, "kernel_size", kernel_size, 1, rank)
    means = _average(name, rank, input.pow(norm_type), kernel, stride, 0, ceil_mode, True)
    return _root(means * math.prod(kernel), 1.0 / norm_type)


@public("functional", cases=[
    case(floats(2, 3, 6), 2, 2), case(floats(2, 7, low=0.2), 1.5, 3, 2, True)])
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``sum(x ** norm_type) ** (1 / norm_type)`` over windows of sequences, as ``lp_pool2d``."""
    return _power_mean("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


@public("functional", cases=[
    case(floats(2, 3, 6, 6), 2, 2), case(floats(2, 7, 6, low=0.2), 3, (3, 2), 2, ceil_mode=True)])
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``sum(x ** norm_type) ** (1 / norm_type)`` over windows of images (N, C, H, W) or (C, H, W).

    A sum of 0 has the gradient 0. With ``ceil_mode`` the last window's sum is scaled up by the
    share of it that lies outside.
    """
    return _power_mean("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


@public("functional", cases=[case(floats(2, 2, 4, 3, 4), 2, 2)])
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``sum(x ** norm_type) ** (1 / norm_type)`` over windows of volumes, as ``lp_pool2d``."""
    return _power_mean("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)
