"""Models of text in plain TensorFlow operations."""

import numpy as np
import tensorflow as tf

from .sequences import HEADS, LAYERS, STEPS, UNITS, WIDTH
from .tensorflow_layers import layer_norm, linear

BLOCK = 12  # weights of each
VISIBLE = np.where(np.tri(STEPS, dtype=bool), 0, -np.inf).astype(np.float32)


def zero_state(workload):
    """The state of the LSTM, which goes from step to step."""
    return [tf.Variable(tf.zeros((workload.batch, UNITS))) for _ in range(2)]


def _reordered(gates):
    """Gates input, forget, cell, output in the order input, cell, forget, output."""
    i, f, g, o = tf.split(gates, 4, -1)
    return tf.concat([i, g, f, o], -1)


def lstm(network, symbols, table, w_input, w_state, b_input, b_state, weight, bias):
    """By the one kernel that TensorFlow has for a whole layer.

    Not `BlockLSTMV2`: TensorFlow 2.21 gives it the gradient of this one, whose gates lie otherwise.
    """
    hidden, cell = network.running
    none = tf.zeros(UNITS)
    _, cells, _, _, _, _, states = tf.raw_ops.BlockLSTM(
        seq_len_max=STEPS,
        x=tf.gather(table, symbols),
        cs_prev=cell,
        h_prev=hidden,
        w=_reordered(tf.concat([w_input, w_state], 0)),
        wci=none,
        wcf=none,
        wco=none,
        b=_reordered(b_input + b_state),
        forget_bias=0,
        cell_clip=-1,
    )
    hidden.assign(states[-1])
    cell.assign(cells[-1])
    rows = linear(tf.reshape(states, (-1, UNITS)), weight, bias)
    return tf.reshape(rows, (*symbols.shape, -1))


def _attend(x):
    """Attention of (rows, 3 * WIDTH) to earlier places."""
    parts = tf.reshape(x, (-1, STEPS, 3, HEADS, WIDTH // HEADS))
    q, k, v = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
    scores = tf.matmul(q * (WIDTH // HEADS) ** -0.5, k, transpose_b=True)
    attended = tf.matmul(tf.nn.softmax(scores + VISIBLE), v)
    return tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (-1, WIDTH))


def _block(x, s1, t1, w_heads, b_heads, w_join, b_join, s2, t2, w_wide, b_wide, w_back, b_back):
    x += linear(_attend(linear(layer_norm(x, s1, t1), w_heads, b_heads)), w_join, b_join)
    wide = tf.nn.gelu(linear(layer_norm(x, s2, t2), w_wide, b_wide))
    return x + linear(wide, w_back, b_back)


def gpt(network, symbols, table, places, *weights):
    *blocks, scale, shift, weight, bias = weights
    x = tf.reshape(tf.gather(table, symbols) + places, (-1, WIDTH))
    for i in range(LAYERS):
        x = _block(x, *blocks[BLOCK * i : BLOCK * (i + 1)])
    rows = linear(layer_norm(x, scale, shift), weight, bias)
    return tf.reshape(rows, (*symbols.shape, -1))
