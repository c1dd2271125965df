"""Checkpoints: the same bits as without, random numbers, what is kept, errors."""

import importlib
import weakref

import numpy as np
import pytest

import fastnn
from fastnn import autograd, nn
from fastnn.utils.checkpoint import checkpoint, checkpoint_sequential


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


def network():
    fastnn.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 8), nn.Tanh(),
                         nn.Linear(8, 2)).double()


def gradients(run, needs_input=True):
    net = network()
    x = fastnn.rand(5, 4, dtype=fastnn.float64, requires_grad=needs_input)
    y = run(net, x)
    after = fastnn.rand(3).tolist()
    (y * y).sum().backward()
    assert fastnn.rand(1).item() != after[0]
    return [y.detach(), *[each.grad for each in net.parameters()], *[x.grad] * needs_input], after


WAYS = {
    "new": lambda net, x: checkpoint(net, x, use_reentrant=False),
    "reentrant": lambda net, x: checkpoint(net, x, use_reentrant=True),
    "default": lambda net, x: checkpoint(net, x),
    "keyword": lambda net, x: checkpoint(lambda a, scale: net(a) * scale, x, scale=1.0,
                                         use_reentrant=False),
    "nested": lambda net, x: checkpoint(lambda x: net[3:](checkpoint(net[:3], x)), x),
    "in the middle": lambda net, x: net[5](checkpoint(net[2:5], net[:2](x))),
    "sequential": lambda net, x: checkpoint_sequential(net, 3, x, use_reentrant=False),
    "closed over": lambda net, x: checkpoint(lambda: net(x)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_checkpoint_gives_the_same_bits(way):
    plain, after = gradients(lambda net, x: net(x))
    found, also = gradients(way)
    assert after == also
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_parameters_alone_may_need_gradients():
    plain, _ = gradients(lambda net, x: net(x), needs_input=False)
    found, _ = gradients(WAYS["new"], needs_input=False)
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    with pytest.warns(UserWarning, match="no argument requires gradients"):
        assert not checkpoint(network(), fastnn.ones(1, 4).double(),
                              use_reentrant=True).requires_grad


def test_random_numbers_may_differ():
    seen = []

    def noisy(x):
        seen.append(fastnn.rand(1).item())
        return x * 1

    for preserve in (True, False):
        checkpoint(noisy, leaf(1.0), preserve_rng_state=preserve).sum().backward()
    assert seen[0] == seen[1] and seen[2] != seen[3]


def test_nested_results_and_gradients_of_gradients():
    def several(x):
        return {"a": x.exp(), "b": (x * x, [x.sin(), "text", fastnn.ones(2)])}

    found = []
    for run in (several, lambda x: checkpoint(several, x)):
        x = leaf(0.5, -1.0)
        result = run(x)
        assert result["b"][1][1] == "text" and not result["b"][1][2].requires_grad
        slope, = autograd.grad((result["a"] * result["b"][1][0]).sum(), x, create_graph=True)
        (slope * slope).sum().backward()
        found.append([slope.tolist(), x.grad.tolist()])
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_hooks_are_called_once():
    x = leaf(1.0)
    middle = x * 2
    seen = []
    x.register_hook(lambda gradient: seen.append("leaf"))
    middle.register_hook(lambda gradient: seen.append("middle"))
    (checkpoint(lambda: (middle * x).exp()) * middle).sum().backward()
    assert seen == ["middle", "leaf"]


def test_memory_is_freed_between():
    """Of what the function saved nothing is left until the backward pass."""
    kept = []

    def part(x):
        result = x.exp()
        kept.append(weakref.ref(result))
        return result * result

    y = checkpoint(part, leaf(1.0))
    assert kept[0]() is None
    y.sum().backward()
    assert len(kept) == 2 and kept[1]() is None


def test_checkpoint_errors():
    x = leaf(1.0)
    with pytest.raises(ValueError, match="unexpected arguments scale"):
        checkpoint(lambda x, scale: x, x, use_reentrant=True, scale=1)
    with pytest.raises(ValueError, match="segments is 9, expected 1 to 6"):
        checkpoint_sequential(network(), 9, x)
    sizes = iter((1, 2))
    y = checkpoint(lambda x: (x * 2).expand(next(sizes)), x)
    with pytest.raises(RuntimeError, match="the second call gave"):
        y.sum().backward()
    y = checkpoint(fastnn.exp, x)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="the graph through .* already used"):
        y.sum().backward()
    with fastnn.no_grad():
        assert not checkpoint(fastnn.exp, x).requires_grad


@pytest.mark.parametrize("reentrant", [False, True])
def test_beside_pytorch(torch, reentrant):
    results = []
    for library in (fastnn, torch):
        x = library.tensor([0.5, -1.0], dtype=library.float64, requires_grad=True)
        weight = library.tensor([2.0, 3.0], dtype=library.float64, requires_grad=True)
        run = importlib.import_module(f"{library.__name__}.utils.checkpoint").checkpoint
        first, second = run(lambda x, weight=weight: ((x * weight).sin(), x.exp()), x,
                            use_reentrant=reentrant)
        (first * second + second * 2).sum().backward()
        results.append([x.grad.tolist(), weight.grad.tolist()])
    np.testing.assert_allclose(*results, rtol=1e-12)
