"""Matrix products."""

import math
from functools import partial

import numpy

from .. import tensor as tensors
from .._kernels import gemm, integer_products, memory, reductions
from ..operation import Operation, are_floating_alike
from ..registry import case, floats, public
from . import checks
from .activation import rectified
from .shape import expand, expand_, reshape, squeeze, unsqueeze


def _product_forward(plan, a, b):
    """Two matrices, or two stacks of them, each read as it lies or turned: plan says which."""
    left, right = plan
    a, b = a.swapaxes(-1, -2) if left else a, b.swapaxes(-1, -2) if right else b
    if a.dtype.kind != "f":
        return integer_products.product(a, b)
    return gemm.matmul(a, b)


def _product_rule(node, gradient):
    """Of C = A B: dA = dC B' and dB = A' dC, with each factor turned as it was read."""
    left, right = node.plan
    a, b = node.saved
    need_a, need_b = node.needs
    d_a = d_b = None
    if need_a:
        d_a = product((right, True), b, gradient) if left else \
            product((False, not right), gradient, b)
    if need_b:
        d_b = product((True, left), gradient, a) if right else \
            product((not left, False), a, gradient)
    return d_a, d_b


product = Operation("mm", _product_forward, _product_rule, saves=(0, 1))


def _column_sums_rule(node, gradient):
    shape = node.plan[1]
    return expand_((gradient.array.shape, shape), gradient)


def _column_sums_forward(plan, x):
    shape = x.shape
    rows, columns = shape
    return reductions.sum_read_as((1, rows, columns), memory.contiguous(x), (columns,)), shape


column_sums = Operation("column_sums", _column_sums_forward, _column_sums_rule)


def _linear_forward(plan, x, weight, bias, below=1.0):
    rows = x if x.ndim == 2 else memory.contiguous(x)
    return gemm.linear(rows, weight, memory.contiguous(bias), below)


def _linear_rule(plan, node, gradient):
    x, weight = node.saved
    need_x, need_weight, need_bias = node.needs
    flat = gradient if gradient.ndim == 2 else reshape(gradient, -1, weight.shape[0])
    d_x = d_weight = None
    if need_x:
        d_x = product((False, False), flat, weight)
        d_x = d_x if x.ndim == 2 else reshape(d_x, *x.shape)
    if need_weight:
        rows = x if x.ndim == 2 else reshape(x, -1, x.shape[-1])
        d_weight = product((True, False), flat, rows)
    return d_x, d_weight, column_sums(None, flat) if need_bias else None


_linear = Operation("linear", _linear_forward, partial(_linear_rule, None), saves=(0, 1))
_rectified_linear = rectified("linear_rectified", _linear_forward, _linear_rule)


@public("functional", cases=[
    case(floats(4, 3), floats(5, 3), floats(5)), case(floats(2, 4, 3), floats(5, 3)),
    case(floats(3), floats(5, 3), floats(5))])
def linear(input, weight, bias=None):
    """``input @ weight.T + bias``: shapes (..., in), (out, in) and (out,) give (..., out)."""
    if not are_floating_alike(input, weight, bias):
        checks.floating("linear", input=input, weight=weight, bias=bias)
    return _linear(None, input, weight, bias)


def bent_linear(input, weight, bias, below):
    """``bent(linear(input, weight, bias), below)``, computed at once."""
    checks.floating("linear", input=input, weight=weight, bias=bias)
    return _rectified_linear((None, below), input, weight, bias)


@public("fastnn", "method", cases=[case(floats(2, 3), floats(3, 4))])
def mm(input, mat2):
    """The product of two matrices."""
    checks.factors("mm", input=input, mat2=mat2)
    checks.dimensions("mm", "input", input, 2)
    checks.dimensions("mm", "mat2", mat2, 2)
    _fit("mm", input, mat2)
    return product((False, False), input, mat2)


@public("fastnn", "method", cases=[case(floats(2, 3, 4), floats(2, 4, 5))])
def bmm(input, mat2):
    """The products of two equally long stacks of matrices."""
    checks.factors("bmm", input=input, mat2=mat2)
    checks.dimensions("bmm", "input", input, 3)
    checks.dimensions("bmm", "mat2", mat2, 3)
    if len(input) != len(mat2):
        raise ValueError(f"bmm: input has {len(input)} matrices, mat2 {len(mat2)}")
    _fit("bmm", input, mat2)
    return product((False, False), input, mat2)


def _fit(name, a, b):
    if a.array.shape[-1] != b.array.shape[-2]:
        raise ValueError(f"{name}: shapes {tuple(a.shape)} and {tuple(b.shape)} do not fit: "
                         f"{a.shape[-1]} columns against {b.shape[-2]} rows")


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(3, 4)), case(floats(3), floats(3)), case(floats(2, 3), floats(3)),
    case(floats(3), floats(3, 2)), case(floats(2, 1, 3, 4), floats(5, 4, 2)),
    case(floats(2, 3, 4), floats(4, 2))])
def matmul(input, other):
    """The matrix product of tensors of any rank, as ``@``: 1-d are vectors, batches broadcast."""
    if not are_floating_alike(input, other):
        checks.factors("matmul", input=tensors.as_tensor("matmul", input),
                       other=tensors.as_tensor("matmul", other))
    if not input.ndim or not other.ndim:
        raise ValueError("matmul: both tensors need at least one dimension")
    if input.ndim == other.ndim == 2:
        _fit("matmul", input, other)
        return product((False, False), input, other)
    a = unsqueeze(input, 0) if input.ndim == 1 else input
    b = unsqueeze(other, 1) if other.ndim == 1 else other
    _fit("matmul", a, b)
    result = _broadcast_product(a, b)
    if other.ndim == 1:
        result = squeeze(result, -1)
    return squeeze(result, -1 if other.ndim == 1 else -2) if input.ndim == 1 else result


def _broadcast_product(a, b):
    if b.ndim == 2:
        flat = reshape(a, math.prod(a.array.shape[:-1]), a.shape[-1])
        rows = product((False, False), flat, b)
        return reshape(rows, *a.shape[:-1], b.shape[1])
    batch = a.array.shape[:-2]
    if batch != b.array.shape[:-2]:
        try:
            batch = numpy.broadcast_shapes(batch, b.array.shape[:-2])
        except ValueError:
            raise ValueError(f"matmul: batches of shapes {tuple(a.shape)} and {tuple(b.shape)} "
                             "do not broadcast") from None
        a, b = (expand(each, *batch, *each.array.shape[-2:]) for each in (a, b))
    if len(batch) == 1:
        return product((False, False), a, b)
    items = math.prod(batch)
    left, right = (reshape(each, items, *each.array.shape[-2:]) for each in (a, b))
    result = product((False, False), left, right)
    return reshape(result, *batch, *result.array.shape[-2:])
