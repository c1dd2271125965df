"""Scaled dot-product attention."""

import math
from functools import lru_cache as cache

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import attention as kernels
from .._kernels import memory, program
from ..operation import Operation
from ..registry import booleans, case, floats, public
from .bitwise import logical_not, logical_or
from .checks import floating, remembered
from .comparison import where
from .composed import rule_of_composition
from .creation import new
from .dropout import dropout
from .linear import matmul
from .shape import expand, reshape, transpose
from .softmax import softmax


def _rows(x):
    """The array with the elements of each row side by side; a copy only where needed."""
    dense = x.shape[-1] < 2 or x.strides[-1] == x.itemsize
    return x if dense and x.flags.aligned else memory.copy(x, "C")


@cache(maxsize=4096)
def _order(strides):
    """The axes by falling strides with the last one last, and the reverse of that order."""
    order = (*sorted(range(3), key=lambda i: -abs(strides[i])), 3)
    return order, tuple(order.index(i) for i in range(4))


def _new_like(x, columns):
    """New memory for as many rows of so many elements, in the order in which those of x lie."""
    shape = (*x.shape[:3], columns)
    if x.flags.c_contiguous:
        return memory.empty(shape, x.dtype)
    order, reverse = _order(x.strides)
    return memory.empty(tuple(shape[i] for i in order), x.dtype).transpose(reverse)


def _mask_of(mask, q, k):
    shape = (*q.shape[:3], k.shape[2])
    return None if mask is None else numpy.broadcast_to(mask, shape)


def forward(plan, q, k, v, mask):
    """The output and what `backward` needs, for a ``plan`` of scale and causality."""
    q, k, v = _rows(q), _rows(k), _rows(v)
    out = _new_like(q, v.shape[3])
    statistics = memory.empty((2, *q.shape[:3]), q.dtype)
    kernels.forward(q, k, v, _mask_of(mask, q, k), out, statistics, *plan)
    return out, statistics


def backward(plan, statistics, q, k, v, mask, out, gradient, found):
    """Write the gradients of q, k and v into the three arrays of ``found``."""
    q, k, v = _rows(q), _rows(k), _rows(v)
    mask = _mask_of(None if mask is None else mask.array, q, k)
    kernels.backward(q, k, v, mask, out, statistics, *plan, _rows(gradient), *found)


def _rule(node, gradient):
    if tape.is_grad_enabled():
        return _rule_of_composition(node, gradient)
    plan, statistics = node.plan
    *inputs, mask = node.saved
    arrays = [_rows(each.array) for each in inputs]
    found = [_new_like(each, each.shape[3]) for each in arrays]
    backward(plan, statistics, *arrays, mask, node.output.array, gradient.array, found)
    return (*map(tape.from_array, found), None)


def _visible(plan, q, k, mask):
    """Which keys count, as booleans, or None; and for which queries any does, or None."""
    allowed = numpy.tri(q.shape[2], k.shape[2], dtype=bool) if plan[1] else None
    return program.apart(_visible_now, allowed, mask)


def _visible_now(allowed, mask):
    if mask is not None:
        counts = mask.array if mask.dtype == dtypes.bool_ else mask.array != -numpy.inf
        allowed = counts if allowed is None else allowed & counts
    return allowed, None if allowed is None else allowed.any(-1, keepdims=True)


def composition(plan, q, k, v, mask, dropout_p=0.0):
    """The same with the matrix of scores; rows without keys pass unmasked and are zeroed."""
    scale = plan[0]
    groups = q.shape[1] // k.shape[1] if k.shape[1] else 1
    k, v = (repeat_heads(each, groups) for each in (k, v))
    scores = matmul(q * scale, transpose(k, -1, -2))
    allowed, seen = _visible(plan, q, k, mask)
    if allowed is not None:
        if mask is not None and mask.dtype != dtypes.bool_:
            scores = scores + where(new(allowed), mask, 0.0)
        scores = where(logical_or(new(allowed), logical_not(new(seen))), scores, -math.inf)
    weights = softmax(scores, -1)
    if allowed is not None:
        weights = where(new(seen), weights, 0.0)
    return matmul(dropout(weights, dropout_p), v)


def repeat_heads(x, times):
    """Each head of (batch, heads, rows, columns) ``times`` times in a row."""
    if times == 1:
        return x
    batch, heads, rows, columns = x.shape
    wide = expand(reshape(x, batch, heads, 1, rows, columns), batch, heads, times, rows, columns)
    return reshape(wide, batch, heads * times, rows, columns)


_rule_of_composition = rule_of_composition(
    lambda plan, *inputs: composition(plan[0], *inputs))
_attention = Operation("scaled_dot_product_attention", forward, _rule, saves=(0, 1, 2, 3),
                       saves_output=True)

NAME = "scaled_dot_product_attention"


@remembered
def _leading(query, key, value, mask, enable_gqa):
    """Of shapes: what the leading dimensions of query, key and value are to be expanded to."""
    for name, shape in (("query", query), ("key", key), ("value", value), ("attn_mask", mask)):
        if shape is not None and len(shape) < 2:
            raise ValueError(f"{NAME}: {name} must have at least 2 dimensions, got shape {shape}")
    if query[-1] != key[-1]:
        raise ValueError(f"{NAME}: query has {query[-1]} columns, key {key[-1]}")
    if key[-2] != value[-2]:
        raise ValueError(f"{NAME}: key has {key[-2]} rows, value {value[-2]}")
    leading = [shape[:-2] for shape in (query, key, value)]
    heads = _heads(*leading) if enable_gqa else [()] * 3
    try:
        shape = numpy.broadcast_shapes(*[each[:-1] if enable_gqa else each for each in leading])
    except ValueError:
        raise ValueError(f"{NAME}: the leading dimensions of {query}, {key}, {value} do not "
                         "broadcast") from None
    _check_mask(mask, (*shape, *heads[0], query[-2], key[-2]))
    return [(*shape, *each) for each in heads]


