"""Operators and methods of `Tensor`: those of the registry, and those that only a tensor has."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from ..device import KNOWN, check_device
from ..registry import in_place
from . import (
    arithmetic,
    bitwise,
    comparison,
    exponential,
    indexing,
    linear,
    promotion,
    tensor_methods,
)
from .shape import clone, contiguous

OPERATORS = {
    "__add__": arithmetic.add, "__sub__": arithmetic.sub, "__mul__": arithmetic.mul,
    "__truediv__": arithmetic.div, "__radd__": arithmetic.add, "__rmul__": arithmetic.mul,
    "__floordiv__": arithmetic.floor_divide, "__mod__": arithmetic.remainder,
    "__neg__": arithmetic.neg, "__abs__": arithmetic.absolute, "__pos__": arithmetic.positive,
    "__lt__": comparison.lt, "__le__": comparison.le,
    "__gt__": comparison.gt, "__ge__": comparison.ge,
    "__and__": bitwise.bitwise_and, "__or__": bitwise.bitwise_or, "__xor__": bitwise.bitwise_xor,
    "__rand__": bitwise.bitwise_and, "__ror__": bitwise.bitwise_or,
    "__rxor__": bitwise.bitwise_xor, "__invert__": bitwise.bitwise_not,
    "__lshift__": bitwise.bitwise_left_shift, "__rshift__": bitwise.bitwise_right_shift,
    "__matmul__": linear.matmul, "__getitem__": indexing.lookup, "__setitem__": indexing.assign,
}
SMALL_POWERS = {1: lambda x: x, 2: arithmetic.square}


def _attached(function):
    OPERATORS[function.__name__] = function
    return function


def _comparable(other):
    """Not None or a text; an array is refused where both are compared."""
    return isinstance(other, (tensors.Tensor, numpy.ndarray)) or tensors.is_number(other)


@_attached
def __eq__(self, other):
    return comparison.eq(self, other) if _comparable(other) else NotImplemented


@_attached
def __ne__(self, other):
    return comparison.ne(self, other) if _comparable(other) else NotImplemented


@_attached
def __rsub__(self, other):
    return arithmetic.sub(other, self)


@_attached
def __rtruediv__(self, other):
    return arithmetic.div(other, self)


@_attached
def __rfloordiv__(self, other):
    return arithmetic.floor_divide(other, self)


@_attached
def __rmod__(self, other):
    return arithmetic.remainder(other, self)


@_attached
def __rlshift__(self, other):
    return bitwise.bitwise_left_shift(other, self)


@_attached
def __rrshift__(self, other):
    return bitwise.bitwise_right_shift(other, self)


@_attached
def __pow__(self, exponent):
    return power(self, exponent)


@_attached
def __rpow__(self, base):
    return exponential.power(base, self)


def power(input, exponent):
    """``input ** exponent``: a square is one multiplication."""
    plain = isinstance(exponent, int | float) and input.dtype != dtypes.bool_
    short = SMALL_POWERS.get(exponent) if plain else None
    return short(input) if short else exponential.power(input, exponent)


IN_PLACE_OPERATORS = {
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_",
    "__ifloordiv__": "floor_divide_", "__imod__": "remainder_", "__ipow__": "pow_",
    "__iand__": "bitwise_and_", "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_",
    "__ilshift__": "bitwise_left_shift_", "__irshift__": "bitwise_right_shift_",
}


@_attached
def copy_(self, other, non_blocking=False):
    """Take over the values of another tensor that broadcasts, converted to this type."""
    return promotion.copy_.into(self, tensors.as_tensor("copy_", other).to(self.dtype))


@_attached
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False,
       memory_format="preserve_format"):
    """The tensor in another type or memory format, on a device, which can only be the CPU."""
    for argument in args:
        if isinstance(argument, tensors.Tensor):
            dtype = argument.dtype
        elif isinstance(argument, str) and argument.split(":")[0] in KNOWN:
            device = argument
        else:
            dtype = argument
    check_device(device)
    dtype = self.dtype if dtype is None else dtypes.check("to", dtype)
    result = self if dtype == self.dtype else promotion.convert(self, dtype)
    if memory_format != "preserve_format":
        result = contiguous(result, memory_format)
    return clone(result, memory_format=memory_format) if copy and result is self else result


def _conversion(name, dtype):
    def method(self):
        return self.to(dtype)

    method.__name__, method.__doc__ = name, f"The tensor as {dtype}."
    return method


CONVERSIONS = {"float": dtypes.float32, "double": dtypes.float64, "int": dtypes.int32,
               "long": dtypes.int64, "bool": dtypes.bool_, "short": dtypes.int16,
               "char": dtypes.int8, "byte": dtypes.uint8}


@_attached
def cpu(self):
    """The tensor itself."""
    return self


@_attached
def type_as(self, other):
    """The tensor in the type of another."""
    return self.to(other.dtype)


def attach():
    """Put the methods on `Tensor`."""
    for name, function in in_place("method").items():
        setattr(tensors.Tensor, name, function)
    tensors.Tensor.where = lambda self, condition, other: comparison.where(condition, self, other)
    for name, function in OPERATORS.items():
        setattr(tensors.Tensor, name, function)
    for name, method in tensor_methods.METHODS.items():
        setattr(tensors.Tensor, name, method)
    for name, method in IN_PLACE_OPERATORS.items():
        setattr(tensors.Tensor, name, getattr(tensors.Tensor, method))
    for name, dtype in CONVERSIONS.items():
        setattr(tensors.Tensor, name, _conversion(name, dtype))
    tensors.Tensor.pow = power
