"""Dimensions that a reduction runs over, and the (outer, size, inner) form that kernels take."""

import math

from .. import tensor as tensors
from .checks import axes, remembered, truth
from .shape import permute, reshape


def chosen(name, input, dim):
    """The dimensions as sorted numbers from 0: all of them for None and for ()."""
    tensors.as_tensor(name, input)
    if dim is None or dim == () or dim == []:
        return tuple(range(input.ndim))
    dims = tuple(sorted(axes(name, dim, input.ndim)))
    return dims if input.ndim else ()


def keep(result, input, dims, keepdim):
    """The result with the dimensions that were reduced, as ones, where that is wanted."""
    if not truth("reduction", "keepdim", keepdim):
        return result
    return reshape(result, tuple(1 if i in dims else n for i, n in enumerate(input.shape)))


def count(input, dims):
    """How many elements make one result."""
    shape = input.array.shape
    return math.prod([shape[i] for i in dims])


def not_empty(name, input, dims):
    """Raise where a result would come from no element."""
    if not count(input, dims):
        raise ValueError(f"{name}: the tensor of shape {tuple(input.shape)} is empty along "
                         f"dimensions {dims}")


def reduced(operation, plan, input, dims, keepdim):
    """Run an operation that reduces the middle axis of three over any dimensions."""
    order, form, shape = _form(input.array.shape, dims, keepdim)
    turned = input if order is None else permute(input, order)
    return reshape(operation(plan, reshape(turned, form)), shape)


@remembered
def _form(shape, dims, keepdim):
    """(order of the axes, or None for theirs; sizes of the three axes; shape of the result)."""
    truth("reduction", "keepdim", keepdim)
    kept = tuple(1 if i in dims else n for i, n in enumerate(shape) if keepdim or i not in dims)
    first = dims[0] if dims else 0
    last = dims[-1] + 1 if dims else 0
    if dims == tuple(range(first, last)):
        sizes = shape[:first], shape[first:last], shape[last:]
        return None, tuple(map(math.prod, sizes)), kept
    others = tuple(i for i in range(len(shape)) if i not in dims)
    order = others + dims
    outer, size = math.prod(shape[i] for i in others), math.prod(shape[i] for i in dims)
    return order, (outer, size, 1), kept
