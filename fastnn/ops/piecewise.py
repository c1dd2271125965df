"""Activation functions made of pieces that are constant, straight or square.

At a kink the derivative is the one that PyTorch takes; each docstring says which.
"""

import numpy

from ..elementwise import elementwise
from ..registry import case, floats, public
from .activation import with_in_place
from .checks import floating

SIX = [case(floats(3, 4, low=-8, high=8, kinks=(-3, 0, 3, 6)))]


@elementwise(name="hardtanh", inplace=True)
def _hardtanh(input, min_val=-1.0, max_val=1.0):
    return min_val if input < min_val else max_val if input > max_val else input


@_hardtanh.written_derivative()
def _hardtanh_slope(input, min_val, max_val):
    return 0 if input <= min_val or input >= max_val else 1


def check_distinct_limits(name, min_val, max_val):
    """What the module asks for, when it is made: the function takes limits that are one."""
    if not min_val < max_val:
        raise ValueError(f"{name}: min_val {min_val} is not below max_val {max_val}")


@with_in_place("functional")
@public("functional", cases=[case(floats(3, 4, kinks=(-1, 1))),
                             case(floats(3, 4, kinks=(-0.5, 0.7)), -0.5, 0.7)])
def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """``input`` limited to [min_val, max_val]; the derivative at both limits is 0.

    >>> import fastnn
    >>> fastnn.nn.functional.hardtanh(fastnn.tensor([-3.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return _hardtanh(input, min_val, max_val, inplace=inplace)


@public("functional", cases=SIX)
def relu6(input, inplace=False):
    """``input`` limited to [0, 6]; the derivative at both limits is 0."""
    return _hardtanh(input, 0.0, 6.0, inplace=inplace)


@public("functional", cases=SIX)
@elementwise(inplace=True)
def hardswish(input):
    """``input * relu6(input + 3) / 6``; the derivative is 0 at -3 and 1 at 3.

    Howard et al., Searching for MobileNetV3, 2019.
    """
    return 0 if input <= -3 else input if input >= 3 else input * (input / 6 + 0.5)


@hardswish.written_derivative()
def _hardswish_slope(input):
    return 0 if input <= -3 else 1 if input >= 3 else input / 3 + 0.5


@public("functional", cases=SIX)
@elementwise(inplace=True)
def hardsigmoid(input):
    """``relu6(input + 3) / 6``; the derivative at -3 and 3 is 0."""
    return 0 if input <= -3 else 1 if input >= 3 else input / 6 + 0.5


@elementwise(name="threshold", inplace=True)
def _threshold(input, threshold=0.0, value=0.0):
    return value if input <= threshold else input


@_threshold.written_derivative()
def _threshold_slope(input, threshold, value):
    return 0 if input <= threshold else 1


@with_in_place("functional", "fastnn")
@public("functional", "fastnn", cases=[case(floats(3, 4, kinks=(0.2,)), 0.2, -1.5)])
def threshold(input, threshold, value, inplace=False):
    """``input`` where it is above ``threshold``, else ``value``; at the threshold it is flat."""
    return _threshold(input, threshold, value, inplace=inplace)


@elementwise(name="softshrink")
def _softshrink(input, lambd=0.5):
    return input - lambd if input > lambd else input + lambd if input < -lambd else \
        0 if input == input else input


@_softshrink.written_derivative()
def _softshrink_slope(input, lambd):
    return 1 if input > lambd or input < -lambd else 0


@public("functional", cases=[case(floats(3, 4, kinks=(-0.5, 0.5))),
                             case(floats(3, 4, kinks=(-1, 1)), lambd=1.0)])
def softshrink(input, lambd=0.5):
    """``input`` moved towards 0 by ``lambd``, 0 within [-lambd, lambd], where it is flat."""
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd must be at least 0, got {lambd}")
    return _softshrink(input, lambd)


@public("fastnn", "functional", "method", cases=[
    case(floats(3, 4, kinks=(-0.5, 0.5))), case(floats(3, 4, kinks=(-1, 1)), lambd=1.0)])
@elementwise
def hardshrink(input, lambd=0.5):
    """``input``, but 0 within [-lambd, lambd], where it is flat."""
    return 0 if input >= -lambd and input <= lambd else input


def _channels(input):
    return input.shape[1] if input.ndim > 1 else 1


@elementwise
def _prelu(input, weight):
    return input if input > 0 else weight * input


@public("fastnn", "functional", "method", cases=[
    case(floats(3, 4, kinks=(0,)), floats(4)), case(floats(3, 4, kinks=(0,)), floats(1)),
    case(floats(2, 3, 2, 2, kinks=(0,)), floats(3)), case(floats(5, kinks=(0,)), floats(1))],
    reference=lambda input, weight: numpy.where(
        input > 0, input, input * weight.reshape((-1,) + (1,) * max(0, input.ndim - 2))))
def prelu(input, weight):
    """``leaky_relu`` with a learned slope: one, or one for each channel (dimension 1).

    He et al., Delving Deep into Rectifiers, 2015.

    >>> import fastnn
    >>> fastnn.nn.functional.prelu(fastnn.tensor([-2.0, 3.0]), fastnn.tensor([0.5]))
    tensor([-1.,  3.])
    """
    floating("prelu", input=input, weight=weight)
    if weight.ndim > 1 or weight.numel() not in (1, _channels(input)):
        raise ValueError(f"prelu: weight must hold 1 slope or one for each of {_channels(input)} "
                         f"channels, got shape {tuple(weight.shape)}")
    if weight.numel() > 1:
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    elif not input.ndim:
        weight = weight.reshape(())
    return _prelu(input, weight)
