"""Initial values, and the utilities for many parameters at once."""

import math

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import nn

INITS = {
    "uniform_": ((-1.0, 3.0), 1.0, 4 / math.sqrt(12)), "normal_": ((2.0, 0.5), 2.0, 0.5),
    "constant_": ((3.0,), 3.0, 0.0), "ones_": ((), 1.0, 0.0), "zeros_": ((), 0.0, 0.0),
    "xavier_uniform_": ((2.0,), 0.0, 2 * math.sqrt(2 / 500)),
    "xavier_normal_": ((), 0.0, math.sqrt(2 / 500)),
    "kaiming_uniform_": ((), 0.0, math.sqrt(2 / 200)),
    "kaiming_normal_": ((0, "fan_out", "relu"), 0.0, math.sqrt(2 / 300)),
    "trunc_normal_": ((0.0, 1.0, -1.0, 1.0), 0.0, 0.5396),
}


@pytest.mark.parametrize("name", INITS)
def test_initial_values(name):
    arguments, mean, deviation = INITS[name]
    tensor = fastnn.empty(300, 200)
    assert getattr(nn.init, name)(tensor, *arguments) is tensor
    assert tensor.array.mean() == pytest.approx(mean, abs=5 * max(deviation, 1e-9) / 244)
    assert tensor.array.std() == pytest.approx(deviation, rel=0.03, abs=1e-9)


def test_orthogonal_and_identity():
    for shape in ((20, 50), (50, 20), (16, 2, 2, 2)):
        flat = nn.init.orthogonal_(fastnn.empty(*shape), gain=2).array.reshape(shape[0], -1)
        product = flat @ flat.T if len(flat) < flat.shape[1] else flat.T @ flat
        close(product, 4 * np.eye(len(product)), 1e-5)
    close(nn.init.eye_(fastnn.empty(2, 3)).array, np.eye(2, 3), 0)


def test_layers_start_as_pytorchs():
    """Weights and biases uniform within 1 / sqrt(fan in)."""
    for module in (nn.Linear(100, 400), nn.Conv2d(4, 200, 5)):
        bound = 0.1
        for values in (module.weight.array, module.bias.array):
            assert abs(values).max() <= bound
            assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_clipping():
    parameters = [fastnn.zeros(3, requires_grad=True), fastnn.zeros(2, 2, requires_grad=True)]
    for parameter in parameters:
        parameter.grad = fastnn.full(parameter.shape, 2.0)
    norm = nn.utils.clip_grad_norm_(parameters, 1.0)
    assert norm.item() == pytest.approx(math.sqrt(28))
    assert math.sqrt(sum((p.grad.array ** 2).sum() for p in parameters)) == pytest.approx(1, 1e-5)
    nn.utils.clip_grad_value_(parameters, 0.01)
    assert max(abs(p.grad.array).max() for p in parameters) == pytest.approx(0.01)


def test_vector_of_parameters():
    net, other = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(2))
    vector = nn.utils.parameters_to_vector(net.parameters())
    nn.utils.vector_to_parameters(vector, other.parameters())
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(one.array, two.array)
