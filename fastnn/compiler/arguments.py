"""Arguments and results: nested tuples, lists and dicts with tensors at their leaves."""

import copy

import numpy
from numpy.lib.array_utils import byte_bounds

from ..tensor import Tensor

PLAIN = (int, float, complex, bool, str, bytes, type(None), type(...), numpy.dtype)


def kind_of(value, tensors):
    """What tells a record for this argument from others; its tensors are added to a list.

    Tensors count by shape, type and layout, plain values by type and value, and other objects by
    their identity; a tensor that was met before counts as that one.
    """
    if isinstance(value, Tensor):
        return _kind_of_tensor(value, tensors)
    if isinstance(value, (tuple, list)):
        return (type(value), *[kind_of(each, tensors) for each in value])
    if isinstance(value, dict):
        return (type(value), *[(key, kind_of(each, tensors)) for key, each in value.items()])
    if isinstance(value, (float, complex)):
        return type(value), repr(value)  # which tells -0.0 from 0.0, and knows NaN again
    if isinstance(value, PLAIN):
        return type(value), value
    return id(value)


def _kind_of_tensor(tensor, tensors):
    for index, other in enumerate(tensors):
        if other is tensor:
            return index
    tensors.append(tensor)
    array = tensor.array
    attributes = tuple((name, id(each)) for name, each in vars(tensor).items())
    return array.shape, array.strides, array.dtype, tensor.requires_grad, attributes


def others_in(value):
    """The objects among the arguments that are neither tensors nor plain."""
    if isinstance(value, dict):
        return [other for each in value.values() for other in others_in(each)]
    if isinstance(value, (tuple, list)):
        return [other for each in value for other in others_in(each)]
    if isinstance(value, Tensor):
        return list(vars(value).values())
    return [] if isinstance(value, PLAIN) else [value]


def mapped(value, function):
    """The same nesting, with ``function(leaf)`` for each tensor and each other object."""
    if isinstance(value, dict):
        made = copy.copy(value)
        made.update((key, mapped(each, function)) for key, each in value.items())
        return made
    if isinstance(value, (tuple, list)):
        parts = [mapped(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value if isinstance(value, PLAIN) else function(value)


def share_memory(tensors):
    """Whether any two of some tensors may share memory."""
    ends = sorted(byte_bounds(tensor.array) for tensor in tensors)
    return any(first[1] > second[0] for first, second in zip(ends, ends[1:], strict=False))


def room_for(array):
    """A new array of an array's shape, type and strides."""
    if any(stride < 0 for stride in array.strides) or not array.size:
        return numpy.empty_like(array)
    extent = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides,
                                                             strict=True))
    memory = numpy.empty(extent + array.itemsize, numpy.uint8)
    return numpy.ndarray(array.shape, array.dtype, memory, strides=array.strides)
