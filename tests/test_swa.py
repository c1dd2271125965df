"""Averages of models, statistics of batch norms over a loader, and the schedule for them."""

import numpy as np
import pytest
from helpers import import_torch
from optimizers import rates_of

import fastnn
from fastnn import nn
from fastnn.optim import swa_utils

torch = import_torch()
FUNCTIONS = {
    "default": lambda utils: {}, "buffers": lambda utils: {"use_buffers": True},
    "ema": lambda utils: {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
    "swa": lambda utils: {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
    "ema, one by one": lambda utils: {"avg_fn": utils.get_ema_avg_fn(0.8)},
    "swa, one by one": lambda utils: {"avg_fn": utils.get_swa_avg_fn()},
    "own": lambda utils: {"avg_fn": lambda average, present, number: average * 0.5 + present},
}


def network(library):
    layers = library.nn
    return layers.Sequential(layers.Linear(3, 4), layers.BatchNorm1d(4), layers.Linear(4, 2))


def values(library, random, shape):
    return library.tensor(random.normal(size=shape).astype(np.float32))


def fill(library, net, random):
    """Numbers of a step's own for parameters and running statistics."""
    with library.no_grad():
        for each in [*net.parameters(), net[1].running_mean, net[1].running_var]:
            each.copy_(values(library, random, tuple(each.shape)))


def averaged(library, settings):
    random, net = np.random.default_rng(0), network(library)
    utils = library.optim.swa_utils
    model = utils.AveragedModel(net, **settings(utils))
    for _ in range(4):
        fill(library, net, random)
        model.update_parameters(net)
    utils.update_bn([(values(library, random, (5, 3)), 0) for _ in range(3)], model)
    return {name: value.numpy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("settings", FUNCTIONS.values(), ids=FUNCTIONS)
def test_averages_are_pytorchs(settings):
    ours, theirs = averaged(fastnn, settings), averaged(torch, settings)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype
        np.testing.assert_allclose(value, theirs[name], rtol=2e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("settings", [
    {}, {"anneal_epochs": 4, "anneal_strategy": "linear"}, {"anneal_epochs": 0}])
def test_swalr_is_pytorchs(settings):
    figures = []
    for library in (fastnn, torch):
        parameters = [library.ones(2).requires_grad_() for _ in range(2)]
        optimizer = library.optim.SGD(
            [{"params": parameters[0]}, {"params": parameters[1], "lr": 0.2}], lr=0.1)
        schedule = library.optim.swa_utils.SWALR(optimizer, swa_lr=[0.5, 0.02], **settings)
        figures.append(rates_of(optimizer, schedule, 15))
    np.testing.assert_allclose(*figures, rtol=1e-9)


@pytest.mark.parametrize("settings", ["default", "ema, one by one", "swa, one by one"])
def test_an_average_of_another_type_than_the_model(settings):
    figures = []
    for library in (fastnn, torch):
        random, net = np.random.default_rng(0), network(library)
        utils = library.optim.swa_utils
        model = utils.AveragedModel(net, **FUNCTIONS[settings](utils)).double()
        for _ in range(3):
            fill(library, net, random)
            model.update_parameters(net)
        figures.append([each.detach().numpy() for each in model.parameters()])
    for ours, theirs in zip(*figures, strict=True):
        assert ours.dtype == theirs.dtype == np.float64
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("name", ["get_ema_multi_avg_fn", "get_swa_multi_avg_fn"])
def test_lists_of_parameters_are_averaged_beside_the_tape(name):
    figures = []
    for library in (fastnn, torch):
        averages = [library.nn.Parameter(library.zeros(2)), library.nn.Parameter(library.ones(3))]
        currents = [library.nn.Parameter(library.ones(2)), library.nn.Parameter(library.zeros(3))]
        update = getattr(library.optim.swa_utils, name)()
        assert update(averages, currents, library.tensor(2)) is None
        assert all(each.is_leaf and each.requires_grad for each in averages)
        figures.append([each.detach().numpy() for each in averages])
    for ours, theirs in zip(*figures, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_model_stays_its_own():
    net = network(fastnn)
    model = swa_utils.AveragedModel(net)
    model.update_parameters(net)
    before = net[0].weight.tolist()
    nn.init.zeros_(model.module[0].weight)
    assert net[0].weight.tolist() == before and int(model.n_averaged) == 1


def test_update_bn_restores_the_model():
    net = network(fastnn).eval()
    momentum = net[1].momentum
    with pytest.raises(ValueError):
        swa_utils.update_bn([fastnn.ones(2, 9)], net)
    assert net[1].momentum == momentum and not net.training
    swa_utils.update_bn([], nn.Linear(2, 2))


def test_errors():
    parameter = [fastnn.ones(1, requires_grad=True)]
    with pytest.raises(ValueError, match="avg_fn and multi_avg_fn exclude each other"):
        swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=len, multi_avg_fn=len)
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\], got 2"):
        swa_utils.get_ema_avg_fn(2)
    with pytest.raises(ValueError, match="anneal_strategy must be 'cos' or 'linear', got 'up'"):
        swa_utils.SWALR(fastnn.optim.SGD(parameter), 0.1, anneal_strategy="up")
    with pytest.raises(ValueError, match="anneal_epochs must be an integer of at least 0, got -1"):
        swa_utils.SWALR(fastnn.optim.SGD(parameter), 0.1, anneal_epochs=-1)
