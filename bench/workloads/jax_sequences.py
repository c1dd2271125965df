"""Losses of models of text for JAX: `loss(layers, net, rest, *batch)` gives loss and new rest."""

import jax
import jax.numpy as jnp
from jax import lax

from .jax_classifiers import cross_entropy
from .sequences import HEADS, LAYERS, UNITS

BLOCK = 12  # weights of each


def _lstm(layers, net, state, symbols, targets):
    """The rest is the state, which the next step begins with."""
    table, w_input, w_state, b_input, b_state, weight, bias = net
    given = layers.linear(table[symbols], w_input, b_input + b_state)

    def move(state, given):
        hidden, cell = state
        i, f, g, o = jnp.split(given + hidden @ w_state, 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    state, states = lax.scan(move, state, given)
    return cross_entropy(layers.linear(states, weight, bias), targets), state


def _zero_state(workload):
    return tuple(jnp.zeros((workload.batch, UNITS)) for _ in range(2))


def _block(layers, net, x):
    s1, t1, w_heads, b_heads, w_join, b_join, s2, t2, w_wide, b_wide, w_back, b_back = net
    heads = layers.linear(layers.layer_norm(x, s1, t1), w_heads, b_heads)
    q, k, v = (part.reshape(*part.shape[:2], HEADS, -1) for part in jnp.split(heads, 3, axis=2))
    attended = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape)
    x = x + layers.linear(attended, w_join, b_join)
    wide = layers.linear(layers.layer_norm(x, s2, t2), w_wide, b_wide)
    return x + layers.linear(jax.nn.gelu(wide, approximate=False), w_back, b_back)


def _gpt(layers, net, rest, symbols, targets):
    table, places, *blocks, scale, shift, weight, bias = net
    x = table[symbols] + places
    for i in range(LAYERS):
        x = _block(layers, blocks[i * BLOCK : (i + 1) * BLOCK], x)
    logits = layers.linear(layers.layer_norm(x, scale, shift), weight, bias)
    return cross_entropy(logits, targets), rest


LOSSES = {"lstm": _lstm, "gpt": _gpt}
STARTS = {"lstm": _zero_state}
