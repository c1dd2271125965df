"""The tape: order and freeing of the walk back, modes, hooks, and changes behind its back."""

import threading
import weakref

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import autograd
from fastnn.operation import Operation
from fastnn.testing import gradcheck


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


# Order and memory


def test_chain_of_100_000_operations():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    del y  # its nodes must not be deleted one inside the other


def test_chain_deleted_without_backward():
    y = leaf(1.0)
    for _ in range(100_000):
        y = y * 1.0
    del y


def test_wide_graph_is_walked_once():
    """Doubling 60 times has 2 ** 60 paths."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.sum().backward()
    assert x.grad.item() == 2.0 ** 60


def test_graph_memory_is_freed_during_backward():
    """The saved arrays of a node go as soon as its rule has run."""
    size, steps = 1 << 18, 8
    x = fastnn.ones(size, requires_grad=True)
    y = x
    held = []
    for _ in range(steps):
        y = y.sigmoid()
        held.append(weakref.ref(y.grad_fn))
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.shape))
    y.sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="sigmoid was already used and freed"):
        y.sum().backward()


def test_peak_of_backward_does_not_grow_with_the_depth():
    from fastnn._kernels import runtime

    def growth(depth):
        x = fastnn.ones(1 << 16, requires_grad=True)
        y = x
        for _ in range(depth):
            y = y.tanh()
        y = y.sum()
        before = runtime.memory_stats()["used"]
        peak = []
        x.register_hook(lambda gradient: peak.append(runtime.memory_stats()["used"]))
        y.backward()
        return peak[0] - before

    assert growth(32) <= growth(4)


def test_no_graph_without_gradients():
    assert fastnn.ones(2).exp().grad_fn is None
    y = leaf(1.0).exp()
    assert y.grad_fn.name() == "exp" and not y.is_leaf and y.requires_grad
    assert (y > 0).grad_fn is None


# The graph used twice


def test_graph_used_twice_is_an_error_naming_the_operation():
    x = leaf(2.0)
    y = x.exp()
    y.sum().backward()
    with pytest.raises(RuntimeError, match=r"exp.*retain_graph=True"):
        y.sum().backward()
    assert x.grad.item() == pytest.approx(np.exp(2))


def test_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    with pytest.raises(RuntimeError):
        y.backward()


def test_create_graph():
    x = leaf(2.0)
    (first,) = autograd.grad((x ** 3).sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x, create_graph=True)
    (third,) = autograd.grad(second.sum(), x)
    assert [first.item(), second.item(), third.item()] == [12.0, 12.0, 6.0]
    assert first.requires_grad and not third.requires_grad


def test_gradient_penalty():
    """The WGAN-GP pattern: the norm of a gradient is itself part of a loss."""
    x, w = leaf(1.0, 2.0), leaf(0.5, -1.0)
    (g,) = autograd.grad((x * x * w).sum(), x, create_graph=True)
    ((g.square().sum()).sqrt() - 1).square().backward()
    gradcheck(lambda w: (autograd.grad((x * x * w).sum(), x, create_graph=True)[0].square().sum()
                         .sqrt() - 1).square(), w)
    assert w.grad is not None and x.grad is not None


# Accumulation and aliasing


def test_gradients_accumulate_in_place():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    memory = x.grad.array
    (x * 4).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0] and np.shares_memory(x.grad.array, memory)


@pytest.mark.parametrize("function", [
    lambda a, b: a + b, lambda a, b: (a + b) + a, lambda a, b: a.reshape(2, 2).t() + b.view(2, 2),
    lambda a, b: fastnn.stack([a, b, a]), lambda a, b: (a + b) * 1.0,
    lambda a, b: a.expand(3, 4) + b], ids=range(6))
def test_gradients_alias_nothing(function):
    a, b = leaf(1.0, 2.0, 3.0, 4.0), leaf(5.0, 6.0, 7.0, 8.0)
    y = function(a, b)
    upstream = fastnn.ones_like(y)
    y.backward(upstream)
    arrays = [a.grad.array, b.grad.array, upstream.array]
    for place, one in enumerate(arrays):
        for other in arrays[:place]:
            assert not np.shares_memory(one, other)
    a.grad.fill_(9)
    assert 9 not in b.grad.tolist() and (upstream == 1).all()


def test_accumulated_gradient_of_another_pass_stays():
    """The gradient that a user keeps is not written to by the next pass over other leaves."""
    x = leaf(1.0)
    (x * 2).sum().backward()
    kept, x.grad = x.grad, None
    (x * 5).sum().backward()
    assert kept.item() == 2.0 and x.grad.item() == 5.0


# Asking for gradients


def test_grad_with_unused_inputs():
    x, unused = leaf(1.0), leaf(2.0)
    with pytest.raises(RuntimeError, match="input 1 was not used.*allow_unused=True"):
        autograd.grad((x * 2).sum(), [x, unused])
    got = autograd.grad((x * 2).sum(), [x, unused], allow_unused=True)
    assert got[0].item() == 2.0 and got[1] is None and x.grad is None


def test_grad_of_an_inner_tensor():
    x = leaf(3.0)
    y = x * 2
    z = (y * y).sum()
    assert [g.item() for g in autograd.grad(z, [y, x])] == [12.0, 24.0]


def test_grad_of_the_output_itself():
    y = leaf(3.0) * 2
    assert autograd.grad(y, y)[0].item() == 1.0


def test_grad_of_several_outputs():
    x = leaf(2.0)
    (g,) = autograd.grad([x * 3, x * x], x, [fastnn.tensor([1.0], dtype=fastnn.float64),
                                             fastnn.tensor([10.0], dtype=fastnn.float64)])
    assert g.item() == 3.0 + 40.0


def test_backward_with_inputs():
    x, w = leaf(2.0), leaf(3.0)
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None and w.grad.item() == 2.0
    hidden = x * 1.0
    (hidden * w).sum().backward(inputs=hidden)
    assert hidden.grad.item() == 3.0 and w.grad.item() == 2.0


@pytest.fixture
def counted():
    """An operation of two inputs that notes which gradients its rule was asked for."""
    asked = []

    def rule(node, gradient):
        asked.append(node.needs)
        return gradient, gradient

    return Operation("counted", lambda plan, a, b: a + b, rule), asked


def test_no_rule_is_called_that_nobody_asked_for(counted):
    operation, asked = counted
    x, w = leaf(1.0), leaf(2.0)
    y = operation(None, x, x) * w
    autograd.grad(y.sum(), w)
    assert asked == []


def test_rules_know_what_is_needed(counted):
    operation, asked = counted
    x, w = leaf(1.0), leaf(2.0)
    y = operation(None, x * 1.0, w).sum()
    autograd.grad(y, w, retain_graph=True)
    y.backward()
    operation(None, x.detach(), w).sum().backward()
    assert asked == [(False, True), (True, True), (False, True)]


def test_backward_needs_a_gradient_for_more_than_a_number():
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(RuntimeError, match=r"backward: the gradient of shape \(2,\) must be given"):
        y.backward()
    with pytest.raises(RuntimeError, match=r"gradient has shape \(3,\), the tensor \(2,\)"):
        y.backward(fastnn.ones(3, dtype=fastnn.float64))
    with pytest.raises(TypeError, match="gradient must be a Tensor, got float"):
        y.backward(1.0)
    with pytest.raises(RuntimeError, match="does not require gradients"):
        fastnn.ones(1).backward()
    with pytest.raises(RuntimeError, match="inputs must hold at least one tensor"):
        y.sum().backward(inputs=[])


def test_the_gradient_given_is_converted_to_the_type_of_the_tensor():
    x = leaf(1.0, 2.0)
    (x * 2).backward(fastnn.tensor([1.0, 3.0], dtype=fastnn.float32))
    assert x.grad.dtype == fastnn.float64
    assert x.grad.tolist() == [2.0, 6.0]


# Modes


def test_no_grad_as_context_nested_and_decorator():
    x = leaf(1.0)
    with fastnn.no_grad():
        assert not (x * 2).requires_grad
        with fastnn.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @fastnn.no_grad()
    def silent(y):
        """Text."""
        return y * 2

    assert not silent(x).requires_grad and silent.__doc__ == "Text." and silent.__name__ == "silent"
    assert fastnn.is_grad_enabled()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), fastnn.no_grad():
        raise KeyError
    assert fastnn.is_grad_enabled()


def test_one_no_grad_entered_twice():
    mode = fastnn.no_grad()
    with mode, mode:
        pass
    assert fastnn.is_grad_enabled()


def test_set_grad_enabled():
    with fastnn.set_grad_enabled(False):
        assert not fastnn.is_grad_enabled()
    assert fastnn.is_grad_enabled()
    fastnn.set_grad_enabled(False)
    assert not fastnn.is_grad_enabled()
    fastnn.set_grad_enabled(True)


def test_modes_belong_to_threads():
    found = []
    with fastnn.no_grad():
        thread = threading.Thread(target=lambda: found.append(fastnn.is_grad_enabled()))
        thread.start()
        thread.join()
        assert found == [True] and not fastnn.is_grad_enabled()


def test_backward_in_several_threads():
    """Graphs of their own over one shared leaf: no thread sees another's nodes."""
    w = leaf(3.0)
    found = {}

    def work(number):
        x = leaf(float(number))
        for _ in range(50):
            (g,) = autograd.grad((x * w * x).sum(), x)
        found[number] = g.item()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: 6.0 * number for number in range(4)}


