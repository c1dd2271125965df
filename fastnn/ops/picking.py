"""Elements and slices read and written by tensors of positions, along one dimension."""

import numpy

from .. import tensor as tensors
from .._kernels import reducing, rows
from ..changes import check_source
from ..operation import Operation
from ..registry import case, floats, integers, public
from ..tape import used
from .checks import axis
from .comparison import where
from .in_place import constant, overwriting
from .indexing import POSITIONS, joined, lookup, one_dimension, pick, positions
from .shape import broadcast_to, reshape


def write_back(array, target):
    """Bring a result computed in contiguous memory to a target that lies otherwise."""
    if not numpy.may_share_memory(array, target):
        target[...] = array.reshape(target.shape)


# Along one dimension, an index for each element.


def _gather_forward(plan, x):
    dim, index, _ = plan
    return rows.gather_elements(joined(x, dim), joined(index, dim)).reshape(index.shape)


def _gather_rule(node, gradient):
    dim, index, shape = node.plan
    zeros = constant(0, gradient.dtype).expand(shape)
    return scattered_add((dim, index), zeros, gradient)


_gather = Operation("gather", _gather_forward, _gather_rule)


def scatter_write(mode):
    def write(plan, target, source):
        dim, index = plan
        region = target[tuple(slice(None) if i == dim else slice(0, n)
                              for i, n in enumerate(index.shape))]
        out = joined(region, dim)
        places, values = joined(index, dim), joined(source, dim)
        if mode == "add" and target.dtype.kind == "b":
            reducing.scatter_extreme(out, places, values, True)
        else:
            rows.scatter_elements(out, places, values, mode)
        write_back(out, region)

    return write


def _scatter_rule(node, gradient):
    dim, index = node.plan
    d_input = d_source = None
    if node.needs[0]:
        zeros = constant(0, gradient.dtype).expand(index.shape)
        d_input = scattered(node.plan, gradient, zeros)
    if node.needs[1]:
        d_source = gathered(gradient, dim, index)
    return d_input, d_source


def _scatter_add_rule(node, gradient):
    return gradient, gathered(gradient, *node.plan) if node.needs[1] else None


def _no_rule(node, gradient):
    raise RuntimeError("scatter: reduce='multiply' has no gradient")


scattered = overwriting("scatter", scatter_write("copy"), _scatter_rule)
scattered_add = overwriting("scatter_add", scatter_write("add"), _scatter_add_rule)
_scattered_multiply = overwriting("scatter", scatter_write("multiply"), _no_rule)


def gathered(input, dim, index):
    """``input`` at checked positions, of which the other dimensions may have fewer."""
    part = begin_of(input, index.shape, dim)
    return _gather((dim, index, part.array.shape), part)


def begin_of(input, shape, dim=None):
    """The first elements along each dimension, as many as in a shape; along ``dim`` all."""
    sizes = input.array.shape
    if all(i == dim or n == sizes[i] for i, n in enumerate(shape)):
        return input
    return lookup(input, tuple(slice(None) if i == dim else slice(0, n)
                               for i, n in enumerate(shape)))


def index_along(operation, input, dim, index, source=None):
    """(dimension, checked positions) of an index with the dimensions of ``input``."""
    dim = axis(operation, dim, tensors.as_tensor(operation, input).ndim)
    index = tensors.as_tensor(operation, index)
    if index.dtype not in POSITIONS or max(index.ndim, 1) != max(input.ndim, 1):
        raise ValueError(f"{operation}: index must be int32 or int64 with {input.ndim} dimensions, "
                         f"got {index.dtype} of shape {tuple(index.shape)}")
    for name, other, kept in (("input", input, dim), ("src", source, None)):
        if other is None or not index.numel():
            continue
        sizes, limits = index.array.shape or (1,), other.array.shape or (1,)
        if len(sizes) != len(limits) or any(
                i != kept and a > b for i, (a, b) in enumerate(zip(sizes, limits, strict=True))):
            raise ValueError(f"{operation}: index of shape {tuple(index.shape)} does not lie "
                             f"within {name} of shape {tuple(other.shape)}")
    return dim, positions(operation, used(index), dim, input.array.shape)


