"""Indexed assignment and changes of views, on the tape: gradients to old and to new values."""

import gc
import weakref

import numpy as np
import pytest

import fastnn
from fastnn.testing import gradcheck, gradgradcheck


def leaf(*values):
    return fastnn.tensor(values, dtype=fastnn.float64, requires_grad=True)


def masked(y, z):
    y[y.detach() > 2] = 0


def sliced(y, z):
    y[1:3] = z


def chained(y, z):
    y[1][2] = z[0] + y[0, 0]


def by_method(y, z):
    y.index_put_((fastnn.tensor([0, 2]),), y[:2].clone() * z[0])


def turned(y, z):
    y.t()[0] *= z[0]
    y.reshape(-1).narrow(0, 2, 3).add_(z[1])


def scattered(y, z):
    y.scatter_(1, fastnn.tensor([[0], [2], [1], [1]]), y[:, :1].clone() * z[0])
    y.index_add_(0, fastnn.tensor([3, 3]), y[:2] + z)
    y.masked_fill_(y.detach() > 3, z.sum())


CHANGES = {function.__name__: function for function in (
    masked, sliced, chained, by_method, turned, scattered)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_gradients(change):
    x = fastnn.from_numpy(np.random.default_rng(0).uniform(0.5, 4, (4, 3))).requires_grad_()
    z = leaf(0.7, -1.2, 0.4)

    def function(x, z):
        y = x * x
        change(y, z)
        return y * 2

    gradcheck(function, (x, z))
    gradgradcheck(function, (x, z))


def test_assignment_to_a_tensor_that_had_no_history():
    w = leaf(1.0, 2.0)
    buffer = fastnn.zeros(2, 2, dtype=fastnn.float64)
    row = buffer[0]
    buffer[0] = w * 3
    assert buffer.requires_grad and not buffer.is_leaf and row.requires_grad
    (row * row).sum().backward()
    assert w.grad.tolist() == [18.0, 36.0]


def test_each_value_broadcast_gets_the_sum():
    w = leaf(2.0)
    y = fastnn.zeros(3, 2, dtype=fastnn.float64)
    y[1:] = w
    y.sum().backward()
    assert w.grad.tolist() == [4.0]


def test_a_view_made_before_sees_the_change():
    x = leaf(1.0, 2.0)
    y = x * 1
    view = y[:1]
    y.mul_(3)
    view.sum().backward()
    assert x.grad.tolist() == [3.0, 0.0]


def test_a_change_of_a_view_reaches_all_others():
    x, w = leaf(1.0, 2.0), leaf(5.0)
    y = x * 1
    first, other = y[:1], y.reshape(2, 1)
    first.mul_(w)
    assert y.tolist() == [5.0, 2.0] and other.grad_fn.name() == "reshape"
    other.sum().backward()
    assert x.grad.tolist() == [5.0, 1.0] and w.grad.tolist() == [1.0]


def test_a_stale_view_changed_in_place_keeps_the_new_history():
    """Its tensor, without a history, was changed after the view was made."""
    for change in (fastnn.Tensor.mul_, lambda view, factor: view.copy_(view.clone() * factor)):
        factor = leaf(0.75)
        base = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=fastnn.float64)
        view = base[0]
        base.mul_(2)
        change(view, factor)
        (view.sum() + base.sum()).backward()
        assert factor.grad.tolist() == [12]


def test_a_copy_is_no_view():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = (x * 1).reshape(2, 2)
    copied = y.t().reshape(-1)
    copied.zero_()
    assert y.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    (y.sum() + copied.sum()).backward()
    assert x.grad.tolist() == [1.0] * 4


def test_the_gradient_that_is_retained_is_that_of_the_changed_tensor():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.retain_grad()
    y.mul_(5)
    (y * 2).sum().backward()
    assert y.grad.tolist() == [2.0, 2.0] and x.grad.tolist() == [10.0, 10.0]


def test_what_was_written_over_is_kept_where_a_gradient_needs_it():
    x, w = leaf(2.0), leaf(3.0)
    y = x * 1
    y.mul_(w)
    y.backward()
    assert x.grad.tolist() == [3.0] and w.grad.tolist() == [2.0]


INDEXED = {
    "index": lambda x, i: x[i], "index_select": lambda x, i: x.index_select(0, i),
    "gather": lambda x, i: x.gather(0, i), "take": lambda x, i: x.take(i),
    "scatter_add": lambda x, i: (x * 1).scatter_add(0, i, x[:2]),
    "index_add": lambda x, i: (x * 1).index_add(0, i, x[:2]),
    "index_fill": lambda x, i: (x * 1).index_fill(0, i, 0.0),
    "index_put": lambda x, i: x.index_put((i,), x[:2]),
    "accumulated": lambda x, i: x.index_put((i,), x[:2], accumulate=True),
    "assigned": lambda x, i: assigned(x * 1, i),
}


def assigned(y, index):
    y[index] = 0
    return y


@pytest.mark.parametrize("function", INDEXED.values(), ids=INDEXED)
def test_positions_changed_before_the_backward_pass(function):
    """The rule has the positions as they were: no wrong gradient, no memory beyond the tensor."""
    found = []
    for change in (False, True):
        x, index = leaf(1.0, 2.0, 3.0), fastnn.tensor([2, 0])
        y = function(x, index)
        if change:
            index.fill_(1 << 40)
        (y * y).sum().backward()
        found.append(x.grad.tolist())
    assert found[0] == found[1]


def test_nothing_holds_the_tensor_of_a_view_in_a_circle():
    x = leaf(1.0, 2.0)
    gc.disable()
    try:
        y = x * 1
        y[0].mul_(2)
        gone = weakref.ref(y)
        y.sum().backward()
        del y
        assert gone() is None
    finally:
        gc.enable()


REFUSED = {
    "a leaf": (lambda x: x.__setitem__(0, 1.0), RuntimeError, "a leaf that requires gradients"),
    "a view of a leaf": (lambda x: x[:1].fill_(1.0), RuntimeError, "nor can a view of one"),
    "an expanded tensor": (lambda x: (x * 1).expand(2, 2).mul_(1.0), RuntimeError,
                           "mul: several elements of an expanded tensor are one in memory"),
    "overlapping windows": (lambda x: (x * 1).unfold(0, 1, 1).fill_(0.0), ValueError, "read-only"),
    "a wrong shape": (lambda x: (x * 1).__setitem__(slice(None), fastnn.ones(3)), ValueError,
                      "indexed assignment: could not broadcast"),
    "a wrong index": (lambda x: (x * 1).__setitem__(5, 1.0), IndexError, "indexed assignment"),
    "a list": (lambda x: (x * 1).__setitem__(0, [1.0]), TypeError,
               "indexed assignment: expected a tensor or a number, got list"),
    "multiplying": (lambda x: x.scatter(0, fastnn.tensor([0]), 2.0, reduce="multiply"),
                    RuntimeError, "reduce='multiply' has no gradient"),
}


@pytest.mark.parametrize("change, kind, message", REFUSED.values(), ids=REFUSED)
def test_refused(change, kind, message):
    with pytest.raises(kind, match=message):
        change(leaf(1.0, 2.0))
