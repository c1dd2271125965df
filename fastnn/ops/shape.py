"""Shapes: views of the same memory where that is possible, and joining."""

import math

import numpy

from .. import tensor as tensors
from .._kernels import memory
from ..op import Operation
from ..registry import case, floats, public
from .checks import axes, axis, shape_argument

reshape_ = Operation(
    "reshape", lambda plan, x: memory.reshape(x, plan[1]),
    lambda node, gradient: reshape_(node.plan[::-1], gradient), shares_memory=True)
permute_ = Operation(
    "permute", lambda order, x: x.transpose(order),
    lambda node, gradient: permute_(_inverse(node.plan), gradient), shares_memory=True)
expand_ = Operation(
    "expand", lambda plan, x: numpy.broadcast_to(x, plan[1]),
    lambda node, gradient: sum_to(gradient, node.plan[0]), shares_memory=True)


def _inverse(order):
    inverse = [0] * len(order)
    for position, source in enumerate(order):
        inverse[source] = position
    return tuple(inverse)


def sum_to(gradient, shape):
    """Undo broadcasting: sum over the dimensions along which ``shape`` was repeated."""
    if gradient.array.shape == tuple(shape):
        return gradient
    extra = gradient.ndim - len(shape)
    repeated = [extra + i for i, size in enumerate(shape) if size == 1 != gradient.shape[extra + i]]
    total = gradient.sum(tuple(range(extra)) + tuple(repeated), keepdim=True)
    return reshape(total, shape) if extra else total


