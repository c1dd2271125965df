"""What layers share: checked numbers of features, and PyTorch's first weights."""

import math
import operator

from . import init


def count(layer, name, value, low=1):
    """A number of features or channels, at least ``low``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{layer}: {name} must be an integer, got {value!r}") from None
    if number < low:
        raise ValueError(f"{layer}: {name} must be at least {low}, got {value}")
    return number


def start(weight, bias):
    """PyTorch's start: both uniform, within 1 / sqrt(fan in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in, _ = init.fans(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(bias, -bound, bound)
