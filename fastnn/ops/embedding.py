"""Rows of a table by their numbers: embeddings, and bags of them; the bilinear form."""

import math

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, program, segments
from ..autograd import no_grad
from ..operation import Operation
from ..registry import case, floats, integers, public
from .checks import floating
from .linear import bmm, product
from .shape import permute, reshape

# A plan of sums over segments is ([there, back], 0 or 1): the segments and the same turned round,
# made when a gradient first asks for them, and which of them is meant.


def _turned(plan):
    pair, way = plan
    if pair[1 - way] is None:
        turned = segments.turned(pair[way])
        if isinstance(pair, tuple):
            return ((turned, pair[1]) if way else (pair[0], turned)), 1 - way
        pair[1 - way] = turned
    return pair, 1 - way


def _pair(there):
    """The segments without the same turned round, which replays make from values of their own."""
    return [there, None] if program.noting() is None else (there, None)


def _segments(plan):
    return plan[0][plan[1]]


def _sums_forward(plan, table, factors):
    return segments.sums(_segments(plan), memory.contiguous(table), memory.contiguous(factors))


def _sums_rule(node, gradient):
    table, factors = node.saved
    d_table = _sums(_turned(node.plan), gradient, factors) if node.needs[0] else None
    return d_table, _dots(node.plan, gradient, table) if node.needs[1] else None


def _dots_forward(plan, left, table):
    named = _segments(_turned(plan)).rows
    return segments.dots(named, _segments(plan).rows, memory.contiguous(left),
                         memory.contiguous(table))


def _dots_rule(node, gradient):
    left, table = node.saved
    d_left = _sums(node.plan, table, gradient) if node.needs[0] else None
    return d_left, _sums(_turned(node.plan), left, gradient) if node.needs[1] else None


_sums = Operation("segment_sums", _sums_forward, _sums_rule, saves=(0, 1))
_dots = Operation("segment_dots", _dots_forward, _dots_rule, saves=(0, 1))


def _lookup_forward(plan, table):
    rows, shape, _ = plan
    found = segments.looked_up(rows, memory.contiguous(table))
    return found.reshape(*shape, table.shape[1]), table.shape


def _lookup_rule(node, gradient):
    (rows, _, padding), shape = node.plan
    there = segments.single(rows, shape[0])
    if padding is not None:
        there = _without(there, rows != padding)
    return _sums(_turned((_pair(there), 0)), reshape(gradient, (len(rows), shape[1])), None),


_lookup = Operation("embedding", _lookup_forward, _lookup_rule)


def _without(given, kept):
    """Segments of which only the places stay that ``kept`` marks."""
    before = numpy.concatenate(([0], numpy.cumsum(kept)))
    return given._replace(starts=before[given.starts], order=numpy.flatnonzero(kept))


def _largest_forward(plan, table):
    out, where = segments.largest(plan, memory.contiguous(table))
    return out, where, len(table)


_largest = Operation("segment_max", _largest_forward,
                     lambda node, gradient: _added(node.plan[1:], gradient))
_added = Operation("segment_max_gradient",
                   lambda plan, x: segments.added(memory.contiguous(x), *plan),
                   lambda node, gradient: _taken(node.plan, gradient))
_taken = Operation("segment_max_taken",
                   lambda plan, x: segments.taken(memory.contiguous(x), plan[0]),
                   lambda node, gradient: _added(node.plan, gradient))

# The weight itself, whose gradient is divided by how often each row was asked for.
_by_frequency = Operation("by_frequency", lambda factors, weight: weight,
                          lambda node, gradient: gradient * node.plan, shares_memory=True)


def _divided_by_frequency(weight, rows):
    factors = program.apart(_shares_of_rows, rows, weight.array)
    return _by_frequency(tape.from_array(factors), weight)


def _shares_of_rows(rows, weight):
    counts = numpy.bincount(rows, minlength=len(weight))
    return (1.0 / numpy.maximum(counts, 1)).astype(weight.dtype)[:, None]


def _rows(name, input, weight):
    """The numbers asked for as new int64 memory, which nobody can change before a gradient."""
    tensors.as_tensor(name, input)
    floating(name, weight=weight)
    if input.array.dtype not in (dtypes.int64, dtypes.int32):
        raise TypeError(f"{name}: input must be int64 or int32, got {input.dtype}")
    if weight.ndim != 2:
        raise ValueError(f"{name}: weight must be a matrix, got shape {tuple(weight.shape)}")
    return program.apart(_checked_rows, name, tape.used(input), len(weight.array))


def _checked_rows(name, numbers, count):
    numbers = memory.contiguous(numbers).astype(numpy.int64, copy=False)
    rows = segments.copied_rows(numbers, count)
    if rows is None:
        raise IndexError(f"{name}: input holds numbers from {numbers.min()} to {numbers.max()}, "
                         f"weight has {count} rows")
    return rows


