"""Tensors joined, cut into parts, and repeated."""

import itertools

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import layout, memory, program
from ..operation import Operation, are_floating_alike
from ..registry import case, floats, integers, public
from .checks import axis, remembered, several, shape_argument, whole
from .indexing import index_select, section, slices_along
from .shape import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_to,
    expand,
    reshape,
)

SMALL = 16384  # bytes, below which a view for each tensor takes longer than the copies


def _cat_rule(node, gradient):
    parts, start = [], 0
    for size, needed in zip(node.plan[1], node.needs, strict=True):
        parts.append(section(gradient, node.plan[0], start, start + size) if needed else None)
        start += size
    return tuple(parts)


def _cat_forward(plan, *arrays):
    dim, sizes = plan
    first = arrays[0]
    out = memory.empty_like(first, (*first.shape[:dim], sum(sizes), *first.shape[dim + 1:]))
    if out.nbytes < SMALL and program.noting() is None:
        return numpy.concatenate(arrays, axis=dim, out=out)
    start = 0
    for array, size in zip(arrays, sizes, strict=True):
        part = out[(*[slice(None)] * dim, slice(start, start + size))]
        layout.copy_values(part, array)
        start += size
    return out


_cat = Operation("cat", _cat_forward, _cat_rule)


def _stack_forward(dim, *arrays):
    shape = arrays[0].shape
    out = memory.empty((*shape[:dim], len(arrays), *shape[dim:]), arrays[0].dtype)
    if dim == len(shape):
        return numpy.stack(arrays, dim, out=out)
    # A view for each tensor, which numpy.stack makes, takes longer than small tensors themselves.
    joined = out.reshape((*shape[:dim], len(arrays) * shape[dim], *shape[dim + 1:]))
    numpy.concatenate(arrays, axis=dim, out=joined)
    return out


_stack = Operation("stack", _stack_forward,
                   lambda node, gradient: slices_along(gradient, node.plan))


def _tensors(name, sequence):
    parts = [tensors.as_tensor(name, part) for part in several(name, "tensors", sequence)]
    if not parts:
        raise ValueError(f"{name}: expected at least one tensor")
    return parts


def _of_one_type(name, parts):
    """The tensors converted to the type that they promote to."""
    dtype = dtypes.result_type(name, [part.array for part in parts], [])
    return [part if part.dtype == dtype else part.to(dtype) for part in parts]


def cat(tensors, dim=0):
    """Tensors joined along an existing dimension; the other sizes must agree.

    Empty tensors of one dimension are passed over, and types are promoted, as PyTorch does. Also
    as ``concat`` and ``concatenate``.
    """
    parts = _tensors("cat", tensors)
    if not are_floating_alike(*parts) and len({part.dtype for part in parts}) > 1:
        parts = _of_one_type("cat", parts)
    shapes = [part.array.shape for part in parts]
    if (0,) in shapes:
        parts = [part for part in parts if part.array.shape != (0,)] or parts[:1]
        shapes = [part.array.shape for part in parts]
    return _cat(_cat_plan(dim, *shapes), *parts)


@remembered
def _cat_plan(dim, *shapes):
    """(dimension, size of each tensor in it), or an error."""
    first = shapes[0]
    if not first:
        raise ValueError("cat: tensors without dimensions cannot be joined; use stack")
    dim = axis("cat", dim, len(first))
    for shape in shapes:
        if shape[:dim] != first[:dim] or shape[dim + 1:] != first[dim + 1:]:
            raise ValueError(f"cat: shapes {first} and {shape} differ beyond dimension {dim}")
    return dim, tuple(shape[dim] for shape in shapes)


for _name in ("cat", "concat", "concatenate"):
    public("fastnn", name=_name, cases=[
        case([floats(2, 3), floats(1, 3)]), case([floats(2, 3), floats(2, 1)], 1)])(cat)


@public("fastnn", cases=[case([floats(2, 3), floats(2, 3)], 1)])
def stack(tensors, dim=0):
    """Tensors of one shape joined along a new dimension."""
    parts = _tensors("stack", tensors)
    first = parts[0].array.shape
    for part in parts:
        if part.array.shape != first:
            raise ValueError(f"stack: shapes {first} and {part.array.shape} differ")
    dim = axis("stack", dim, parts[0].ndim + 1)
    if not are_floating_alike(*parts):
        parts = _of_one_type("stack", parts)
    return _stack(dim, *parts)


