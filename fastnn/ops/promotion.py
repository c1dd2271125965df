"""The one type that the operands of an elementwise operation are brought to."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from ..changes import check_in_place
from ..elementwise import elementwise
from ..op import Operation

# Operations that are not defined for all types, by the kind of the common type.
UNDEFINED = {
    "b": {"neg", "sub", "abs", "relu", "pow", "floor", "ceil", "trunc", "round", "frac", "fmod",
          "floor_divide", "remainder", "hypot", "logaddexp", "logaddexp2",
          "addcdiv", "lerp", "bitwise_left_shift", "bitwise_right_shift"},
    "i": {"frac", "hypot", "logaddexp", "logaddexp2", "addcdiv", "lerp"},
    "f": {"bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift",
          "bitwise_right_shift"},
}
UNDEFINED["u"] = UNDEFINED["i"]
COUNTED = {"square"}  # of booleans an int64
DIVISIONS = {"floor_divide", "remainder", "fmod", "div"}  # by which integers must not divide by 0


@elementwise
def copy_(input, source):
    """``source``, written over ``input``: no gradient reaches what was there."""
    return source


convert = Operation(
    "to", lambda plan, x: x.astype(plan[1], order="K"),
    lambda node, gradient: convert(node.plan[::-1], gradient))


def _convert(tensor, dtype):
    return convert((tensor.dtype, dtype), tensor)


def promote(operation, inputs, target):
    """Inputs of an elementwise operation, converted to one type: (inputs, NumPy's type number)."""
    formula = operation.formula
    names = formula.inputs
    plain = [value for name, value in zip(names, inputs, strict=True)
             if name not in formula.boolean_inputs]
    for name, value in zip(names, inputs, strict=True):
        if not isinstance(value, tensors.Tensor) and not tensors.is_number(value):
            raise TypeError(
                f"{operation.name}: {name} must be a tensor or a number, got "
                f"{type(value).__name__}")
    found = [value for value in plain if isinstance(value, tensors.Tensor)]
    if target is not None and not found:
        found = [target]
    dtype = dtypes.result_type(
        operation.name, [value.array for value in found],
        [value for value in plain if not isinstance(value, tensors.Tensor)])
    _check_defined(operation, dtype, plain)
    if dtype == dtypes.bool_ and operation.name in COUNTED:
        dtype = dtypes.int64
    if operation.float_only and dtype not in dtypes.FLOATING:
        dtype = dtypes.get_default_dtype()
    converted = tuple(
        _condition(operation, value) if name in formula.boolean_inputs
        else _as_type(value, dtype) for name, value in zip(names, inputs, strict=True))
    if not any(isinstance(value, tensors.Tensor) for value in converted):
        converted = (tensors.Tensor(converted[0]), *converted[1:])
        converted = (_as_type(converted[0], dtype), *converted[1:])
    return converted, dtype.num


def _check_defined(operation, dtype, values):
    """Raise where an operation is not defined for a type, or integers are divided by 0."""
    name = operation.name
    if dtype.kind in UNDEFINED and name in UNDEFINED[dtype.kind] or (
            name == "sub" and any(map(_is_boolean, values))):
        kind = {"b": "boolean", "f": "floating-point"}.get(
            "b" if name == "sub" else dtype.kind, str(dtype))
        raise TypeError(f"{name}: not defined for {kind} tensors")
    if name in DIVISIONS and dtype.kind in "iu" and not operation.float_only:
        divisor = values[-1].array if isinstance(values[-1], tensors.Tensor) else values[-1]
        if not numpy.all(divisor):
            raise ZeroDivisionError(f"{name}: integers cannot be divided by 0")


def write_over(name, target, result):
    """Write a result over ``target``, converted to its type, as an operation in place does."""
    check_in_place(name, target, result)
    return copy_.into(target, result.to(target.dtype))


def _is_boolean(value):
    return isinstance(value, (bool, numpy.bool_)) or getattr(value, "dtype", None) == dtypes.bool_


def _as_type(value, dtype):
    if isinstance(value, tensors.Tensor):
        return value if value.dtype == dtype else _convert(value, dtype)
    return float(value) if dtype.kind == "f" else int(value)


def _condition(operation, value):
    if not isinstance(value, tensors.Tensor) or value.dtype != dtypes.bool_:
        kind = value.dtype if isinstance(value, tensors.Tensor) else type(value).__name__
        raise TypeError(f"{operation.name}: condition must be a boolean tensor, got {kind}")
    return value
