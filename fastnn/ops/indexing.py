"""Indexing, slicing and indexed assignment, with NumPy's and PyTorch's common rules."""

import contextlib
import math
import operator

import numpy

from .. import dtypes, tape, walk
from .. import tensor as tensors
from .._kernels import layout, memory, program, rows
from ..changes import check_source
from ..operation import Operation
from ..registry import case, floats, integers, public
from .checks import axis
from .in_place import constant, overwriting
from .shape import expand, permute, reshape, sum_to

POSITIONS = (dtypes.int32, dtypes.int64)
BASIC = (int, slice, type(None), type(Ellipsis), numpy.integer)
EVERYTHING = slice(None)


def _split(index, ndim):
    """The index as a view by integers, slices and None, and the arrays to pick from that view.

    PyTorch's order: integers are applied first, so they do not move the picked dimensions.
    """
    parts = [_part(part) for part in (index if _is_several(index) else (index,))]
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("index: at most one ellipsis (...) is allowed")
    if dots:
        used = sum(_width(part) for part in parts)
        parts[dots[0]:dots[0] + 1] = [EVERYTHING] * max(0, ndim - used)
    view, picks = [], []
    for part in parts:
        if isinstance(part, BASIC):
            view.append(part)
            picks += [] if isinstance(part, (int, numpy.integer)) else [EVERYTHING]
        elif part.ndim or part.dtype != bool:
            view += [EVERYTHING] * _width(part)
            picks.append(part)
        else:  # a single truth value picks all or nothing of a new dimension
            view.append(None)
            picks.append(numpy.arange(int(part)))
    picked = any(not isinstance(part, slice) for part in picks)
    return tuple(view), tuple(picks) if picked else None


def _is_several(index):
    """Whether an index has a part for each dimension: a tuple, or a short list of more than
    numbers, which PyTorch reads as one."""
    if isinstance(index, tuple):
        return True
    return isinstance(index, list) and len(index) < 32 and any(
        isinstance(part, (tensors.Tensor, list, tuple, slice, range, numpy.ndarray))
        or part is None or part is Ellipsis for part in index)


