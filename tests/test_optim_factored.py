"""Adafactor and Muon beside PyTorch's, whose iteration is kept from rounding to bfloat16."""

import numpy as np
import pytest
from helpers import close
from optimizers import parameters_of, train

import fastnn

SETTINGS = [{}, {"lr": 0.1, "nesterov": False, "weight_decay": 0.0, "momentum": 0.5},
            {"lr": 0.1, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3,
             "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3},
            {"lr": 0.1, "adjust_lr_fn": "original"}]
SHAPES = ((6, 4), (3, 5), (4, 4), (1, 7))


def trained(library, settings):
    random = np.random.default_rng(0)
    parameters = [library.tensor(random.standard_normal(shape), requires_grad=True)
                  for shape in SHAPES]
    optimizer = library.optim.Muon(parameters, **settings)
    for _ in range(10):
        optimizer.zero_grad()
        sum((each * each * each).sum() for each in parameters[:-1]).backward()
        optimizer.step()
    return parameters, optimizer


@pytest.mark.parametrize("settings", SETTINGS)
def test_beside_pytorch(torch, settings, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    (ours, own), (theirs, other) = trained(fastnn, settings), trained(torch, settings)
    for one, two in zip(ours, theirs, strict=True):
        close(one.detach().array, two.detach().numpy(), 1e-10)
    for one, two in zip(ours[:-1], theirs[:-1], strict=True):
        close(own.state[one]["momentum_buffer"].array,
              other.state[two]["momentum_buffer"].numpy(), 1e-10)


def test_singular_values():
    """A step without momentum has singular values of about the rate."""
    weight = fastnn.zeros(8, 5, requires_grad=True)
    (weight * fastnn.randn(8, 5)).sum().backward()
    fastnn.optim.Muon([weight], lr=1.0, momentum=0.0, weight_decay=0.0).step()
    found = np.linalg.svd(weight.detach().array, compute_uv=False) / np.sqrt(8 / 5)
    assert (found > 0.6).all() and (found < 1.3).all()


def test_state_dict():
    weight = fastnn.ones(3, 2, requires_grad=True)
    first = fastnn.optim.Muon([weight])
    weight.sum().backward()
    first.step()
    second = fastnn.optim.Muon([weight], lr=7.0)
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == 1e-3
    assert (second.state[weight]["momentum_buffer"] == first.state[weight]["momentum_buffer"]).all()


@pytest.mark.parametrize("settings, text", [
    ({"lr": -1}, "lr must be at least 0"), ({"adjust_lr_fn": "x"}, "adjust_lr_fn must be None"),
    ({"ns_steps": 100}, "ns_steps in"), ({"ns_coefficients": (1.0,)}, "3 ns_coefficients")])
def test_settings(settings, text):
    with pytest.raises(ValueError, match=text):
        fastnn.optim.Muon([fastnn.ones(2, 2, requires_grad=True)], **settings)


def test_only_matrices():
    with pytest.raises(ValueError, match="expected matrices"):
        fastnn.optim.Muon([fastnn.ones(2, requires_grad=True)])


@pytest.mark.parametrize("settings, text", [
    ({"d": 0.5}, "d at least 1"), ({"beta2_decay": 1.0}, "beta2_decay must be at most 0"),
    ({"eps": (-1, 0)}, "eps must be two numbers"), ({"weight_decay": -1}, "weight_decay")])
def test_settings_of_adafactor(settings, text):
    with pytest.raises(ValueError, match=text):
        fastnn.optim.Adafactor([fastnn.ones(2, requires_grad=True)], **settings)


FACTORED = [{}, {"lr": 0.05, "beta2_decay": -0.6, "eps": (1e-3, 1e-2), "d": 1.5,
                 "weight_decay": 0.1, "maximize": True}]


def not_empty(library, dtype):
    """PyTorch's Adafactor divides by the number of elements."""
    return [each for each in parameters_of(library, dtype) if each.numel()]


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 5e-5)])
@pytest.mark.parametrize("settings", FACTORED)
def test_adafactor_beside_pytorch(torch, settings, dtype, tolerance):
    runs = []
    for library in (fastnn, torch):
        parameters = not_empty(library, dtype)
        optimizer = library.optim.Adafactor(parameters, **settings)
        train(library, optimizer, parameters, range(30))
        runs.append((parameters, optimizer))
    (ours, own), (theirs, other) = runs
    for one, two in zip(ours, theirs, strict=True):
        close(one.detach().array, two.detach().numpy(), tolerance)
        assert own.state[one].keys() == other.state[two].keys()
        for name in own.state[one].keys() - {"step"}:
            close(own.state[one][name].array, other.state[two][name].numpy(), tolerance)


def test_adafactor_state():
    parameters = not_empty(fastnn, "float64")
    first = fastnn.optim.Adafactor(parameters)
    train(fastnn, first, parameters, range(3))
    copies = [each.detach().clone().requires_grad_() for each in parameters]
    second = fastnn.optim.Adafactor(copies)
    second.load_state_dict(first.state_dict())
    train(fastnn, first, parameters, range(3, 6))
    train(fastnn, second, copies, range(3, 6))
    for one, two in zip(parameters, copies, strict=True):
        assert (one.detach().array == two.detach().array).all()
    state = first.state_dict()
    state["state"][0]["row_var"] = fastnn.ones(2, 2)
    with pytest.raises(ValueError, match="row_var has shape"):
        second.load_state_dict(state)


def test_adafactor_of_any_layout():
    results = []
    for turned in (False, True):
        weight = fastnn.from_numpy(np.arange(12.0).reshape(3, 4))
        weight = (weight.t().contiguous().t() if turned else weight).requires_grad_()
        optimizer = fastnn.optim.Adafactor([weight, fastnn.ones(0, 2, requires_grad=True)])
        for _ in range(3):
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()
        results.append(weight.detach().array)
    assert (results[0] == results[1]).all()
