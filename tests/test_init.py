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


@pytest.mark.parametrize("shape, groups", [
    ((4, 2, 3), 1), ((4, 2, 3, 3), 2), ((6, 5, 2, 3, 4), 3), ((2, 5, 3), 1)])
def test_dirac(torch, shape, groups):
    got = nn.init.dirac_(fastnn.empty(*shape), groups).array
    np.testing.assert_array_equal(got, torch.nn.init.dirac_(torch.empty(*shape), groups).numpy())


def test_dirac_passes_channels_on():
    x, weight = fastnn.rand(2, 3, 5, 5), nn.init.dirac_(fastnn.empty(3, 3, 3, 3))
    close(fastnn.conv2d(x, weight, padding=1).array, x.array, 1e-6)


def test_sparse():
    values = nn.init.sparse_(fastnn.empty(500, 300), 0.301, std=0.1).array
    assert (values == 0).sum(0).tolist() == [151] * 300
    assert values[values != 0].std() == pytest.approx(0.1, rel=0.02)
    assert 50 < (values == 0).sum(1).min() and (values == 0).sum(1).max() < 135


@pytest.mark.parametrize("call, text", [
    (lambda: nn.init.dirac_(fastnn.empty(2, 2)), "dirac_: expected 3, 4 or 5 dimensions, got"),
    (lambda: nn.init.dirac_(fastnn.empty(3, 2, 1), 2), "3 outputs do not divide into groups=2"),
    (lambda: nn.init.sparse_(fastnn.empty(2), 0.1), r"expected a matrix, got shape \(2,\)"),
    (lambda: nn.init.sparse_(fastnn.empty(2, 2), 1.1), r"must lie in \[0, 1\], got 1.1"),
    (lambda: nn.init.eye_(fastnn.empty(2)), r"expected a matrix, got shape \(2,\)"),
    (lambda: nn.init.orthogonal_(fastnn.empty(2)), "expected at least 2 dimensions, got 1"),
])
def test_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, 0.5, math.inf, 0])
def test_total_norm(torch, norm_type):
    arrays = [np.random.default_rng(n).standard_normal((4, n + 1)) for n in range(3)]
    ours, theirs = ([tensor(each) for each in arrays] for tensor in (fastnn.tensor, torch.tensor))
    got = nn.utils.get_total_norm(ours, norm_type)
    assert got.dtype == fastnn.float64
    if norm_type:
        wanted = torch.nn.utils.get_total_norm(theirs, norm_type).item()
        assert got.item() == pytest.approx(wanted, rel=1e-12)
    assert nn.utils.get_total_norm([]).item() == 0
    with pytest.raises(RuntimeError, match="get_total_norm: the norm of the gradients is nan"):
        nn.utils.get_total_norm(fastnn.tensor([math.nan, 1.0]), error_if_nonfinite=True)


def test_clipping_by_a_given_norm():
    parameter = fastnn.zeros(2, requires_grad=True)
    parameter.grad = fastnn.tensor([3.0, 4.0])
    nn.utils.clip_grads_with_norm_(parameter, 5.0, fastnn.tensor(10.0))
    assert parameter.grad.tolist() == pytest.approx([1.5, 2.0])
    nn.utils.clip_grads_with_norm_([parameter], 5.0, 1.0)
    assert parameter.grad.tolist() == pytest.approx([1.5, 2.0])
