"""Optimizers: memory layouts, types, threads, PyTorch's state, what is refused."""

import math

import numpy as np
import pytest

import fastnn
from fastnn import nn, optim

SETTINGS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
]
SHAPES = ((3, 4), (5,), (), (0, 2), (2, 3, 2, 2))


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def starts():
    random = np.random.default_rng(3)
    return [np.asarray(random.normal(size=shape)) for shape in SHAPES]


def gradients(step):
    """Gradients of one step; now and then a parameter has none."""
    random = np.random.default_rng(100 + step)
    return [None if (step + i) % 7 == 3 else np.asarray(random.normal(size=shape))
            for i, shape in enumerate(SHAPES)]


def ours_of(array):
    return fastnn.tensor(array, requires_grad=True)


def run(optimizer, parameters, tensor, steps):
    for step in steps:
        for parameter, gradient in zip(parameters, gradients(step), strict=True):
            parameter.grad = None if gradient is None else tensor(gradient)
        optimizer.step()


def assert_equal(ours, theirs, tolerance):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=tolerance,
                                   atol=tolerance)


def with_tensors_of_ours(torch, state):
    """A nested state with its tensors converted."""
    if isinstance(state, dict):
        return {key: with_tensors_of_ours(torch, value) for key, value in state.items()}
    return fastnn.tensor(state.numpy()) if isinstance(state, torch.Tensor) else state


@pytest.mark.parametrize("name, settings", SETTINGS)
def test_a_state_of_pytorch_is_taken_over(torch, name, settings):
    theirs = [torch.tensor(each, requires_grad=True) for each in starts()]
    their_optimizer = getattr(torch.optim, name)(theirs, **settings)
    run(their_optimizer, theirs, torch.tensor, range(5))
    ours = [ours_of(each.detach().numpy()) for each in theirs]
    optimizer = getattr(optim, name)(ours, lr=7.0)
    optimizer.load_state_dict(with_tensors_of_ours(torch, their_optimizer.state_dict()))
    run(optimizer, ours, fastnn.tensor, range(5, 10))
    run(their_optimizer, theirs, torch.tensor, range(5, 10))
    assert_equal(ours, theirs, 1e-12)
    mine, other = optimizer.state_dict(), their_optimizer.state_dict()
    assert mine["param_groups"][0]["params"] == other["param_groups"][0]["params"]
    for position, state in mine["state"].items():
        assert {key for key, value in state.items() if value is not None} == {
            key for key, value in other["state"].get(position, {}).items() if value is not None}


def layouts():
    """Parameters and gradients in memory orders that agree, disagree, or have gaps."""
    base = np.random.default_rng(5).normal(size=(6, 4))
    yield base.T.copy().T, base.T.copy().T
    yield base.copy(), base.T.copy().T
    yield base.T.copy().T, base.copy()
    yield np.repeat(base, 2, axis=1)[:, ::2], base.copy()
    yield base.copy(), np.repeat(base, 3, axis=0)[::3]
    yield base.copy(), np.broadcast_to(base[:1], (6, 4))


@pytest.mark.parametrize("name, settings", SETTINGS)
@pytest.mark.parametrize("number", range(6))
def test_any_layout_gives_the_same(name, settings, number):
    array, gradient = list(layouts())[number]
    plain = ours_of(np.ascontiguousarray(array))
    tensor = fastnn.from_numpy(array).requires_grad_()
    before = gradient.copy()
    optimizers = [getattr(optim, name)([each], **settings) for each in (plain, tensor)]
    for _ in range(3):
        plain.grad = fastnn.tensor(np.ascontiguousarray(gradient))
        tensor.grad = fastnn.from_numpy(gradient)
        for optimizer in optimizers:
            optimizer.step()
    np.testing.assert_array_equal(tensor.detach().numpy(), plain.detach().numpy())
    np.testing.assert_array_equal(gradient, before)


def test_types_may_be_mixed_in_a_group():
    wide, narrow = ours_of(np.ones(3)), ours_of(np.ones(3, np.float32))
    optimizer = optim.Adam([wide, narrow], lr=0.1)
    wide.grad, narrow.grad = fastnn.ones(3).double(), fastnn.ones(3)
    optimizer.step()
    assert wide.dtype == fastnn.float64 and narrow.dtype == fastnn.float32
    np.testing.assert_allclose(wide.tolist(), narrow.tolist(), rtol=1e-6)


@pytest.mark.parametrize("name, settings", SETTINGS)
def test_same_bits_for_any_number_of_threads(threads, name, settings):
    results = []
    for count in (1, 2, 3):
        threads(count)
        fastnn.manual_seed(0)
        weights = [fastnn.randn(200, 301), fastnn.randn(17)]
        optimizer = getattr(optim, name)([each.requires_grad_() for each in weights], **settings)
        for _ in range(3):
            for each in weights:
                each.grad = fastnn.randn(*each.shape)
            optimizer.step()
        results.append([each.detach().numpy() for each in weights])
    for other in results[1:]:
        for mine, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(mine, same)


def test_denormal_moments_are_flushed():
    weight = ours_of(np.zeros(4, np.float32))
    optimizer = optim.SGD([weight], lr=1.0, momentum=0.5)
    weight.grad = fastnn.full((4,), 1e-38)
    optimizer.step()
    weight.grad = fastnn.zeros(4)
    for _ in range(4):
        optimizer.step()
    assert optimizer.state[weight]["momentum_buffer"].tolist() == [0.0] * 4


