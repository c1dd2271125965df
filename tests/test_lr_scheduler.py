"""Schedules of the learning rate: PyTorch's values, states, errors."""

import numpy as np
import pytest

import fastnn
from fastnn import optim
from fastnn.optim import lr_scheduler


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def weight():
    return fastnn.ones(2, 2, requires_grad=True)


def schedule(name, **settings):
    return getattr(lr_scheduler, name)(optim.SGD([weight()], lr=0.1), **settings)


SCHEDULES = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 2, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [7, 2, 2], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 8}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9 ** epoch, lambda epoch: epoch]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 16}),
    ("OneCycleLR", {"max_lr": [0.5, 0.3], "epochs": 4, "steps_per_epoch": 4,
                    "anneal_strategy": "linear", "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20, "three_phase": True, "div_factor": 10,
                    "final_div_factor": 100, "max_momentum": 0.99, "base_momentum": 0.7}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 16, "cycle_momentum": False}),
    ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5, "cooldown": 1, "min_lr": 0.02}),
    ("ReduceLROnPlateau", {"patience": 0, "mode": "max", "threshold_mode": "abs",
                           "threshold": 0.5}),
]
LOSSES = [3, 2, 2, 2, 2.5, 1, 1, 1, 1, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]


def follow(library, tensor, name, settings, optimizer_name, **optimizer_settings):
    """Rates and momenta over the epochs."""
    parameters = [tensor(np.ones(2), requires_grad=True) for _ in range(2)]
    optimizer = getattr(library.optim, optimizer_name)(
        [{"params": parameters[0]}, {"params": parameters[1], "lr": 0.2}], lr=0.1,
        **optimizer_settings)
    scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
    figures = []
    for loss in LOSSES:
        figures.append([(group["lr"], group.get("betas", group.get("momentum")))
                        for group in optimizer.param_groups])
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step(*([loss] if name == "ReduceLROnPlateau" else []))
    return np.array([[np.hstack(each) for each in figure] for figure in figures])


@pytest.mark.parametrize("optimizer, settings", [("SGD", {"momentum": 0.9}), ("Adam", {})])
@pytest.mark.parametrize("name, schedule_settings", SCHEDULES)
def test_schedules_are_pytorchs(torch, name, schedule_settings, optimizer, settings):
    ours = follow(fastnn, fastnn.tensor, name, schedule_settings, optimizer, **settings)
    theirs = follow(torch, torch.tensor, name, schedule_settings, optimizer, **settings)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name, settings", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(tmp_path, name, settings):
    def make():
        return getattr(lr_scheduler, name)(optim.SGD(
            [{"params": weight()}, {"params": weight()}], lr=0.1, momentum=0.9), **settings)

    def go(scheduler, losses):
        for loss in losses:
            scheduler.step(*([loss] if name == "ReduceLROnPlateau" else []))

    whole, first, second = make(), make(), make()
    go(whole, LOSSES[:12])
    go(first, LOSSES[:6])
    fastnn.save({"schedule": first.state_dict(), "optimizer": first.optimizer.state_dict()},
                tmp_path / "state")
    state = fastnn.load(tmp_path / "state")
    second.load_state_dict(state["schedule"])
    second.optimizer.load_state_dict(state["optimizer"])
    go(second, LOSSES[6:12])
    assert second.get_last_lr() == whole.get_last_lr()
    assert second.last_epoch == whole.last_epoch == 12


def test_a_schedule_from_a_later_epoch():
    settings = dict(params=weight(), lr=0.1, initial_lr=0.8)
    scheduler = lr_scheduler.StepLR(optim.SGD([settings]), 2, gamma=0.5, last_epoch=3)
    assert scheduler.get_last_lr() == [0.8 * 0.5 ** 2]


@pytest.mark.parametrize("call, error, text", [
    (lambda: lr_scheduler.StepLR(3, 1), TypeError, "StepLR: expected an Optimizer, got int"),
    (lambda: schedule("StepLR", step_size=0), ValueError, "StepLR: step_size must be positive"),
    (lambda: schedule("CosineAnnealingLR", T_max=0), ValueError, "T_max must be positive, got 0"),
    (lambda: schedule("StepLR", step_size=1, last_epoch=3), KeyError, "group 0 of the optimizer"),
    (lambda: schedule("OneCycleLR", max_lr=1.0), ValueError, "total_steps, or epochs and"),
    (lambda: schedule("OneCycleLR", max_lr=1.0, total_steps=9, pct_start=2), ValueError,
     r"pct_start must lie in \[0, 1\], got 2"),
    (lambda: schedule("OneCycleLR", max_lr=[1.0, 2.0], total_steps=9), ValueError,
     "max_lr has 2 values, the optimizer 1"),
    (lambda: schedule("LambdaLR", lr_lambda=[]), ValueError, "0 functions, the optimizer has 1"),
    (lambda: schedule("ReduceLROnPlateau", factor=1.5), ValueError, "factor must be below 1"),
    (lambda: schedule("ReduceLROnPlateau", mode="least"), ValueError, "mode must be one of"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_one_cycle_ends():
    scheduler = schedule("OneCycleLR", max_lr=1.0, total_steps=2, cycle_momentum=False)
    scheduler.step()
    scheduler.step()
    with pytest.raises(ValueError, match="OneCycleLR: step 3 of 2"):
        scheduler.step()
    with pytest.raises(ValueError, match="has no momentum to cycle"):
        lr_scheduler.OneCycleLR(optim.Optimizer([weight()], {"lr": 0.1}), 1.0, 5)
