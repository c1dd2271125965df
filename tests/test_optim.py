"""Optimizers and schedules: 50 steps beside PyTorch's, state that resumes to the same bits."""

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import optim
from fastnn.optim import lr_scheduler

STEPS = 50
SHAPES = ((3, 4), (5,), (2, 3, 4, 4), ())

OPTIMIZERS = {
    "SGD": ("SGD", dict(lr=0.05)),
    "SGD momentum": ("SGD", dict(lr=0.05, momentum=0.9)),
    "SGD dampened": ("SGD", dict(lr=0.05, momentum=0.9, dampening=0.3)),
    "SGD nesterov": ("SGD", dict(lr=0.05, momentum=0.8, nesterov=True)),
    "SGD decay": ("SGD", dict(lr=0.05, momentum=0.9, weight_decay=0.1)),
    "SGD maximize": ("SGD", dict(lr=0.01, momentum=0.5, maximize=True)),
    "Adam": ("Adam", dict(lr=0.02)),
    "Adam settings": ("Adam", dict(lr=0.02, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
    "Adam amsgrad": ("Adam", dict(lr=0.02, amsgrad=True, weight_decay=0.05)),
    "Adam maximize": ("Adam", dict(lr=0.02, maximize=True)),
    "AdamW": ("AdamW", dict(lr=0.02)),
    "AdamW settings": ("AdamW", dict(lr=0.02, weight_decay=0.3, amsgrad=True, maximize=True)),
}
each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def starts():
    random = np.random.default_rng(0)
    return [np.asarray(random.standard_normal(shape)) for shape in SHAPES]


def gradients(parameters, step):
    """A gradient that depends on the parameter, so that errors add up; none now and then."""
    random = np.random.default_rng(100 + step)
    for number, parameter in enumerate(parameters):
        noise = np.asarray(random.standard_normal(tuple(parameter.shape)))
        if (step + number) % 7 == 3:
            yield None
        else:
            yield parameter.detach().numpy() * 0.5 + noise


def make(name, parameters, library=fastnn, **more):
    kind, settings = OPTIMIZERS[name]
    return getattr(library.optim, kind)(parameters, **{**settings, **more})


def train(library, optimizer, parameters, steps=range(STEPS), schedule=None):
    tensor = fastnn.tensor if library is fastnn else library.tensor
    for step in steps:
        for parameter, gradient in zip(parameters, gradients(parameters, step), strict=True):
            parameter.grad = None if gradient is None else tensor(gradient, dtype=parameter.dtype)
        optimizer.step()
        if schedule is not None:
            schedule.step()


def leaves(dtype="float64"):
    return [fastnn.tensor(each, dtype=dtype, requires_grad=True) for each in starts()]


def torch_leaves(torch, dtype="float64"):
    return [torch.tensor(each, dtype=getattr(torch, dtype), requires_grad=True)
            for each in starts()]


def assert_close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        close(one.detach().array, other.detach().numpy(), tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 3e-5)])
@each_optimizer
def test_50_steps_beside_pytorch(name, dtype, tolerance, torch):
    ours, theirs = leaves(dtype), torch_leaves(torch, dtype)
    train(fastnn, make(name, ours), ours)
    train(torch, make(name, theirs, torch), theirs)
    assert_close(ours, theirs, tolerance)


@each_optimizer
def test_parameter_groups(name, torch):
    results = []
    for library, parameters in ((fastnn, leaves()), (torch, torch_leaves(torch))):
        optimizer = make(name, [{"params": parameters[:1], "lr": 0.3},
                                {"params": parameters[1:3], "weight_decay": 0.2}], library)
        optimizer.add_param_group({"params": parameters[3]})
        train(library, optimizer, parameters, range(10))
        results.append(parameters)
    assert_close(*results, 1e-12)


