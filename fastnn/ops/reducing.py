"""Values reduced where their positions meet: sums, products, means and extremes."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, reducing, sorting
from ..operation import Operation
from ..registry import case, floats, integers, public
from ..tape import from_array
from .checks import axis
from .comparison import where
from .composed import rule_of_composition
from .in_place import constant
from .indexing import joined
from .joining import cat
from .picking import (
    begin_of,
    gathered,
    index_along,
    scatter_write,
    scattered,
    scattered_add,
    slices_plan,
    write_back,
)
from .shape import broadcast_to, reshape

WAYS = ("sum", "prod", "mean", "amax", "amin")
OF_BOOLEANS = {"sum": "amax", "prod": "amin"}  # or, and


def _extreme_forward(plan, x, source):
    dim, index, largest, _ = plan
    out = memory.copy(x, "C")
    region = out[tuple(slice(None) if i == dim else slice(0, n)
                       for i, n in enumerate(index.shape))]
    result = reducing.scatter_extreme(joined(region, dim), joined(index, dim), joined(source, dim),
                                      largest)
    write_back(result, region)
    return out


def _extreme_rule(node, gradient):
    """Equal extremes share the gradient."""
    dim, index, _, include_self = node.plan
    x, source = (each.detach() for each in node.saved)
    result = node.output.detach()
    places = (dim, index)
    own = (x == result).to(x.dtype)
    if not include_self:
        own = scattered(places, own, constant(0, x.dtype).expand(index.shape))
    chosen = (source == gathered(result, *places)).to(x.dtype)
    shares = scattered_add(places, own, chosen)
    share = gradient / where(shares == 0, 1.0, shares)
    return own * share, chosen * gathered(share, *places)


_extreme = Operation("scatter_reduce", _extreme_forward, _extreme_rule, saves=(0, 1),
                     saves_output=True)


def _shifted(x, forwards):
    """x[i - 1] at i, or x[i + 1], with 0 where there is none."""
    edge = constant(0, x.dtype).expand(1)
    parts = [edge, x[:-1]] if forwards else [x[1:], edge]
    return cat(parts)


def _recurrence_rule(node, gradient):
    (backwards, head), (factors,) = node.plan, node.saved
    adjoint = _recurrence((not backwards, head), factors, gradient)
    products = _shifted(adjoint, True) * node.output if backwards \
        else adjoint * _shifted(node.output, True)
    return where(from_array(head), 0.0, products), adjoint


_recurrence = Operation(
    "segment_product", lambda plan, a, b: reducing.segment_recurrence(
        memory.contiguous(a), memory.contiguous(b), plan[1], plan[0]),
    _recurrence_rule, saves=(0,), saves_output=True)


def _destinations(shape, dim, index):
    """Where in an array of a shape, read as one row, each element of an index points."""
    steps = numpy.cumprod((1, *shape[:0:-1]))[::-1]
    found = index * steps[dim]
    for i, n in enumerate(index.shape):
        if i != dim:
            form = tuple(n if k == i else 1 for k in range(index.ndim))
            found = found + (numpy.arange(n) * steps[i]).reshape(form)
    return found.reshape(-1)


def _composed_product(plan, input, source):
    """Running products over the sources of each place, brought side by side."""
    dim, index, include_self = plan
    if not index.size:
        return input * 1
    places = _destinations(input.array.shape, dim, index)
    order = sorting.order(places.reshape(1, -1), False).reshape(-1)
    places = places[order]
    head = numpy.ones(places.shape, bool)
    head[1:] = places[1:] != places[:-1]
    first = from_array(head)
    flat, values = reshape(input, -1), reshape(source, -1)[from_array(order)]
    starts = values * flat[from_array(places)] if include_self else values
    zero = constant(0, input.dtype)
    running = _recurrence((False, head), where(first, zero, values), where(first, starts, zero))
    last = numpy.append(head[1:], True)
    products = running[from_array(last.nonzero()[0])]
    return reshape(scattered((0, places[last]), flat, products), input.shape)


def _product_forward(plan, x, source):
    dim, index, include_self = plan
    out = memory.copy(x, "C")
    if not include_self:
        scatter_write("copy")((dim, index), out, numpy.ones(index.shape, x.dtype))
    scatter_write("multiply")((dim, index), out, source)
    return out


_composed_product_rule = rule_of_composition(_composed_product)


def _product_rule(node, gradient):
    if tape.is_grad_enabled():
        return _composed_product_rule(node, gradient)
    dim, index, include_self = node.plan
    x, source = (each.array for each in node.saved)
    d_input = memory.copy(gradient.array, "C")
    part = tuple(slice(None) if i == dim else slice(0, n) for i, n in enumerate(index.shape))
    after = joined(d_input[part], dim)
    before = memory.copy(joined(x[part], dim), "C") if include_self \
        else numpy.ones(after.shape, x.dtype)
    slope = reducing.scatter_product_slope(before, after, joined(index, dim), joined(source, dim),
                                           include_self)
    write_back(after, d_input[part])
    return from_array(d_input), from_array(slope.reshape(index.shape))


_product = Operation("scatter_product", _product_forward, _product_rule, saves=(0, 1))


def _neutral(reduce, dtype):
    """What a reduction starts with where the tensor's own value does not count."""
    if reduce in ("sum", "mean"):
        return 0
    if dtype == dtypes.bool_:
        return reduce == "amin"
    limits = (-numpy.inf, numpy.inf) if dtype.kind == "f" else (
        numpy.iinfo(dtype).min, numpy.iinfo(dtype).max)
    return limits[reduce == "amin"]