def test_detach_shares_memory_without_a_history():
    x = leaf(1.0, 2.0)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    assert np.shares_memory(x.detach().array, x.array)


# Properties of leaves


def test_requires_grad():
    x = fastnn.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    with pytest.raises(RuntimeError, match="only floating-point tensors have gradients, got int64"):
        fastnn.tensor([1]).requires_grad_()
    with pytest.raises(RuntimeError, match="only a leaf can be switched off"):
        (x * 2).requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_grad_can_be_set():
    x = leaf(1.0, 2.0)
    x.grad = fastnn.ones(2, dtype=fastnn.float64)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    with pytest.raises(TypeError, match="grad: expected a Tensor or None, got list"):
        x.grad = [1.0]
    with pytest.raises(TypeError, match="grad: expected float64, got float32"):
        x.grad = fastnn.zeros(2)
    with pytest.raises(ValueError, match=r"grad: expected shape \(2,\), got \(3,\)"):
        x.grad = fastnn.ones(3)


def test_gradients_keep_the_type_of_the_leaf():
    x = leaf(1.0, dtype=fastnn.float32)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype == fastnn.float32


def test_numpy_and_pickle_refuse():
    import copy
    import pickle

    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="requires gradients; use tensor.detach"):
        x.numpy()
    with pytest.raises(TypeError, match="not pickled; use fastnn.save"):
        pickle.dumps(x)
    with pytest.raises(RuntimeError, match="deepcopy: only leaves"):
        copy.deepcopy(x * 2)
    copied = copy.deepcopy(x)
    assert copied.requires_grad and not np.shares_memory(copied.array, x.array)


def test_broadcast_gradients_are_summed():
    a, b = leaf(1.0, 2.0), fastnn.ones(3, 1, dtype=fastnn.float64, requires_grad=True)
    (a * b * 2).sum().backward()
    close(a.grad.array, [6.0, 6.0], 0)
    close(b.grad.array, [[6.0]] * 3, 0)