@public("fastnn", "method", cases=[
    case(floats(4, 3), 1, integers(4, 2, high=3)), case(floats(4, 3), 0, integers(2, 2, high=4)),
    case(floats(2, 3, 4), 1, integers(2, 5, 3, high=3))])
def gather(input, dim, index, *, sparse_grad=False):
    """``out[i][j] = input[i][index[i][j]]`` for ``dim=1``, and so on; the shape is index's.

    >>> import fastnn
    >>> x = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> fastnn.gather(x, 1, fastnn.tensor([[0, 0], [1, 0]]))
    tensor([[1., 1.],
            [4., 3.]])
    """
    dim, index = index_along("gather", input, dim, index)
    if input.ndim and index.ndim:
        return gathered(input, dim, index)
    if not input.ndim:
        return reshape(gathered(reshape(input, 1), 0, index.reshape(1)), index.shape)
    return reshape(gathered(input, dim, index.reshape(1)), ())


def _scatter_plan(operation, input, dim, index, source, reduce):
    """(operation, plan, source as large as the index) of a scatter."""
    made = {None: scattered, "add": scattered_add, "multiply": _scattered_multiply}
    if reduce not in made:
        raise ValueError(f"{operation}: reduce must be 'add' or 'multiply', got {reduce!r}")
    number = not isinstance(source, tensors.Tensor)
    if number:
        source = constant(source, tensors.as_tensor(operation, input).dtype, operation)
    elif source.dtype != input.dtype:
        raise TypeError(f"{operation}: input is {input.dtype}, src is {source.dtype}")
    number = number or (not source.ndim and input.ndim)
    dim, place = index_along(operation, input, dim, index, None if number else source)
    if reduce == "multiply" and (input.requires_grad or source.requires_grad):
        raise RuntimeError(f"{operation}: reduce='multiply' has no gradient; use detach()")
    if number:
        source = broadcast_to(source, place.shape)
    elif place.ndim:
        source = lookup(source, tuple(slice(0, n) for n in place.shape))
    return made[reduce], (dim, place), source


def _scatter(operation, input, dim, index, source, reduce=None, in_place=False):
    given = source
    scattered, plan, source = _scatter_plan(operation, input, dim, index, source, reduce)
    if in_place and isinstance(given, tensors.Tensor) and given.ndim:
        check_source(operation, input.array, given.array, False)
    if not input.ndim or not plan[1].ndim:
        dim, index = plan
        target = input.unsqueeze(0) if not input.ndim else input
        plan, source = (dim, index.reshape(-1)), reshape(source, -1)
        if in_place:
            scattered.into(plan, target, source)
            return input
        return reshape(scattered(plan, target, source), input.shape)
    return scattered.into(plan, input, source) if in_place else scattered(plan, input, source)


@public("fastnn", "method", cases=[
    case(floats(4, 3), 0, integers(1, 3, high=4), floats(1, 3)),
    case(floats(4, 3), 1, integers(4, 1, high=3), floats(4, 2)),
    case(floats(4, 3), 1, integers(4, 1, high=3), 2.5)])