@public("fastnn", cases=[case([floats(2, 3), floats(2, 1)]), case([floats(2), floats(3)])])
def hstack(tensors):
    """Tensors joined along their second dimension, or along the only one."""
    parts = [atleast_1d(part) for part in _tensors("hstack", tensors)]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors):
    """Tensors of at least 2 dimensions (rows are made such) joined along the first."""
    return cat([atleast_2d(part) for part in _tensors("vstack", tensors)])


for _name in ("vstack", "row_stack"):
    public("fastnn", name=_name, cases=[
        case([floats(2, 3), floats(3)]), case([floats(3), floats(3)])])(vstack)


@public("fastnn", cases=[case([floats(2, 3), floats(2, 3)]), case([floats(3), floats(3)])])
def dstack(tensors):
    """Tensors of at least 3 dimensions (see ``atleast_3d``) joined along the third."""
    return cat([atleast_3d(part) for part in _tensors("dstack", tensors)], 2)


@public("fastnn", cases=[case([floats(3), floats(3, 2)])])
def column_stack(tensors):
    """Columns, and matrices of columns, side by side."""
    parts = _tensors("column_stack", tensors)
    return hstack([reshape(part, -1, 1) if part.ndim < 2 else part for part in parts])


@public("fastnn", "method", cases=[case(floats(2, 5), 1, 1, 3), case(floats(2, 5), 1, -3, 2)])
def narrow(input, dim, start, length):
    """The part [start, start + length) along one dimension, as a view; from its end for -start."""
    dim = axis("narrow", dim, tensors.as_tensor("narrow", input).ndim)
    if not input.ndim:
        raise ValueError("narrow: a tensor without dimensions has no parts")
    size = input.array.shape[dim]
    first = start + size if start < 0 else start
    if not 0 <= first <= first + length <= size:
        raise ValueError(f"narrow: [{start}, {start + length}) does not lie in a dimension of "
                         f"size {size}")
    return section(input, dim, first, first + length)


def _parts(name, input, dim, stops):
    """The parts of ``input`` between the places ``stops`` along a dimension."""
    size = input.shape[dim]
    edges = [0, *(min(max(0, stop + size if stop < 0 else stop), size) for stop in stops), size]
    return tuple(narrow(input, dim, start, max(0, stop - start))
                 for start, stop in itertools.pairwise(edges))


def _cut_dim(name, input, dim):
    if not tensors.as_tensor(name, input).ndim:
        raise ValueError(f"{name}: a tensor without dimensions has no parts")
    return axis(name, dim, input.ndim)


@public("fastnn", "method", cases=[case(floats(2, 7), [2, 4, 1], 1)])
def split_with_sizes(input, split_sizes, dim=0):
    """Parts of the sizes given along one dimension, as views."""
    return _split_sizes("split_with_sizes", input, list(split_sizes), dim)


def _split_sizes(name, input, sizes, dim):
    total = input.shape[_cut_dim(name, input, dim)]
    if sum(sizes) != total or any(size < 0 for size in sizes):
        raise ValueError(f"{name}: sizes {sizes} do not add up to {total}")
    stops = list(itertools.accumulate(sizes))
    return _as_parts(_parts(name, input, _cut_dim(name, input, dim), stops[:-1])) if sizes else ()


def _as_parts(views):
    """Views of which PyTorch, and so the tape, allows no change in place."""
    return tuple(view._become_part() for view in views)


@public("fastnn", "method", cases=[case(floats(2, 5), 2, 1), case(floats(2, 5), [1, 4], 1)])
def split(tensor, split_size_or_sections, dim=0):
    """Parts along one dimension, of one size (the last may be smaller) or of the sizes given."""
    dim = _cut_dim("split", tensor, dim)
    total, size = tensor.shape[dim], split_size_or_sections
    if isinstance(size, (tuple, list)):
        return _split_sizes("split", tensor, list(size), dim)
    size = whole("split", "the size of a part", size)
    if size < 0 or (not size and total):
        raise ValueError(f"split: the size of a part must be positive, got {size}")
    return _as_parts(_parts("split", tensor, dim, range(size, total, size) if size else ()))


