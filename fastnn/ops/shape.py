"""Shapes: views of the same memory where that is possible."""

import math

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, runtime
from ..operation import Operation
from ..registry import case, floats, public
from .checks import axes, axis, integers, remembered, several, shape_argument

reshape_ = Operation(
    "reshape", lambda plan, x: memory.reshape(x, plan[1]),
    lambda node, gradient: reshape_(node.plan[::-1], gradient), shares_memory=True)
permute_ = Operation(
    "permute", lambda order, x: x.transpose(order),
    lambda node, gradient: permute_(memory.inverse(node.plan), gradient), shares_memory=True)
expand_ = Operation(
    "expand", lambda plan, x: runtime.expanded(x, tuple(plan[1])),
    lambda node, gradient: sum_to(gradient, node.plan[0]), shares_memory=True)


_once = Operation("once", lambda plan, x: x[plan], lambda node, gradient: None, shares_memory=True)


def once(input):
    """A view in which each element of an expanded tensor stands once, to be filled."""
    strides, shape = input.array.strides, input.array.shape
    if 0 not in strides or input.array.flags.writeable:
        return input
    if input.requires_grad and tape.is_grad_enabled():
        raise RuntimeError("fill_: several elements of an expanded tensor are one in memory, which "
                           "is only filled beside the tape; fill the tensor that was expanded")
    return _once(tuple(slice(0, 1) if not stride and size else slice(None)
                       for stride, size in zip(strides, shape, strict=True)), input)


def sum_to(gradient, shape):
    """Undo broadcasting: sum over the dimensions along which ``shape`` was repeated."""
    if gradient.array.shape == tuple(shape):
        return gradient
    extra = gradient.ndim - len(shape)
    repeated = [extra + i for i, size in enumerate(shape) if size == 1 != gradient.shape[extra + i]]
    total = gradient.sum(tuple(range(extra)) + tuple(repeated), keepdim=True)
    return reshape(total, shape) if extra else total


def _sequence(name, numbers, whole=None):
    """Numbers that were given one by one, as one sequence, or by name as ``whole``."""
    if whole is not None or not numbers:
        return shape_argument(name, numbers, whole)
    alone = len(numbers) == 1 and isinstance(numbers[0], (tuple, list))
    return numbers[0] if alone else numbers


def _reshaped(name, x, sizes, whole):
    """``x`` in a shape of which one size may be -1."""
    shape = x.array.shape
    return reshape_((shape, _full_shape(name, shape, *_sequence(name, sizes, whole))), x)


