"""A derivative writes over a gradient that is used up, and over none that anybody still holds."""

import numpy as np
import pytest

import fastnn
from fastnn.nn import functional

SIZE = 1 << 15  # elements: large enough for a gradient's memory to be reused


def values(seed=0):
    return np.random.default_rng(seed).standard_normal(SIZE).astype("float32")


def chain(x):
    """Two steps whose derivatives take the gradient that arrives alone."""
    return functional.relu(functional.relu(x) * 2)


def slope(x):
    return 2.0 * (x > 0)


def test_chain():
    x = fastnn.tensor(values(), requires_grad=True)
    (chain(x) * fastnn.tensor(values(1))).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), slope(values()) * values(1))


def test_memory_is_reused():
    x = fastnn.tensor(values(), requires_grad=True)
    seen = []
    hidden = x * 1.0
    y = functional.relu(hidden)
    for tensor in (y, hidden):
        tensor.register_hook(lambda gradient: seen.append(gradient.array.ctypes.data))
    (y * fastnn.tensor(values(1))).sum().backward()
    assert len(seen) == 2 and seen[0] == seen[1]


def held_by_a_hook(x, y, keep):
    y.register_hook(lambda gradient: keep.append(gradient))


def held_as_an_array(x, y, keep):
    y.register_hook(lambda gradient: keep.append(gradient.numpy()))


def held_by_a_view(x, y, keep):
    y.register_hook(lambda gradient: keep.append(gradient.reshape(2, -1)))


def retained(x, y, keep):
    y.retain_grad()
    keep.append(y)


HOLDERS = (held_by_a_hook, held_as_an_array, held_by_a_view, retained)


@pytest.mark.parametrize("hold", HOLDERS, ids=lambda hold: hold.__name__)
def test_what_is_held_stays(hold):
    x = fastnn.tensor(values(), requires_grad=True)
    kept = []
    y = chain(x)
    hold(x, y, kept)
    (y * fastnn.tensor(values(1))).sum().backward()
    held = kept[0].grad if hold is retained else kept[0]
    np.testing.assert_array_equal(np.asarray(held).ravel(), values(1))
    np.testing.assert_array_equal(x.grad.numpy(), slope(values()) * values(1))


def test_gradient_given_by_the_user():
    x = fastnn.tensor(values(), requires_grad=True)
    upstream = fastnn.tensor(values(1))
    chain(x).backward(upstream)
    np.testing.assert_array_equal(upstream.numpy(), values(1))


def test_gradient_that_two_inputs_share():
    """``add`` hands one tensor to both of its inputs."""
    a, b = (fastnn.tensor(values(seed), requires_grad=True) for seed in (0, 1))
    (functional.relu(a) + functional.relu(b)).backward(fastnn.ones(SIZE))
    np.testing.assert_array_equal(a.grad.numpy(), slope(values()) / 2)
    np.testing.assert_array_equal(b.grad.numpy(), slope(values(1)) / 2)


def test_captured_gradient():
    x = fastnn.tensor(values(), requires_grad=True)
    hidden = functional.relu(x)
    y = functional.relu(hidden * 2)
    of_y, of_hidden, of_x = fastnn.autograd.grad(
        y * 3.0, [y, hidden, x], fastnn.tensor(values(1)))
    np.testing.assert_array_equal(of_y.numpy(), values(1) * 3)
    np.testing.assert_array_equal(of_hidden.numpy(), values(1) * 3 * slope(values()))
    np.testing.assert_array_equal(of_x.numpy(), of_hidden.numpy())


def test_expanded_gradient():
    """The gradient of a sum repeats one number in memory."""
    x = fastnn.tensor(values(), requires_grad=True)
    chain(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), slope(values()))


def test_graph_used_twice():
    x = fastnn.tensor(values(), requires_grad=True)
    y = (chain(x) * fastnn.tensor(values(1))).sum()
    y.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * first)


def test_second_derivative():
    x = fastnn.tensor(values().astype("float64"), requires_grad=True)
    gradient, = fastnn.autograd.grad(functional.silu(x).sum(), x, create_graph=True)
    second, = fastnn.autograd.grad(gradient.sum(), x)
    s = 1 / (1 + np.exp(-x.detach().numpy()))
    wanted = s * (1 - s) * (2 + x.detach().numpy() * (1 - 2 * s))
    np.testing.assert_allclose(second.numpy(), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_leave_a_gradient_that_was_given(kind):
    """Twice through one graph, with one gradient, gives the same."""
    layer = getattr(fastnn.nn, kind)(3, 4)
    output, _ = layer(fastnn.from_numpy(values()[:60].reshape(5, 4, 3)))
    given, found = fastnn.from_numpy(values(1)[:80].reshape(5, 4, 4)), []
    for again in (True, False):
        layer.zero_grad()
        output.backward(given, retain_graph=again)
        found.append([parameter.grad.tolist() for parameter in layer.parameters()])
    assert found[0] == found[1] and any(np.any(each) for each in found[0])
    assert (given.numpy().ravel() == values(1)[:80]).all()


def test_slices_share_no_gradient():
    """The gradients of slices are added in place, but to nothing that a hook was given."""
    x = fastnn.tensor(values()[:12].reshape(4, 3), requires_grad=True)
    seen = []
    hidden = x * 1.0
    hidden.register_hook(lambda gradient: seen.append(gradient.numpy().copy()))
    rows = hidden.unbind(0)
    rows[1].register_hook(lambda gradient: gradient * 3)
    weights = fastnn.tensor(values(1)[:12].reshape(4, 3))
    total = sum((row * weight).sum() for row, weight in zip(rows, weights, strict=True))
    (total + rows[0].sum() + hidden.sum()).backward(retain_graph=True)
    wanted = weights.numpy() * np.array([[1], [3], [1], [1]]) + np.array([[2], [3], [1], [1]])
    wanted[1] = weights.numpy()[1] * 3 + 1
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=1e-6)
    np.testing.assert_array_equal(seen[0], x.grad.numpy())
    first = x.grad.numpy().copy()
    total.backward()
    np.testing.assert_allclose(x.grad.numpy() - first, weights.numpy() * [[1], [3], [1], [1]],
                               rtol=1e-4, atol=1e-6)
