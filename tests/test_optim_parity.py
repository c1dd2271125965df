"""Optimizers beside PyTorch's: 50 steps of each setting, parameter groups, states both ways."""

import pytest
from helpers import close, import_torch
from optimizers import EACH, SETTINGS, parameters_of, train

import fastnn
from fastnn import optim

torch = import_torch()


@pytest.fixture(autouse=True)
def figures_in_float64():
    """PyTorch keeps the figures of NAdam and ASGD in its default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def assert_close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        close(one.detach().array, other.detach().numpy(), tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 5e-5)])
@pytest.mark.parametrize(**EACH)
def test_50_steps(name, settings, dtype, tolerance):
    results = []
    for library in (fastnn, torch):
        parameters = parameters_of(library, dtype)
        train(library, getattr(library.optim, name)(parameters, **settings), parameters, range(50))
        results.append(parameters)
    assert_close(*results, tolerance)


@pytest.mark.parametrize(**EACH)
def test_parameter_groups(name, settings):
    results = []
    for library in (fastnn, torch):
        parameters = parameters_of(library)
        optimizer = getattr(library.optim, name)(
            [{"params": parameters[:1], "lr": 0.3},
             {"params": parameters[1:4], "maximize": False}], **settings)
        optimizer.add_param_group({"params": parameters[4]})
        train(library, optimizer, parameters, range(10))
        results.append(parameters)
    assert_close(*results, 1e-12)


def ours_of(state):
    """A nested state of PyTorch with its tensors converted."""
    if isinstance(state, dict):
        return {key: ours_of(value) for key, value in state.items()}
    return fastnn.tensor(state.numpy()) if isinstance(state, torch.Tensor) else state


def theirs_of(state):
    if isinstance(state, dict):
        return {key: theirs_of(value) for key, value in state.items()}
    return torch.from_numpy(state.array.copy()) if isinstance(state, fastnn.Tensor) else state


@pytest.mark.parametrize(**EACH)
def test_a_state_of_pytorch_is_taken_over(name, settings):
    theirs = parameters_of(torch)
    their_optimizer = getattr(torch.optim, name)(theirs, **settings)
    train(torch, their_optimizer, theirs, range(5))
    ours = [fastnn.tensor(each.detach().numpy(), requires_grad=True) for each in theirs]
    optimizer = getattr(optim, name)(ours, lr=7.0)
    optimizer.load_state_dict(ours_of(their_optimizer.state_dict()))
    train(fastnn, optimizer, ours, range(5, 10))
    train(torch, their_optimizer, theirs, range(5, 10))
    assert_close(ours, theirs, 1e-12)
    mine, other = optimizer.state_dict(), their_optimizer.state_dict()
    assert mine["param_groups"][0]["params"] == other["param_groups"][0]["params"]
    for position, state in mine["state"].items():
        assert {key for key, value in state.items() if value is not None} == {
            key for key, value in other["state"].get(position, {}).items() if value is not None}


@pytest.mark.parametrize("name, settings", [
    each for each in SETTINGS if each[0] in ("SGD", "Adamax", "RMSprop") and each[1]])
def test_pytorch_takes_our_state_over(name, settings):
    ours = parameters_of(fastnn)
    optimizer = getattr(optim, name)(ours, **settings)
    train(fastnn, optimizer, ours, range(5))
    theirs = [torch.tensor(each.detach().numpy(), requires_grad=True) for each in ours]
    their_optimizer = getattr(torch.optim, name)(theirs, lr=7.0)
    state = theirs_of(optimizer.state_dict())
    for values in state["state"].values():
        if "step" in values:
            values["step"] = torch.tensor(float(values["step"]))
    their_optimizer.load_state_dict(state)
    train(fastnn, optimizer, ours, range(5, 10))
    train(torch, their_optimizer, theirs, range(5, 10))
    assert_close(ours, theirs, 1e-12)


def test_names_of_parameters():
    groups = []
    for library in (fastnn, torch):
        net = library.nn.Linear(2, 1)
        groups.append(library.optim.SGD(net.named_parameters()).state_dict()["param_groups"][0])
    assert groups[0]["param_names"] == groups[1]["param_names"] == ["weight", "bias"]


LBFGS = [{"line_search_fn": "strong_wolfe"}, {"lr": 1e-3, "max_iter": 5},
         {"line_search_fn": "strong_wolfe", "history_size": 3, "lr": 0.5, "max_iter": 6},
         {"line_search_fn": "strong_wolfe", "max_iter": 4, "max_eval": 7},
         {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.5},
         {"lr": 1e-3, "tolerance_change": 1e-2}]


def rosenbrock(library, settings, steps=5):
    """Losses at all evaluations, where the search ends, and the state."""
    x = library.tensor([-1.2, 1.0, 0.7], dtype=library.float64, requires_grad=True)
    y = library.tensor([[0.5]], dtype=library.float64, requires_grad=True)
    unused = library.ones(2, dtype=library.float64).requires_grad_()
    optimizer = library.optim.LBFGS([x, y, unused], **settings)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = ((x[1:] - x[:-1] ** 2) ** 2).sum() * 100 + ((1 - x) ** 2).sum() + (y * x).sum() ** 2
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(steps):
        assert optimizer.step(closure).item() in losses
    return losses, x.tolist() + y.tolist()[0], optimizer.state_dict()


@pytest.mark.parametrize("settings", LBFGS, ids=lambda each: " ".join(each))
def test_lbfgs(settings):
    ours, theirs = rosenbrock(fastnn, settings), rosenbrock(torch, settings)
    assert len(ours[0]) == len(theirs[0])
    close(ours[0], theirs[0], 1e-6)  # differences of rounding grow from step to step
    close(ours[1], theirs[1], 1e-6)
    mine, other = ours[2]["state"][0], theirs[2]["state"][0]
    assert {**mine, "al": None}.keys() == {"al": None, **other}.keys()
    assert (mine["func_evals"], mine["n_iter"]) == (other["func_evals"], other["n_iter"])
    close(mine["d"].array, other["d"].numpy(), 1e-4)
