"""Weights made from other tensors: weight norm, spectral norm, parametrizations of one's own."""

import copy

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn.nn.utils import parametrize

LAYERS = {
    "linear": (lambda nn: nn.Linear(4, 3), (2, 4)),
    "conv": (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 5, 5)),
    "transposed": (lambda nn: nn.ConvTranspose2d(2, 3, 3), (2, 2, 5, 5)),
}
WAYS = {
    "weight_norm": lambda u, layer: u.weight_norm(layer),
    "weight_norm of columns": lambda u, layer: u.weight_norm(layer, dim=1),
    "weight_norm of all": lambda u, layer: u.weight_norm(layer, dim=None),
    "weight_norm of bias": lambda u, layer: u.weight_norm(layer, "bias"),
    "spectral_norm": lambda u, layer: u.spectral_norm(layer),
    "spectral_norm by settings": lambda u, layer: u.spectral_norm(
        layer, n_power_iterations=3, eps=1e-3, dim=1),
}
PLACES = {"hook": lambda nn: nn.utils, "parametrization": lambda nn: nn.utils.parametrizations}
each_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@each_place
@each_way
@pytest.mark.parametrize("layer", LAYERS)
def test_parity(torch, layer, way, place):
    make, shape = LAYERS[layer]
    ours, theirs = (way(place(library), make(library).double()) for library in (nn, torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: fastnn.tensor(value.numpy())
                          for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal(shape)
    for mode in (True, True, False):
        outputs = ours.train(mode)(fastnn.tensor(x)), theirs.train(mode)(torch.tensor(x))
        close(array_of(outputs[0]), outputs[1].detach().numpy(), 1e-9)
        for module, output in zip((ours, theirs), outputs, strict=True):
            module.zero_grad()
            (output ** 2).sum().backward()
        for (name, one), (same, other) in zip(ours.named_parameters(), theirs.named_parameters(),
                                              strict=True):
            assert name == same
            close(one.grad.array, other.grad.numpy(), 1e-8)
        for key, value in theirs.state_dict().items():
            close(ours.state_dict()[key].array, value.numpy(), 1e-9)


@each_place
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_removed(name, place):
    layer = nn.Linear(3, 2)
    normed, x = getattr(place(nn), name)(layer).eval(), fastnn.rand(4, 3)
    before = normed(x)
    if place(nn) is nn.utils:
        getattr(nn.utils, f"remove_{name}")(normed)
    else:
        parametrize.remove_parametrizations(normed, "weight")
    close(array_of(normed(x)), array_of(before), 1e-6)
    assert set(normed.state_dict()) == {"weight", "bias"} and type(normed) is nn.Linear
    assert type(normed.weight) is nn.Parameter and not normed._hooks


def test_spectral_norm_finds_the_largest_singular_value():
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(20, 10), n_power_iterations=50)
    assert np.linalg.svd(array_of(layer.weight))[1][0] == pytest.approx(1, rel=1e-3)
    assert layer.eval().weight.array.tolist() == layer.weight.array.tolist()


class Symmetric(nn.Module):
    def forward(self, x):
        return x + x.T

    def right_inverse(self, x):
        return x / 2


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


def test_a_parametrization():
    layer, weight = nn.Linear(2, 2), fastnn.tensor([[1.0, 2.0], [2.0, 3.0]])
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear" and isinstance(layer, nn.Linear)
    layer.weight = weight
    assert layer.weight.tolist() == weight.tolist()
    assert layer.parametrizations.weight.original.tolist() == [[0.5, 1.0], [1.0, 1.5]]
    layer(fastnn.ones(1, 2)).sum().backward()
    assert layer.parametrizations.weight.original.grad.tolist() == [[2, 2], [2, 2]]
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert layer.weight.tolist() == (weight * 2).tolist()
    assert parametrize.is_parametrized(layer) and not parametrize.is_parametrized(layer, "bias")
    with pytest.raises(RuntimeError, match="Doubled has no right_inverse"):
        layer.weight = weight
    copied = copy.deepcopy(layer)
    copied.parametrizations.weight.original.data.zero_()
    assert copied.weight.tolist() == [[0, 0], [0, 0]] != layer.weight.tolist()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.tolist() == [[0.5, 1.0], [1.0, 1.5]] and type(layer) is nn.Linear
    assert parametrize.is_parametrized(copied) and list(copied.state_dict()) == [
        "bias", "parametrizations.weight.original"]


def test_a_parametrized_buffer():
    norm = nn.BatchNorm1d(2)
    parametrize.register_parametrization(norm, "running_var", Doubled())
    assert norm.running_var.tolist() == [2, 2] and len(list(norm.parameters())) == 2
    parametrize.remove_parametrizations(norm, "running_var")
    assert "running_var" in dict(norm.named_buffers())


class Longer(nn.Module):
    def forward(self, x):
        return fastnn.cat([x, x])


def normed():
    return nn.utils.weight_norm(nn.utils.spectral_norm(nn.Linear(2, 2)), "bias")


@pytest.mark.parametrize("call, error, text", [
    (lambda u: u.weight_norm(nn.Linear(2, 2), "gain"), ValueError, "has no parameter 'gain'"),
    (lambda u: u.weight_norm(normed(), "bias"), RuntimeError, "has one for 'bias' already"),
    (lambda u: u.spectral_norm(normed()), RuntimeError, "has one for 'weight' already"),
    (lambda u: u.spectral_norm(nn.Linear(2, 2), n_power_iterations=0), ValueError, "be positive"),
    (lambda u: u.remove_weight_norm(normed()), ValueError, "Linear has none for 'weight'"),
    (lambda u: u.remove_spectral_norm(normed(), "bias"), ValueError, "Linear has none for 'bias'"),
    (lambda u: u.parametrizations.spectral_norm(nn.ReLU()), ValueError, "has no parameter 'weigh"),
    (lambda u: u.parametrizations.spectral_norm(nn.Linear(2, 2), dim=2), IndexError, "dimension 2"),
    (lambda u: parametrize.register_parametrization(nn.Linear(2, 2), "weight", Longer()),
     ValueError, r"weight of Linear would change from float32 of shape \(2, 2\) to float32 of"),
    (lambda u: parametrize.register_parametrization(nn.ReLU(), "weight", Doubled()), ValueError,
     "ReLU has no parameter or buffer 'weight'"),
    (lambda u: parametrize.register_parametrization(nn.Linear(2, 2), "weight", abs), TypeError,
     "expected a Module, got builtin_function_or_method"),
    (lambda u: parametrize.remove_parametrizations(nn.Linear(2, 2), "weight"), ValueError,
     "Linear has none for 'weight'"),
    (lambda u: parametrize.remove_parametrizations(
        u.parametrizations.weight_norm(nn.Linear(2, 2)), "weight", leave_parametrized=False),
     ValueError, "there are several original tensors"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(nn.utils)


def test_the_state_of_the_older_weight_norm_is_loaded():
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 2)))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    new.load_state_dict(old.state_dict())
    assert fastnn.allclose(new[0].weight, old[0].weight)
