"""Dimensions that a reduction runs over, and the (outer, size, inner) form that kernels take."""

import math

from .. import tensor as tensors
from .checks import axes
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
    if not keepdim:
        return result
    return reshape(result, tuple(1 if i in dims else n for i, n in enumerate(input.shape)))


def count(input, dims):
    """How many elements make one result."""
    return math.prod(input.shape[i] for i in dims)


def not_empty(name, input, dims):
    """Raise where a result would come from no element."""
    if not count(input, dims):
        raise ValueError(f"{name}: the tensor of shape {tuple(input.shape)} is empty along "
                         f"dimensions {dims}")


def reduced(operation, plan, input, dims, keepdim):
    """Run an operation that reduces the middle axis of three over any dimensions."""
    shape = input.array.shape
    first = dims[0] if dims else 0
    last = dims[-1] + 1 if dims else 0
    if dims == tuple(range(first, last)):
        form = (math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:]))
        result = operation(plan, reshape(input, form))
    else:
        others = tuple(i for i in range(input.ndim) if i not in dims)
        form = (math.prod(shape[i] for i in others), math.prod(shape[i] for i in dims), 1)
        result = operation(plan, reshape(permute(input, others + dims), form))
    if keepdim:
        return reshape(result, tuple(1 if i in dims else n for i, n in enumerate(shape)))
    return reshape(result, tuple(n for i, n in enumerate(shape) if i not in dims))
