"""Indexing, slicing and indexed assignment, with NumPy's and PyTorch's common rules."""

import numpy

from .. import tape
from .. import tensor as tensors
from ..op import Operation
from ..registry import case, floats, integers, public
from .checks import axis

BASIC = (int, slice, type(None), type(Ellipsis), numpy.integer)


def _split(index, ndim):
    """The index as a view by integers, slices and None, and the arrays to pick from that view.

    PyTorch's order: integers are applied first, so they do not move the picked dimensions.
    """
    parts = [_part(part) for part in (index if isinstance(index, tuple) else (index,))]
    used = sum(_width(part) for part in parts)
    if any(part is Ellipsis for part in parts):
        place = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[place:place + 1] = [slice(None)] * max(0, ndim - used)
    view, arrays = [], []
    for part in parts:
        if isinstance(part, BASIC) and not isinstance(part, bool):
            view.append(part)
            arrays += [] if isinstance(part, (int, numpy.integer)) else [slice(None)]
        else:
            view += [slice(None)] * _width(part)
            arrays.append(part)
    return tuple(view), tuple(arrays) if any(
        not isinstance(part, slice) for part in arrays) else None


def _width(part):
    """How many dimensions a part of an index stands for."""
    if part is None or part is Ellipsis or isinstance(part, (bool, numpy.bool_)):
        return 0
    return part.ndim if isinstance(part, numpy.ndarray) and part.dtype == bool else 1


def _part(part):
    if isinstance(part, tensors.Tensor):
        if part.dtype.kind == "f":
            raise IndexError(f"index: a tensor index must be integer or boolean, got {part.dtype}")
        return int(part.item()) if not part.ndim and part.dtype.kind != "b" else part.array
    if isinstance(part, range):
        return numpy.asarray(part)
    if isinstance(part, slice):
        if part.step is not None and part.step <= 0:
            raise ValueError(f"index: the step of a slice must be positive, got {part.step}")
        return part
    return numpy.asarray(part) if isinstance(part, list) else part


def _looked_up(index, x):
    try:
        return x[index]
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {x.shape}") from None


def _view_forward(plan, x):
    return numpy.asarray(_looked_up(plan[0], x))


def _pick_forward(plan, x):
    return numpy.ascontiguousarray(_looked_up(plan[0], x)) if x.ndim else _looked_up(plan[0], x)


def _spread_forward(plan, gradient):
    """Zeros of the shape indexed, with the gradient added at the index."""
    index, shape, basic = plan
    out = numpy.zeros(shape, gradient.dtype)
    if basic:
        out[index] = gradient
    else:
        numpy.add.at(out, index, gradient)
    return out


def _lookup_rule(node, gradient):
    return _spread(node.plan, gradient)


def _spread_rule(node, gradient):
    return (_view if node.plan[2] else _pick)(node.plan, gradient)


_view = Operation("slice", _view_forward, _lookup_rule, shares_memory=True)
_pick = Operation("index", _pick_forward, _lookup_rule)
_spread = Operation("spread", _spread_forward, _spread_rule)


def lookup(tensor, index):
    """``tensor[index]``: a view for integers and slices, a copy for tensors of indices or masks."""
    view, arrays = _split(index, tensor.ndim)
    if view or arrays is None:
        tensor = _view((view, tensor.array.shape, True), tensor)
    return tensor if arrays is None else _pick((arrays, tensor.array.shape, False), tensor)


def assign(tensor, index, value):
    """``tensor[index] = value`` in place, for tensors that are not on the tape."""
    if tape.is_grad_enabled() and (tensor.requires_grad
                                   or getattr(value, "requires_grad", False)):
        raise RuntimeError("indexed assignment: not recorded on the tape; use no_grad() around it, "
                           "or where()")
    view, arrays = _split(index, tensor.ndim)
    target = tensor.array
    source = value.array if isinstance(value, tensors.Tensor) else value
    try:
        if arrays is None:
            target[view] = source
        else:
            target[view][arrays] = source
    except (ValueError, IndexError) as error:
        raise type(error)(f"indexed assignment: {error}") from None
    tensor._bump_version()


@public("fastnn", "method", cases=[case(floats(4, 3), 0, integers(5, high=4))])
def index_select(input, dim, index):
    """The slices of ``input`` along ``dim`` at the positions of the 1-d ``index``."""
    dim = axis("index_select", dim, input.ndim)
    return lookup(input, (slice(None),) * dim + (index,))


def _gather_forward(plan, x):
    dim, index, _ = plan
    return numpy.take_along_axis(x, index, dim)


def _scatter_forward(plan, gradient):
    dim, index, shape = plan
    out = numpy.zeros(shape, gradient.dtype)
    grid = list(numpy.ogrid[tuple(slice(0, size) for size in index.shape)])
    grid[dim] = index
    numpy.add.at(out, tuple(grid), gradient)
    return out


_gather = Operation("gather", _gather_forward, lambda node, g: _scattered(node.plan, g))
_scattered = Operation("scattered", _scatter_forward, lambda node, g: _gather(node.plan, g))


@public("fastnn", "method", cases=[case(floats(4, 3), 1, integers(4, 2, high=3))])
def gather(input, dim, index):
    """``input`` at the positions of ``index`` along ``dim``; the other sizes must agree."""
    dim = axis("gather", dim, input.ndim)
    if index.dtype.kind not in "iu" or index.ndim != input.ndim:
        raise ValueError(f"gather: index must be integers with {input.ndim} dimensions, got "
                         f"{index.dtype} of shape {tuple(index.shape)}")
    positions = index.array
    size = input.shape[dim]
    if positions.size and not (0 <= positions.min() and positions.max() < size):
        raise IndexError(f"gather: index out of range for dimension {dim} of size {size}")
    cut = tuple(slice(None) if i == dim else slice(0, n) for i, n in enumerate(index.shape))
    part = lookup(input, cut)
    return _gather((dim, positions, part.array.shape), part)
