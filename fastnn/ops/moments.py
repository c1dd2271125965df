"""Variances and standard deviations over dimensions."""

import math

from .. import tensor as tensors
from .._kernels import memory, moments
from .._kernels.names import sqrt
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import case, floats, public
from .axes import chosen, count, reduced
from .checks import truth
from .reduction import mean

SPREADS = [
    case(floats(2, 5)), case(floats(2, 5), 1), case(floats(4, 5), 0, correction=0, keepdim=True),
    case(floats(2, 3, 4), (0, 2)), case(floats(2, 3), 1, False),
    case(floats(3, 2), (0,), True, True),
    case(floats(6), False), case(floats(2, 3), -1, unbiased=True),
]


def _rule(node, gradient):
    x, = node.saved
    scale = 2.0 / node.plan if node.plan else math.inf
    return (gradient * scale).unsqueeze(1) * (x - mean(x, 1, keepdim=True))


_var = Operation(
    "var", lambda freedom, x: moments.variance(memory.contiguous(x), freedom), _rule, saves=(0,))


@elementwise(name="std")
def _root(input):
    return sqrt(input)


@_root.written_derivative()
def _root_slope(output):
    return 0 if output == 0 else 0.5 / output


def _arguments(name, input, dim, unbiased, correction):
    """(dimensions, degrees of freedom), given as PyTorch takes them."""
    tensors.as_tensor(name, input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        truth(name, "unbiased", unbiased)
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}: unbiased and correction cannot both be given")
    if not input.is_floating_point():
        raise TypeError(f"{name}: expected a floating-point tensor, got {input.dtype}")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    dims = chosen(name, input, dim)
    return dims, float(max(0, count(input, dims) - correction))


@public("fastnn", "method", cases=SPREADS)
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance: squared distances from the mean, divided by the count less ``correction``.

    ``correction`` is 1 unless given; ``unbiased=False`` is another way to say 0.

    >>> import fastnn
    >>> fastnn.var(fastnn.tensor([1.0, 2.0, 3.0, 4.0]), unbiased=False)
    tensor(1.2500)
    """
    dims, freedom = _arguments("var", input, dim, unbiased, correction)
    return reduced(_var, freedom, input, dims, keepdim)


@public("fastnn", "method", cases=SPREADS)
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The square root of ``var``; its gradient is 0 where it is 0."""
    dims, freedom = _arguments("std", input, dim, unbiased, correction)
    return _root(reduced(_var, freedom, input, dims, keepdim))


@public("fastnn", cases=SPREADS)
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """``(var, mean)``."""
    dims, freedom = _arguments("var_mean", input, dim, unbiased, correction)
    return reduced(_var, freedom, input, dims, keepdim), mean(input, dims, keepdim)


@public("fastnn", cases=SPREADS)
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """``(std, mean)``."""
    dims, freedom = _arguments("std_mean", input, dim, unbiased, correction)
    return _root(reduced(_var, freedom, input, dims, keepdim)), mean(input, dims, keepdim)
