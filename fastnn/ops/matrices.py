"""Functions of matrices: the exponential, and solutions of systems that need no pivots."""

import math

from .. import tensor as tensors
from .._kernels import elimination
from ..operation import Operation
from ..registry import case, floats, public
from ..tape import from_array
from .checks import floating
from .creation import eye
from .linear import matmul
from .shape import reshape

TERMS = 15  # of the series: below half a unit in the last place of float64 up to LARGEST
LARGEST = 0.5  # norm of a matrix of which the series is taken


def _solve_rule(node, gradient):
    a, = node.saved
    of_b = _solve(None, a.mT, gradient)
    return (-matmul(of_b, node.output.mT) if node.needs[0] else None), of_b


_solve = Operation("solve", lambda plan, a, b: elimination.solve(a, b), _solve_rule, saves=(0,),
                   saves_output=True)


def solve(a, b):
    """The X of ``a @ X = b`` for a stack of matrices that are triangular, or whose symmetric part
    is positive definite."""
    stack = math.prod(b.shape[:-2])
    return reshape(_solve(None, *(reshape(each, (stack, *each.shape[-2:])) for each in (a, b))),
                   b.shape)


@public("fastnn", "linalg", "method", cases=[
    case(floats(3, 3)), case(floats(2, 4, 4, low=-6, high=6)), case(floats(1, 1)),
    case(floats(2, 2, low=-0.1, high=0.1))])
def matrix_exp(input):
    """The exponential of square matrices: its series for a part of each, squared repeatedly.

    Higham, The Scaling and Squaring Method for the Matrix Exponential Revisited, 2005.
    """
    floating("matrix_exp", input=tensors.as_tensor("matrix_exp", input))
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ValueError("matrix_exp: expected square matrices, got shape "
                         f"{tuple(input.shape)}")
    if not input.numel():
        return input * 1
    norm = abs(input.detach()).sum(-2).amax().item()
    squarings = max(0, math.frexp(norm / LARGEST)[1]) if math.isfinite(norm) else 0
    part = input * 2.0 ** -squarings
    one = from_array(eye(input.shape[-1], dtype=input.dtype).array)
    result = one + part / TERMS
    for term in range(TERMS - 1, 0, -1):
        result = one + matmul(part, result) / term
    for _ in range(squarings):
        result = matmul(result, result)
    return result
