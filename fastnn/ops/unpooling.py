"""Values put back to the places that maximum pooling took them from."""

import math

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import places, program
from ..operation import Operation
from ..registry import case, floats, integers, public
from . import checks
from .pooling import batch, unbatched
from .shape import reshape

take_at = Operation(
    "take_at", lambda plan, x: places.taken(x, plan[0]),
    lambda node, gradient: add_at(node.plan, gradient))
add_at = Operation(
    "add_at", lambda plan, x: places.put(x, *plan, True),
    lambda node, gradient: take_at(node.plan, gradient))
put_at = Operation(
    "put_at", lambda plan, x: places.put(x, *plan, False),
    lambda node, gradient: take_at(node.plan, gradient))


def _unpooled_sizes(name, sizes, kernel_size, stride, padding, output_size):
    rank = len(sizes)
    kernel = checks.numbers(name, "kernel_size", kernel_size, 1, rank)
    stride = kernel if stride is None else checks.numbers(name, "stride", stride, 1, rank)
    padding = checks.numbers(name, "padding", padding, 0, rank)
    usual = tuple((size - 1) * s - 2 * p + k for size, s, p, k in
                  zip(sizes, stride, padding, kernel, strict=True))
    if output_size is None:
        if min(usual) < 1:
            raise ValueError(f"{name}: the result would have size {usual}")
        return usual
    wanted = checks.shape_argument(name, (tuple(output_size),))
    wanted = wanted[2:] if len(wanted) == rank + 2 else wanted
    if len(wanted) != rank or any(not u - s < w < u + s for w, u, s in
                                  zip(wanted, usual, stride, strict=True)):
        raise ValueError(f"{name}: output_size {tuple(output_size)} must lie within one stride "
                         f"{stride} of {usual}")
    return wanted


def _places(name, where, result):
    """A copy of the positions, checked to lie in an output of a shape."""
    size = math.prod(result)
    if where.size and not (0 <= where.min() and where.max() < size):
        raise IndexError(f"{name}: indices must lie in [0, {size}) for an output of {result}, got "
                         f"{where.min()} to {where.max()}")
    return numpy.array(where)


def _unpool(name, rank, input, indices, kernel_size, stride, padding, output_size):
    x = batch(name, rank, input)
    where = tape.used(tensors.as_tensor(name, indices))
    if where.dtype != numpy.int64:
        raise TypeError(f"{name}: indices must be int64, got {where.dtype}")
    if where.shape != input.array.shape:
        raise ValueError(f"{name}: indices has shape {where.shape}, input {tuple(input.shape)}")
    n, c, *sizes = x.array.shape
    result = _unpooled_sizes(name, sizes, kernel_size, stride, padding, output_size)
    size = math.prod(result)
    places = program.apart(_places, name, where, result)
    plan = (places.reshape(n * c, math.prod(sizes), 1), size)
    values = put_at(plan, reshape(x, *plan[0].shape))
    return unbatched(reshape(values, n, c, *result), input)


@public("functional", cases=[
    case(floats(2, 3, 1), integers(2, 3, 1, high=2), 2),
    case(floats(3, 1), integers(3, 1, high=3), 2, 2, 0, (3,)),
    case(floats(2, 2, 1), integers(2, 2, 1, high=3), (5,), 2, 1)])
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Sequences (N, C, L) or (C, L) put to the places that ``max_pool1d`` gave as indices, among
    zeros, as ``max_unpool2d``."""
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@public("functional", cases=[
    case(floats(2, 3, 1, 1), integers(2, 3, 1, 1, high=4), 2),
    case(floats(3, 1, 1), integers(3, 1, 1, high=12), 3, 3, 0, (3, 4)),
    case(floats(2, 2, 1, 1), integers(2, 2, 1, 1, high=6), (5, 4), 2, 1)])
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Images (N, C, H, W) or (C, H, W) put to the places that ``max_pool2d`` gave as indices into
    the result's flat planes, among zeros.

    The result has the size ``(H - 1) stride - 2 padding + kernel_size``, or ``output_size``, of
    2 or 4 numbers of which the last two must lie within one stride of that. Of values with one
    place the last stays.

    >>> import fastnn
    >>> F = fastnn.nn.functional
    >>> x = fastnn.tensor([[[1.0, 4.0], [3.0, 2.0]]])
    >>> F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)
    tensor([[[0., 4.],
             [0., 0.]]])
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


@public("functional", cases=[
    case(floats(2, 3, 1, 1, 1), integers(2, 3, 1, 1, 1, high=8), 2),
    case(floats(3, 1, 1, 1), integers(3, 1, 1, 1, high=18), 3, 3, 0, (3, 2, 3))])
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Volumes (N, C, D, H, W) or (C, D, H, W) put to the places that ``max_pool3d`` gave as
    indices, among zeros, as ``max_unpool2d``."""
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
