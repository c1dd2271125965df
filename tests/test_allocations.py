"""The arrays that an operation makes: its results and what its comment here names, nothing else.

Blocks of the arena are counted; what NumPy allocates beside it must stay small.
"""

import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn._kernels import runtime
from fastnn.nn import functional

SMALL = 32 << 10  # bytes that NumPy and Python may take: shapes, indices of a plan, tape


def drawn(*shape):
    values = np.random.default_rng(0).standard_normal(shape).astype("float32")
    return fastnn.tensor(values, requires_grad=True)


def image(*shape):
    """Images as every layer but the first sees them: channels last in memory."""
    return functional.relu(drawn(*shape).permute(0, 2, 3, 1).contiguous().permute(
        0, 3, 1, 2)).detach().requires_grad_()


def labels(count, classes):
    return fastnn.tensor(np.random.default_rng(1).integers(0, classes, count))


SIZE = 1 << 17
# name: (call of its inputs, inputs, blocks forward, blocks backward)
OPERATIONS = {
    "add": (lambda a, b: a + b, (drawn(SIZE), drawn(SIZE)), 1, 0),
    "mul": (lambda a, b: a * b, (drawn(SIZE), drawn(SIZE)), 1, 2),
    "relu": (functional.relu, (drawn(SIZE),), 1, 1),
    "gelu": (functional.gelu, (drawn(SIZE),), 1, 1),
    # The results are small, and the gradient is an expanded view.
    "sum": (lambda x: x.sum(1), (drawn(512, 256),), 0, 0),
    "matmul": (lambda a, b: a @ b, (drawn(256, 256), drawn(256, 256)), 1, 2),
    # Backward also the pieces' sums of the bias's gradient.
    "linear": (functional.linear, (drawn(256, 256), drawn(256, 256), drawn(256)), 1, 3),
    "softmax": (lambda x: x.softmax(1), (drawn(512, 256),), 1, 1),
    # Each of the three kernels also takes scratch memory: packed weights or partial sums.
    "conv2d": (lambda x, w, b: functional.conv2d(x, w, b), (image(8, 16, 16, 16), drawn(
        16, 16, 3, 3), drawn(16)), 2, 4),
    # An image with its channels first is turned once, for all three.
    "conv2d of channels first": (lambda x, w: functional.conv2d(x, w), (
        drawn(8, 16, 16, 16), drawn(16, 16, 3, 3)), 3, 4),
    # The places of the maxima.
    "max_pool2d": (lambda x: functional.max_pool2d(x, 2), (image(8, 16, 16, 16),), 2, 1),
    # Also the pieces' means and squares forward, and their sums backward.
    "batch_norm": (lambda x: functional.batch_norm(x, None, None, training=True),
                   (image(8, 16, 16, 16),), 3, 2),
    "layer_norm": (lambda x: functional.layer_norm(x, (256,)), (drawn(512, 256),), 1, 1),
    # Its own copy of the indices is kept; backward they are sorted: positions and starts of rows.
    "embedding": (lambda w: functional.embedding(labels(512, 1000), w), (drawn(1000, 64),), 2, 3),
    "dropout": (lambda x: functional.dropout(x, 0.5), (drawn(SIZE),), 1, 1),
    # The forward pass keeps the exponentials.
    "cross_entropy": (lambda x: functional.cross_entropy(x, labels(512, 256)),
                      (drawn(512, 256),), 1, 1),
    # The forward pass keeps two numbers for each query; backward each has one more.
    "attention": (functional.scaled_dot_product_attention,
                  tuple(drawn(2, 4, 128, 32) for _ in range(3)), 2, 4),
}


def measured(function):
    """What a call returns, the arena's blocks that it took, and the bytes that NumPy took."""
    blocks = runtime.memory_stats()["allocations"]
    tracemalloc.start()
    try:
        result = function()
        beside = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return result, runtime.memory_stats()["allocations"] - blocks, beside


@pytest.mark.parametrize("name", OPERATIONS)
def test_blocks(name):
    call, inputs, forward, backward = OPERATIONS[name]
    upstream = fastnn.ones_like(call(*inputs).detach())

    def gradients(output):
        return fastnn.autograd.grad(output, inputs, upstream)

    gradients(call(*inputs))
    output, blocks, beside = measured(lambda: call(*inputs))
    assert (blocks, beside < SMALL) == (forward, True), f"forward: {blocks} blocks, {beside} bytes"
    _, blocks, beside = measured(lambda: gradients(output))
    assert (blocks, beside < SMALL) == (backward, True), (
        f"backward: {blocks} blocks, {beside} bytes")


def test_a_temporary_is_seen():
    x = drawn(SIZE)
    assert measured(lambda: x * 2 + 1)[1] == 2
    assert measured(lambda: np.ones(SIZE))[2] > SMALL
