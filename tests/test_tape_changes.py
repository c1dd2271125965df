"""Memory changed in place: on the tape where it can be, an error where a rule had saved it."""

import pytest

import fastnn


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


SAVED = {
    "an input": (lambda x: x * x, lambda h, y: h.add_(1), "mul had saved its input 0"),
    "the output": (lambda x: x.exp(), lambda h, y: y.add_(1), "exp had saved its output"),
    "the input of a product": (lambda x: x.reshape(2, 2) @ x.reshape(2, 2),
                               lambda h, y: h.mul_(2), "mm had saved its input"),
    "by an index": (lambda x: x * x, lambda h, y: h.detach().__setitem__(0, 5.0), "mul had saved"),
    "by zero_": (lambda x: x * x, lambda h, y: h.zero_(), "mul had saved its input 0"),
    "through detach": (lambda x: x * x, lambda h, y: h.detach().add_(1), "mul had saved"),
    "through a view": (lambda x: x * x, lambda h, y: h.detach().view(2, 2).add_(1),
                       "mul had saved"),
}


@pytest.mark.parametrize("function, change, message", SAVED.values(), ids=SAVED)
def test_change_of_what_was_saved(function, change, message):
    x = leaf(1.0, 2.0, 3.0, 4.0)
    hidden = x + 0
    y = function(hidden)
    result = y.sum()
    change(hidden, y)
    with pytest.raises(RuntimeError, match=rf"backward: {message}.*changed in place"):
        result.backward()


def test_change_of_what_was_not_saved():
    x = leaf(1.0, 2.0)
    hidden = x + 0
    y = hidden + 1
    hidden.add_(5)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_in_place_operations_are_on_the_tape():
    x = leaf(1.0, 2.0)
    y = x * 1.0
    y.mul_(3.0)
    y += x
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_in_place_with_its_own_output_saved():
    x = leaf(1.0, 2.0)
    y = x * 1.0
    fastnn.nn.functional.relu(y, inplace=True)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_in_place_changes_that_are_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="add: a leaf that requires gradients cannot be changed"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="indexed assignment: a leaf that requires gradients"):
        x[0] = 1.0
    with pytest.raises(RuntimeError, match="add: a leaf that requires gradients .* nor can a view"):
        x.reshape(2, 1).add_(1)
    with fastnn.no_grad():
        view = (x * 1).reshape(2, 1)
    view.add_(1)
    with pytest.raises(RuntimeError, match="a view that was made under no_grad"):
        view.add_(x)
    with fastnn.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_update_under_no_grad_between_forward_and_backward_is_noticed():
    x, w = leaf(2.0), leaf(3.0)
    y = (x * w).sum()
    with fastnn.no_grad():
        w.mul_(10)
    with pytest.raises(RuntimeError, match="mul had saved its input 1"):
        y.backward()


def test_optimizer_step_between_forward_and_backward_is_noticed():
    w = leaf(3.0)
    first, second = (w * w).sum(), (w * w).sum()
    first.backward()
    for optimizer in (fastnn.optim.SGD([w], 0.1), fastnn.optim.Adam([w])):
        optimizer.step()
        with pytest.raises(RuntimeError, match="changed in place"):
            second.backward()
