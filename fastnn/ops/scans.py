"""Products, and running sums, products and extrema along a dimension."""

import math

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, program, scans
from ..elementwise import elementwise
from ..operation import Operation
from ..registry import case, floats, public
from .axes import chosen, reduced
from .checks import NOT_GIVEN, axis, is_given
from .creation import ones_like, zeros_like
from .extremes import Extremes
from .joining import cat
from .picking import gather
from .shape import reshape

ALONG = [case(floats(5), 0), case(floats(3, 4, 2), 1), case(floats(3, 4), -1),
         case(floats(), 0), case(floats(2, 3), 0, dtype=dtypes.float64)]


def _shifted(x, backwards, first):
    """x[i - 1] at i, or x[i + 1] backwards, with ``first`` where there is none."""
    edge = (ones_like if first else zeros_like)(x[:, :1].detach())
    return cat([x[:, 1:], edge], 1) if backwards else cat([edge, x[:, :-1]], 1)


_cumulative_sum = Operation(
    "cumsum", lambda backwards, x: scans.cumulative_sum(memory.contiguous(x), backwards),
    lambda node, gradient: _cumulative_sum(not node.plan, gradient))


def _recurrence_rule(node, gradient):
    """The adjoint of a recurrence is the recurrence with the same factors, the other way."""
    backwards, (factors,) = node.plan, node.saved
    adjoint = _recurrence(not backwards, factors, gradient)
    if backwards:
        return _shifted(adjoint, False, 0) * node.output, adjoint
    return adjoint * _shifted(node.output, False, 0), adjoint


_recurrence = Operation(
    "recurrence", lambda backwards, a, b: scans.recurrence(
        memory.contiguous(a), memory.contiguous(b), backwards),
    _recurrence_rule, saves=(0,), saves_output=True)


def _running_product(x, backwards=False):
    """The product of x[0] ... x[i], or x[i] ... x[last] backwards."""
    if not x.numel():
        return x * 1
    start = cat([x[:, :1], zeros_like(x[:, 1:].detach())], 1)
    if not backwards:
        return _recurrence(False, x, start)
    start = cat([zeros_like(x[:, :-1].detach()), x[:, -1:]], 1)
    return _recurrence(True, _shifted(x, False, 0), start)


def _product_rule(node, gradient):
    """Of the others: what stands before an element times what stands behind it."""
    x, = node.saved
    before = _shifted(_running_product(x), False, 1)
    behind = _shifted(_running_product(x, True), True, 1)
    return before * behind * gradient.unsqueeze(1)


_product = Operation("prod", lambda plan, x: scans.product(memory.contiguous(x)), _product_rule,
                     saves=(0,))


@public("fastnn", "method", cases=[
    case(floats(2, 3)), case(floats(2, 3, 2), 1), case(floats(2, 3), -1, keepdim=True),
    case(floats()), case(floats(2, 3), 0, dtype=dtypes.float64)])
def prod(input, dim=NOT_GIVEN, keepdim=False, *, dtype=None):
    """The product over all dimensions or one, with the right gradients where there are zeros.

    Integers and booleans are multiplied as int64.

    >>> import fastnn
    >>> x = fastnn.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad
    tensor([0., 6., 0.])
    """
    one = axis("prod", dim, input.ndim) if is_given("prod", dim, keepdim) else None
    dims = chosen("prod", input, one)
    return reduced(_product, None, _whole(input, dtype), dims, keepdim)


def _whole(input, dtype):
    """The input in the type asked for; integers and booleans as int64 unless told otherwise."""
    if dtype is not None or input.dtype.kind in "iub":
        return input.to(dtype or dtypes.int64)
    return input


def _along(name, function, input, dim):
    """Run a function of (outer, size, inner) along one dimension."""
    position = axis(name, dim, input.ndim)
    shape = input.array.shape
    size = shape[position] if shape else 1
    form = (math.prod(shape[:position]), size, math.prod(shape[position + 1:]))
    return reshape(function(reshape(input, form)), shape)


@public("fastnn", "method", cases=ALONG)
def cumsum(input, dim, *, dtype=None):
    """The sums of the elements up to each one along ``dim``; of integers as int64.

    >>> import fastnn
    >>> fastnn.cumsum(fastnn.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    tensors.as_tensor("cumsum", input)
    return _along("cumsum", lambda x: _cumulative_sum(False, x), _whole(input, dtype), dim)


@public("fastnn", "method", cases=ALONG)
def cumprod(input, dim, *, dtype=None):
    """The products of the elements up to each one along ``dim``; of integers as int64."""
    tensors.as_tensor("cumprod", input)
    return _along("cumprod", _running_product, _whole(input, dtype), dim)


@elementwise
def _ratio(x, y):
    """exp(x - y) for x <= y; 0 for an x of minus infinity."""
    return 0 if x == -math.inf else math.exp(x - y)


def _cumulative_logsumexp_rule(node, gradient):
    """The sums of exp(out[i] - out[j]) * gradient[j] over j >= i are a recurrence."""
    (x,), out = node.saved, node.output
    rises = _ratio(_shifted(out, False, 0), out)
    return _ratio(x, out) * _recurrence(True, rises, gradient)


_cumulative_logsumexp = Operation(
    "logcumsumexp", lambda plan, x: scans.cumulative_logsumexp(memory.contiguous(x)),
    _cumulative_logsumexp_rule, saves=(0,), saves_output=True)


@public("fastnn", "method", cases=ALONG[:-1])
def logcumsumexp(input, dim):
    """The logarithms of the sums of exponentials up to each element, without overflow."""
    if not tensors.as_tensor("logcumsumexp", input).is_floating_point():
        raise TypeError(f"logcumsumexp: expected a floating-point tensor, got {input.dtype}")
    return _along("logcumsumexp", lambda x: _cumulative_logsumexp(None, x), input, dim)


def _cumulative_extreme(x, largest):
    return scans.cumulative_extreme(memory.contiguous(x), largest)


def _running_extreme(name, input, dim, largest):
    tensors.as_tensor(name, input)

    def positions(x):
        return tape.from_array(program.unit(
            _cumulative_extreme, tape.used(x), largest))

    where = _along(name, positions, input.detach(), dim)
    if not input.ndim:
        return Extremes(input.clone(), where)
    return Extremes(gather(input, dim, where), where)


@public("fastnn", "method", cases=[])
def cummax(input, dim):
    """(values, indices) of the largest up to each element along ``dim``, the last of equals."""
    return _running_extreme("cummax", input, dim, True)


@public("fastnn", "method", cases=[])
def cummin(input, dim):
    """(values, indices) of the smallest up to each element along ``dim``, the last of equals."""
    return _running_extreme("cummin", input, dim, False)
