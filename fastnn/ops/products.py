"""Sums with products, and products of vectors and of tensors over chosen dimensions."""

import math

from .. import tensor as tensors
from .._kernels import gemm, memory
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .linear import matmul, mm, product
from .shape import permute, reshape, sum_to, transpose, unsqueeze


def _plus_forward(plan, a, b, input):
    """The product is added in the kernel to what the output holds."""
    out = memory.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    out[...] = input
    gemm.matmul(a, b, out, accumulate=True)
    return out


def _plus_rule(node, gradient):
    a, b = node.saved
    need_a, need_b, need_input = node.needs
    d_a = product((False, True), gradient, b) if need_a else None
    d_b = product((True, False), a, gradient) if need_b else None
    return d_a, d_b, sum_to(gradient, node.plan) if need_input else None


_plus = Operation("addmm", _plus_forward, _plus_rule, saves=(0, 1))


def _sum_of(name, input, a, b, beta, alpha):
    """beta * input + alpha * (a @ b) of matrices or stacks of them."""
    checks.factors(name, input=input, a=a, b=b)
    shape = (*a.array.shape[:-1], b.array.shape[-1])
    given = input.array.shape
    fits = len(given) <= len(shape) and all(
        size in (1, wanted) for size, wanted in zip(given[::-1], shape[::-1], strict=False))
    if not fits:
        raise ValueError(f"{name}: input of shape {given} does not fit the product's {shape}")
    if not input.is_floating_point():
        return input * int(beta) + product((False, False), a * int(alpha), b)
    if alpha != 1:
        a = a * alpha
    if beta == 0:
        return product((False, False), a, b)
    return _plus(given, a, b, input if beta == 1 else input * beta)


def _factors(name, first, second, dims_first, dims_second, names):
    checks.factors(name, **{names[0]: first, names[1]: second})
    checks.dimensions(name, names[0], first, dims_first)
    checks.dimensions(name, names[1], second, dims_second)
    if first.ndim == second.ndim == 3 and len(first) != len(second):
        raise ValueError(f"{name}: {names[0]} has {len(first)} matrices, {names[1]} {len(second)}")
    if first.array.shape[-1] != second.array.shape[-2 if dims_second > 1 else 0]:
        raise ValueError(f"{name}: shapes {tuple(first.shape)} and {tuple(second.shape)} do not "
                         "fit")


@public("fastnn", "method", cases=[
    case(floats(4, 3), floats(4, 2), floats(2, 3)),
    case(floats(3), floats(4, 2), floats(2, 3), beta=0.5, alpha=2.0),
    case(floats(4, 3), floats(4, 2), floats(2, 3), beta=1, alpha=-1.0)])
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat1 @ mat2)``; ``input`` broadcasts, and with beta 0 is not read.
    """
    _factors("addmm", mat1, mat2, 2, 2, ("mat1", "mat2"))
    return _sum_of("addmm", input, mat1, mat2, beta, alpha)


@public("fastnn", "method", cases=[
    case(floats(4), floats(4, 2), floats(2)), case(floats(1), floats(4, 2), floats(2), beta=0.5,
                                                   alpha=2.0)])
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat @ vec)``."""
    _factors("addmv", mat, vec, 2, 1, ("mat", "vec"))
    column = unsqueeze(input, 1) if input.ndim else input
    return reshape(_sum_of("addmv", column, mat, unsqueeze(vec, 1), beta, alpha), -1)


@public("fastnn", "method", cases=[
    case(floats(3, 2), floats(3), floats(2)), case(floats(2), floats(3), floats(2), beta=0.5,
                                                   alpha=2.0)])
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """``beta * input + alpha * outer(vec1, vec2)``."""
    checks.dimensions("addr", "vec1", vec1, 1)
    checks.dimensions("addr", "vec2", vec2, 1)
    return _sum_of("addr", input, unsqueeze(vec1, 1), unsqueeze(vec2, 0), beta, alpha)


