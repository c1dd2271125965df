"""Operators and methods of `Tensor`: those of the registry, and those that only a tensor has."""

from .. import dtypes
from .. import tensor as tensors
from ..device import KNOWN, check_device
from ..registry import in_place
from . import arithmetic, indexing, linear, tensor_methods
from .shape import clone, contiguous

OPERATORS = {
    "__add__": arithmetic.add, "__sub__": arithmetic.sub, "__mul__": arithmetic.mul,
    "__truediv__": arithmetic.div, "__radd__": arithmetic.add, "__rmul__": arithmetic.mul,
    "__neg__": arithmetic.neg, "__abs__": arithmetic.absolute,
    "__lt__": arithmetic.lt, "__le__": arithmetic.le,
    "__gt__": arithmetic.gt, "__ge__": arithmetic.ge, "__and__": arithmetic.logical_and,
    "__or__": arithmetic.logical_or, "__invert__": arithmetic.logical_not,
    "__matmul__": linear.matmul, "__getitem__": indexing.lookup, "__setitem__": indexing.assign,
}
SMALL_POWERS = {1: lambda x: x, 2: arithmetic.square}


def _attached(function):
    OPERATORS[function.__name__] = function
    return function


def _comparable(other):
    return isinstance(other, tensors.Tensor) or tensors.is_number(other)


@_attached
def __eq__(self, other):
    return arithmetic.eq(self, other) if _comparable(other) else NotImplemented


@_attached
def __ne__(self, other):
    return arithmetic.ne(self, other) if _comparable(other) else NotImplemented


@_attached
def __rsub__(self, other):
    return arithmetic.sub(other, self)


@_attached
def __rtruediv__(self, other):
    return arithmetic.div(other, self)


@_attached
def __pow__(self, exponent):
    return pow_(self, exponent)


@_attached
def __rpow__(self, base):
    return arithmetic.power(base, self)


def pow_(input, exponent):
    """``input ** exponent``: a square is one multiplication."""
    plain = isinstance(exponent, int | float) and input.dtype != dtypes.bool_
    short = SMALL_POWERS.get(exponent) if plain else None
    return short(input) if short else arithmetic.power(input, exponent)


def _in_place(operation):
    def method(self, *args, **kwargs):
        return operation.into(self, *args, **kwargs)

    method.__doc__ = f"``{operation.name}`` in place."
    return method


IN_PLACE = {
    "add_": arithmetic.add, "sub_": arithmetic.sub, "mul_": arithmetic.mul, "div_": arithmetic.div,
    "__iadd__": arithmetic.add, "__isub__": arithmetic.sub, "__imul__": arithmetic.mul,
    "__itruediv__": arithmetic.div, "neg_": arithmetic.neg,
    "fill_": arithmetic.copy_,
}


@_attached
def copy_(self, other, non_blocking=False):
    """Take over the values of another tensor that broadcasts, converted to this type."""
    return arithmetic.copy_.into(self, tensors.as_tensor("copy_", other).to(self.dtype))


@_attached
def zero_(self):
    """Fill with zeros in place."""
    return self.fill_(0)


@_attached
def clamp_(self, min=None, max=None):
    """``clamp`` in place."""
    return self.copy_(arithmetic.clamp(self, min, max))


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
    result = self if dtype == self.dtype else arithmetic.convert((self.dtype, dtype), self)
    if memory_format != "preserve_format":
        result = contiguous(result, memory_format)
    return clone(result, memory_format=memory_format) if copy and result is self else result


def _conversion(name, dtype):
    def method(self):
        return self.to(dtype)

    method.__name__, method.__doc__ = name, f"The tensor as {dtype}."
    return method


CONVERSIONS = {"float": dtypes.float32, "double": dtypes.float64, "int": dtypes.int32,
               "long": dtypes.int64, "bool": dtypes.bool_}


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
    for name, function in OPERATORS.items():
        setattr(tensors.Tensor, name, function)
    for name, method in tensor_methods.METHODS.items():
        setattr(tensors.Tensor, name, method)
    for name, operation in IN_PLACE.items():
        setattr(tensors.Tensor, name, _in_place(operation))
    for name, dtype in CONVERSIONS.items():
        setattr(tensors.Tensor, name, _conversion(name, dtype))
    tensors.Tensor.pow = pow_
