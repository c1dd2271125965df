"""Differences between neighbours, gradients on grids, distances, and lengths limited."""

import math

from .. import dtypes
from .. import tensor as tensors
from ..registry import case, floats, public
from .bitwise import logical_xor
from .checks import axes, axis
from .comparison import where
from .joining import cat
from .norms import norm, vector_norm
from .shape import reshape


def _joined(input, dim, prepend, append):
    """The tensor between what is to stand before and behind it."""
    parts = []
    for name, each in (("prepend", prepend), ("input", input), ("append", append)):
        if each is None:
            continue
        if tensors.as_tensor("diff", each).ndim != input.ndim or any(
                a != b for i, (a, b) in enumerate(zip(each.shape, input.shape, strict=True))
                if i != dim):
            raise ValueError(f"diff: {name} of shape {tuple(each.shape)} does not fit input of "
                             f"shape {tuple(input.shape)} beyond dimension {dim}")
        parts.append(each)
    return cat(parts, dim) if len(parts) > 1 else input


@public("fastnn", "method", cases=[
    case(floats(2, 5)), case(floats(4, 3), 2, 0), case(floats(3), 0), case(floats(3), n=5),
    case(floats(2, 3), dim=1, prepend=floats(2, 1), append=floats(2, 2))])
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """Each element minus the one before it along a dimension, ``n`` times over.

    Of booleans, whether they differ.

    >>> import fastnn
    >>> fastnn.diff(fastnn.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not tensors.as_tensor("diff", input).ndim:
        raise ValueError("diff: input must have at least one dimension")
    dim = axis("diff", dim, input.ndim)
    if n < 0:
        raise ValueError(f"diff: n must be at least 0, got {n}")
    result = _joined(input, dim, prepend, append)
    result = result.clone() if n == 0 else result
    for _ in range(min(n, result.shape[dim])):
        count = max(result.shape[dim] - 1, 0)
        later, former = (result.narrow(dim, start, count)
                         for start in (min(1, result.shape[dim]), 0))
        result = logical_xor(later, former) if result.dtype == dtypes.bool_ else later - former
    return result


def _spacings(input, spacing, dims):
    """For each dimension a number, or a tensor of coordinates."""
    if tensors.is_number(spacing):
        return [spacing] * len(dims)
    if not isinstance(spacing, (tuple, list)):
        raise TypeError("gradient: spacing must be a number or a sequence of numbers or of tensors,"
                        f" got {type(spacing).__name__}")
    if len(spacing) != len(dims):
        raise ValueError(f"gradient: {len(spacing)} spacings for {len(dims)} dimensions")
    for dim, each in zip(dims, spacing, strict=True):
        if isinstance(each, tensors.Tensor) and each.array.shape != input.array.shape[dim:dim + 1]:
            raise ValueError(f"gradient: coordinates of shape {tuple(each.shape)} for dimension "
                             f"{dim} of size {input.shape[dim]}")
    return list(spacing)


def _edge(input, steps, dim, order, at_end):
    """The slope at the first value, or the last, of the line or parabola through the next ones."""
    near, far = steps
    a, b, *rest = (input.narrow(dim, -1 - i if at_end else i, 1) for i in range(order + 1))
    if order == 1:
        slope = (b - a) / near
    else:
        slope = b * ((near + far) / (near * far)) - a * ((2 * near + far) / (near * (near + far))) \
            - rest[0] * (near / (far * (near + far)))
    return -slope if at_end else slope


def _along_dimension(input, dim, spacing, order):
    """Central differences within, which weigh unequal steps, and those of one side at the ends."""
    inner = input.shape[dim] - 2
    if isinstance(spacing, tensors.Tensor):
        form = tuple(-1 if i == dim else 1 for i in range(input.ndim))
        steps = reshape(diff(spacing.detach()), form)
        left, right = (steps.narrow(dim, i, inner) for i in (0, 1))
        slopes = diff(input, dim=dim) / steps
        within = slopes.narrow(dim, 0, inner) * (right / (left + right)) \
            + slopes.narrow(dim, 1, inner) * (left / (left + right))
        last = inner  # of the steps
        beside = [[steps.narrow(dim, i, 1) for i in places]
                  for places in ((0, min(1, last)), (last, max(last - 1, 0)))]
    else:
        within = (input.narrow(dim, 2, inner) - input.narrow(dim, 0, inner)) / (2 * spacing)
        beside = [(spacing, spacing)] * 2
    begin, end = (_edge(input, each, dim, order, at_end)
                  for each, at_end in zip(beside, (False, True), strict=True))
    return cat([begin, within, end], dim)


@public("fastnn", cases=[
    case(floats(5)), case(floats(3, 4), spacing=2.0), case(floats(3, 4), spacing=[0.5, 2]),
    case(floats(3, 4), dim=-1, edge_order=2), case(floats(3, 2, 4), dim=(0, 2))])
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """Slopes along dimensions of a function known on a grid, as a tuple of a tensor for each.

    ``spacing`` is the distance of the points, one for each dimension, or a tensor of coordinates
    for each. Within they are second-order central differences, which weigh unequal distances; at
    the ends differences of one side (``edge_order=1``) or slopes of parabolas (2).

    >>> import fastnn
    >>> fastnn.gradient(fastnn.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    tensors.as_tensor("gradient", input)
    if input.dtype in (dtypes.bool_, dtypes.uint8):
        raise TypeError(f"gradient: not defined for {input.dtype} tensors")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    dims = tuple(range(input.ndim)) if dim is None else axes("gradient", dim, input.ndim)
    if any(input.shape[each] <= edge_order for each in dims):
        raise ValueError(f"gradient: shape {tuple(input.shape)} has fewer than {edge_order + 1} "
                         "points along a dimension")
    spacing = _spacings(input, spacing, dims)
    input = input if input.is_floating_point() else input.to(dtypes.get_default_dtype())
    return tuple(_along_dimension(input, each, step, edge_order)
                 for each, step in zip(dims, spacing, strict=True))


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(3)), case(floats(3), floats(3), 1), case(floats(3), floats(3), p=3),
    case(floats(4), floats(4), math.inf)])
def dist(input, other, p=2):
    """The ``p``-norm of ``input - other``, over all elements."""
    return norm(input - other, p)


@public("fastnn", "method", cases=[
    case(floats(3, 4), 2, 0, 1.5), case(floats(2, 3, 2), 1, -2, 2.0),
    case(floats(3, 4), p=math.inf, dim=1, maxnorm=1)])
def renorm(input, p, dim, maxnorm):
    """Each slice along ``dim``, scaled down to a ``p``-norm of ``maxnorm`` where it is above it."""
    if tensors.as_tensor("renorm", input).ndim < 2:
        raise ValueError(f"renorm: input must have at least 2 dimensions, got {input.ndim}")
    if not p > 0 or not maxnorm >= 0:
        raise ValueError(f"renorm: p must be positive and maxnorm at least 0, got {p}, {maxnorm}")
    dim = axis("renorm", dim, input.ndim)
    lengths = vector_norm(input, p, tuple(i for i in range(input.ndim) if i != dim), True)
    return input * where(lengths > maxnorm, maxnorm / (lengths + 1e-7), 1.0)
