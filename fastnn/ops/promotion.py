"""The one type that the operands of an elementwise operation are brought to."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import program
from ..changes import check_in_place
from ..elementwise import elementwise
from ..operation import Operation

# The kinds of types (boolean, signed and unsigned whole, floating-point) that operations refuse.
UNDEFINED = {
    name: kinds for kinds, names in {
        "biu": "leaky_relu elu celu selu silu mish gelu hardswish hardsigmoid softplus logsigmoid "
               "softshrink hardshrink frac hypot logaddexp logaddexp2 addcdiv lerp",
        "bu": "hardtanh",
        "b": "softsign tanhshrink neg sub abs relu pow floor ceil trunc round fmod floor_divide "
             "remainder addcmul threshold",
        "bf": "bitwise_left_shift bitwise_right_shift",
        "f": "bitwise_and bitwise_or bitwise_xor bitwise_not"}.items()
    for name in names.split()}
OF_NUMBERS = {"add", "sub", "mul", "div", "floor_divide"}  # without a tensor among the operands
OF_ONE_TYPE = {"lerp", "heaviside"}  # of all tensors, whatever the numbers are
COUNTED = {"square"}  # of booleans an int64
DIVISIONS = {"floor_divide", "remainder", "fmod", "div"}  # by which integers must not divide by 0


@elementwise
def copy_(input, source):
    """``source``, written over ``input``: no gradient reaches what was there."""
    return source


def _converted(plan, x):
    return x.astype(plan[1], order="K")


_convert = Operation(
    "to", _converted, lambda node, gradient: _convert(node.plan[::-1], gradient))
_convert_to_whole = Operation("to", _converted)


def convert(tensor, dtype):
    """The tensor in another type; integers and booleans have no gradient, and no history."""
    operation = _convert if dtype.kind == "f" else _convert_to_whole
    return operation((tensor.dtype, dtype), tensor)


def promote(operation, inputs, target):
    """Inputs of an elementwise operation, converted to one type: (inputs, NumPy's type number)."""
    formula = operation.formula
    plain = [value for name, value in zip(formula.inputs, inputs, strict=True)
             if name not in formula.boolean_inputs]
    found = _tensors_among(operation, inputs, plain)
    dtype = _type_for(operation, plain, [] if found or target is None else [target])
    converted = [
        _condition(operation, value) if name in formula.boolean_inputs
        else _as_type(value, dtype) for name, value in zip(formula.inputs, inputs, strict=True)]
    if not any(isinstance(value, tensors.Tensor) for value in converted):
        converted[0] = tape.from_array(program.constant(numpy.array(converted[0], dtype)))
    return tuple(converted), dtype.num


def _tensors_among(operation, inputs, plain):
    """The tensors among the operands that are not conditions; TypeError for what no operand is."""
    names = operation.formula.inputs
    for name, value in zip(names, inputs, strict=True):
        if not isinstance(value, tensors.Tensor) and not tensors.is_number(value):
            raise TypeError(
                f"{operation.name}: {name} must be a tensor or a number, got "
                f"{type(value).__name__}")
    found = [value for value in plain if isinstance(value, tensors.Tensor)]
    if not found and len(plain) == len(inputs) and operation.name not in OF_NUMBERS:
        raise TypeError(f"{operation.name}: {names[0]} must be a tensor, got "
                        f"{type(inputs[0]).__name__}")
    return found


def common_type(name, values):
    """The type in which tensors and numbers meet."""
    return dtypes.result_type(
        name, [value.array for value in values if isinstance(value, tensors.Tensor)],
        [value for value in values if not isinstance(value, tensors.Tensor)])


def _type_for(operation, values, target):
    """The type that an operation computes these operands in, and ``target`` if none is a tensor."""
    dtype = common_type(operation.name, [*target, *values])
    _check_defined(operation, dtype, values)
    if dtype == dtypes.bool_ and operation.name in COUNTED:
        dtype = dtypes.int64
    if operation.float_only and dtype not in dtypes.FLOATING:
        dtype = dtypes.get_default_dtype()
    return _wide_enough(operation, dtype, values) if dtype.kind in "iu" else dtype


def _wide_enough(operation, dtype, values):
    """An integer type for numbers beyond the tensors' one: questions are answered in int64,
    limits are refused, and in arithmetic they wrap around."""
    limits = numpy.iinfo(dtype)
    beyond = [value for value in values if not isinstance(value, tensors.Tensor)
              and not limits.min <= value <= limits.max]
    if beyond and operation.name in ("clamp", "where"):
        raise ValueError(f"{operation.name}: {beyond[0]} does not fit into {dtype}")
    return dtypes.int64 if beyond and operation.boolean_result else dtype


def _check_defined(operation, dtype, values):
    """Raise where an operation is not defined for a type, or integers are divided by 0."""
    name = operation.name
    if name in OF_ONE_TYPE:
        dtype = _one_type(name, values)
    subtracted = name == "sub" and any(map(is_boolean, values))
    if subtracted or dtype.kind in UNDEFINED.get(name, ""):
        kind = {"b": "boolean", "f": "floating-point"}.get(
            "b" if subtracted else dtype.kind, str(dtype))
        raise TypeError(f"{name}: not defined for {kind} tensors")
    if name == "pow" and dtype.kind in "iu" and not isinstance(values[1], tensors.Tensor) and (
            values[1] < 0):
        raise ValueError(f"pow: integers have no negative power, got exponent {values[1]}")
    if name in DIVISIONS and dtype.kind in "iu" and not operation.float_only:
        divisor = values[-1].array if isinstance(values[-1], tensors.Tensor) else values[-1]
        program.always(_check_divisor, name, divisor)


def _check_divisor(name, divisor):
    if not numpy.all(divisor):
        raise ZeroDivisionError(f"{name}: integers cannot be divided by 0")


def _one_type(name, values):
    kinds = {value.dtype for value in values if isinstance(value, tensors.Tensor)}
    if len(kinds) > 1:
        raise TypeError(f"{name}: the tensors must have one type, got "
                        f"{sorted(map(str, kinds))}")
    return kinds.pop()


def write_over(name, target, result):
    """Write a result over ``target``, converted to its type, as an operation in place does."""
    check_in_place(name, target, result)
    return copy_.into(target, result.to(target.dtype))


def is_boolean(value):
    """Whether a tensor or a number is boolean."""
    return isinstance(value, (bool, numpy.bool_)) or getattr(value, "dtype", None) == dtypes.bool_


def _as_type(value, dtype):
    if isinstance(value, tensors.Tensor):
        return value if value.dtype == dtype else convert(value, dtype)
    return float(value) if dtype.kind == "f" else _wrapped(value, dtype)


def _wrapped(value, dtype):
    """A whole number as the kernels take it: modulo the range of the type, with a sign."""
    half = 1 << (8 * dtype.itemsize - 1)
    return (int(value) + half) % (2 * half) - half


def _condition(operation, value):
    if not isinstance(value, tensors.Tensor) or value.dtype != dtypes.bool_:
        kind = value.dtype if isinstance(value, tensors.Tensor) else type(value).__name__
        raise TypeError(f"{operation.name}: condition must be a boolean tensor, got {kind}")
    return value