@public("fastnn", "method", cases=[
    case(floats(2, 4, 3), floats(2, 4, 5), floats(2, 5, 3)),
    case(floats(4, 1), floats(2, 4, 5), floats(2, 5, 3), beta=0.5, alpha=2.0)])
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * bmm(batch1, batch2)``."""
    _factors("baddbmm", batch1, batch2, 3, 3, ("batch1", "batch2"))
    return _sum_of("baddbmm", input, batch1, batch2, beta, alpha)


@public("fastnn", "method", cases=[
    case(floats(4, 3), floats(2, 4, 5), floats(2, 5, 3)),
    case(floats(3), floats(2, 4, 5), floats(2, 5, 3), beta=0.5, alpha=2.0)])
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha *`` the sum of ``bmm(batch1, batch2)`` over the stack: one product."""
    _factors("addbmm", batch1, batch2, 3, 3, ("batch1", "batch2"))
    _, rows, inner = batch1.shape
    wide = reshape(permute(batch1, 1, 0, 2), rows, len(batch1) * inner)
    high = reshape(batch2, len(batch1) * inner, batch2.shape[2])
    return _sum_of("addbmm", input, wide, high, beta, alpha)


@public("fastnn", "method", cases=[case(floats(4, 3), floats(3))])
def mv(input, vec):
    """The product of a matrix and a vector."""
    _factors("mv", input, vec, 2, 1, ("input", "vec"))
    return matmul(input, vec)


def dot(input, tensor):
    """The sum of the products of two vectors' elements; also as ``vdot``."""
    checks.factors("dot", input=input, tensor=tensor)
    checks.dimensions("dot", "input", input, 1)
    checks.dimensions("dot", "tensor", tensor, 1)
    if len(input) != len(tensor):
        raise ValueError(f"dot: vectors of {len(input)} and {len(tensor)} elements")
    return matmul(input, tensor)


for _name in ("dot", "vdot"):
    public("fastnn", "method", cases=[case(floats(4), floats(4))], name=_name)(dot)


def outer(input, vec2):
    """The matrix of all products of two vectors' elements; also as ``ger``."""
    for name, each in (("input", input), ("vec2", vec2)):
        checks.dimensions("outer", name, tensors.as_tensor("outer", each), 1)
    return unsqueeze(input, 1) * vec2


for _name in ("outer", "ger"):
    public("fastnn", "method", cases=[case(floats(4), floats(3))], name=_name)(outer)


@public("fastnn", "method", cases=[
    case(floats(4, 3), floats(2, 3)), case(floats(3), floats(3)), case(floats(2, 2), floats())])
def inner(input, other):
    """The sums of products over the last dimension of both; the others follow one another."""
    if not input.ndim or not other.ndim:
        return input * other
    checks.factors("inner", input=input, other=other)
    if input.shape[-1] != other.shape[-1]:
        raise ValueError(f"inner: last sizes {input.shape[-1]} and {other.shape[-1]} differ")
    return tensordot(input, other, ([-1], [-1]))


@public("fastnn", cases=[
    case(floats(4, 2, 3), floats(2, 3, 5)), case(floats(4, 3), floats(3, 4), dims=1),
    case(floats(2, 3), floats(4), dims=0), case(floats(4, 2, 3), floats(3, 4), ([2, 0], [0, 1]))])
def tensordot(a, b, dims=2):
    """Sums of products over the last dimensions of ``a`` and the first of ``b``, or over two lists.

    >>> import fastnn
    >>> fastnn.tensordot(fastnn.ones(2, 3), fastnn.ones(3, 4), dims=1).shape
    fastnn.Size([2, 4])
    """
    checks.factors("tensordot", a=a, b=b)
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: dims {dims} of tensors with {a.ndim} and {b.ndim}")
        dims = range(a.ndim - dims, a.ndim), range(dims)
    elif not isinstance(dims, (tuple, list)) or len(dims) != 2:
        raise TypeError(f"tensordot: dims must be a number or two lists, got {dims!r}")
    of_a = checks.axes("tensordot", tuple(dims[0]), a.ndim)
    of_b = checks.axes("tensordot", tuple(dims[1]), b.ndim)
    sizes = [a.shape[i] for i in of_a]
    if sizes != [b.shape[i] for i in of_b]:
        raise ValueError(f"tensordot: sizes {sizes} and {[b.shape[i] for i in of_b]} differ")
    left = [i for i in range(a.ndim) if i not in of_a]
    right = [i for i in range(b.ndim) if i not in of_b]
    shape = [a.shape[i] for i in left] + [b.shape[i] for i in right]
    rows = reshape(permute(a, (*left, *of_a)), math.prod(a.shape[i] for i in left),
                   math.prod(sizes))
    columns = reshape(permute(b, (*of_b, *right)), math.prod(sizes),
                      math.prod(b.shape[i] for i in right))
    return reshape(mm(rows, columns), shape)


