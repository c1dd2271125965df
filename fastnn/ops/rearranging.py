"""Elements in another order, and diagonals and triangles of matrices."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, program, ranking
from ..operation import Operation
from ..registry import case, floats, public
from .checks import axes, axis, shape_argument, whole
from .indexing import spread
from .shape import movedim, reshape, transpose


def _zeros(shape, dtype):
    out = memory.empty(shape, dtype)
    out.fill(0)
    return out


def _flip_forward(dims, x):
    turned = tuple(slice(None, None, -1) if i in dims else slice(None) for i in range(x.ndim))
    return memory.copy(x[(*turned, ...)], "C")


_flip = Operation("flip", _flip_forward, lambda node, gradient: _flip(node.plan, gradient))
_roll = Operation(
    "roll", lambda plan, x: numpy.roll(x, *plan),
    lambda node, gradient: _roll((tuple(-n for n in node.plan[0]), node.plan[1]), gradient))
_triangle = Operation(
    "triangle", lambda plan, x: ranking.triangle_of(memory.contiguous(x), *plan),
    lambda node, gradient: _triangle(node.plan, gradient))


@public("fastnn", "method", sequence="dims", cases=[
    case(floats(2, 3, 4), (0, 2)), case(floats(2, 3), (-1,))])
def flip(input, *sizes, dims=None):
    """A copy with the order of the elements along some dimensions, ``dims``, reversed."""
    dims = shape_argument("flip", sizes, dims)
    return _flip(axes("flip", dims, tensors.as_tensor("flip", input).ndim), input)


def _matrix(name, input, least):
    if tensors.as_tensor(name, input).ndim < least:
        raise ValueError(f"{name}: input must have at least {least} dimensions, got {input.ndim}")
    return input


@public("fastnn", "method", cases=[case(floats(2, 3))])
def fliplr(input):
    """The columns (second dimension) in reverse order, as a copy."""
    return _flip((1,), _matrix("fliplr", input, 2))


@public("fastnn", "method", cases=[case(floats(2, 3))])
def flipud(input):
    """The rows (first dimension) in reverse order, as a copy."""
    return _flip((0,), _matrix("flipud", input, 1))


@public("fastnn", "method", cases=[
    case(floats(2, 3), 2), case(floats(2, 3), (1, -2), (0, 1)), case(floats(4, 3), 5, 0)])
def roll(input, shifts, dims=None):
    """Elements moved along dimensions, and from their end to the begin; without ``dims`` flat."""
    shifts = shape_argument("roll", shifts if isinstance(shifts, (tuple, list)) else (shifts,))
    if dims is None or dims == ():
        if len(shifts) != 1:
            raise ValueError(f"roll: {len(shifts)} shifts need as many dims")
        return reshape(_roll((shifts, (0,)), reshape(input, -1)), input.shape)
    dims = dims if isinstance(dims, (tuple, list)) else (dims,)
    dims = tuple(axis("roll", dim, input.ndim) for dim in dims)
    if len(dims) != len(shifts):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(dims)} dimensions")
    if dims and not input.ndim:
        raise ValueError("roll: a tensor without dimensions has none to roll along")
    return _roll((shifts, dims), input)


@public("fastnn", "method", cases=[
    case(floats(2, 3)), case(floats(2, 3), 2), case(floats(2, 3, 4), -1, (2, 1))])
def rot90(input, k=1, dims=(0, 1)):
    """Turned ``k`` times by 90 degrees in a plane, from its first dimension to the second."""
    first, second = axes("rot90", dims, _matrix("rot90", input, 2).ndim)
    k = whole("rot90", "k", k)
    if k % 4 == 1:
        return transpose(_flip((second,), input), first, second)
    if k % 4 == 2:
        return _flip((first, second), input)
    return transpose(_flip((first,), input), first, second) if k % 4 else input.clone()


def _offset(name, input, diagonal):
    """The diagonal, as an integer no further away than the matrix is large."""
    size = sum(_matrix(name, input, 2).array.shape[-2:]) + 1
    return max(-size, min(size, whole(name, "diagonal", diagonal)))


@public("fastnn", "method", cases=[case(floats(3, 4)), case(floats(2, 3, 3), -1)])
def tril(input, diagonal=0):
    """Matrices with zeros above a diagonal: 0 the main one, larger ones above it."""
    return _triangle((_offset("tril", input, diagonal), False), input)


@public("fastnn", "method", cases=[case(floats(3, 4)), case(floats(2, 3, 3), 1)])
def triu(input, diagonal=0):
    """Matrices with zeros below a diagonal: 0 the main one, larger ones above it."""
    return _triangle((_offset("triu", input, diagonal), True), input)


def _indices(name, row, col, offset, dtype, upper):
    row, col, offset = (whole(name, "a size or offset", each) for each in (row, col, offset))
    if row < 0 or col < 0:
        raise ValueError(f"{name}: sizes must be at least 0, got {row} and {col}")
    below = numpy.tri(row, col, offset - upper, dtype=bool)
    found = numpy.stack((~below if upper else below).nonzero())
    return tape.from_array(program.constant(found.astype(dtypes.check(name, dtype))))


@public("fastnn", differentiable=False)
def tril_indices(row, col, offset=0, *, dtype=dtypes.int64, device=None):
    """The positions of the elements on and below a diagonal, shape (2, count), row by row."""
    return _indices("tril_indices", row, col, offset, dtype, False)


@public("fastnn", differentiable=False)
def triu_indices(row, col, offset=0, *, dtype=dtypes.int64, device=None):
    """The positions of the elements on and above a diagonal, shape (2, count), row by row."""
    return _indices("triu_indices", row, col, offset, dtype, True)


def _diagonal_forward(plan, x):
    view = x.diagonal(*plan[0])
    if x.flags.writeable:
        view.flags.writeable = True  # NumPy hands out a diagonal for reading only
    return view


def _embed_forward(plan, x):
    places, shape = plan
    out = _zeros(shape, x.dtype)
    _diagonal_forward(plan, out)[...] = x
    return out


_diagonal = Operation("diagonal", _diagonal_forward, lambda node, gradient: _embedded(
    node.plan, gradient), shares_memory=True)
_embedded = Operation("diag_embed", _embed_forward, lambda node, gradient: _diagonal(
    node.plan, gradient))


@public("fastnn", "method", cases=[case(floats(3, 4)), case(floats(4, 2, 3), 1, 0, 2)])
def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of two dimensions as a new last one, a view; ``offset`` above the main one."""
    first, second = axes("diagonal", (dim1, dim2), _matrix("diagonal", input, 2).ndim)
    return _diagonal(((offset, first, second), input.array.shape), input)