@public("fastnn", "method", cases=[case(floats(2, 5), 3, 1), case(floats(4, 3), 2)])
def chunk(input, chunks, dim=0):
    """At most ``chunks`` parts of equal size (the last may be smaller) along one dimension."""
    chunks = whole("chunk", "chunks", chunks)
    if chunks <= 0:
        raise ValueError(f"chunk: expected a positive number of parts, got {chunks}")
    dim = _cut_dim("chunk", input, dim)
    size = input.shape[dim]
    return split(input, -(-size // chunks), dim) if size else _as_parts(
        section(input, dim, 0, 0) for _ in range(chunks))


@public("fastnn", "method", cases=[case(floats(2, 7), 3, 1), case(floats(2, 7), (1, 1, 5), 1)])
def tensor_split(input, indices_or_sections, dim=0):
    """Exactly so many parts, of sizes that differ by at most 1, or parts between places given."""
    dim = _cut_dim("tensor_split", input, dim)
    size, places = input.shape[dim], indices_or_sections
    if isinstance(places, tensors.Tensor):
        places = places.tolist()
    if isinstance(places, int):
        if places <= 0:
            raise ValueError(f"tensor_split: expected a positive number of parts, got {places}")
        small, larger = divmod(size, places)
        places = [i * small + min(i, larger) for i in range(1, places)]
    return _parts("tensor_split", input, dim, places)


def _split_along(name, smallest, dim_of):
    def function(input, indices_or_sections):
        if tensors.as_tensor(name, input).ndim < smallest:
            raise ValueError(f"{name}: input must have at least {smallest} dimensions, got "
                             f"{input.ndim}")
        dim = dim_of(input)
        parts = indices_or_sections
        if isinstance(parts, int) and (parts <= 0 or input.shape[dim] % parts):
            raise ValueError(f"{name}: a dimension of size {input.shape[dim]} does not divide "
                             f"into {parts} parts")
        return tensor_split(input, parts, dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``tensor_split`` for {name[0]}stack's dimension, in equal parts."
    return public("fastnn", "method", cases=[case(floats(2, 4, 2), 2)], name=name)(function)


hsplit = _split_along("hsplit", 1, lambda input: min(1, input.ndim - 1))
vsplit = _split_along("vsplit", 2, lambda input: 0)
dsplit = _split_along("dsplit", 3, lambda input: 2)


@public("fastnn", "method", cases=[case(floats(2, 3), 1), case(floats(2, 3))])
def unbind(input, dim=0):
    """The slices along one dimension, without it, as views."""
    dim = _cut_dim("unbind", input, dim)
    return _as_parts(slices_along(input, dim))


def _repeated(name, input, repeats):
    extra = len(repeats) - tensors.as_tensor(name, input).ndim
    if extra < 0 or any(count < 0 for count in repeats):
        raise ValueError(f"{name}: shape {tuple(input.shape)} cannot be repeated {repeats} times")
    shape = (1,) * extra + input.array.shape
    pairs = tuple(size for each in zip((1,) * len(shape), shape, strict=True) for size in each)
    target = tuple(size for each in zip(repeats, shape, strict=True) for size in each)
    spread = expand(reshape(input, pairs), target)
    result = reshape(spread, tuple(a * b for a, b in zip(repeats, shape, strict=True)))
    return result if numpy.prod(repeats) != 1 else result.clone()


@public("method", cases=[case(floats(2, 3), 2, 1), case(floats(3), (2, 2))])
def repeat(input, *counts, repeats=None):
    """A copy of the tensor so many times along each dimension; new dimensions come first."""
    return _repeated("repeat", input, shape_argument("repeat", counts, repeats))


@public("fastnn", "method", sequence="dims", cases=[
    case(floats(2, 3), (2,)), case(floats(2, 3), (3, 1, 2))])
def tile(input, *counts, dims=None):
    """As ``repeat``, but missing leading counts are 1."""
    dims = shape_argument("tile", counts, dims)
    return _repeated("tile", input, (1,) * (input.ndim - len(dims)) + dims)


@public("fastnn", "method", cases=[
    case(floats(2, 3), 2, 1), case(floats(2, 3), 2), case(floats(3), integers(3, high=3), 0)])
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each slice along ``dim`` (without it: each element) repeated so many times in its place.

    ``repeats`` is one number, or a tensor with a number for each slice. Without it ``input`` says
    how often each of 0, 1, 2, ... is repeated.
    """
    tensors.as_tensor("repeat_interleave", input)
    if repeats is None or isinstance(repeats, tensors.Tensor):
        program.refuse("repeat_interleave repeats as often as a tensor's values say")
    if repeats is None:
        numbers = tape.from_array(numpy.arange(input.numel()))
        return repeat_interleave(numbers, input, 0, output_size=output_size)
    if dim is None:
        input, dim = reshape(input, -1), 0
    dim = axis("repeat_interleave", dim, input.ndim)
    counts = repeats.array if isinstance(repeats, tensors.Tensor) else numpy.asarray(
        whole("repeat_interleave", "repeats", repeats))
    size = input.shape[dim]
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or counts.size not in (1, size) or (
            counts.size and counts.min() < 0):
        raise ValueError(f"repeat_interleave: repeats must be numbers of at least 0, one or {size},"
                         f" got {counts.dtype} of shape {counts.shape}")
    counts = numpy.broadcast_to(counts, (size,))
    if output_size is not None and output_size != counts.sum():
        raise ValueError(f"repeat_interleave: output_size is {output_size}, the repeats add up to "
                         f"{counts.sum()}")
    return index_select(input, dim, tape.from_array(
        program.constant(numpy.repeat(numpy.arange(size), counts))))


@public("fastnn", cases=[case(floats(2), floats(3), indexing="ij"),
                         case(floats(2), floats(3), indexing="xy")])
def meshgrid(*tensors, indexing="ij"):
    """For vectors of lengths n, m, ...: each as a view of shape (n, m, ...), or (m, n, ...) "xy".
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    parts = _tensors("meshgrid", tensors)
    indexing = "ij" if indexing is None else indexing
    if indexing not in ("ij", "xy") or any(part.ndim > 1 for part in parts):
        raise ValueError(f"meshgrid: expected vectors and indexing 'ij' or 'xy', got shapes "
                         f"{[tuple(part.shape) for part in parts]} and {indexing!r}")
    if len({part.dtype for part in parts}) > 1:
        raise TypeError(f"meshgrid: the tensors must have one type, got "
                        f"{[str(part.dtype) for part in parts]}")
    shape = tuple(part.numel() for part in parts)
    grids = [broadcast_to(reshape(part, (-1,) + (1,) * (len(parts) - place - 1)), shape)
             for place, part in enumerate(parts)]
    swap = indexing == "xy" and len(parts) > 1
    return tuple(grid.transpose(0, 1) if swap else grid for grid in grids)


@public("fastnn", cases=[case(floats(2), floats(3)), case(floats(4))])
def cartesian_prod(*tensors):
    """All tuples of one element from each vector, a row for each, the last one changing fastest."""
    parts = _tensors("cartesian_prod", tensors)
    if any(part.ndim != 1 for part in parts):
        raise ValueError(f"cartesian_prod: expected vectors, got shapes "
                         f"{[tuple(part.shape) for part in parts]}")
    if len(parts) == 1:
        return parts[0]
    return stack([reshape(grid, -1) for grid in meshgrid(*parts, indexing="ij")], 1)


@public("fastnn", "method", cases=[
    case(floats(4)), case(floats(4), 3), case(floats(3), with_replacement=True)])
def combinations(input, r=2, with_replacement=False):
    """All choices of ``r`` elements of a vector in their order, a row for each."""
    if tensors.as_tensor("combinations", input).ndim != 1 or r < 0:
        raise ValueError(f"combinations: expected a vector and r of at least 0, got shape "
                         f"{tuple(input.shape)} and {r}")
    if not r:
        return input[:0]
    choose = itertools.combinations_with_replacement if with_replacement \
        else itertools.combinations
    chosen = numpy.array(list(choose(range(len(input)), r)), numpy.int64).reshape(-1, r)
    return input[tape.from_array(program.constant(chosen))]
