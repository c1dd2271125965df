"""Schedules of the learning rate: PyTorch's values, states, errors."""

import numpy as np
import pytest
from optimizers import rates_of

import fastnn
from fastnn import optim
from fastnn.optim import lr_scheduler


def weight():
    return fastnn.ones(2, 2, requires_grad=True)


def schedule(name, **settings):
    return getattr(lr_scheduler, name)(optim.SGD([weight()], lr=0.1), **settings)


SCHEDULES = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 2, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [7, 2, 2], "gamma": 0.3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 11}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.0, "total_iters": 20}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 30, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 8}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9 ** epoch, lambda epoch: epoch]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 1 - 0.1 * (epoch % 3)}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 50}),
    ("OneCycleLR", {"max_lr": [0.5, 0.3], "epochs": 5, "steps_per_epoch": 10,
                    "anneal_strategy": "linear", "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 51, "three_phase": True, "div_factor": 10,
                    "final_div_factor": 100, "max_momentum": [0.99, 0.9],
                    "base_momentum": [0.7, 0.6]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 7}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": [0.5, 0.6], "step_size_up": 6,
                  "step_size_down": 3, "mode": "triangular2", "base_momentum": [0.5, 0.6]}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 7, "mode": "exp_range",
                  "gamma": 0.97, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 7,
                  "scale_fn": lambda cycle: 1 / (5 ** (cycle * 0.0001))}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 7, "scale_mode": "iterations",
                  "scale_fn": lambda step: 0.99 ** step}),
    ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5, "cooldown": 1, "min_lr": 0.02}),
    ("ReduceLROnPlateau", {"patience": 0, "mode": "max", "threshold_mode": "abs",
                           "threshold": 0.5}),
]
LOSSES = [3, 2, 2, 2, 2.5, 1, 1, 1, 1, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, *[0.3] * 34]


def make(library, optimizer, name, settings):
    return getattr(library.optim.lr_scheduler, name)(optimizer, **settings)


def joined(kind):
    """Schedules made of schedules, by a function of the library and an optimizer."""
    def of(library, optimizer):
        schedules = library.optim.lr_scheduler
        if kind == "chained":
            return schedules.ChainedScheduler([
                schedules.ConstantLR(optimizer, 0.5, total_iters=9),
                schedules.ExponentialLR(optimizer, 0.95), schedules.StepLR(optimizer, 10, 0.5)])
        if kind == "warm-up":
            return schedules.SequentialLR(optimizer, [
                schedules.LinearLR(optimizer, 0.1, total_iters=5),
                schedules.CosineAnnealingLR(optimizer, 40)], [5])
        if kind == "many":
            return schedules.SequentialLR(optimizer, [
                schedules.ConstantLR(optimizer, 0.5, total_iters=3),
                schedules.LambdaLR(optimizer, lambda epoch: 0.8 ** epoch),
                schedules.PolynomialLR(optimizer, 10),
                schedules.CosineAnnealingWarmRestarts(optimizer, 5),
                schedules.MultiStepLR(optimizer, [3, 5], 0.5)], [6, 15, 24, 37])
        return schedules.SequentialLR(optimizer, [
            schedules.ExponentialLR(optimizer, 0.9), schedules.ChainedScheduler([
                schedules.LinearLR(optimizer, 0.5, total_iters=20),
                schedules.StepLR(optimizer, 4, 0.9)])], [60])
    return of


JOINED = ["chained", "warm-up", "many", "nested"]


def follow(library, optimizer_name, build, **optimizer_settings):
    """Rates and momenta over the epochs."""
    parameters = [library.tensor(np.ones(2), requires_grad=True) for _ in range(2)]
    optimizer = getattr(library.optim, optimizer_name)(
        [{"params": parameters[0]}, {"params": parameters[1], "lr": 0.2}], lr=0.1,
        **optimizer_settings)
    scheduler = build(library, optimizer)
    plateau = type(scheduler).__name__ == "ReduceLROnPlateau"
    figures = []
    for loss in LOSSES:
        figures.append([(group["lr"], group.get("betas", group.get("momentum")))
                        for group in optimizer.param_groups])
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step(*([loss] if plateau else []))
    return np.array([[np.hstack(each) for each in figure] for figure in figures])


@pytest.mark.parametrize("optimizer, settings", [("SGD", {"momentum": 0.9}), ("Adam", {})])
@pytest.mark.parametrize("name, schedule_settings", SCHEDULES)
def test_schedules_are_pytorchs(torch, name, schedule_settings, optimizer, settings):
    def build(library, optimizer):
        return make(library, optimizer, name, schedule_settings)

    ours = follow(fastnn, optimizer, build, **settings)
    theirs = follow(torch, optimizer, build, **settings)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", JOINED)
def test_joined_schedules_are_pytorchs(torch, kind):
    ours, theirs = (follow(library, "SGD", joined(kind), momentum=0.5)
                    for library in (fastnn, torch))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name, settings", [
    each for each in SCHEDULES if each[0] not in ("OneCycleLR", "CyclicLR", "ReduceLROnPlateau")])