def _full_shape(name, x, shape):
    """Replace the -1 of a wanted shape."""
    unknown = [position for position, size in enumerate(shape) if size == -1]
    known = math.prod(size for size in shape if size != -1)
    if len(unknown) > 1 or any(size < -1 for size in shape):
        raise ValueError(f"{name}: shape {tuple(shape)} has more than one unknown size")
    if unknown and known:
        shape = [x.numel() // known if size == -1 else size for size in shape]
    if math.prod(shape) != x.numel() or -1 in shape:
        raise ValueError(f"{name}: {x.numel()} elements of shape {tuple(x.shape)} do not fit "
                         f"into shape {tuple(shape)}")
    return tuple(shape)


@public("fastnn", "method", cases=[case(floats(2, 6), (3, -1)), case(floats(2, 3), (6,))])
def reshape(input, *shape):
    """The same elements, in C order, in another shape; one size may be -1.

    A view where the memory's order allows it, else a copy.
    """
    tensors.as_tensor("reshape", input)
    shape = _full_shape("reshape", input, shape_argument("reshape", shape))
    return reshape_((input.array.shape, shape), input)


@public("method", cases=[case(floats(2, 6), (3, -1))])
def view(input, *shape):
    """As ``reshape``, but a ValueError where that would need a copy; a type is ``to(type)``."""
    shape = _full_shape("view", input, shape_argument("view", shape))
    result = reshape_((input.array.shape, shape), input)
    if input.numel() and not numpy.may_share_memory(result.array, input.array):
        raise ValueError(f"view: shape {shape} needs a copy of this memory layout; use reshape")
    return result


@public("fastnn", "method", cases=[case(floats(2, 3, 4), 1), case(floats(2, 3, 4), 0, 1)])
def flatten(input, start_dim=0, end_dim=-1):
    """Join the dimensions from ``start_dim`` to ``end_dim`` into one."""
    tensors.as_tensor("flatten", input)
    if not input.ndim:
        return reshape(input, 1)
    start, end = axis("flatten", start_dim, input.ndim), axis("flatten", end_dim, input.ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    joined = math.prod(input.shape[start:end + 1])
    return reshape(input, *input.shape[:start], joined, *input.shape[end + 1:])


@public("fastnn", "method", cases=[case(floats(2, 3, 4), (2, 0, 1))])
def permute(input, *dims):
    """The dimensions in another order, as a view."""
    order = axes("permute", shape_argument("permute", dims), input.ndim)
    if len(order) != input.ndim:
        raise ValueError(f"permute: {len(order)} dimensions given, the tensor has {input.ndim}")
    return permute_(order, input)


@public("fastnn", "method", cases=[case(floats(2, 3, 4), 0, 2)])
def transpose(input, dim0, dim1):
    """Two dimensions exchanged, as a view."""
    order = list(range(input.ndim))
    first, second = axis("transpose", dim0, input.ndim), axis("transpose", dim1, input.ndim)
    order[first], order[second] = order[second], order[first]
    return permute_(tuple(order), input)


@public("fastnn", "method", cases=[case(floats(2, 3))])
def t(input):
    """The transpose of a matrix, as a view; tensors of fewer dimensions stay."""
    if input.ndim > 2:
        raise ValueError(f"t: expected at most 2 dimensions, got {input.ndim}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


@public("method", cases=[case(floats(2, 1), (2, 3)), case(floats(3), (2, -1))])
def expand(input, *sizes):
    """Dimensions of size 1 repeated as a view, -1 keeps a size; new ones come first."""
    sizes = shape_argument("expand", sizes)
    extra = len(sizes) - input.ndim
    shape = tuple(input.shape[i - extra] if size == -1 and i >= extra else size
                  for i, size in enumerate(sizes))
    fits = extra >= 0 and all(
        size >= 0 and old in (1, size)
        for size, old in zip(shape, (1,) * extra + input.array.shape, strict=True))
    if not fits:
        raise ValueError(f"expand: shape {tuple(input.shape)} cannot become {sizes}")
    return expand_((input.array.shape, shape), input)


@public("fastnn", "method", cases=[case(floats(2, 1, 3)), case(floats(2, 1, 3), 1)])
def squeeze(input, dim=None):
    """Without the dimensions of size 1, or without those of ``dim`` that have size 1."""
    chosen = range(input.ndim) if dim is None else axes("squeeze", dim, input.ndim)
    return reshape(input, tuple(
        size for i, size in enumerate(input.shape) if size != 1 or i not in chosen))


@public("fastnn", "method", cases=[case(floats(2, 3), 1), case(floats(2), -1)])
def unsqueeze(input, dim):
    """A new dimension of size 1 at ``dim``."""
    position = axis("unsqueeze", dim, input.ndim + 1)
    return reshape(input, (*input.shape[:position], 1, *input.shape[position:]))


@public("method", cases=[case(floats(2, 3))])
def contiguous(input):
    """The tensor itself if it lies in C order, else a copy that does."""
    return input if input.is_contiguous() else copied("C", input)


copied = Operation(
    "clone", lambda order, x: memory.copy(x, order), lambda node, gradient: gradient)


@public("fastnn", "method", cases=[case(floats(2, 3))])
def clone(input):
    """A copy in the same memory order, through which gradients flow."""
    return copied("K", input)


def _cat_rule(node, gradient):
    parts, start = [], 0
    for size, needed in zip(node.plan[1], node.needs, strict=True):
        parts.append(gradient.narrow(node.plan[0], start, size) if needed else None)
        start += size
    return tuple(parts)


_cat = Operation("cat", lambda plan, *arrays: numpy.concatenate(arrays, axis=plan[0]), _cat_rule)


def _tensors(name, sequence):
    parts = [tensors.as_tensor(name, part) for part in sequence]
    if not parts:
        raise ValueError(f"{name}: expected at least one tensor")
    return parts


@public("fastnn", cases=[case([floats(2, 3), floats(1, 3)]), case([floats(2, 3), floats(2, 1)], 1)])
def cat(tensors, dim=0):
    """Tensors joined along an existing dimension; the other sizes must agree."""
    parts = _tensors("cat", tensors)
    dim = axis("cat", dim, parts[0].ndim)
    first = parts[0].array.shape
    for part in parts:
        shape = part.array.shape
        if len(shape) != len(first) or any(
                a != b for i, (a, b) in enumerate(zip(first, shape, strict=True)) if i != dim):
            raise ValueError(f"cat: shapes {first} and {shape} differ beyond dimension {dim}")
    return _cat((dim, tuple(part.shape[dim] for part in parts)), *parts)


@public("fastnn", cases=[case([floats(2, 3), floats(2, 3)], 1)])
def stack(tensors, dim=0):
    """Tensors of one shape joined along a new dimension."""
    parts = _tensors("stack", tensors)
    for part in parts:
        if part.shape != parts[0].shape:
            raise ValueError(
                f"stack: shapes {tuple(parts[0].shape)} and {tuple(part.shape)} differ")
    return cat([unsqueeze(part, dim) for part in parts], axis("stack", dim, parts[0].ndim + 1))


@public("fastnn", "method", cases=[case(floats(2, 5), 1, 1, 3)])
def narrow(input, dim, start, length):
    """The part [start, start + length) along one dimension, as a view."""
    dim = axis("narrow", dim, input.ndim)
    if not 0 <= start <= start + length <= input.shape[dim]:
        raise ValueError(f"narrow: [{start}, {start + length}) does not lie in a dimension of "
                         f"size {input.shape[dim]}")
    return input[(slice(None),) * dim + (slice(start, start + length),)]


@public("fastnn", "method", cases=[], differentiable=False)
def split(input, split_size_or_sections, dim=0):
    """Parts along one dimension, of one size (the last may be smaller) or of the sizes given."""
    dim = axis("split", dim, input.ndim)
    total, sizes = input.shape[dim], split_size_or_sections
    if isinstance(sizes, int):
        if sizes <= 0:
            raise ValueError(f"split: the size of a part must be positive, got {sizes}")
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)]
    if sum(sizes) != total:
        raise ValueError(f"split: sizes {list(sizes)} do not add up to {total}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(input, dim, start, size)
                 for start, size in zip(starts, sizes, strict=True))


@public("fastnn", "method", cases=[], differentiable=False)
def chunk(input, chunks, dim=0):
    """At most ``chunks`` parts of equal size (the last may be smaller) along one dimension."""
    if chunks <= 0:
        raise ValueError(f"chunk: expected a positive number of parts, got {chunks}")
    size = input.shape[axis("chunk", dim, input.ndim)]
    return split(input, max(1, -(-size // chunks)), dim)