def _heads(query, key, value):
    if not query or not key or not value:
        raise ValueError(f"{NAME}: enable_gqa needs heads, in dimension -3")
    if key[-1] != value[-1] or not key[-1] or query[-1] % key[-1]:
        raise ValueError(f"{NAME}: the {key[-1]} heads of key and {value[-1]} of value must be "
                         f"as many, and divide the {query[-1]} of query")
    return [each[-1:] for each in (query, key, value)]


def _check_mask(shape, whole):
    try:
        fits = shape is None or numpy.broadcast_shapes(shape, whole) == whole
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{NAME}: attn_mask of shape {shape} does not broadcast to {whole}")


def _check_types(query, key, value, mask, dropout_p):
    floating(NAME, query=query, key=key, value=value)
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"{NAME}: dropout_p must lie in [0, 1], got {dropout_p}")
    if mask is None:
        return
    if tensors.as_tensor(NAME, mask).dtype not in (dtypes.bool_, query.dtype):
        raise TypeError(f"{NAME}: attn_mask must be boolean or {query.dtype}, got {mask.dtype}")


def _four(x, leading):
    """(..., rows, columns) expanded to a leading shape, as (batch, heads, rows, columns)."""
    if x.array.shape[:-2] != leading:
        x = expand(x, *leading, *x.shape[-2:])
    if x.ndim == 4:
        return x
    heads = leading[-1] if leading else 1
    return reshape(x, math.prod(leading[:-1]), heads, *x.shape[-2:])


@public("functional", cases=[
    case(floats(2, 3, 5, 4), floats(2, 3, 6, 4), floats(2, 3, 6, 5)),
    case(floats(5, 4), floats(6, 4), floats(6, 3), scale=0.7),
    case(floats(2, 3, 5, 4), floats(2, 3, 6, 4), floats(2, 3, 6, 4), is_causal=True),
    case(floats(3, 7, 4), floats(3, 5, 4), floats(3, 5, 4), is_causal=True),
    case(floats(2, 3, 5, 4), floats(2, 3, 6, 4), floats(2, 3, 6, 5), booleans(5, 6)),
    case(floats(2, 3, 5, 4), floats(2, 3, 6, 4), floats(2, 3, 6, 5), booleans(2, 1, 1, 6)),
    case(floats(2, 3, 5, 4), floats(2, 3, 6, 4), floats(2, 3, 6, 5), floats(3, 5, 6)),
    case(floats(2, 3, 5, 4), floats(2, 3, 5, 4), floats(2, 3, 5, 4), booleans(5, 5),
         is_causal=True),
    case(floats(2, 4, 5, 4), floats(2, 2, 6, 4), floats(2, 2, 6, 5), enable_gqa=True),
    case(floats(1, 2, 70, 3), floats(1, 2, 200, 3), floats(1, 2, 200, 2)),
    case(floats(1, 1, 130, 5), floats(1, 1, 130, 5), floats(1, 1, 130, 3), is_causal=True)])
def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0,
                                 is_causal=False, scale=None, enable_gqa=False):
    """``softmax(scale * query @ key.T + mask) @ value``: for each query a mean of the values.

    Shapes (..., L, E), (..., S, E) and (..., S, D) give (..., L, D); the leading dimensions, the
    last of which are the heads, broadcast. ``scale`` is ``1 / sqrt(E)`` by default. A boolean
    ``attn_mask`` is true where a key counts, one of floats is added to the scores; it broadcasts to
    (..., L, S). ``is_causal`` lets query i see the keys 0 to i. A query that sees no key gives
    zeros. With ``enable_gqa`` each head of key and value serves several neighbouring ones of query.
    ``dropout_p`` drops weights, and does so whether in training or not.

    Vaswani et al., Attention Is All You Need, 2017. The scores are never kept as a whole (Dao et
    al., FlashAttention, 2022), but for dropout, second derivatives, and the gradient of a mask.

    >>> import fastnn
    >>> x = fastnn.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> fastnn.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    _check_types(query, key, value, attn_mask, dropout_p)
    inputs = [query, key, value]
    shapes = [each.array.shape for each in inputs]
    mask_shape = None if attn_mask is None else attn_mask.array.shape
    leading = _leading(*shapes, mask_shape, bool(enable_gqa))
    if attn_mask is not None and len(leading[0]) != 2:
        attn_mask = _four(expand(attn_mask, *leading[0], shapes[0][-2], shapes[1][-2]), leading[0])
    inputs = [_four(each, wanted) for each, wanted in zip(inputs, leading, strict=True)]
    scale = 1 / math.sqrt(shapes[0][-1] or 1) if scale is None else float(scale)
    plan = (scale, bool(is_causal))
    if dropout_p or (attn_mask is not None and attn_mask.requires_grad and tape.is_grad_enabled()):
        out = composition(plan, *inputs, attn_mask, dropout_p)
    else:
        out = _attention(plan, *inputs, attn_mask)
    return out if len(leading[0]) == 2 else reshape(
        out, *leading[0], shapes[0][-2], shapes[2][-1])