def _mean(input, places, source, include_self):
    total = scattered_add(places, input, source)
    own = constant(1, input.dtype).expand(input.array.shape)
    ones = constant(1, input.dtype).expand(places[1].shape)
    if not include_self:
        own = scattered(places, own, constant(0, input.dtype).expand(places[1].shape))
    counts = scattered_add(places, own, ones)
    return total.div(counts) if input.is_floating_point() \
        else total.div(counts, rounding_mode="floor")


def _reduced(name, reduce, input, places, source, include_self):
    if input.dtype == dtypes.bool_:
        if reduce == "mean":
            raise TypeError(f"{name}: reduce='mean' is not defined for boolean tensors")
        reduce = OF_BOOLEANS.get(reduce, reduce)
    if reduce == "prod":
        return _product((*places, include_self), input, source)
    if not include_self:
        neutral = constant(_neutral(reduce, input.dtype), input.dtype)
        input = scattered(places, input, neutral.expand(places[1].shape))
    if reduce == "sum":
        return scattered_add(places, input, source)
    if reduce == "mean":
        return _mean(input, places, source, include_self)
    return _extreme((*places, reduce == "amax", bool(include_self)), input, source)


def _check_way(name, reduce, ways):
    if reduce not in ways:
        raise ValueError(f"{name}: reduce must be one of {', '.join(ways)}, got {reduce!r}")


@public("fastnn", "method", cases=[
    case(floats(4, 3), 0, integers(6, 2, high=4), floats(6, 3), reduce="sum", include_self=False),
    case(floats(4, 3), 0, integers(6, 2, high=4), floats(6, 2), "prod"),
    case(floats(4, 3), 1, integers(4, 5, high=3), floats(4, 5), "prod", include_self=False),
    case(floats(4, 3), 1, integers(4, 5, high=3), floats(4, 5), "mean"),
    case(floats(4, 3), 1, integers(4, 5, high=3), floats(4, 5), "mean", include_self=False),
    case(floats(2, 3, 4), 1, integers(2, 5, 4, high=3), floats(2, 5, 4), "amax"),
    case(floats(4, 3), -1, integers(4, 5, high=3), floats(4, 5), "amin", include_self=False)])
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """``input`` with ``src`` reduced into it at ``index`` along ``dim``, as ``scatter`` places it.

    ``reduce`` is ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``. With
    ``include_self=False`` the values that are there do not count. Equal extremes share their
    gradient; products have the right ones where there are zeros.

    >>> import fastnn
    >>> at = fastnn.tensor([0, 0, 1])
    >>> fastnn.zeros(2).scatter_reduce(0, at, fastnn.tensor([3.0, 5.0, 2.0]), "mean",
    ...                                include_self=False)
    tensor([4., 2.])
    """
    _check_way("scatter_reduce", reduce, WAYS)
    tensors.as_tensor("scatter_reduce", input)
    if tensors.as_tensor("scatter_reduce", src).dtype != input.dtype:
        raise TypeError(f"scatter_reduce: input is {input.dtype}, src is {src.dtype}")
    dim, place = index_along("scatter_reduce", input, dim, index, src)
    if input.ndim and place.ndim:
        return _reduced("scatter_reduce", reduce, input, (dim, place),
                        begin_of(src, place.shape), include_self)
    place, src = place.reshape(-1), reshape(src, -1)
    result = _reduced("scatter_reduce", reduce, reshape(input, -1), (dim, place),
                      begin_of(src, place.shape), include_self)
    return reshape(result, input.shape)


@public("fastnn", "method", cases=[
    case(floats(4, 3), 0, integers(6, high=4), floats(6, 3), "prod"),
    case(floats(4, 3), 1, integers(5, high=3), floats(4, 5), "mean", include_self=False),
    case(floats(4, 3), 0, integers(6, high=4), floats(6, 3), "amax"),
    case(floats(2, 3), 1, integers(6, high=3), floats(2, 6), "amin", include_self=False)])
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """``input`` with the slices of ``source`` reduced into it at ``index`` along ``dim``.

    ``reduce`` is ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``, as in ``scatter_reduce``.
    """
    _check_way("index_reduce", reduce, WAYS[1:])
    dim = axis("index_reduce", dim, tensors.as_tensor("index_reduce", input).ndim)
    dim, place = slices_plan("index_reduce", input, dim, index, source)
    x, source = (each if each.ndim else reshape(each, 1) for each in (input, source))
    form = tuple(-1 if i == dim else 1 for i in range(x.ndim))
    spread = broadcast_to(reshape(from_array(place), form), source.shape)
    places = dim, memory.contiguous(spread.array)
    return reshape(_reduced("index_reduce", reduce, x, places, source, include_self), input.shape)