def _padding(name, padding_idx, weight):
    """``padding_idx`` counted from 0, or None."""
    count = len(weight.array)
    if padding_idx is None or 0 <= padding_idx < count:
        return padding_idx
    if not -count <= padding_idx < 0:
        raise ValueError(f"{name}: padding_idx {padding_idx} lies outside of the {count} rows of "
                         "weight")
    return padding_idx + count


def _refuse_sparse(name, sparse):
    if sparse:
        raise ValueError(f"{name}: sparse gradients are not offered, only sparse=False")


@no_grad()
def _limit_norms(name, weight, rows, max_norm, norm_type):
    """Scale the rows asked for, in place, where their norm is larger than ``max_norm``."""
    if not weight.array.flags.writeable:
        raise ValueError(f"{name}: weight is read-only memory, and max_norm has to change it")
    rows = numpy.unique(rows)
    if not rows.size:
        return
    found = _lookup((rows, rows.shape, None), weight.detach())
    if norm_type == math.inf:
        norms = found.abs().max(dim=1)[0]
    else:
        norms = (found.abs() ** norm_type).sum(1) ** (1 / norm_type)
    large = norms.array > max_norm
    scale = (max_norm / (norms + 1e-7)).unsqueeze(1)
    weight.array[rows[large]] = (found * scale).array[large]
    weight._bump_version()


@public("functional", cases=[
    case(integers(2, 3, high=5), floats(5, 4)), case(integers(40, high=3), floats(3, 2))])
def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False):
    """The rows of ``weight`` that ``input`` names: shapes (...) and (V, D) give (..., D).

    Row ``padding_idx`` gets no gradient. Rows whose ``norm_type`` norm exceeds ``max_norm`` are
    scaled down in place first. ``scale_grad_by_freq`` divides the gradient of each row by how often
    it was asked for.

    >>> import fastnn
    >>> weight = fastnn.tensor([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    >>> fastnn.nn.functional.embedding(fastnn.tensor([2, 0]), weight)
    tensor([[2.0000, 2.5000],
            [0.0000, 0.5000]])
    """
    rows = _rows("embedding", input, weight)
    _refuse_sparse("embedding", sparse)
    padding = _padding("embedding", padding_idx, weight)
    if max_norm is not None:
        program.apart(_limit_norms, "embedding", weight, rows, max_norm, norm_type)
    if scale_grad_by_freq:
        weight = _divided_by_frequency(weight, rows)
    return _lookup((rows, input.array.shape, padding), weight)


def _bags(input, offsets, include_last_offset):
    """Where each bag starts, and where the last one ends."""
    count = input.array.size
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: input of 2 dimensions has its bags in rows; offsets "
                             "must be None")
        return program.constant(numpy.arange(len(input.array) + 1) * input.array.shape[1])
    if input.ndim != 1:
        raise ValueError("embedding_bag: input must have 1 or 2 dimensions, got shape "
                         f"{tuple(input.shape)}")
    if offsets is None or offsets.ndim != 1 or offsets.dtype.kind != "i":
        got = "None" if offsets is None else f"{offsets.dtype} of shape {tuple(offsets.shape)}"
        raise ValueError("embedding_bag: input of 1 dimension needs offsets, a vector of integers, "
                         f"got {got}")
    return program.apart(_starts, tape.used(offsets), count, include_last_offset)


def _starts(offsets, count, include_last_offset):
    starts = offsets.astype(numpy.int64)
    if not include_last_offset:
        starts = numpy.append(starts, count)
    if not starts.size or starts[0] != 0 or starts[-1] > count or (numpy.diff(starts) < 0).any():
        raise ValueError("embedding_bag: offsets must start at 0 and not fall, up to the "
                         f"{count} elements of input, got {offsets.tolist()}")
    return starts


def _check_bags(mode, input, weight, per_sample_weights, scale_grad_by_freq):
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
    if scale_grad_by_freq and mode == "max":
        raise ValueError("embedding_bag: scale_grad_by_freq is not offered with mode='max'")
    if per_sample_weights is None:
        return
    floating("embedding_bag", weight=weight, per_sample_weights=per_sample_weights)
    if mode != "sum":
        raise ValueError(f"embedding_bag: per_sample_weights need mode='sum', got {mode!r}")
    if per_sample_weights.array.shape != input.array.shape:
        raise ValueError(f"embedding_bag: per_sample_weights has shape "
                         f"{tuple(per_sample_weights.shape)}, input {tuple(input.shape)}")


