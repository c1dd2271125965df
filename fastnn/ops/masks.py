"""Boolean masks: filling, selecting, and the positions of what is not zero."""

import numpy

from .. import tape
from .. import tensor as tensors
from .._kernels import program
from ..elementwise import elementwise
from ..registry import booleans, case, floats, integers, public
from .checks import shape_argument
from .in_place import constant
from .indexing import assign_plan, assigned, lookup
from .promotion import copy_
from .shape import broadcast_to, reshape


@elementwise(name="masked_fill")
def _filled(input, mask: bool, value):
    return value if mask else input


def _check_mask(operation, mask):
    if tensors.as_tensor(operation, mask).dtype != bool:
        raise TypeError(f"{operation}: mask must be a boolean tensor, got {mask.dtype}")
    return mask


def _fill_value(operation, input, mask, value):
    _check_mask(operation, mask)
    dtype = tensors.as_tensor(operation, input).dtype
    if not isinstance(value, tensors.Tensor):
        if not tensors.is_number(value):
            raise TypeError(f"{operation}: value must be a number, got {type(value).__name__}")
        return constant(value, dtype, operation)
    if value.ndim:
        raise ValueError(f"{operation}: value must be a number, got shape {tuple(value.shape)}")
    return value.to(dtype)


@public("fastnn", "method", cases=[
    case(floats(4, 3), booleans(4, 3), 1.5), case(floats(4, 1), booleans(3), -1.0)])
def masked_fill(input, mask, value):
    """``value`` where the boolean ``mask`` is true, ``input`` elsewhere; both broadcast."""
    value = _fill_value("masked_fill", input, mask, value)
    return _filled(input, mask, value)


def one_value(operation, input, value):
    """A number, or a tensor without dimensions, converted to the type of ``input``."""
    dtype = tensors.as_tensor(operation, input).dtype
    if tensors.is_number(value):
        return constant(value, dtype, operation)
    if tensors.as_tensor(operation, value).ndim:
        raise ValueError(f"{operation}: value must be a number, got shape {tuple(value.shape)}")
    return value.to(dtype)


@public("fastnn", cases=[case(floats(4, 3), 1.5), case(floats(4, 3), floats())])
def fill(input, value):
    """One value in the shape and type of ``input``."""
    return copy_(input, one_value("fill", input, value))


def masked_fill_(input, mask, value):
    """``masked_fill`` in place."""
    made = _fill_value("masked_fill_", input, mask, value)
    return _filled.into(input, mask, made.clone() if made is value else made)


def _broadcast_with(operation, input, mask):
    """Both in their common shape."""
    _check_mask(operation, mask)
    tensors.as_tensor(operation, input)
    try:
        shape = numpy.broadcast_shapes(input.array.shape, mask.array.shape)
    except ValueError:
        raise ValueError(f"{operation}: input of shape {tuple(input.shape)} and mask of shape "
                         f"{tuple(mask.shape)} do not broadcast") from None
    return broadcast_to(input, shape), broadcast_to(mask, shape)


@public("fastnn", "method", cases=[case(floats(4, 3), booleans(4, 3)),
                                   case(floats(4, 3), booleans(3))])
def masked_select(input, mask):
    """The elements of ``input`` where ``mask`` is true, as one row in C order; both broadcast."""
    input, mask = _broadcast_with("masked_select", input, mask)
    return lookup(reshape(input, -1), reshape(mask, -1))


def _scatter_plan(operation, input, mask, source):
    tensors.as_tensor(operation, source)
    if source.dtype != input.dtype:
        raise TypeError(f"{operation}: input is {input.dtype}, source is {source.dtype}")
    program.refuse(f"{operation} takes as many elements as the mask's values say")
    mask = mask.array
    count = int(mask.sum())
    if source.numel() < count:
        raise ValueError(f"{operation}: the mask is true at {count} elements, source has "
                         f"{source.numel()}")
    view = (slice(None),) * mask.ndim if mask.ndim else (None,)
    picks = (mask,) if mask.ndim else (numpy.arange(count),)
    source = reshape(source, -1)[:count]
    return assign_plan(view, picks, input, source), source