@remembered
def _full_shape(name, given, *sizes):
    """The wanted sizes with the -1 replaced."""
    shape, count = integers(name, sizes), math.prod(given)
    unknown = [position for position, size in enumerate(shape) if size == -1]
    known = math.prod(size for size in shape if size != -1)
    if len(unknown) > 1 or any(size < -1 for size in shape):
        raise ValueError(f"{name}: shape {tuple(shape)} has more than one unknown size")
    if unknown and known:
        shape = [count // known if size == -1 else size for size in shape]
    if math.prod(shape) != count or -1 in shape:
        raise ValueError(f"{name}: {count} elements of shape {given} do not fit into shape "
                         f"{tuple(shape)}")
    return tuple(shape)


@public("fastnn", "method", sequence="shape", cases=[
    case(floats(2, 6), (3, -1)), case(floats(2, 3), (6,))])
def reshape(input, *sizes, shape=None):
    """The same elements, in C order, in another shape; one size may be -1.

    A view where the memory's order allows it, else a copy.
    """
    return _reshaped("reshape", tensors.as_tensor("reshape", input), sizes, shape)


def _bits(input, dtype):
    try:
        result = tape.from_array(tape.used(input).view(dtype))
    except ValueError as error:
        raise ValueError(f"view: {error}; got shape {tuple(input.shape)} of {input.dtype} for "
                         f"{dtype}") from None
    result._share_version(input)
    return result


@public("method", cases=[case(floats(2, 6), (3, -1))])
def view(input, *sizes, size=None):
    """As ``reshape``, but a ValueError where that would need a copy.

    ``view(dtype)`` reads the same bits as numbers of another type, without a gradient.
    """
    if len(sizes) == 1 and isinstance(sizes[0], (numpy.dtype, type)):
        return _bits(input, dtypes.check("view", sizes[0]))
    result = _reshaped("view", input, sizes, size)
    if input.numel() and not numpy.may_share_memory(result.array, input.array):
        raise ValueError(f"view: shape {result.array.shape} needs a copy of this memory layout; "
                         "use reshape")
    return result


@public("fastnn", "method", cases=[case(floats(2, 3, 4), 1), case(floats(2, 3, 4), 0, 1)])
def flatten(input, start_dim=0, end_dim=-1):
    """Join the dimensions from ``start_dim`` to ``end_dim`` into one."""
    tensors.as_tensor("flatten", input)
    start, end = axis("flatten", start_dim, input.ndim), axis("flatten", end_dim, input.ndim)
    if not input.ndim:
        return reshape(input, 1)
    if start == end:
        return input
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    joined = math.prod(input.shape[start:end + 1])
    return reshape(input, *input.shape[:start], joined, *input.shape[end + 1:])


@public("fastnn", "method", cases=[case(floats(2, 3, 4), (2, 0, 1))], sequence="dims")
def permute(input, *order, dims=None):
    """The dimensions in another order, as a view."""
    return permute_(_order(input.ndim, *_sequence("permute", order, dims)), input)


@remembered
def _order(ndim, *dims):
    order = axes("permute", integers("permute", dims), ndim)
    if len(order) != ndim:
        raise ValueError(f"permute: {len(order)} dimensions given, the tensor has {ndim}")
    return order


def transpose(input, dim0, dim1):
    """Two dimensions exchanged, as a view; also as ``swapaxes`` and ``swapdims``."""
    ndim = tensors.as_tensor("transpose", input).ndim
    return permute_(_exchanged(ndim, dim0, dim1), input)


@remembered
def _exchanged(ndim, dim0, dim1):
    order = list(range(ndim))
    first, second = axis("transpose", dim0, ndim), axis("transpose", dim1, ndim)
    if order:
        order[first], order[second] = order[second], order[first]
    return tuple(order)


for _name in ("transpose", "swapaxes", "swapdims"):
    public("fastnn", "method", cases=[case(floats(2, 3, 4), 0, 2)], name=_name)(transpose)


def movedim(input, source, destination):
    """Dimensions moved to other places, the rest in their order; also as ``moveaxis``."""
    ndim = tensors.as_tensor("movedim", input).ndim
    sources, places = axes("movedim", source, ndim), axes("movedim", destination, ndim)
    if isinstance(source, int) != isinstance(destination, int):
        raise TypeError("movedim: source and destination must both be integers, or both several")
    if len(sources) != len(places):
        raise ValueError(f"movedim: {len(sources)} dimensions cannot move to {len(places)} places")
    if not ndim:
        return permute_((), input)
    moved = dict(zip(places, sources, strict=True))
    rest = iter(dim for dim in range(ndim) if dim not in sources)
    return permute_(tuple(moved[i] if i in moved else next(rest) for i in range(ndim)), input)


for _name in ("movedim", "moveaxis"):
    public("fastnn", "method", name=_name, cases=[
        case(floats(2, 3, 4), 0, -1), case(floats(2, 3, 4), (0, 2), (1, 0))])(movedim)


@public("fastnn", "method", cases=[case(floats(2, 3))])
def t(input):
    """The transpose of a matrix, as a view; tensors of fewer dimensions stay."""
    if input.ndim > 2:
        raise ValueError(f"t: expected at most 2 dimensions, got {input.ndim}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


def _expanded(name, input, sizes, whole=None):
    given = tensors.as_tensor(name, input).array.shape
    wanted = _expanded_shape(name, given, *_sequence(name, sizes, whole))
    return expand_((given, wanted), input)


@remembered
def _expanded_shape(name, given, *sizes):
    """The wanted sizes with each -1 replaced."""
    sizes = integers(name, sizes)
    extra = len(sizes) - len(given)
    shape = tuple(given[i - extra] if size == -1 and i >= extra else size
                  for i, size in enumerate(sizes))
    fits = extra >= 0 and all(
        size >= 0 and old in (1, size)
        for size, old in zip(shape, (1,) * extra + given, strict=True))
    if not fits:
        raise ValueError(f"{name}: shape {given} cannot become {sizes}")
    return shape


@public("method", cases=[case(floats(2, 1), (2, 3)), case(floats(3), (2, -1))])
def expand(input, *sizes, size=None):
    """Dimensions of size 1 repeated as a view, -1 keeps a size; new ones come first."""
    return _expanded("expand", input, sizes, size)


@public("fastnn", "method", cases=[case(floats(2, 1), (2, 3)), case(floats(3), (2, 3))],
        sequence="size")
def broadcast_to(input, *sizes, size=None):
    """``input`` repeated, as a view, in a shape that it broadcasts to."""
    return _expanded("broadcast_to", input, sizes, size)


@public("fastnn", cases=[case(floats(4, 1), floats(3))])
def broadcast_tensors(*tensors):
    """The tensors, as views, in the shape that they broadcast to together."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    try:
        shape = numpy.broadcast_shapes(*(each.array.shape for each in tensors))
    except ValueError:
        shapes = " and ".join(str(tuple(each.shape)) for each in tensors)
        raise ValueError(f"broadcast_tensors: shapes {shapes} do not broadcast") from None
    return tuple(broadcast_to(each, shape) for each in tensors)


@public("fastnn", "method", cases=[
    case(floats(2, 1, 3)), case(floats(2, 1, 3), 1), case(floats(2, 1, 3, 1), (1, 3, 0))])
def squeeze(input, dim=None):
    """Without the dimensions of size 1, or without those of ``dim`` that have size 1."""
    shape = tensors.as_tensor("squeeze", input).array.shape
    return reshape_((shape, _squeezed(shape, dim)), input)


@remembered
def _squeezed(shape, dim):
    chosen = range(len(shape)) if dim is None else axes("squeeze", dim, len(shape))
    return tuple(size for i, size in enumerate(shape) if size != 1 or i not in chosen)


@public("fastnn", "method", cases=[case(floats(2, 3), 1), case(floats(2), -1)])
def unsqueeze(input, dim):
    """A new dimension of size 1 at ``dim``."""
    shape = tensors.as_tensor("unsqueeze", input).array.shape
    return reshape_((shape, _unsqueezed(shape, dim)), input)


@remembered
def _unsqueezed(shape, dim):
    position = axis("unsqueeze", dim, len(shape) + 1)
    return (*shape[:position], 1, *shape[position:])


@public("fastnn", "method", cases=[case(floats(2, 6), 1, (3, -1)), case(floats(2, 6), -1, (2, 3))])
def unflatten(input, dim, sizes):
    """One dimension cut into several of the given sizes, of which one may be -1."""
    dim = axis("unflatten", dim, tensors.as_tensor("unflatten", input).ndim)
    sizes = integers("unflatten", several("unflatten", "sizes", sizes))
    shape = input.array.shape
    if not shape:
        raise ValueError("unflatten: a tensor without dimensions has none to cut")
    unknown, known = sizes.count(-1), math.prod(size for size in sizes if size != -1)
    if unknown == 1 and known and shape[dim] % known == 0:
        sizes = tuple(shape[dim] // known if size == -1 else size for size in sizes)
    if not sizes or min(sizes) < 0 or math.prod(sizes) != shape[dim]:
        raise ValueError(f"unflatten: a dimension of size {shape[dim]} cannot become {sizes}")
    return reshape(input, shape[:dim] + sizes + shape[dim + 1:])


@public("fastnn", "method", cases=[case(floats(2, 3))])
def ravel(input):
    """All elements in one dimension, in C order: a view where the memory's order allows it."""
    return reshape(input, -1)


def _at_least(name, shape_of):
    def function(*tensors):
        given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) \
            else tensors
        made = tuple(reshape(each, shape_of(each.array.shape)) for each in given)
        return made[0] if given is tensors and len(given) == 1 else made

    function.__name__ = function.__qualname__ = name
    return function


atleast_1d = public("fastnn", cases=[case(floats()), case(floats(2, 3))])(
    _at_least("atleast_1d", lambda shape: shape or (1,)))
atleast_2d = public("fastnn", cases=[case(floats()), case(floats(3), floats(3, 2))])(
    _at_least("atleast_2d", lambda shape: (1,) * (2 - len(shape)) + shape))
atleast_3d = public("fastnn", cases=[
    case(floats()), case(floats(3)), case(floats(3, 2)), case(floats(3, 2, 2, 2))])(
    _at_least("atleast_3d", lambda shape: shape + (1,) if len(shape) == 2
              else (1, *shape, 1) if len(shape) == 1 else shape or (1, 1, 1)))
atleast_1d.__doc__ = "The tensor, or each of several, with at least 1 dimension, as views."
atleast_2d.__doc__ = "The tensor, or each of several, with at least 2 dimensions, as views."
atleast_3d.__doc__ = "With at least 3 dimensions, as views: (n,) to (1, n, 1), (n, m) to (n, m, 1)."


FORMATS = ("contiguous_format", "preserve_format", "channels_last")


def check_format(name, memory_format):
    """One of FORMATS, which channels_last asks four dimensions of, or ValueError."""
    if memory_format not in FORMATS:
        raise ValueError(f"{name}: memory_format must be one of {FORMATS}, got {memory_format!r}")
    return memory_format


@public("method", cases=[case(floats(2, 3))])
def contiguous(input, memory_format="contiguous_format"):
    """The tensor itself if it lies in C order (or has its channels last), else such a copy."""
    check_format("contiguous", memory_format)
    return input if input.is_contiguous(memory_format) else clone(
        input, memory_format=memory_format)


def _copy(memory_format, x):
    if memory_format == "channels_last" and not memory.is_channels_last(x):
        return memory.channels_last(x).transpose(memory.FROM_CHANNELS_LAST)
    return memory.copy(x, "C" if memory_format == "contiguous_format" else "K")


copied = Operation("clone", _copy, lambda node, gradient: gradient)


@public("fastnn", "method", cases=[case(floats(2, 3))])
def clone(input, *, memory_format="preserve_format"):
    """A copy, through which gradients flow, in the same memory order or in a named one."""
    tensors.as_tensor("clone", input)
    if check_format("clone", memory_format) == "channels_last" and input.ndim != 4:
        raise ValueError(f"clone: channels_last needs 4 dimensions, got {input.ndim}")
    return copied(memory_format, input)