def _width(part):
    """How many dimensions a part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, numpy.ndarray) and part.dtype == bool else 1


def _part(part):
    """A part of an index as one of BASIC, or as an array of positions or truth values."""
    if isinstance(part, slice):
        if part.step is not None and part.step <= 0:
            raise ValueError(f"index: the step of a slice must be positive, got {part.step}")
        return part
    if isinstance(part, tensors.Tensor):
        if part.dtype in (dtypes.int8, dtypes.int16):
            raise IndexError(f"index: a tensor index must be int32, int64 or boolean, got "
                             f"{part.dtype}")
        part = tape.used(part)
        if not part.ndim and part.dtype.kind in "iu":
            program.refuse("a tensor's value is read as an index; use index_select()")
            return int(part)
    elif isinstance(part, (range, list, tuple)):
        part = numpy.asarray([each.array if isinstance(each, tensors.Tensor) else each
                              for each in part] or numpy.zeros(0, numpy.int64))
        program.constant(part)
    elif isinstance(part, (bool, numpy.bool_)):
        part = numpy.asarray(part)
    if isinstance(part, BASIC):
        return part
    if not isinstance(part, numpy.ndarray):
        raise IndexError("index: only integers, slices, ..., None, lists and tensors can be an "
                         f"index, got {type(part).__name__}")
    if part.dtype.kind not in "iub":
        raise IndexError(f"index: a tensor index must be integer or boolean, got {part.dtype}")
    return part.astype(bool) if part.dtype == numpy.uint8 else part


def _own(index, dtype=None):
    """A contiguous array that a rule can rely on: what is changed later is not ours."""
    copied = numpy.array(index, dtype, order="C", copy=tape.is_grad_enabled() or None)
    return copied if copied.flags.c_contiguous else copied.copy(order="C")


def positions(operation, index, dim, shape, wrap=False):
    """An array of indices for one dimension as contiguous int64, checked, or an IndexError."""
    return program.apart(_checked, operation, index, dim, shape, wrap)


def _checked(operation, index, dim, shape, wrap):
    size = shape[dim] if shape else 1
    index = _own(index, numpy.int64)
    if index.size:
        low, high = rows.bounds(index)
        if low < (-size if wrap else 0) or high >= size:
            raise IndexError(f"{operation}: index out of range for dimension {dim} of size {size}: "
                             f"{low if high < size else high}; the tensor has shape {shape}")
        if low < 0:
            index = numpy.where(index < 0, index + size, index)
    return index


def _pick_plan(shape, picks):
    """(dimensions that are picked from, positions in these as one), positions broadcast."""
    if any(not isinstance(part, slice) and part.dtype == numpy.bool_ for part in picks):
        program.refuse("a mask takes as many elements as its values say")
    return program.apart(_made_pick_plan, shape, picks)


def _made_pick_plan(shape, picks):
    arrays, dims, dim = [], [], 0
    for part in picks:
        if isinstance(part, slice):
            dim += 1
            continue
        found = [part]
        if part.dtype == bool:
            if part.shape != shape[dim:dim + part.ndim]:
                raise IndexError(f"index: a mask of shape {part.shape} does not fit at dimension "
                                 f"{dim} of the shape {shape}")
            found = part.nonzero()
        for each in found:
            arrays.append(positions("index", each, dim, shape, wrap=True))
            dims.append(dim)
            dim += 1
    try:
        flat = arrays[0]
        for dim, each in zip(dims[1:], arrays[1:], strict=True):
            flat = flat * shape[dim] + each
    except ValueError:
        shapes = ", ".join(str(each.shape) for each in arrays)
        raise IndexError(f"index: index tensors of shapes {shapes} do not broadcast") from None
    return tuple(dims), numpy.ascontiguousarray(flat).reshape(flat.shape)


def joined(x, first, count=1):
    """A contiguous array as (outer, size, inner): ``count`` dimensions from ``first`` are one."""
    shape = x.shape
    return memory.contiguous(x).reshape(
        math.prod(shape[:first]), math.prod(shape[first:first + count]),
        math.prod(shape[first + count:]))


def _pick_forward(plan, x):
    first, count, shape, index = plan
    picked = rows.take_rows(joined(x, first, count), index.reshape(-1))
    return picked.reshape(shape[:first] + index.shape + shape[first + count:])


def _spread_forward(plan, gradient):
    """Zeros of the shape indexed, with the gradient added where it was picked."""
    first, count, shape, index = plan
    size = math.prod(shape[first:first + count])
    source = joined(gradient, first, index.ndim)
    total = rows.add_rows((source.shape[0], size, source.shape[2]), index.reshape(-1), source)
    return total.reshape(shape)


def _view_forward(plan, x):
    try:
        return x[(*plan[0], ...)]  # the dots keep a single element an array, and a view
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {x.shape}") from None


def _placed_forward(plan, gradient):
    index, shape = plan
    out = layout.clear(memory.empty(shape, gradient.dtype))
    layout.copy_values(out[(*index, ...)], gradient)
    return out


_view = Operation("slice", _view_forward, lambda node, gradient: _placed(node.plan, gradient),
                  shares_memory=True)
walk.bind_slices(_view)
_placed = Operation("place_slice", _placed_forward, lambda node, gradient: _view(
    node.plan, gradient))
pick = Operation("index", _pick_forward, lambda node, gradient: spread(node.plan, gradient))
spread = Operation("spread", _spread_forward, lambda node, gradient: pick(node.plan, gradient))


def lookup(tensor, index):
    """``tensor[index]``: a view for integers and slices, a copy for tensors of indices or masks."""
    parts = index if type(index) is tuple else (index,)
    if _is_plain(parts):
        return _view((parts, tensor.array.shape), tensor)
    view, picks = _split(index, tensor.ndim)
    return _looked_up(tensor, view, picks)


def _is_plain(parts):
    """Whether all are integers and slices without a step, as most are: what NumPy reads alike."""
    for part in parts:
        if type(part) is not int and (type(part) is not slice or part.step is not None):
            return False
    return True


def section(tensor, dim, start, stop):
    """The part [start, stop) of one dimension, which must have it, as a view."""
    parts = (*(EVERYTHING,) * dim, slice(start, stop))
    return _view((parts, tensor.array.shape), tensor)


def slices_along(tensor, dim):
    """All slices along one dimension, without it, as views."""
    before, shape = (EVERYTHING,) * dim, tensor.array.shape
    return tuple(_view(((*before, i), shape), tensor) for i in range(shape[dim]))


def _looked_up(tensor, view, picks):
    if picks is None or len(view) > tensor.ndim or any(part != EVERYTHING for part in view):
        tensor = _view((view, tensor.array.shape), tensor)
    if picks is None:
        return tensor
    dims, index = _pick_plan(tensor.array.shape, picks)
    first, count = dims[0], len(dims)
    if dims != tuple(range(first, first + count)):
        tensor = permute(tensor, (*dims, *(i for i in range(tensor.ndim) if i not in dims)))
        first = 0
    return pick((first, count, tensor.array.shape, index), tensor)


def _assign_write(plan, target, source):
    view, picks, _ = plan
    try:
        if picks is None:
            target[view] = source
        else:
            target[view][picks] = source if source.size != 1 else source.reshape(())
    except (ValueError, IndexError) as error:
        raise type(error)(f"indexed assignment: {error}") from None


def _assign_rule(node, gradient):
    view, picks, shape = node.plan
    d_target = d_value = None
    if node.needs[0]:
        d_target = assigned((view, picks, ()), gradient, constant(0, gradient.dtype))
    if node.needs[1]:
        d_value = _looked_up(gradient, view, picks)
        if d_value.ndim < len(shape):
            d_value = reshape(d_value, (1,) * (len(shape) - d_value.ndim) + d_value.array.shape)
        d_value = sum_to(d_value, shape)
    return d_target, d_value


assigned = overwriting("indexed assignment", _assign_write, _assign_rule)


def _value(operation, value, dtype, picks):
    """The value in a type; PyTorch converts it, but not what is put at picked places."""
    if isinstance(value, tensors.Tensor):
        if value.dtype != dtype and picks is not None and not _is_fill(picks, value):
            raise TypeError(f"{operation}: the tensor is {dtype}, the value {value.dtype}, and "
                            "values at places given by tensors are not converted")
        return value.to(dtype)
    if not tensors.is_number(value):
        raise TypeError(f"{operation}: expected a tensor or a number, got {type(value).__name__}")
    return constant(value, dtype, operation)


def assign_plan(view, picks, tensor, value):
    """What ``assigned`` needs, with positions of its own where a rule will read them."""
    if picks is not None and (tensor.requires_grad or value.requires_grad):
        picks = tuple(part if isinstance(part, slice) else program.apart(_own, part)
                      for part in picks)
    return view, picks, value.array.shape


def _is_fill(picks, value):
    """Whether one value goes to the places of one mask."""
    arrays = [part for part in picks if not isinstance(part, slice)]
    return value.numel() == 1 and len(arrays) == 1 and arrays[0].dtype == bool


def _check_apart(tensor, view, picks, value):
    """Raise where the values lie in the memory that is assigned to; one value is read first."""
    if value.numel() > 1 or picks is not None and not _is_fill(picks, value):
        with contextlib.suppress(IndexError):  # raised with a better text when it is assigned
            check_source("indexed assignment", tensor.array[view], value.array, picks is None)


def assign(tensor, index, value):
    """``tensor[index] = value`` in place; on the tape, with gradients to both."""
    view, picks = _split(index, tensor.ndim)
    made = _value("indexed assignment", value, tensor.dtype, picks)
    if made is value:
        _check_apart(tensor, view, picks, value)
    assigned.into(assign_plan(view, picks, tensor, made), tensor, made)


def _put_arguments(operation, indices, values, dtype):
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"{operation}: indices must be a tuple of tensors, got "
                        f"{type(indices).__name__}")
    index = tuple(tensors.as_tensor(operation, each) for each in indices)
    values = _value(operation, tensors.as_tensor(operation, values), dtype,
                    tuple(each.array for each in index))
    return tuple(each.reshape(1) if not each.ndim else each for each in index), values


def _accumulated(input, index, values):
    """Zeros of the shape of ``input`` with the values added at the index."""
    shape = input.array.shape
    dims, place = _pick_plan(shape, tuple(each.array for each in index))
    values = expand(values, (*place.shape, *shape[len(dims):]))
    return spread((0, len(dims), shape, place), values)


@public("fastnn", "method", cases=[
    case(floats(4, 3), [integers(1, high=4), integers(1, high=3)], floats(1)),
    case(floats(4, 3), [integers(5, high=4)], floats(5, 3), accumulate=True)])
def index_put(input, indices, values, accumulate=False):
    """``input`` with ``values`` at the positions of a tuple of index tensors, or added there."""
    index, values = _put_arguments("index_put", indices, values, input.dtype)
    if accumulate:
        return input + _accumulated(input, index, values)
    view, picks = _split(index, input.ndim)
    return assigned(assign_plan(view, picks, input, values), input, values)


def index_put_(input, indices, values, accumulate=False):
    """``index_put`` in place."""
    index, made = _put_arguments("index_put_", indices, values, input.dtype)
    if accumulate:
        return input.add_(_accumulated(input, index, made))
    assign(input, index, values)
    return input


@public("fastnn", "method", cases=[case(floats(4, 3), 0, integers(5, high=4)),
                                   case(floats(2, 3), 1, integers(4, high=3))])
def index_select(input, dim, index):
    """The slices of ``input`` along ``dim`` at the positions of the 1-d ``index``."""
    dim, place = one_dimension("index_select", tensors.as_tensor("index_select", input), dim, index)
    if not input.ndim:
        return reshape(pick((0, 1, (1,), place), reshape(input, 1)), place.shape[:0])
    return pick((dim, 1, input.array.shape, place), input)


@public("fastnn", "method", cases=[case(floats(4, 3), 0, 2), case(floats(2, 3, 4), -2, -1)])
def select(input, dim, index):
    """One slice along a dimension, as a view without it."""
    if not tensors.as_tensor("select", input).ndim:
        raise IndexError("select: a tensor without dimensions has no slices")
    dim = axis("select", dim, input.ndim)
    if isinstance(index, bool):
        raise TypeError("select: index must be an integer, got bool")
    index, size = operator.index(index), input.array.shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select: index {index} is out of range for dimension {dim} of size "
                         f"{size}")
    return lookup(input, (slice(None),) * dim + (index,))


def one_dimension(operation, input, dim, index, wrap=False):
    """(dimension, positions in it) of a 1-d tensor of integers, or an error."""
    dim = axis(operation, dim, input.ndim)
    index = tensors.as_tensor(operation, index)
    if index.dtype not in POSITIONS or index.ndim > 1:
        raise ValueError(f"{operation}: index must be int32 or int64 with one dimension, got "
                         f"{index.dtype} of shape {tuple(index.shape)}")
    return dim, positions(operation, tape.used(index).reshape(-1), dim, input.array.shape, wrap)