@each_optimizer
def test_state_dict_resumes_to_the_same_bits(name, tmp_path):
    straight = leaves("float32")
    train(fastnn, make(name, straight), straight, range(20))
    first = leaves("float32")
    optimizer = make(name, first)
    train(fastnn, optimizer, first, range(10))
    fastnn.save(optimizer.state_dict(), tmp_path / "state.safetensors")
    second = [each.detach().clone().requires_grad_() for each in first]
    resumed = make(name, second, lr=123.0)
    resumed.load_state_dict(fastnn.load(tmp_path / "state.safetensors"))
    train(fastnn, resumed, second, range(10, 20))
    for one, other in zip(second, straight, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_state_dict_has_pytorchs_keys(torch):
    for name in ("SGD momentum", "Adam amsgrad"):
        ours, theirs = leaves(), torch_leaves(torch)
        states = []
        for library, parameters in ((fastnn, ours), (torch, theirs)):
            optimizer = make(name, parameters, library)
            train(library, optimizer, parameters, range(3))
            states.append(optimizer.state_dict())
        assert set(states[0]) == set(states[1])
        assert states[0]["param_groups"][0]["params"] == states[1]["param_groups"][0]["params"]
        assert set(states[0]["state"][0]) == set(states[1]["state"][0])


def test_loaded_state_is_a_copy():
    parameters = leaves()
    optimizer = make("Adam", parameters)
    train(fastnn, optimizer, parameters, range(2))
    state = optimizer.state_dict()
    other = make("Adam", leaves())
    other.load_state_dict(state)
    before = state["state"][0]["exp_avg"].array.copy()
    train(fastnn, other, other.param_groups[0]["params"], range(2, 4))
    np.testing.assert_array_equal(state["state"][0]["exp_avg"].array, before)


def test_state_dict_of_other_groups_is_refused():
    optimizer = make("SGD", leaves())
    for state in (make("SGD", leaves()[:2]).state_dict(),
                  make("SGD", [{"params": leaves()[:2]}, {"params": leaves()[2:]}]).state_dict()):
        with pytest.raises(ValueError, match="load_state_dict"):
            optimizer.load_state_dict(state)


@pytest.mark.parametrize("name", ["SGD", "SGD momentum", "Adam"])
def test_gradient_in_another_memory_order(name):
    """Channels-last gradients of contiguous weights, and the reverse."""
    def layouts(flip):
        parameter = fastnn.tensor(starts()[2], requires_grad=True)
        gradient = np.random.default_rng(0).standard_normal(SHAPES[2])
        last = gradient.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
        optimizer = make(name, [parameter])
        for _ in range(3):
            parameter.grad = fastnn.from_numpy(last if flip else gradient)
            optimizer.step()
        return parameter.array

    np.testing.assert_array_equal(layouts(True), layouts(False))


def test_parameters_that_are_views_of_larger_memory():
    array = np.zeros((4, 6))
    parameter = fastnn.from_numpy(array[:, ::2]).requires_grad_()
    parameter.grad = fastnn.ones(4, 3, dtype=fastnn.float64)
    make("SGD", [parameter], lr=1.0).step()
    assert (array[:, ::2] == -1).all() and not array[:, 1::2].any()


def test_gradient_of_another_type_is_refused():
    parameter = fastnn.ones(2, requires_grad=True)
    parameter.grad = fastnn.ones(2, dtype=fastnn.float64)
    with pytest.raises(TypeError, match="SGD: a gradient is float64, its parameter float32"):
        make("SGD", [parameter]).step()


def test_closure_and_zero_grad():
    w = fastnn.ones(2, requires_grad=True)
    optimizer = make("SGD", [w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with fastnn.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert w.tolist() == [0.0, 0.0]
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_only_leaves_are_optimized():
    with pytest.raises(ValueError, match="SGD: only leaves can be optimized"):
        optim.SGD([fastnn.ones(1, requires_grad=True) * 2])


def test_settings_are_shown():
    assert "lr: 0.05" in repr(make("SGD", leaves())) and repr(make("Adam", leaves()))[:4] == "Adam"


# Schedules

SCHEDULES = {
    "StepLR": dict(step_size=3, gamma=0.5), "MultiStepLR": dict(milestones=[2, 5, 5, 9], gamma=0.3),
    "ExponentialLR": dict(gamma=0.9), "LambdaLR": dict(lr_lambda=lambda epoch: 1 / (1 + epoch)),
    "CosineAnnealingLR": dict(T_max=10, eta_min=1e-3),
    "OneCycleLR": dict(max_lr=0.5, total_steps=20),
    "OneCycleLR linear": dict(max_lr=[0.5, 0.1], epochs=4, steps_per_epoch=5,
                              anneal_strategy="linear", pct_start=0.4, div_factor=10),
    "OneCycleLR three": dict(max_lr=0.5, total_steps=20, three_phase=True, final_div_factor=100,
                             base_momentum=0.7),
}


def rates(library, name, parameters, kind="SGD momentum", steps=19):
    optimizer = make(kind, [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.2}],
                     library)
    schedule = getattr(library.optim.lr_scheduler, name.split()[0])(optimizer, **SCHEDULES[name])
    found = []
    for _ in range(steps):
        optimizer.step()
        found.append([*schedule.get_last_lr(), *(
            group.get("momentum", group.get("betas", (0,))[0] if "betas" in group else 0)
            for group in optimizer.param_groups)])
        schedule.step()
    return found


@pytest.mark.parametrize("kind", ["SGD momentum", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_beside_pytorch(name, kind, torch):
    close(rates(fastnn, name, leaves(), kind), rates(torch, name, torch_leaves(torch), kind), 1e-12)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "LambdaLR"])
def test_schedule_resumes(name, tmp_path):
    def make_both():
        optimizer = make("SGD momentum", leaves()[:2], lr=0.2)
        settings = {key: value[0] if key == "max_lr" and isinstance(value, list) else value
                    for key, value in SCHEDULES[name].items()}
        return optimizer, getattr(lr_scheduler, name.split()[0])(optimizer, **settings)

    optimizer, schedule = make_both()
    for _ in range(5):
        schedule.step()
    fastnn.save([optimizer.state_dict(), schedule.state_dict()], tmp_path / "state.safetensors")
    other, resumed = make_both()
    first, second = fastnn.load(tmp_path / "state.safetensors")
    other.load_state_dict(first)
    resumed.load_state_dict(second)
    for _ in range(8):
        schedule.step()
        resumed.step()
        assert resumed.get_last_lr() == schedule.get_last_lr()
        assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_schedule_errors():
    optimizer = make("SGD", leaves())
    for settings, message in ((dict(), "total_steps, or epochs"),
                              (dict(total_steps=-1), "must be positive, got -1"),
                              (dict(total_steps=5, pct_start=2.0), r"must lie in \[0, 1\], got 2"),
                              (dict(total_steps=5, anneal_strategy="x"), "'cos' or 'linear'")):
        with pytest.raises(ValueError, match=f"OneCycleLR: .*{message}"):
            lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, **settings)
    with pytest.raises(KeyError, match="needs initial_lr"):
        lr_scheduler.StepLR(optimizer, 3, last_epoch=4)
    schedule = lr_scheduler.OneCycleLR(make("SGD momentum", leaves()), max_lr=1.0, total_steps=3)
    with pytest.raises(ValueError, match="OneCycleLR: step 4 of 3"):
        for _ in range(4):
            schedule.step()


def test_step_numbers_that_overflow_nothing():
    """A hundred thousand steps in one: the corrections for the start at zero are 1."""
    parameter = fastnn.ones(3, requires_grad=True)
    optimizer = make("Adam", [parameter])
    parameter.grad = fastnn.ones(3)
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["step"] = 10 ** 6
    optimizer.load_state_dict(state)
    optimizer.step()
    assert np.isfinite(parameter.array).all()
