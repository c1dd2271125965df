"""Sorting, ranking, distinct values and searching.

A kernel finds the order; values are then gathered, so gradients flow through them.
"""

import math
from collections import namedtuple

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import lexical, memory, program, ranking, rows, selecting, sorting
from ..registry import case, floats, integers, public
from .checks import axis, truth, whole
from .picking import gather, gathered

FEW = 32  # of topk: 5 of 1000 take a twentieth of a sort's time

_sorted = namedtuple("sort", "values indices")
_top = namedtuple("topk", "values indices")
_kth = namedtuple("kthvalue", "values indices")


def _rows(x, dim):
    """A dimension's lines as the rows of a contiguous matrix."""
    rows = x if dim == x.ndim - 1 else numpy.moveaxis(x, dim, -1)
    return memory.contiguous(rows).reshape(math.prod(rows.shape[:-1]), x.shape[dim])


def _lines(found, shape, dim):
    """The rows of a matrix as lines along a dimension of a shape, whatever its size there."""
    lines = found.reshape(*shape[:dim], *shape[dim + 1:], found.shape[1])
    return lines if dim == len(shape) - 1 else numpy.moveaxis(lines, -1, dim)


def _order(x, dim, descending):
    """Positions along ``dim`` in stable order; NaN counts as the largest value."""
    return program.apart(_ordered, x, dim, descending)


def _ordered(x, dim, descending):
    if not x.ndim:
        return numpy.zeros((), numpy.int64)
    return _lines(sorting.order(_rows(x, dim), descending), x.shape, dim)


def _indices(array):
    return tape.from_array(program.apart(_as_indices, array))


def _as_indices(array):
    return numpy.ascontiguousarray(array, numpy.int64).reshape(array.shape)


@public("fastnn", "method", differentiable=False)
def sort(input, dim=-1, descending=False, stable=False):
    """(values, indices) in order along a dimension, equal values in the order they had.

    NaN counts as the largest value. Gradients flow through the values.

    >>> import fastnn
    >>> fastnn.sort(fastnn.tensor([3.0, 1.0, 2.0])).indices
    tensor([1, 2, 0])
    """
    dim = axis("sort", dim, tensors.as_tensor("sort", input).ndim)
    order = _indices(_order(tape.used(input), dim, truth("sort", "descending", descending)))
    return _sorted(gather(input, dim, order), order)


@public("fastnn", "method", differentiable=False, cases=[
    case(floats(2, 5)), case(floats(4, 3), 0, True), case(integers(2, 9, high=3), stable=True)])
def argsort(input, dim=-1, descending=False, *, stable=False):
    """The positions that bring the values along a dimension in order, of equals the first first."""
    dim = axis("argsort", dim, tensors.as_tensor("argsort", input).ndim)
    return _indices(_order(tape.used(input), dim, truth("argsort", "descending", descending)))


@public("fastnn", "method", differentiable=False)
def msort(input):
    """The values in order along the first dimension."""
    return sort(input, 0).values


def _first(x, dim, start, stop):
    return x[(slice(None),) * dim + (slice(start, stop),)] if x.ndim else x


def _top_positions(x, dim, k, largest):
    """Positions of the k first, in order."""
    if not x.ndim or 2 * k >= x.shape[dim]:
        return _first(_order(x, dim, largest), dim, 0, k)
    found = ranking.first_positions if k <= FEW else selecting.first_in_order
    return _lines(found(_rows(x, dim), k, largest), x.shape, dim)


@public("fastnn", "method", differentiable=False)
def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the ``k`` largest or smallest along a dimension, in order."""
    dim = axis("topk", dim, tensors.as_tensor("topk", input).ndim)
    k = whole("topk", "k", k)
    truth("topk", "largest", largest)
    size = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"topk: k is {k}, the dimension has {size} elements")
    order = _indices(program.apart(_top_positions, tape.used(input), dim, k, largest))
    return _top(gathered(input, dim, order.array) if input.ndim else gather(input, 0, order), order)


def _kth_positions(x, dim, k):
    if not x.ndim:
        return numpy.zeros((), numpy.int64)
    return _lines(selecting.kth_positions(_rows(x, dim), k)[:, None], x.shape, dim)


@public("fastnn", "method", differentiable=False)
def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices) of the ``k``-th smallest along a dimension, counted from 1."""
    dim = axis("kthvalue", dim, tensors.as_tensor("kthvalue", input).ndim)
    k = whole("kthvalue", "k", k)
    size = input.shape[dim] if input.ndim else 1
    if not 1 <= k <= size:
        raise ValueError(f"kthvalue: k is {k}, the dimension has {size} elements")
    order = _indices(program.apart(_kth_positions, tape.used(input), dim, k))
    values = gather(input, dim, order)
    return _kth(values, order) if truth("kthvalue", "keepdim", keepdim) or not input.ndim else _kth(
        values.squeeze(dim), order.squeeze(dim))


