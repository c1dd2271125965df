"""The gated linear unit."""

import math

import numpy

from .. import tensor as tensors
from .._kernels import gates, memory
from ..operation import Operation
from ..registry import case, floats, public
from .activation import sigmoid
from .checks import axis, floating
from .composed import rule_of_composition
from .joining import cat, narrow


def _split(dim, x):
    """The contiguous array as (outer, 2, size): values, then gates."""
    return memory.contiguous(x).reshape(math.prod(x.shape[:dim]), 2, -1) if x.size else \
        numpy.empty((0, 2, 1), x.dtype)


def _half(dim, shape):
    return (*shape[:dim], shape[dim] // 2, *shape[dim + 1:])


def _gradient_forward(dim, gradient, x):
    outer = _split(dim, x)
    upstream = memory.contiguous(gradient).reshape(outer.shape[0], outer.shape[2])
    return gates.gradient(upstream, outer).reshape(x.shape)


def _gradient_composition(dim, gradient, x):
    size = x.shape[dim] // 2
    value, share = narrow(x, dim, 0, size), sigmoid(narrow(x, dim, size, size))
    passed = gradient * share
    return cat([passed, passed * value * (1 - share)], dim)


_glu_gradient = Operation(
    "glu_gradient", _gradient_forward, rule_of_composition(_gradient_composition), saves=(0, 1))
_glu = Operation(
    "glu", lambda dim, x: gates.forward(_split(dim, x)).reshape(_half(dim, x.shape)),
    lambda node, gradient: _glu_gradient(node.plan, gradient, node.saved[0]), saves=(0,))


@public("functional", cases=[case(floats(3, 4)), case(floats(4, 3), dim=0),
                             case(floats(2, 6, 3), dim=1)])
def glu(input, dim=-1):
    """The first half of ``input`` along ``dim`` times the ``sigmoid`` of the second half.

    Dauphin et al., Language Modeling with Gated Convolutional Networks, 2016.

    >>> import fastnn
    >>> fastnn.nn.functional.glu(fastnn.tensor([4.0, 0.0]))
    tensor([2.])
    """
    floating("glu", input=tensors.as_tensor("glu", input))
    if not input.ndim:
        raise ValueError("glu: input must have at least one dimension")
    position = axis("glu", dim, input.ndim)
    if input.shape[position] % 2:
        raise ValueError(f"glu: the size of dimension {dim} must be even, got shape "
                         f"{tuple(input.shape)}")
    return _glu(position, input)