def test_from_a_later_epoch(torch, name, settings):
    figures = []
    for library in (fastnn, torch):
        groups = [{"params": library.tensor(np.ones(2), requires_grad=True), "lr": 0.1,
                   "initial_lr": 0.8} for _ in range(2)]
        optimizer = library.optim.SGD(groups)
        scheduler = make(library, optimizer, name, {**settings, "last_epoch": 3})
        figures.append(rates_of(optimizer, scheduler, 10))
    np.testing.assert_allclose(*figures, rtol=1e-9, atol=1e-12)


def test_fractions_of_epochs(torch):
    figures = []
    for library in (fastnn, torch):
        optimizer = library.optim.SGD([library.tensor(np.ones(2), requires_grad=True)], lr=0.1)
        scheduler = make(library, optimizer, "CosineAnnealingWarmRestarts",
                         {"T_0": 3, "T_mult": 2})
        rates = []
        for epoch in (0.5, 1, 2.9, 3, 8.5, 9, 20.25, 21, 4.5):
            scheduler.step(epoch)
            rates.append((*scheduler.get_last_lr(), scheduler.T_cur, scheduler.T_i))
        figures.append(rates)
    np.testing.assert_allclose(*figures, rtol=1e-9, atol=1e-12)


def builders():
    for name, settings in SCHEDULES:
        yield pytest.param(lambda library, optimizer, name=name, settings=settings: make(
            library, optimizer, name, settings), id=" ".join([name, *settings]))
    for kind in JOINED:
        yield pytest.param(joined(kind), id=kind)


@pytest.mark.parametrize("build", list(builders()))
def test_a_schedule_goes_on_from_its_state(tmp_path, build):
    def start():
        return build(fastnn, optim.SGD(
            [{"params": weight()}, {"params": weight()}], lr=0.1, momentum=0.9))

    def go(scheduler, losses):
        plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
        for loss in losses:
            scheduler.step(*([loss] if plateau else []))

    whole, first, second = start(), start(), start()
    go(whole, LOSSES[:18])
    go(first, LOSSES[:8])
    fastnn.save({"schedule": first.state_dict(), "optimizer": first.optimizer.state_dict()},
                tmp_path / "state")
    state = fastnn.load(tmp_path / "state")
    second.load_state_dict(state["schedule"])
    second.optimizer.load_state_dict(state["optimizer"])
    go(second, LOSSES[8:18])
    assert second.get_last_lr() == whole.get_last_lr()
    assert getattr(second, "last_epoch", 18) == getattr(whole, "last_epoch", 18) == 18


class Halving:
    """A function with a state."""

    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base ** epoch


def test_callable_objects_are_saved():
    for name, setting, more in (("LambdaLR", "lr_lambda", {}),
                                ("CyclicLR", "scale_fn", {"base_lr": 0.1, "max_lr": 1.0,
                                                          "cycle_momentum": False})):
        first = schedule(name, **{setting: Halving(0.5)}, **more)
        second = schedule(name, **{setting: Halving(0.9)}, **more)
        second.load_state_dict(first.state_dict())
        first.step()
        second.step()
        assert second.get_last_lr() == first.get_last_lr()


def one_after_the_other(choose, milestones):
    step = schedule("StepLR", step_size=1)
    return lr_scheduler.SequentialLR(step.optimizer, [choose(step)], milestones)


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
    (lambda: schedule("LambdaLR", lr_lambda=[]), ValueError, "lr_lambda has 0 values, the optim"),
    (lambda: schedule("ConstantLR", factor=2), ValueError, r"factor must lie in \[0, 1\], got 2"),
    (lambda: schedule("LinearLR", start_factor=0), ValueError, "start_factor must lie in"),
    (lambda: schedule("LinearLR", end_factor=2), ValueError, "end_factor must lie in"),
    (lambda: schedule("CosineAnnealingWarmRestarts", T_0=0), ValueError, "T_0 must be a positive"),
    (lambda: schedule("CyclicLR", base_lr=1, max_lr=2, mode="up"), ValueError, "mode must be one"),
    (lambda: lr_scheduler.ChainedScheduler([]), ValueError, "no schedules given"),
    (lambda: lr_scheduler.ChainedScheduler([schedule("StepLR", step_size=1),
                                            schedule("StepLR", step_size=1)]), ValueError,
     "schedule 1 belongs to another optimizer"),
    (lambda: lr_scheduler.ChainedScheduler([schedule("ReduceLROnPlateau")]), ValueError,
     "schedule 0 is a ReduceLROnPlateau"),
    (lambda: one_after_the_other(lambda step: step, [3]), ValueError,
     "1 schedules need 0 milestones, got 1"),
    (lambda: one_after_the_other(lambda step: 3, []), TypeError, "schedule 0 is a int"),
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


def test_one_cycle_notes_its_extremes_in_the_groups():
    sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0, momentum=0.9)
    fastnn.optim.lr_scheduler.OneCycleLR(sgd, 0.5, total_steps=10, div_factor=10)
    noted = {key: sgd.param_groups[0][key] for key in (
        "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum")}
    assert noted == {"initial_lr": 0.05, "max_lr": 0.5, "min_lr": 0.05 / 1e4,
                     "max_momentum": 0.95, "base_momentum": 0.85}