def _distinct_rows(x, order):
    """(the distinct rows in order, which of them each row is, how often each occurs)."""
    ordered = rows.take_rows(x[None], order)[0]
    fresh = numpy.ones(len(x), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(1)
    inverse = numpy.empty(len(x), numpy.int64)
    inverse[order] = numpy.cumsum(fresh) - 1
    starts = fresh.nonzero()[0]
    return ordered[starts], inverse, numpy.diff(starts, append=len(x))


def _distinct(x):
    """The same of the elements of a vector."""
    order = sorting.order(x.reshape(1, -1), False).reshape(-1)
    values, inverse, counts = _distinct_rows(x.reshape(-1, 1), order)
    return values.reshape(-1), inverse, counts


def _chosen(found, return_inverse, return_counts):
    values, inverse, counts = (tape.from_array(memory.contiguous(each)) for each in found)
    results = (values, *[inverse] * return_inverse, *[counts] * return_counts)
    return results if len(results) > 1 else values


@public("fastnn", "method", differentiable=False)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct values in order, or the distinct slices along ``dim``; NaNs are all distinct.

    With ``return_inverse`` also where in them each element is, with ``return_counts`` how often
    each occurs.
    """
    x = tensors.as_tensor("unique", input).array
    dim = None if dim is None else axis("unique", dim, x.ndim)
    if dim is not None and 0 in x.shape[:dim] + x.shape[dim + 1:]:
        raise ValueError(f"unique: slices of the shape {x.shape} along {dim} have no elements")
    if dim is None:
        values, inverse, counts = _distinct(memory.contiguous(x).reshape(-1))
        inverse = inverse.reshape(x.shape)
    else:
        slices = numpy.moveaxis(x, dim, 0)
        flat = memory.contiguous(slices).reshape(len(slices), math.prod(slices.shape[1:]))
        values, inverse, counts = _distinct_rows(flat, lexical.order_of_rows(flat))
        values = numpy.moveaxis(values.reshape(-1, *slices.shape[1:]), 0, dim)
    return _chosen((values, inverse, counts), return_inverse, return_counts)


@public("fastnn", "method", differentiable=False)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The values (slices along ``dim``) without those that equal the one before them."""
    x = tensors.as_tensor("unique_consecutive", input).array
    shape, whole = x.shape, dim is None
    x = x.reshape(-1) if whole else x
    dim = axis("unique_consecutive", dim or 0, x.ndim)
    slices = numpy.moveaxis(x, dim, 0).reshape(x.shape[dim], x.size // max(1, x.shape[dim]))
    fresh = numpy.ones(len(slices), bool)
    fresh[1:] = (slices[1:] != slices[:-1]).any(1)
    inverse = numpy.cumsum(fresh) - 1
    counts = numpy.bincount(inverse)
    inverse = inverse.reshape(shape) if whole else inverse
    return _chosen((numpy.compress(fresh, x, dim), inverse, counts), return_inverse, return_counts)


@public("fastnn", differentiable=False)
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where each value has to stand in rows in order: before its equals, ``right`` behind them.

    ``sorted_sequence`` is a vector for all values, or has a row for each row of ``input``.
    ``sorter`` are the positions that bring it in order.
    """
    sequence = tensors.as_tensor("searchsorted", sorted_sequence)
    values = input.array if isinstance(input, tensors.Tensor) else numpy.asarray(input)
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ValueError(f"searchsorted: side must be 'left' or 'right' and agree with right, got "
                         f"{side!r} and {right}")
    if sorter is not None:
        sequence = gather(sequence.detach(), -1, sorter)
    ordered, side = sequence.array, "right" if right else side or "left"
    if ordered.ndim > 1 and values.shape[:-1] != ordered.shape[:-1] or not ordered.ndim:
        raise ValueError(f"searchsorted: input of shape {values.shape} has not the rows of "
                         f"sorted_sequence of shape {ordered.shape}")
    found = program.apart(_searched, ordered, values, side == "right",
                          dtypes.int32 if out_int32 else dtypes.int64)
    return tape.from_array(found)


def _searched(sequence, values, right, kind):
    """Where values stand in one row, or in a row for each of theirs, in a type of integers."""
    dtype = numpy.result_type(sequence, values)
    lines = math.prod(sequence.shape[:-1])
    count = values.size if sequence.ndim == 1 else values.shape[-1]
    found = sorting.positions(
        memory.contiguous(sequence.astype(dtype)).reshape(lines, sequence.shape[-1]),
        memory.contiguous(values.astype(dtype)).reshape(lines, count), right)
    return numpy.asarray(found.reshape(values.shape), kind)


@public("fastnn", differentiable=False)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the interval between ordered boundaries in which each value lies.

    An interval holds its upper boundary, with ``right`` its lower one.

    >>> import fastnn
    >>> fastnn.bucketize(fastnn.tensor([1, 4, 9]), fastnn.tensor([3, 5, 7]))
    tensor([0, 1, 3])
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@public("fastnn", differentiable=False, cases=[
    case(integers(4, 3, high=9), integers(5, high=9)), case(integers(4, high=9), 3),
    case(integers(2, 3, high=9), integers(2, 2, high=9), invert=True)])
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element is among the test elements, or with ``invert`` is not; NaN never is.

    >>> import fastnn
    >>> fastnn.isin(fastnn.tensor([1, 2, 3]), fastnn.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    for each in (elements, test_elements):
        if not isinstance(each, tensors.Tensor) and not tensors.is_number(each):
            raise TypeError(f"isin: expected tensors or a number, got {type(each).__name__}")
    given = [each.array if isinstance(each, tensors.Tensor) else numpy.asarray(each)
             for each in (elements, test_elements)]
    if not any(isinstance(each, tensors.Tensor) for each in (elements, test_elements)):
        raise TypeError("isin: at least one of elements and test_elements must be a tensor")
    dtype = numpy.result_type(*given)
    if bool in (each.dtype for each in given):
        raise TypeError("isin: not defined for boolean tensors")
    return tape.from_array(program.apart(_are_in, *given, dtype, bool(invert)))


def _are_in(elements, wanted, dtype, invert):
    x, wanted = (memory.contiguous(each.astype(dtype)).reshape(-1) for each in (elements, wanted))
    if not wanted.size:
        return numpy.full(elements.shape, invert)
    wanted, _, _ = _distinct(wanted)
    places = numpy.minimum(_searched(wanted, x, False, dtypes.int64), wanted.size - 1)
    found = rows.take_rows(wanted.reshape(1, -1, 1), places).reshape(-1) == x
    return (found != invert).reshape(elements.shape)


@public("functional", differentiable=False, cases=[
    case(integers(2, 3, high=4), 5), case(integers(4, high=4), num_classes=4)])
def one_hot(tensor, num_classes=-1):
    """A new last dimension of zeros, with 1 at the class; their number is by default the largest's.
    """
    x = tensors.as_tensor("one_hot", tensor).array
    if x.dtype != numpy.int64:
        raise TypeError(f"one_hot: class numbers must be int64, got {x.dtype}")
    if num_classes == -1:
        program.refuse("one_hot counts the classes; name num_classes")
        if not x.size:
            raise ValueError("one_hot: num_classes is needed for an empty tensor")
        num_classes = int(x.max()) + 1
    return tape.from_array(program.apart(_one_hot, x, num_classes))


def _one_hot(x, num_classes):
    if num_classes < 1 or (x.size and not 0 <= x.min() <= x.max() < num_classes):
        raise ValueError(f"one_hot: class numbers must lie in [0, {num_classes})")
    return (x[..., None] == numpy.arange(num_classes)).astype(numpy.int64)
