"""The part of the oracle for attention."""

import numpy as np


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0,
                                 is_causal=False, scale=None, enable_gqa=False):
    """``softmax(scale * query @ key.T + mask) @ value``; where no key counts, zeros."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = np.repeat(key, repeats, -3), np.repeat(value, repeats, -3)
    scale = 1 / np.sqrt(query.shape[-1]) if scale is None else scale
    scores = scale * query @ np.swapaxes(key, -1, -2)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if attn_mask is not None and attn_mask.dtype == bool:
        scores = np.where(attn_mask, scores, -np.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(largest == -np.inf, 0, largest))
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1, total) @ value