@public("fastnn", "method", cases=[case(floats(4, 3), booleans(4, 3), floats(4, 3))])
def masked_scatter(input, mask, source):
    """``input`` with its elements where ``mask`` is true replaced by ``source``'s first ones."""
    input, mask = _broadcast_with("masked_scatter", input, mask)
    plan, source = _scatter_plan("masked_scatter", input, mask, source)
    return assigned(plan, input, source)


def masked_scatter_(input, mask, source):
    """``masked_scatter`` in place."""
    mask = broadcast_to(_check_mask("masked_scatter_", mask), input.shape)
    plan, source = _scatter_plan("masked_scatter_", input, mask, source)
    return assigned.into(plan, input, source)


@public("fastnn", "method", cases=[case(booleans(4, 3)), case(floats(3))], differentiable=False)
def argwhere(input):
    """The positions of the elements that are not zero, a row for each: (count, dimensions)."""
    program.refuse("the size of the result depends on values")
    # NumPy finds them: a pass over memory, with nothing to fuse or to differentiate.
    found = numpy.argwhere(tensors.as_tensor("argwhere", input).array)
    return tape.from_array(numpy.ascontiguousarray(found, numpy.int64))


@public("fastnn", "method", cases=[case(booleans(4, 3), size=20),
                                   case(booleans(4, 3), size=2, fill_value=7)],
        differentiable=False)
def nonzero_static(input, *, size, fill_value=-1):
    """The first ``size`` positions of ``argwhere``; rows of ``fill_value`` where it has fewer."""
    if size < 0:
        raise ValueError(f"nonzero_static: size must be at least 0, got {size}")
    array = tensors.as_tensor("nonzero_static", input).array
    return tape.from_array(program.apart(_first_places, array, size, fill_value))


def _first_places(array, size, fill_value):
    found = numpy.argwhere(array)
    out = numpy.full((size, found.shape[1]), fill_value, numpy.int64)
    out[:len(found)] = found[:size]
    return out


@public("fastnn", differentiable=False, cases=[
    case(integers(2, 3, high=12), (3, 4)), case(integers(4, low=-12, high=0), (3, 2, 2))])
def unravel_index(indices, shape):
    """The positions in a shape, a tensor for each dimension, of positions in it as one row.

    Those beyond the end begin anew, as in PyTorch.
    """
    array = tensors.as_tensor("unravel_index", indices).array
    if array.dtype.kind not in "iu":
        raise TypeError(f"unravel_index: indices must be integers, got {array.dtype}")
    shape = shape_argument("unravel_index", (shape,))
    if array.size and not all(size > 0 for size in shape):
        raise ValueError(f"unravel_index: the shape {shape} has no elements")
    return tuple(map(tape.from_array, program.apart(_unravelled, array, shape)))


def _unravelled(array, shape):
    found = []
    for size in reversed(shape):
        found.append(numpy.asarray(array % size if size else array, numpy.int64))
        array = array // size if size else array
    return tuple(reversed(found))


@public("fastnn", "method", cases=[case(booleans(4, 3)), case(booleans(4, 3), as_tuple=True)],
        differentiable=False)
def nonzero(input, *, as_tuple=False):
    """As ``argwhere``; with ``as_tuple`` a tensor of positions for each dimension.

    >>> import fastnn
    >>> fastnn.nonzero(fastnn.tensor([0, 3, 5]))
    tensor([[1],
            [2]])
    """
    found = argwhere(input)
    if not as_tuple:
        return found
    if not input.ndim:
        return (reshape(tape.from_array(numpy.arange(len(found))), -1),)
    return tuple(tape.from_array(numpy.ascontiguousarray(column)) for column in found.array.T)
