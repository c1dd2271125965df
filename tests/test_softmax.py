"""Softmax along every dimension of every size, in every memory order, and of extreme rows."""

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn._kernels import reference
from fastnn.nn import functional as F


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape, dim", [
    ((300, 1), 1), ((301, 7), 1), ((3, 127), 1), ((3, 128), 1), ((5, 1003), -1), ((2, 5000), 1),
    ((1003, 5), 0), ((4, 6, 700), 1), ((3, 130, 2, 2), 1), ((0, 3), 1), ((3, 0), 0)])
def test_sizes(name, shape, dim):
    random = np.random.default_rng(0)
    values, upstream = random.standard_normal(shape), random.standard_normal(shape)
    wanted = getattr(reference, name)(values, dim) if values.size else values
    y = wanted if name == "softmax" else np.exp(wanted)
    slope = (y * (upstream - (upstream * y).sum(dim, keepdims=True)) if name == "softmax"
             else upstream - y * upstream.sum(dim, keepdims=True))
    for order in ("C", "F"):
        x = fastnn.from_numpy(values.copy(order)).requires_grad_()
        got = getattr(F, name)(x, dim)
        (found,) = fastnn.autograd.grad(got, x, fastnn.from_numpy(upstream))
        close(got.detach().numpy(), wanted, 1e-13)
        close(found.numpy(), slope, 1e-12)


@pytest.mark.parametrize("size", [5, 300])
@pytest.mark.parametrize("dim", [0, 1])
def test_extreme_values(dim, size):
    """Large offsets cost no digits; NaN stays in its row; a weight of exp(-inf) is 0."""
    x = np.zeros((4, size), np.float32)
    x[0], x[1, size // 2], x[2, 1:], x[3, -1] = 3e38, np.nan, -np.inf, 2.0 ** 24
    y = F.softmax(fastnn.tensor(x if dim else x.T.copy()), dim).numpy()
    y = y if dim else y.T
    np.testing.assert_allclose(y[0], 1 / size, 1e-6)
    assert np.isnan(y[1]).all()
    assert (y[2] == np.eye(1, size)).all() and (y[3] == np.eye(1, size, size - 1)).all()
    logs = F.log_softmax(fastnn.tensor(x if dim else x.T.copy()), dim).numpy()
    logs = logs if dim else logs.T
    np.testing.assert_allclose(logs[0], -np.log(size), 1e-6)
    assert logs[2, 0] == 0 and (logs[2, 1:] == -np.inf).all() and logs[3, 0] == -2.0 ** 24


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_second_gradient_where_the_output_makes_the_gradient(name):
    x = fastnn.tensor([[0.3, 1.0, -2.0], [0.1, 0.5, 0.7]], dtype=fastnn.float64, requires_grad=True)

    def total(x):
        return getattr(fastnn, name)(x * 1, 1) ** 3

    assert fastnn.autograd.gradgradcheck(total, (x,))
