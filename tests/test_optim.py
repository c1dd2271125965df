"""Optimizers: states that resume, memory layouts, types, threads, hooks, what is refused."""

import math

import numpy as np
import pytest
from optimizers import EACH, parameters_of, train, weight

import fastnn
from fastnn import nn, optim


def ours_of(array):
    return fastnn.tensor(array, requires_grad=True)


def make(name, settings, parameters):
    return getattr(optim, name)(parameters, **settings)


@pytest.mark.parametrize(**EACH)
def test_state_dict_resumes_to_the_same_bits(name, settings, tmp_path):
    straight = parameters_of(fastnn, "float32")
    train(fastnn, make(name, settings, straight), straight, range(12))
    first = parameters_of(fastnn, "float32")
    optimizer = make(name, settings, first)
    train(fastnn, optimizer, first, range(6))
    fastnn.save(optimizer.state_dict(), tmp_path / "state.safetensors")
    second = [each.detach().clone().requires_grad_() for each in first]
    resumed = make(name, {**settings, "lr": 123.0}, second)
    resumed.load_state_dict(fastnn.load(tmp_path / "state.safetensors"))
    train(fastnn, resumed, second, range(6, 12))
    for one, other in zip(second, straight, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_loaded_state_is_a_copy():
    parameters = parameters_of(fastnn)
    optimizer = optim.Adam(parameters)
    train(fastnn, optimizer, parameters, range(2))
    state = optimizer.state_dict()
    others = parameters_of(fastnn)
    other = optim.Adam(others)
    other.load_state_dict(state)
    before = state["state"][0]["exp_avg"].array.copy()
    train(fastnn, other, others, range(2, 4))
    np.testing.assert_array_equal(state["state"][0]["exp_avg"].array, before)


def test_state_dict_of_other_groups_is_refused():
    parameters = parameters_of(fastnn)
    optimizer = optim.SGD(parameters)
    for groups in (parameters[:2], [{"params": parameters[:2]}, {"params": parameters[2:]}]):
        with pytest.raises(ValueError, match="load_state_dict"):
            optimizer.load_state_dict(optim.SGD(groups).state_dict())


def layouts():
    """Parameters and gradients in memory orders that agree, disagree, or have gaps."""
    base = np.random.default_rng(5).normal(size=(6, 4))
    yield base.T.copy().T, base.T.copy().T
    yield base.copy(), base.T.copy().T
    yield base.T.copy().T, base.copy()
    yield np.repeat(base, 2, axis=1)[:, ::2], base.copy()
    yield base.copy(), np.repeat(base, 3, axis=0)[::3]
    yield base.copy(), np.broadcast_to(base[:1], (6, 4))


@pytest.mark.parametrize(**EACH)
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


def test_parameters_that_are_views_of_larger_memory():
    array = np.zeros((4, 6))
    parameter = fastnn.from_numpy(array[:, ::2]).requires_grad_()
    parameter.grad = fastnn.ones(4, 3, dtype=fastnn.float64)
    optim.SGD([parameter], lr=1.0).step()
    assert (array[:, ::2] == -1).all() and not array[:, 1::2].any()


def test_types_may_be_mixed_in_a_group():
    wide, narrow = ours_of(np.ones(3)), ours_of(np.ones(3, np.float32))
    optimizer = optim.Adam([wide, narrow], lr=0.1)
    wide.grad, narrow.grad = fastnn.ones(3).double(), fastnn.ones(3)
    optimizer.step()
    assert wide.dtype == fastnn.float64 and narrow.dtype == fastnn.float32
    np.testing.assert_allclose(wide.tolist(), narrow.tolist(), rtol=1e-6)


@pytest.mark.parametrize(**EACH)
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


@pytest.mark.parametrize(**EACH)
def test_a_network_learns(name, settings):
    x = fastnn.rand(64, 3)
    y = (x * fastnn.tensor([1.0, -2.0, 0.5])).sum(1, keepdim=True)
    net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = make(name, settings, net.parameters())
    sign = -1.0 if settings.get("maximize") else 1.0
    losses = []
    for _ in range(30):
        loss = nn.functional.mse_loss(net(x), y) * sign
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() * sign)
    assert losses[-1] < losses[0]


def test_closure_and_zero_grad():
    w = fastnn.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

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


