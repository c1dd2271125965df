"""Copies of arrays that repeat their elements: every place of the repeated axis, every order."""

import numpy as np
import pytest

import fastnn
from fastnn._kernels import memory, spread


@pytest.mark.parametrize("base, shape, form", [
    ((), (20000,), (1, 20000, 1)), ((1, 1, 1), (50, 30, 40), (1, 60000, 1)),
    ((128, 32, 1), (128, 32, 33), (4096, 33, 1)), ((128, 1, 32), (128, 33, 32), (128, 33, 32)),
    ((1, 32, 32), (65, 32, 32), (1, 65, 1024)), ((1, 70000), (3, 70000), (1, 3, 70000)),
    ((70000, 1), (70000, 3), (70000, 3, 1)), ((8, 1, 8, 1), (8, 16, 8, 32), None),
    ((4, 1, 8), (4, 3, 8), None)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_copies(base, shape, form, dtype):
    values = np.arange(np.prod(base, dtype=int)).reshape(base).astype(dtype)
    repeated = np.broadcast_to(values, shape)
    assert spread.repeats(repeated) == (None if dtype == np.int64 else form)
    for order in "CK":
        copied = memory.copy(repeated, order)
        assert copied.flags.writeable and copied.dtype == dtype
        np.testing.assert_array_equal(copied, repeated)


def test_other_layouts_are_left_to_numpy():
    values = np.arange(300.0).reshape(300, 1)
    for repeated in (np.broadcast_to(values, (300, 200))[::-1],
                     np.broadcast_to(values[::2], (150, 200)),
                     np.broadcast_to(values, (300, 200)).T):
        np.testing.assert_array_equal(memory.copy(repeated, "K"), repeated)


def test_the_gradient_of_a_sum_is_memory_of_its_own():
    x = fastnn.zeros(200, 300, requires_grad=True)
    x.sum(1).backward(fastnn.arange(200.0))
    x.grad[0, 0] = 7.0
    wanted = np.repeat(np.arange(200.0)[:, None], 300, 1)
    wanted[0, 0] = 7
    np.testing.assert_array_equal(x.grad.numpy(), wanted)