@public("functional", cases=[
    case(integers(3, 4, high=5), floats(5, 2)),
    case(integers(3, 4, high=50), floats(50, 4), mode="sum", per_sample_weights=floats(3, 4)),
    case(integers(33, 6, high=4), floats(4, 2), mode="sum", padding_idx=1,
         per_sample_weights=floats(33, 6)),
    case(integers(4, 3, high=9), floats(9, 2), mode="max"),
    case(integers(3, 4, high=3), floats(3, 2), mode="mean", padding_idx=-1)])
def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2,
                  scale_grad_by_freq=False, mode="mean", sparse=False, per_sample_weights=None,
                  include_last_offset=False, padding_idx=None):
    """The sum, mean or maximum of the rows of ``weight`` that each bag of ``input`` names.

    Bags are the rows of an input of two dimensions, or runs of one of one dimension that start at
    ``offsets`` (with ``include_last_offset``, the last is the end of the last bag). An empty bag
    gives zeros; row ``padding_idx`` is left out. ``per_sample_weights`` scale the rows of a sum.

    >>> import fastnn
    >>> weight = fastnn.tensor([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    >>> numbers, offsets = fastnn.tensor([1, 2, 0]), fastnn.tensor([0, 2])
    >>> fastnn.nn.functional.embedding_bag(numbers, weight, offsets, mode="sum")
    tensor([[3.0000, 4.0000],
            [0.0000, 0.5000]])
    """
    rows = _rows("embedding_bag", input, weight)
    _refuse_sparse("embedding_bag", sparse)
    _check_bags(mode, input, weight, per_sample_weights, scale_grad_by_freq)
    bags = segments.Segments(_bags(input, offsets, include_last_offset), None, rows,
                             len(weight.array))
    padding = _padding("embedding_bag", padding_idx, weight)
    if padding is not None:
        program.refuse("embedding_bag leaves out as many places as are padding")
        bags = _without(bags, rows != padding)
    if max_norm is not None:
        program.apart(_limit_norms, "embedding_bag", weight, rows, max_norm, norm_type)
    if scale_grad_by_freq:
        weight = _divided_by_frequency(weight, rows)
    if mode == "max":
        return _largest(bags, weight)
    factors = _shares(bags, weight.dtype) if mode == "mean" else per_sample_weights
    if isinstance(factors, tensors.Tensor) and factors.ndim == 2:
        factors = reshape(factors, -1)
    return _sums((_pair(bags), 0), weight, factors)


def _shares(bags, dtype):
    """For each place, 1 over the number of places of its bag."""
    return tape.from_array(program.apart(_shares_now, bags, dtype))


def _shares_now(bags, dtype):
    sizes = numpy.diff(bags.starts)
    shares = numpy.zeros(bags.rows.shape, dtype)
    places = slice(bags.starts[0], bags.starts[-1])
    shares[places if bags.order is None else bags.order[places]] = numpy.repeat(
        1.0 / numpy.maximum(sizes, 1), sizes)
    return shares


@public("functional", "fastnn", cases=[
    case(floats(4, 3), floats(4, 2), floats(5, 3, 2), floats(5)),
    case(floats(2, 4, 3), floats(2, 4, 2), floats(1, 3, 2)),
    case(floats(3), floats(2), floats(4, 3, 2), floats(4))])
def bilinear(input1, input2, weight, bias=None):
    """``input1' W input2 + bias`` for each matrix W of ``weight``.

    Shapes (..., I), (..., J), (O, I, J) and (O,) give (..., O).
    """
    floating("bilinear", input1=tensors.as_tensor("bilinear", input1), input2=input2,
             weight=weight, bias=bias)
    if weight.ndim != 3:
        raise ValueError("bilinear: weight must have 3 dimensions, got shape "
                         f"{tuple(weight.shape)}")
    out, left, right = weight.array.shape
    for name, tensor, size in (("input1", input1, left), ("input2", input2, right)):
        if not tensor.ndim or tensor.array.shape[-1] != size:
            raise ValueError(f"bilinear: {name} has shape {tuple(tensor.shape)}, weight expects "
                             f"{size} features")
    if input1.array.shape[:-1] != input2.array.shape[:-1]:
        raise ValueError(f"bilinear: input1 and input2 have shapes {tuple(input1.shape)} and "
                         f"{tuple(input2.shape)}, which must agree but for the last size")
    if bias is not None and bias.array.shape != (out,):
        raise ValueError(f"bilinear: bias has shape {tuple(bias.shape)}, weight expects ({out},)")
    shape = input1.array.shape[:-1]
    count = math.prod(shape)
    turned = reshape(permute(weight, 1, 0, 2), (left, out * right))
    halves = product((False, False), reshape(input1, (count, left)), turned)
    result = bmm(reshape(halves, (count, out, right)), reshape(input2, (count, right, 1)))
    result = reshape(result, (*shape, out))
    return result if bias is None else result + bias