def test_hooks_of_a_step():
    seen = []
    parameter = weight()
    parameter.grad = fastnn.ones(2, 2)
    for kind in (optim.SGD, Plain):
        optimizer = kind([parameter], {"lr": 0.5}) if kind is Plain else kind([parameter], lr=0.5)
        before = optimizer.register_step_pre_hook(
            lambda self, args, kwargs: seen.append(("before", self, args, kwargs)))
        after = optimizer.register_step_post_hook(
            lambda self, args, kwargs: seen.append(("after", self, args, kwargs)))
        optimizer.step()
        assert seen == [("before", optimizer, (), {}), ("after", optimizer, (), {})]
        before.remove()
        after.remove()
        after.remove()
        optimizer.step()
        assert len(seen) == 2
        seen.clear()


def test_a_hook_may_give_the_closure():
    optimizer = optim.SGD([weight()], lr=0.5)
    optimizer.register_step_pre_hook(lambda self, args, kwargs: ((lambda: "loss",), {}))
    assert optimizer.step() == "loss"
    optimizer.register_step_pre_hook(lambda self, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="SGD: a step pre-hook must return None or the new"):
        optimizer.step()


def test_step_numbers_that_overflow_nothing():
    """A million steps in one: the corrections for the start at zero are 1."""
    parameter = weight()
    optimizer = optim.Adam([parameter])
    parameter.grad = fastnn.ones(2, 2)
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["step"] = 10 ** 6
    optimizer.load_state_dict(state)
    optimizer.step()
    assert np.isfinite(parameter.array).all()


def test_rprop_waits_where_the_sign_turns():
    parameter = fastnn.zeros(1, requires_grad=True)
    optimizer = optim.Rprop([parameter], lr=0.5)
    positions = []
    for gradient in (1.0, 1.0, -1.0, -1.0):
        parameter.grad = fastnn.tensor([gradient])
        optimizer.step()
        positions.append(round(parameter.item(), 6))
    assert positions == [-0.5, -1.1, -1.1, -0.8]


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_resumes_to_the_same_bits(search, tmp_path):
    def start(values):
        x = fastnn.tensor(values, dtype=fastnn.float64, requires_grad=True)
        optimizer = optim.LBFGS([x], lr=0.1, max_iter=3, line_search_fn=search)

        def closure():
            optimizer.zero_grad()
            loss = (x ** 4).sum() + (x[0] * x[1] - 1) ** 2
            loss.backward()
            return loss

        return x, optimizer, closure

    x, optimizer, closure = start([1.5, -0.5])
    for _ in range(3):
        optimizer.step(closure)
    fastnn.save(optimizer.state_dict(), tmp_path / "state")
    other, resumed, other_closure = start(x.tolist())
    resumed.load_state_dict(fastnn.load(tmp_path / "state"))
    for _ in range(3):
        optimizer.step(closure)
        resumed.step(other_closure)
    assert x.tolist() == other.tolist()


def test_lbfgs_errors():
    with pytest.raises(ValueError, match="line_search_fn must be None or 'strong_wolfe', got 'x'"):
        optim.LBFGS([weight()], line_search_fn="x")
    with pytest.raises(ValueError, match="LBFGS: expected one parameter group, got 2"):
        optim.LBFGS([{"params": weight()}, {"params": weight()}])


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
    (lambda: optim.Adam([weight()], capturable=True), ValueError, "capturable=True is not offered"),
    (lambda: optim.Rprop([weight()], etas=(1, 2)), ValueError, "Rprop: etas must be below and"),
    (lambda: optim.Adadelta([weight()], rho=2), ValueError, r"rho must lie in \[0, 1\], got 2"),
    (lambda: optim.NAdam([weight()], momentum_decay=-1), ValueError, "momentum_decay must be at"),
    (lambda: optim.SGD([("w", weight()), weight()]), ValueError, "either all parameters of a"),
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


@pytest.mark.parametrize("wrong", [None, 3, "weight"])
def test_what_is_no_tensor_among_the_parameters_is_refused_by_the_step(wrong):
    parameter = weight()
    optimizer = optim.Adam([parameter])
    optimizer.param_groups[0]["params"].append(wrong)
    with pytest.raises(TypeError, match=f"Adam: .* got {type(wrong).__name__}"):
        optimizer.step()


def test_parameters_may_be_put_into_a_tuple():
    parameter = weight()
    optimizer = optim.SGD([parameter], lr=1.0)
    optimizer.param_groups[0]["params"] = (parameter,)
    parameter.grad = fastnn.ones_like(parameter)
    before = parameter.detach().clone()
    optimizer.step()
    assert (parameter == before - 1).all()