@public("fastnn", "method", cases=[
    case(floats(2, 3), floats(4, 2)), case(floats(2), floats(4, 2)), case(floats(2), floats(3))])
def kron(input, other):
    """Kronecker's product: each element of ``input`` times the whole of ``other``."""
    ndim = max(input.ndim, other.ndim)
    a = (1,) * (ndim - input.ndim) + input.array.shape
    b = (1,) * (ndim - other.ndim) + other.array.shape
    spread = reshape(input, [size for each in a for size in (each, 1)])
    product = spread * reshape(other, [size for each in b for size in (1, each)])
    return reshape(product, [m * n for m, n in zip(a, b, strict=True)])


@public("fastnn")
def chain_matmul(*matrices):
    """The product of several matrices, as ``linalg.multi_dot``."""
    if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)):
        matrices = matrices[0]
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


def multi_dot(tensors):
    """The product of several matrices, in the order that needs the fewest multiplications.

    The first may be a row vector and the last a column vector. The order is found by dynamic
    programming (Cormen et al., Introduction to Algorithms, 15.2).
    """
    parts = list(tensors)
    if len(parts) < 2:
        raise ValueError(f"multi_dot: expected at least 2 tensors, got {len(parts)}")
    checks.factors("multi_dot", **{f"tensor {i}": part for i, part in enumerate(parts)})
    row, column = parts[0].ndim == 1, parts[-1].ndim == 1
    parts[0] = unsqueeze(parts[0], 0) if row else parts[0]
    parts[-1] = unsqueeze(parts[-1], 1) if column else parts[-1]
    for before, after in zip(parts, parts[1:], strict=False):
        _factors("multi_dot", before, after, 2, 2, ("a factor", "the next one"))
    result = _multiplied(parts, _best_cuts([len(parts[0]), *(part.shape[1] for part in parts)]),
                         0, len(parts) - 1)
    return reshape(result, result.shape[row:2 - column])


def _best_cuts(sizes):
    """{(i, j): the k at which to cut the product of matrices i to j}."""
    cost, cuts = {}, {}
    count = len(sizes) - 1
    for i in range(count):
        cost[i, i] = 0
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], cuts[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j))
    return cuts


def _multiplied(parts, cuts, i, j):
    if i == j:
        return parts[i]
    k = cuts[i, j]
    return mm(_multiplied(parts, cuts, i, k), _multiplied(parts, cuts, k + 1, j))


@public("fastnn", "method", cases=[
    case(floats(4, 3), floats(4, 3), dim=1), case(floats(3, 4), floats(3, 1), dim=0)])
def cross(input, other, dim=None):
    """The cross product along a dimension of size 3, by default the first such one."""
    shape = tuple(max(sizes) for sizes in zip(input.shape, other.shape, strict=True)) \
        if input.ndim == other.ndim else ()
    dim = next((i for i, size in enumerate(shape) if size == 3), 0) if dim is None else dim
    return cross_along(input, other, dim)


def cross_along(input, other, dim=-1):
    """The cross product along a dimension of size 3; the other dimensions broadcast."""
    if tensors.as_tensor("cross", input).ndim != tensors.as_tensor("cross", other).ndim:
        raise ValueError(f"cross: tensors of {input.ndim} and {other.ndim} dimensions")
    checks.factors("cross", input=input, other=other)
    dim = checks.axis("cross", dim, input.ndim)
    if not input.ndim or not input.shape[dim] == other.shape[dim] == 3:
        raise ValueError(f"cross: dimension {dim} must have size 3, got shapes "
                         f"{tuple(input.shape)} and {tuple(other.shape)}")

    def turned(tensor, by):
        return tensor.roll(by, dim)

    return turned(input, -1) * turned(other, -2) - turned(input, -2) * turned(other, -1)


def matrix_transpose(input):
    """The last two dimensions exchanged, as a view; also as ``Tensor.mT``."""
    return transpose(input, -2, -1)
