"""Hooks, and gradients that results keep."""

import pytest

import fastnn
from fastnn import autograd


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


def test_hooks_of_leaves_and_results():
    x = leaf(1.0)
    y = x * 2
    seen = []
    x.register_hook(lambda gradient: seen.append(("x", gradient.item())))
    handle = y.register_hook(lambda gradient: gradient * 10)
    (y * 3).sum().backward()
    assert seen == [("x", 60.0)] and x.grad.item() == 60.0
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.item() == 62.0


def test_hook_sees_the_sum_of_all_ways():
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.item()))
    (y * 3 + y * 4).sum().backward()
    assert seen == [7.0]


def test_hook_must_return_a_tensor():
    x = leaf(1.0)
    x.register_hook(lambda gradient: 3.0)
    with pytest.raises(TypeError, match="hook: expected a Tensor or None back, got float"):
        (x * 2).sum().backward()
    with pytest.raises(RuntimeError, match="does not require gradients"):
        fastnn.ones(1).register_hook(print)


@pytest.mark.parametrize("returned", [fastnn.ones(3, dtype=fastnn.float64), fastnn.ones(2)],
                         ids=["shape", "type"])
@pytest.mark.parametrize("place", ["leaf", "result"])
def test_hook_must_return_a_gradient_alike(returned, place):
    """No rule and no leaf may be given a gradient of another shape or type than its tensor's."""
    x = leaf(1.0, 2.0)
    y = x.exp()
    {"leaf": x, "result": y}[place].register_hook(lambda gradient: returned)
    with pytest.raises((RuntimeError, ValueError, TypeError), match="hook"):
        y.sum().backward()


def test_hooks_of_inputs_of_grad():
    x = leaf(1.0)
    x.register_hook(lambda gradient: gradient * 2)
    assert autograd.grad((x * 3).sum(), x)[0].item() == 6.0


def test_hook_that_raises_leaves_recording_on():
    x = leaf(1.0)

    def fail(gradient):
        raise KeyError("mine")

    y = x * 2
    y.register_hook(fail)
    with pytest.raises(KeyError, match="mine"):
        y.sum().backward()
    assert fastnn.is_grad_enabled()


def test_retain_grad():
    x = leaf(1.0)
    y, z = x * 2, x * 3
    y.retain_grad()
    (y * y * z).sum().backward()
    assert y.grad.item() == 12.0 and z.grad is None
