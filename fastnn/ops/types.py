"""Questions about tensors and their types."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from ..registry import public
from .checks import shape_argument


@public("fastnn", differentiable=False)
def is_tensor(obj):
    """Whether an object is a tensor.

    >>> import fastnn
    >>> fastnn.is_tensor(fastnn.ones(1)), fastnn.is_tensor(1.0)
    (True, False)
    """
    return isinstance(obj, tensors.Tensor)


@public("fastnn", differentiable=False)
def is_floating_point(input):
    """Whether the type of a tensor is float32 or float64."""
    return tensors.as_tensor("is_floating_point", input).is_floating_point()


@public("fastnn", "method", differentiable=False)
def is_complex(input):
    """Always False: there are no complex tensors."""
    tensors.as_tensor("is_complex", input)
    return False


@public("fastnn", "method", differentiable=False)
def is_signed(input):
    """Whether the type of a tensor has negative numbers."""
    return tensors.as_tensor("is_signed", input).dtype.kind in "fi"


@public("fastnn", differentiable=False)
def broadcast_shapes(*shapes):
    """The shape to which several shapes (or single sizes) broadcast.

    >>> import fastnn
    >>> fastnn.broadcast_shapes((2, 1), (3,))
    fastnn.Size([2, 3])
    """
    shapes = [shape_argument("broadcast_shapes", (shape,)) for shape in shapes]
    if any(size < 0 for shape in shapes for size in shape):
        raise ValueError(f"broadcast_shapes: negative size in {shapes}")
    try:
        return tensors.Size(numpy.broadcast_shapes(*shapes))
    except ValueError:
        raise ValueError("broadcast_shapes: shapes "
                         f"{', '.join(map(str, shapes))} do not broadcast") from None


@public("fastnn", differentiable=False)
def numel(input):
    """The number of elements of a tensor."""
    return tensors.as_tensor("numel", input).numel()


@public("fastnn", "method", differentiable=False)
def is_nonzero(input):
    """Whether the one element of a tensor is not zero."""
    return bool(tensors.as_tensor("is_nonzero", input))


@public("fastnn", differentiable=False)
def result_type(tensor1, tensor2):
    """The type of an operation's result on two tensors or numbers.

    >>> import fastnn
    >>> fastnn.result_type(fastnn.ones(2, dtype=fastnn.int32), 1.5)
    dtype('float32')
    """
    given = (tensor1, tensor2)
    for each in given:
        if not isinstance(each, (tensors.Tensor, int, float)):
            raise TypeError("result_type: expected tensors or numbers, got "
                            f"{type(each).__name__}")
    return dtypes.result_type(
        "result_type", [each.array for each in given if isinstance(each, tensors.Tensor)],
        [each for each in given if not isinstance(each, tensors.Tensor)])


@public("fastnn", differentiable=False)
def promote_types(type1, type2):
    """The smallest type that both types can be converted to."""
    given = [numpy.empty(1, dtypes.check("promote_types", each)) for each in (type1, type2)]
    return dtypes.result_type("promote_types", given, [])


@public("fastnn", differentiable=False)
def can_cast(from_, to):
    """Whether a result of one type may be written to a tensor of another one."""
    order = {"b": 0, "i": 1, "u": 1, "f": 2}
    return order[dtypes.check("can_cast", from_).kind] <= order[dtypes.check("can_cast", to).kind]