def scatter(input, dim, index, src=None, *, reduce=None, value=None):
    """``input`` with ``src`` (a tensor or a number) at ``index`` along ``dim``: gather's inverse.

    ``out[i][index[i][j]] = src[i][j]`` for ``dim=1``. Where positions meet, the last one stays.
    ``reduce`` may be ``"add"`` or ``"multiply"`` (without gradients).

    >>> import fastnn
    >>> fastnn.zeros(2, 3).scatter(1, fastnn.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    return _scatter("scatter", input, dim, index, value if src is None else src, reduce)


@public("fastnn", "method", cases=[
    case(floats(4, 3), 0, integers(6, 2, high=4), floats(6, 3)),
    case(floats(4, 3), 1, integers(4, 5, high=3), floats(4, 5))])
def scatter_add(input, dim, index, src):
    """``input`` with ``src`` added at ``index`` along ``dim``, in the order of ``src``."""
    return _scatter("scatter_add", input, dim, index, tensors.as_tensor("scatter_add", src), "add")


@public("fastnn", "method", cases=[
    case(floats(4, 3), integers(4, 1, high=3), 1), case(floats(1, 3), integers(4, 3, high=1), 0),
    case(floats(2, 3), integers(5, high=6))])
def take_along_dim(input, indices, dim=None):
    """As ``gather``, but both broadcast in the other dimensions; without ``dim`` both are flat."""
    tensors.as_tensor("take_along_dim", input)
    tensors.as_tensor("take_along_dim", indices)
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    if indices.dtype != numpy.int64:
        raise TypeError(f"take_along_dim: indices must be int64, got {indices.dtype}")
    dim = axis("take_along_dim", dim, input.ndim)
    if indices.ndim != input.ndim:
        raise ValueError(f"take_along_dim: indices have {indices.ndim} dimensions, input "
                         f"{input.ndim}")
    sizes = numpy.broadcast_shapes(
        *(tuple(1 if i == dim else n for i, n in enumerate(each.array.shape))
          for each in (input, indices)))

    def spread(tensor):
        return broadcast_to(tensor, sizes[:dim] + (tensor.shape[dim],) + sizes[dim + 1:])

    size = input.shape[dim]
    return gather(spread(input), dim, spread(where(indices < 0, indices + size, indices)))


@public("fastnn", "method", cases=[case(floats(4, 3), integers(2, 5, low=-12, high=12))])
def take(input, index):
    """The elements of ``input``, read as one row, at the positions ``index``."""
    tensors.as_tensor("take", input)
    index = tensors.as_tensor("take", index)
    if index.dtype != numpy.int64:
        raise TypeError(f"take: index must be int64, got {index.dtype}")
    flat = reshape(input, -1)
    place = positions("take", used(index), 0, flat.array.shape, wrap=True)
    return pick((0, 1, flat.array.shape, place), flat)


@public("fastnn", "method", cases=[
    case(floats(4, 3), integers(1, high=12), floats(1)),
    case(floats(4, 3), integers(2, 5, low=-12, high=12), floats(10), accumulate=True)])
def put(input, index, source, accumulate=False):
    """``input``, read as one row, with ``source`` at the positions ``index``, or added there.

    The inverse of ``take``; where positions meet, the last one stays.
    """
    index = tensors.as_tensor("put", index)
    if tensors.as_tensor("put", source).dtype != tensors.as_tensor("put", input).dtype:
        raise TypeError(f"put: input is {input.dtype}, source is {source.dtype}")
    if index.dtype != numpy.int64:
        raise TypeError(f"put: index must be int64, got {index.dtype}")
    if index.numel() != source.numel():
        raise IndexError(f"put: {index.numel()} positions for {source.numel()} values")
    flat = reshape(input, -1)
    place = positions("put", used(index).reshape(-1), 0, flat.array.shape, wrap=True)
    written = scattered_add if accumulate else scattered
    return reshape(written((0, place), flat, reshape(source, -1)), input.shape)


# Along one dimension, an index for each slice.


def _add_slices(plan, target, source):
    dim, index, scale = plan
    out = joined(target, dim)
    rows.add_rows(out.shape, index, joined(source, dim), out, scale)
    write_back(out, target)


def _add_slices_rule(node, gradient):
    dim, index, scale = node.plan
    if not node.needs[1]:
        return gradient, None
    return gradient, pick((dim, 1, gradient.array.shape, index), gradient) * scale


def _slices(dim, index):
    return (slice(None),) * dim + (index,)


def _copy_slices(plan, target, source):
    target[_slices(*plan)] = source


def _copy_slices_rule(node, gradient):
    dim, index = node.plan
    d_input = d_source = None
    if node.needs[0]:
        d_input = _slices_filled(node.plan, gradient, constant(0, gradient.dtype))
    if node.needs[1]:
        d_source = pick((dim, 1, gradient.array.shape, index), gradient)
    return d_input, d_source


def _fill_slices_rule(node, gradient):
    d_input, d_value = _copy_slices_rule(node, gradient)
    return d_input, None if d_value is None else d_value.sum()


_slices_added = overwriting("index_add", _add_slices, _add_slices_rule)
_slices_copied = overwriting("index_copy", _copy_slices, _copy_slices_rule)
_slices_filled = overwriting("index_fill", _copy_slices, _fill_slices_rule)


def slices_plan(operation, input, dim, index, source):
    """(dimension, positions) after checking that ``source`` has a slice for each position."""
    dim, place = one_dimension(operation, tensors.as_tensor(operation, input), dim, index)
    if tensors.as_tensor(operation, source).dtype != input.dtype:
        raise TypeError(f"{operation}: input is {input.dtype}, source is {source.dtype}")
    shape = input.array.shape
    wanted = shape[:dim] + (place.size,) * bool(shape) + shape[dim + 1:]
    if source.array.shape != wanted:
        raise ValueError(f"{operation}: source has shape {tuple(source.shape)}, expected {wanted}")
    return dim, place


def _run(operation, plan, input, source, in_place):
    """Run a slice operation on a tensor, which as a single number is a row of one."""
    if in_place and source.ndim:
        check_source(operation.name, input.array, source.array, False)
    if input.ndim:
        return operation.into(plan, input, source) if in_place else operation(plan, input, source)
    source = reshape(source, 1)
    if in_place:
        operation.into(plan, input.unsqueeze(0), source)
        return input
    return reshape(operation(plan, reshape(input, 1), source), ())


def _index_add(operation, input, dim, index, source, alpha, in_place):
    plan = slices_plan(operation, input, dim, index, source)
    if input.dtype.kind == "b":
        raise TypeError(f"{operation}: not defined for boolean tensors")
    return _run(_slices_added, (*plan, alpha), input, source, in_place)


def _index_copy(operation, input, dim, index, source, in_place):
    plan = slices_plan(operation, input, dim, index, source)
    return _run(_slices_copied, plan, input, source, in_place)


def _index_fill(operation, input, dim, index, value, in_place):
    plan = one_dimension(operation, tensors.as_tensor(operation, input), dim, index, wrap=True)
    if not isinstance(value, tensors.Tensor):
        value = constant(value, input.dtype, operation)
    elif value.ndim:
        raise ValueError(f"{operation}: value must be a number, got shape {tuple(value.shape)}")
    return _run(_slices_filled, plan, input, value.to(input.dtype), in_place)


@public("fastnn", "method", cases=[
    case(floats(4, 3), 0, integers(6, high=4), floats(6, 3), alpha=2.0),
    case(floats(4, 3), 1, integers(5, high=3), floats(4, 5))])
def index_add(input, dim, index, source, *, alpha=1):
    """``input`` with ``alpha`` times the slices of ``source`` added at ``index`` along ``dim``."""
    return _index_add("index_add", input, dim, index, source, alpha, False)


@public("fastnn", "method", cases=[case(floats(4, 3), 1, integers(1, high=3), floats(4, 1))])
def index_copy(input, dim, index, source):
    """``input`` with the slices at ``index`` along ``dim`` replaced by those of ``source``."""
    return _index_copy("index_copy", input, dim, index, source, False)


@public("fastnn", "method", cases=[case(floats(4, 3), 1, integers(2, high=3), 1.5)])
def index_fill(input, dim, index, value):
    """``input`` with the slices at ``index`` along ``dim`` filled with one value."""
    return _index_fill("index_fill", input, dim, index, value, False)


def scatter_(input, dim, index, src=None, *, reduce=None, value=None):
    """``scatter`` in place."""
    return _scatter("scatter_", input, dim, index, value if src is None else src, reduce, True)


def scatter_add_(input, dim, index, src):
    """``scatter_add`` in place."""
    return _scatter("scatter_add_", input, dim, index, src, "add", True)


def index_add_(input, dim, index, source, *, alpha=1):
    """``index_add`` in place."""
    return _index_add("index_add_", input, dim, index, source, alpha, True)


def index_copy_(input, dim, index, source):
    """``index_copy`` in place."""
    return _index_copy("index_copy_", input, dim, index, source, True)


def index_fill_(input, dim, index, value):
    """``index_fill`` in place."""
    return _index_fill("index_fill_", input, dim, index, value, True)