@public("fastnn", "method", cases=[case(floats(2, 3)), case(floats(2, 3), 1, 0, 2)])
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Zeros in two dimensions, which hold the last one of ``input`` on a diagonal."""
    ndim = _matrix("diag_embed", input, 1).ndim + 1
    first, second = axes("diag_embed", (dim1, dim2), ndim)
    size = input.array.shape[-1] + abs(offset)
    rest = iter(input.array.shape[:-1])
    shape = tuple(size if i in (first, second) else next(rest) for i in range(ndim))
    return _embedded(((offset, first, second), shape), input)


@public("fastnn", "method", cases=[case(floats(3)), case(floats(2, 3)), case(floats(2), -1)])
def diag(input, diagonal=0):
    """The matrix with a vector on its diagonal, or a copy of the diagonal of a matrix."""
    if tensors.as_tensor("diag", input).ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise ValueError(f"diag: input must have 1 or 2 dimensions, got shape "
                         f"{tuple(input.shape)}")
    return _diagonal(((diagonal, 0, 1), input.array.shape), input).clone()


@public("fastnn", "method", cases=[case(floats(3, 4))])
def trace(input):
    """The sum of the main diagonal of a matrix."""
    if tensors.as_tensor("trace", input).ndim != 2:
        raise ValueError(f"trace: input must have 2 dimensions, got shape {tuple(input.shape)}")
    if input.dtype == dtypes.bool_:
        raise TypeError("trace: not defined for boolean tensors")
    return diagonal(input).sum()


def _windows_forward(plan, x):
    dim, count, size, step = plan[:4]
    shape = (*x.shape[:dim], count, *x.shape[dim + 1:], size)
    strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1:], x.strides[dim])
    view = numpy.lib.stride_tricks.as_strided(x, shape, strides)
    view.flags.writeable = False  # windows that overlap are one memory
    return view


def _windows_rule(node, gradient):
    dim, count, size, step, shape = node.plan
    places = numpy.arange(count)[:, None] * step + numpy.arange(size)
    return spread((dim, 1, shape, places), movedim(gradient, -1, dim + 1))


_windows = Operation("unfold", _windows_forward, _windows_rule, shares_memory=True)


def windows(input, dimension, size, step):
    """All windows of ``size`` in steps along a dimension, as a view with a new last dimension."""
    shape = tensors.as_tensor("unfold", input).array.shape
    dim = axis("unfold", dimension, len(shape))
    if not shape:
        return windows(reshape(input, 1), 0, size, step)[0]
    if not 0 <= size <= shape[dim] or step < 1:
        raise ValueError(f"unfold: size {size} in steps of {step} does not fit a dimension of size "
                         f"{shape[dim]}")
    count = (shape[dim] - size) // step + 1
    return _windows((dim, count, size, step, shape), reshape(input, shape))
