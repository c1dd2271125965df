"""Variants in place: a method for each operation of a list, and functions, as PyTorch has them."""

from .. import tensor as tensors
from ..changes import check_in_place
from ..op import Elementwise
from ..registry import in_place, variant
from . import diagonals, masks, picking, promotion
from .indexing import index_put_
from .shape import once

# What can be done in place: each of them has a method of its name with an underscore.
IN_PLACE = """
    add sub mul div floor_divide remainder fmod neg abs sign square reciprocal copysign heaviside
    hypot lerp addcmul addcdiv deg2rad rad2deg nan_to_num pow float_power sqrt rsqrt exp exp2 expm1
    log log1p log2 log10 xlogy logit erf erfc sin cos tan asin acos atan atan2 sinh cosh tanh asinh
    acosh atanh sigmoid relu floor ceil trunc frac round clamp clamp_min clamp_max eq ne lt le gt ge
    logical_not logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not
    bitwise_left_shift bitwise_right_shift absolute negative subtract multiply divide true_divide
    fix clip arcsin arccos arctan arctan2 arcsinh arccosh arctanh greater greater_equal less
    less_equal not_equal cumsum cumprod
""".split()
# The same of operations that look at the shape.
OF_SHAPE = """
    addbmm addmm addmv addr baddbmm renorm tril triu put scatter_reduce index_reduce
""".split()
# Those that are functions as well.
FUNCTIONS = """
    neg abs square reciprocal deg2rad rad2deg nan_to_num sqrt rsqrt exp exp2 expm1 log log1p log2
    log10 xlogy logit erf erfc sin cos tan asin acos atan sinh cosh asinh acosh atanh floor ceil
    trunc frac round clamp clamp_min clamp_max negative fix clip arcsin arccos arctan arcsinh
    arccosh arctanh addmv
""".split()
DROPOUTS = ("dropout", "alpha_dropout", "feature_alpha_dropout")
# Those whose result must already have the type of the tensor.
OF_ONE_TYPE = {"float_power"}


def _variant(name, operation):
    """The function that writes the operation's result over its first operand."""
    label = f"{name}_"
    if isinstance(operation, Elementwise):
        def write(input, *args, **kwargs):
            return operation.into(tensors.as_tensor(label, input), *args, **kwargs)
    else:
        def write(input, *args, **kwargs):
            check_in_place(name, tensors.as_tensor(label, input))
            recorded = any(getattr(each, "requires_grad", False)
                           for each in (input, *args, *kwargs.values()))
            before = input.clone() if recorded else input
            result = operation(before, *args, **kwargs)
            _check_fits(name, input, result)
            return promotion.write_over(name, input, result)

    write.__name__ = write.__qualname__ = label
    write.__doc__ = f"``{name}`` in place."
    return write


def _check_fits(name, target, result):
    if result.array.shape != target.array.shape:
        raise ValueError(f"{name}_: the result has shape {tuple(result.shape)}, the tensor "
                         f"{tuple(target.shape)}")
    if name in OF_ONE_TYPE and result.dtype != target.dtype:
        raise TypeError(f"{name}_: the result is {result.dtype}, the tensor {target.dtype}")


def _dropout(name, operation):
    def write(input, p, train):
        return operation(input, p, train, inplace=True)

    write.__name__ = write.__qualname__ = f"{name}_"
    write.__doc__ = f"``{name}`` in place."
    return write


def fill_(input, value):
    """Fill with one number in place, converted to the type of the tensor.

    A number fills expanded tensors too.
    """
    made = masks.one_value("fill_", input, value)
    if made is value:
        made = made.clone()  # it may be an element of the tensor
    promotion.copy_.into(input if isinstance(value, tensors.Tensor) else once(input), made)
    return input


def zero_(input):
    """Fill with zeros in place."""
    return fill_(input, 0)


def detach(input):
    """The same memory without a history."""
    return tensors.as_tensor("detach", input).detach()


def make():
    """Enter the variants of all registered operations."""
    operations = in_place("method")
    for name in (*IN_PLACE, *OF_SHAPE):
        places = ("method", "fastnn") if name in FUNCTIONS else ("method",)
        variant(f"{name}_", _variant(name, operations[name]), *places)
    for function in (fill_, zero_, index_put_):
        variant(function.__name__, function, "method", "fastnn")
    for name in DROPOUTS:
        variant(f"{name}_", _dropout(name, in_place("fastnn")[name]), "fastnn")
    variant("detach_", tensors.Tensor.detach_, "fastnn")
    variant("detach", detach, "fastnn")
    for function in (
            masks.masked_fill_, masks.masked_scatter_, picking.scatter_, picking.scatter_add_,
            picking.index_add_, picking.index_copy_, picking.index_fill_,
            diagonals.fill_diagonal_):
        variant(function.__name__, function, "method")