def test_amsgrad_keeps_nan():
    weight = ours_of(np.zeros(2))
    optimizer = optim.Adam([weight], amsgrad=True)
    for gradient in ([1.0, math.nan], [1.0, 1.0]):
        weight.grad = fastnn.tensor(np.array(gradient))
        optimizer.step()
    assert np.isnan(weight.detach().numpy()).tolist() == [False, True]


def test_a_step_counts_as_a_change_in_place():
    weight = ours_of(np.ones(3))
    loss = (weight * weight).sum()
    weight.grad = fastnn.ones(3).double()
    optim.SGD([weight], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("name, settings", SETTINGS)
def test_a_network_learns(name, settings):
    x = fastnn.rand(64, 3)
    y = (x * fastnn.tensor([1.0, -2.0, 0.5])).sum(1, keepdim=True)
    net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = getattr(optim, name)(net.parameters(), **settings)
    sign = -1.0 if settings.get("maximize") else 1.0
    losses = []
    for _ in range(30):
        loss = nn.functional.mse_loss(net(x), y) * sign
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() * sign)
    assert losses[-1] < losses[0]


def weight():
    return fastnn.ones(2, 2, requires_grad=True)


def with_gradient(change):
    """A step after ``change`` to a parameter or its state, which must not be computed."""
    parameter = weight()
    optimizer = optim.Adam([parameter])
    parameter.grad = fastnn.ones(2, 2)
    optimizer.step()
    before = parameter.detach().clone()
    change(parameter, optimizer.state[parameter])
    try:
        optimizer.step()
    finally:
        assert (parameter.to(fastnn.float32) == before).all()


def loaded(change):
    parameter = weight()
    optimizer = optim.Adam([parameter])
    parameter.grad = fastnn.ones(2, 2)
    optimizer.step()
    state = optimizer.state_dict()
    change(state)
    optimizer.load_state_dict(state)


@pytest.mark.parametrize("call, error, text", [
    (lambda: optim.SGD([]), ValueError, "SGD: no parameters given"),
    (lambda: optim.SGD([3.0]), TypeError, "SGD: parameters must be Tensors, got float"),
    (lambda: optim.SGD({"lr": 1.0}), TypeError, "must be a dict with 'params', got dict"),
    (lambda: optim.SGD([{"params": {weight()}}]), TypeError, "must have an order, got a set"),
    (lambda: optim.SGD([weight() * 2]), ValueError, "only leaves can be optimized, not the result "
                                                    "of mul"),
    (lambda: optim.SGD([w := weight(), w]), ValueError, "in more than one place, that of"),
    (lambda: optim.SGD([weight()], lr=-1), ValueError, "SGD: lr must be at least 0, got -1"),
    (lambda: optim.SGD([weight()], lr="fast"), TypeError, "SGD: lr must be a number, got 'fast'"),
    (lambda: optim.SGD([weight()], momentum=math.nan), ValueError, "momentum must be at least 0"),
    (lambda: optim.SGD([weight()], nesterov=True), ValueError, "nesterov needs a momentum"),
    (lambda: optim.Adam([weight()], betas=(0.9, 1.0)), ValueError, "betas must be two numbers in"),
    (lambda: optim.AdamW([weight()], eps=-1), ValueError, "AdamW: eps must be at least 0, got -1"),
    (lambda: optim.Optimizer([weight()], {}).step(), NotImplementedError, "Optimizer has no step"),
    (lambda: with_gradient(lambda p, s: s.update(exp_avg=fastnn.ones(3))), ValueError,
     r"Adam: a state has shape \(3,\), its parameter \(2, 2\)"),
    (lambda: with_gradient(lambda p, s: setattr(p, "data", p.double())), TypeError,
     "Adam: a gradient is float32, its parameter float64"),
    (lambda: loaded(lambda state: state["param_groups"][0].update(params=[0, 1])), ValueError,
     r"Adam.load_state_dict: groups of \[2\] parameters, expected \[1\]"),
    (lambda: loaded(lambda state: state["state"].update({4: {}})), ValueError,
     r"state for unknown parameters \[4\]"),
    (lambda: loaded(lambda state: state["state"][0].update(exp_avg=fastnn.ones(5))), ValueError,
     r"exp_avg has shape \(5,\), the parameter \(2, 2\)"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


class Plain(optim.Optimizer):
    """An optimizer of a user's own, written with tensors."""

    @fastnn.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad * group["lr"])


def test_an_optimizer_of_a_users_own():
    parameter = weight()
    optimizer = Plain([parameter], {"lr": 0.25})
    (parameter * 2).sum().backward()
    optimizer.step()
    assert parameter.tolist() == [[0.5, 0.5]] * 2
    assert repr(optimizer) == "Plain (\nParameter Group 0\n    lr: 0.25\n)"


def test_empty_parameters_hold_nothing_up():
    """NumPy gives arrays without elements strides of 0, or others."""
    empty, full = ours_of(np.ones((0, 2))), ours_of(np.ones(3))
    optimizer = optim.SGD([empty, full], lr=1.0, momentum=0.5)
    empty.grad, full.grad = fastnn.from_numpy(np.ones((2, 0)).T), fastnn.ones(3).double()
    optimizer.step()
    assert full.tolist() == [0.0] * 3 and empty.shape == (0, 2)
