"""Logic on truth values, and on the bits of integers and booleans."""

from .. import dtypes
from .. import tensor as tensors
from ..elementwise import elementwise
from ..registry import booleans, case, floats, integers, public

TRUTHS = [case(booleans(2, 3), booleans(3)), case(floats(3), integers(2, 3, high=2))]
BITS = [case(integers(2, 3, low=-9, high=9), integers(3, low=-9, high=9)),
        case(booleans(2, 3), booleans(3)), case(integers(4, high=9), 6)]
SHIFTS = [case(integers(2, 3, low=-9, high=9), integers(3, high=70)),
          case(integers(4, low=-9, high=9), 3), case(5, integers(4, low=-3, high=3))]


@public("fastnn", "method", cases=[case(booleans(2, 3)), case(floats(4))], differentiable=False)
@elementwise
def logical_not(input):
    """Whether each value is zero or False."""
    return not input


@public("fastnn", "method", cases=TRUTHS, differentiable=False)
@elementwise
def logical_and(input, other):
    """Whether both values are true."""
    return input != 0 and other != 0


@public("fastnn", "method", cases=TRUTHS, differentiable=False)
@elementwise
def logical_or(input, other):
    """Whether at least one value is true."""
    return input != 0 or other != 0


@public("fastnn", "method", cases=TRUTHS, differentiable=False)
@elementwise
def logical_xor(input, other):
    """Whether exactly one value is true."""
    return (input != 0) != (other != 0)


@public("fastnn", "method", cases=BITS, differentiable=False)
@elementwise
def bitwise_and(input, other):
    """The bits that both integers have; of booleans, whether both are true."""
    return input & other


@public("fastnn", "method", cases=BITS, differentiable=False)
@elementwise
def bitwise_or(input, other):
    """The bits that at least one integer has; of booleans, whether one is true."""
    return input | other


@public("fastnn", "method", cases=BITS, differentiable=False)
@elementwise
def bitwise_xor(input, other):
    """The bits in which two integers differ; of booleans, whether they do."""
    return input ^ other


@public("fastnn", "method", cases=SHIFTS, differentiable=False)
@elementwise
def bitwise_left_shift(input, other):
    """``input`` with its bits moved up by ``other`` places, 0 where that is not possible."""
    return 0 if other < 0 or other > 63 else input << other


@public("fastnn", "method", cases=SHIFTS, differentiable=False)
@elementwise
def bitwise_right_shift(input, other):
    """``input`` with its bits moved down by ``other`` places, by so many that only the sign stays
    where ``other`` is negative; the sign is kept."""
    return input >> (63 if other < 0 or other > 63 else other)


@elementwise(name="bitwise_not")
def _bitwise_not(input):
    return input ^ -1


@public("fastnn", "method", cases=[case(integers(4, low=-9, high=9)), case(booleans(4))],
        differentiable=False)
def bitwise_not(input):
    """The other bits of an integer; of booleans, the opposite."""
    if tensors.as_tensor("bitwise_not", input).dtype == dtypes.bool_:
        return logical_not(input)
    return _bitwise_not(input)
