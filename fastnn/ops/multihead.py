"""Attention with several heads, from projections of its inputs."""

import math
from functools import reduce
from typing import NamedTuple

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import memory, program
from ..operation import Operation
from ..registry import public
from . import attention
from .arithmetic import add
from .bitwise import logical_not, logical_or
from .checks import floating
from .comparison import where
from .composed import rule_of_composition
from .creation import new
from .dropout import dropout
from .joining import cat
from .linear import linear, matmul
from .shape import expand, permute, reshape, squeeze, transpose, unsqueeze
from .softmax import softmax

NAME = "multi_head_attention_forward"


def _thirds(heads, batch_first, projected):
    """The heads of query, key and value within an array (L, N, 3 E), or (N, L, 3 E)."""
    rows, batches, columns = projected.shape
    parts = projected.reshape(rows, batches, 3, heads, columns // (3 * heads))
    return parts.transpose((2, 0, 3, 1, 4) if batch_first else (2, 1, 3, 0, 4))


def _packed_forward(plan, projected, mask):
    heads, batch_first, *rest = plan
    return attention.forward(rest, *_thirds(heads, batch_first, projected), mask)


def _packed_rule(node, gradient):
    if tape.is_grad_enabled():
        return _rule_of_composition(node, gradient)
    (heads, batch_first, *rest), statistics = node.plan
    projected, mask = node.saved
    found = memory.empty(projected.array.shape, projected.dtype)
    attention.backward(
        rest, statistics, *_thirds(heads, batch_first, projected.array), mask,
        node.output.array, gradient.array, _thirds(heads, batch_first, found))
    return tape.from_array(found), None


def _packed_composition(plan, projected, mask):
    heads, batch_first, *rest = plan[0]
    size = projected.shape[-1] // 3
    parts = [_heads(projected.narrow(-1, i * size, size), heads, batch_first) for i in range(3)]
    return attention.composition(rest, *parts, mask)


_rule_of_composition = rule_of_composition(_packed_composition)
_packed = Operation("multi_head_attention", _packed_forward, _packed_rule, saves=(0, 1),
                    saves_output=True)


def _heads(x, heads, batch_first):
    """(L, N, E), or (N, L, E), as (N, heads, L, E / heads)."""
    parts = reshape(x, *x.shape[:2], heads, x.shape[2] // heads)
    return permute(parts, 0, 2, 1, 3) if batch_first else permute(parts, 1, 2, 0, 3)


def _joined(x, batch_first):
    """The reverse of `_heads`."""
    x = permute(x, 0, 2, 1, 3) if batch_first else permute(x, 2, 0, 1, 3)
    return reshape(x, *x.shape[:2], x.shape[2] * x.shape[3])


def _projected(inputs, weights, bias):
    """Each input by its weight, and by its third of the bias."""
    size = weights[0].shape[0]
    return [linear(each, weight, None if bias is None else bias.narrow(0, i * size, size))
            for i, (each, weight) in enumerate(zip(inputs, weights, strict=True))]


def _merged_mask(masks, dtype):
    """Masks (true: does not count) as one for `scaled_dot_product_attention`, or None."""
    if not masks:
        return None
    if any(mask.dtype != dtypes.bool_ for mask in masks):
        return reduce(add, [_added(mask, dtype) for mask in masks])
    return logical_not(reduce(logical_or, masks))


def _added(mask, dtype):
    """What a mask adds to the scores."""
    hidden = new(program.constant(numpy.array(-numpy.inf, dtype)))
    return where(mask, hidden, 0.0) if mask.dtype == dtypes.bool_ else mask


def _longer(mask):
    """One more key, which counts."""
    return cat([mask, new(program.constant(numpy.zeros((*mask.shape[:-1], 1), mask.dtype)))], -1)


def _lengthened(x, row, batch_first):
    """(L, N, E), or (N, L, E), and one row (1, 1, E) more."""
    axis = 1 if batch_first else 0
    shape = [x.shape[0], x.shape[1], x.shape[2]]
    shape[axis] = 1
    return cat([x, expand(row, *shape)], axis)


def _weighted(q, k, v, mask, dropout_p, average):
    """The output, and the weights that lead to it; a query without keys gives NaN."""
    scores = matmul(q * (1 / math.sqrt(q.shape[-1] or 1)), transpose(k, -1, -2))
    if mask is not None and mask.dtype == dtypes.bool_:
        scores = where(mask, scores, -math.inf)
    elif mask is not None:
        scores = scores + mask
    weights = dropout(softmax(scores, -1), dropout_p)
    return matmul(weights, v), weights.mean(1) if average else weights


def _check(query, key, value, size, heads, padding, attn_mask, batch_first):
    shapes = [tuple(each.shape) for each in (query, key, value)]
    if query.ndim != 3 or key.ndim != 3 or value.ndim != 3:
        raise ValueError(f"{NAME}: query, key and value must all have 3 dimensions, or 2 without "
                         f"a batch, got shapes {shapes}")
    if query.shape[2] != size:
        raise ValueError(f"{NAME}: query has {query.shape[2]} features, expected {size}")
    if heads < 1 or size % heads:
        raise ValueError(f"{NAME}: {size} features do not divide into {heads} heads")
    batch, row = (0, 1) if batch_first else (1, 0)
    if shapes[1][:2] != shapes[2][:2] or shapes[0][batch] != shapes[1][batch]:
        raise ValueError(f"{NAME}: lengths and batches of shapes {shapes} do not fit")
    rows, keys, batches = shapes[0][row], shapes[1][row], shapes[0][batch]
    for name, mask, allowed in (("key_padding_mask", padding, [(batches, keys)]),
                                ("attn_mask", attn_mask, [(rows, keys),
                                                          (batches * heads, rows, keys)])):
        if mask is None:
            continue
        if tensors.as_tensor(NAME, mask).dtype not in (dtypes.bool_, query.dtype):
            raise TypeError(f"{NAME}: {name} must be boolean or {query.dtype}, got {mask.dtype}")
        if tuple(mask.shape) not in allowed:
            raise ValueError(f"{NAME}: {name} has shape {tuple(mask.shape)}, expected "
                             f"{' or '.join(map(str, allowed))}")


class Weights(NamedTuple):
    """The tensors that `attend` reads; ``inner`` is one for all projections, or three."""

    inner: object
    bias: object
    bias_k: object
    bias_v: object
    out: object
    out_bias: object


def attend(inputs, size, heads, weights, padding, attn_mask, *, batch_first, add_zero_attn,
           dropout_p, need_weights, average, is_causal):
    """The work behind ``multi_head_attention_forward``, for either place of the batch."""
    floating(NAME, **dict(zip(("query", "key", "value"), inputs, strict=True)))
    if inputs[0].ndim == 2:
        lone = 0 if batch_first else 1
        batched = {id(each): unsqueeze(each, lone) for each in inputs}
        output, found = attend(
            [batched[id(each)] for each in inputs], size, heads, weights,
            None if padding is None else unsqueeze(padding, 0), attn_mask,
            batch_first=batch_first, add_zero_attn=add_zero_attn, dropout_p=dropout_p,
            need_weights=need_weights, average=average, is_causal=is_causal)
        return squeeze(output, lone), None if found is None else squeeze(found, 0)
    _check(*inputs, size, heads, padding, attn_mask, batch_first)
    if is_causal and attn_mask is None:
        raise ValueError(f"{NAME}: is_causal only says what attn_mask is, which is missing")
    is_causal = is_causal and padding is None and not need_weights
    more = (weights.bias_k is not None) + bool(add_zero_attn)
    mask = _mask(None if is_causal else attn_mask, padding, inputs[0].dtype, heads, more)
    learned = mask is not None and mask.requires_grad and tape.is_grad_enabled()
    found = None
    if _is_packed(inputs, weights) and not (more or need_weights or dropout_p or learned):
        plan = (heads, batch_first, 1 / math.sqrt(size // heads or 1), is_causal)
        out = _packed(plan, linear(inputs[0], weights.inner, weights.bias), mask)
    else:
        parts = _three(inputs, size, weights)
        if weights.bias_k is not None:
            parts[1] = _lengthened(parts[1], weights.bias_k, batch_first)
            parts[2] = _lengthened(parts[2], weights.bias_v, batch_first)
        if add_zero_attn:
            zero = new(program.constant(numpy.zeros((1, 1, size), inputs[0].dtype)))
            parts[1:] = [_lengthened(each, zero, batch_first) for each in parts[1:]]
        parts = [_heads(each, heads, batch_first) for each in parts]
        if need_weights:
            out, found = _weighted(*parts, mask, dropout_p, average)
        else:
            out = attention.scaled_dot_product_attention(*parts, mask, dropout_p, is_causal)
    return linear(_joined(out, batch_first), weights.out, weights.out_bias), found


def _is_packed(inputs, weights):
    """Whether one product gives query, key and value."""
    query, key, value = inputs
    return query is key and key is value and not isinstance(weights.inner, list)


def _mask(attn_mask, padding, dtype, heads, more):
    """The masks joined, of a shape that broadcasts to (N, heads, L, S), ``more`` keys longer."""
    if attn_mask is not None and attn_mask.ndim == 3:
        attn_mask = reshape(attn_mask, attn_mask.shape[0] // heads, heads, *attn_mask.shape[1:])
    if padding is not None:
        padding = reshape(padding, padding.shape[0], 1, 1, padding.shape[1])
    masks = [mask for mask in (attn_mask, padding) if mask is not None]
    for _ in range(more):
        masks = [_longer(mask) for mask in masks]
    return _merged_mask(masks, dtype)


def _three(inputs, size, weights):
    """Query, key and value projected; those that are one tensor by one product."""
    if isinstance(weights.inner, list):
        return _projected(inputs, weights.inner, weights.bias)
    if _is_packed(inputs, weights):
        whole = linear(inputs[0], weights.inner, weights.bias)
        return [whole.narrow(-1, i * size, size) for i in range(3)]
    parts = [weights.inner.narrow(0, i * size, size) for i in range(3)]
    return _projected(inputs, parts, weights.bias)


@public("functional")
def multi_head_attention_forward(
        query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k,
        bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True,
        key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False,
        q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
        average_attn_weights=True, is_causal=False):
    """What ``nn.MultiheadAttention`` computes, for inputs (L, N, E) or (L, E), from its weights.

    Returns the output and, with ``need_weights``, the attention weights (N, L, S), or with
    ``average_attn_weights=False`` (N, heads, L, S), else None. In masks, true marks what does not
    count, and floats are added. ``static_k`` and ``static_v`` are not offered.
    """
    if static_k is not None or static_v is not None:
        raise ValueError(f"{NAME}: static_k and static_v are not offered")
    if (bias_k is None) != (bias_v is None):
        raise ValueError(f"{NAME}: bias_k and bias_v must be given together")
    inner = [q_proj_weight, k_proj_weight, v_proj_weight] if use_separate_proj_weight \
        else in_proj_weight
    weights = Weights(inner, in_proj_bias, bias_k, bias_v, out_proj_weight, out_proj_bias)
    return attend(
        (query, key, value), embed_dim_to_check, num_heads, weights, key_padding_mask, attn_mask,
        batch_first=False, add_zero_attn=add_zero_attn, dropout_p=dropout_p if training else 0.0,
        need_weights=need_weights, average=average_attn_weights, is_causal=is_causal)
