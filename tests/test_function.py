"""`autograd.Function`: several outputs, marks, saved tensors, gradients of gradients, errors."""

import gc
import weakref

import numpy as np
import pytest

import fastnn
from fastnn import autograd
from fastnn.autograd.function import once_differentiable
from fastnn.testing import gradcheck, gradgradcheck


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


class Two(autograd.Function):
    """x * y and exp(x + y), the second of which is saved."""

    @staticmethod
    def forward(ctx, x, factor, y):
        product, power = x * y * factor, (x + y).exp()
        ctx.factor = factor
        ctx.save_for_backward(x, y, power, None)
        return product, power

    @staticmethod
    def backward(ctx, product, power):
        x, y, saved, nothing = ctx.saved_tensors
        assert nothing is None
        return (product * y * ctx.factor + power * saved, None,
                product * x * ctx.factor + power * saved)


class Separate(autograd.Function):
    """The form with ``setup_context``; one output."""

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        x, = ctx.saved_tensors
        return gradient * x.cos()


@pytest.mark.parametrize("function", [
    lambda x, y: Two.apply(x, 2.0, y), lambda x, y: Two.apply(x, 2.0, y)[0],
    lambda x, y: Two.apply(x, 2.0, y)[1], lambda x, y: Two.apply(x, 2.0, x)[1] * y,
    lambda x, y: Separate.apply(x * y), lambda x, y: Two.apply(Separate.apply(x), 3.0, y.exp()),
])
def test_gradients_of_both_orders(function):
    inputs = leaf(0.5, -1.0, 0.3), leaf(1.5, 0.25, -0.7)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_backward_runs_once_for_all_outputs():
    calls = []

    class Counted(Two):
        @staticmethod
        def backward(ctx, *gradients):
            calls.append(gradients)
            return Two.backward(ctx, *gradients)

    x, y = leaf(1.0), leaf(2.0)
    first, second = Counted.apply(x, 1.0, y)
    (first * 2 + second * 3 + first).sum().backward()
    assert [[each.item() for each in gradients] for gradients in calls] == [[3.0, 3.0]]


def test_grad_fn_has_the_name():
    first, second = Two.apply(leaf(1.0), 1.0, leaf(2.0))
    assert first.grad_fn.name() == second.grad_fn.name() == "TwoBackward"
    joint = first.grad_fn.next_functions[0][0]
    assert joint is second.grad_fn.next_functions[0][0]
    assert [None if each is None else each.name() for each, _ in joint.next_functions] == [
        "AccumulateGrad", None, "AccumulateGrad"]


class Asks(autograd.Function):
    """Notes what it is told, and has an output without gradients."""

    seen = []

    @staticmethod
    def forward(ctx, x, y, materialize):
        Asks.seen = [ctx.needs_input_grad]
        place = (x > 0).long()
        floating = x * 2
        ctx.mark_non_differentiable(place, floating)
        ctx.set_materialize_grads(materialize)
        return x * y, place, floating, x + y

    @staticmethod
    def backward(ctx, *gradients):
        Asks.seen += [ctx.needs_input_grad, gradients]
        return gradients[0], None, None


@pytest.mark.parametrize("materialize", [True, False])
def test_marks_and_needs(materialize):
    x = leaf(1.5, -2.0)
    product, place, floating, total = Asks.apply(x, fastnn.ones(2).double(), materialize)
    assert [each.requires_grad for each in (product, place, floating, total)] == [
        True, False, False, True]
    product.sum().backward()
    before, needs, gradients = Asks.seen
    assert before == needs == (True, False, False)
    assert gradients[0].tolist() == [1.0, 1.0]
    for each, dtype in zip(gradients[1:], ("int64", "float64", "float64"), strict=True):
        if materialize:
            assert each.tolist() == [0, 0] and each.dtype == dtype
        else:
            assert each is None


def test_needs_of_grad_are_those_of_the_wanted():
    x, y = leaf(1.0), leaf(2.0)
    product = Asks.apply(x, y, True)[0]
    autograd.grad(product, x)
    assert Asks.seen[:2] == [(True, True, False), (True, False, False)]


def test_nothing_is_recorded_without_need():
    assert Separate.apply(fastnn.ones(2)).grad_fn is None
    with fastnn.no_grad():
        assert not Separate.apply(leaf(1.0)).requires_grad


class Passes(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 10


def test_an_input_may_be_the_output():
    x = leaf(1.0, 2.0)
    y = Passes.apply(x)
    assert y is not x and y.data_ptr() == x.data_ptr()
    y.sum().backward()
    assert x.grad.tolist() == [10.0, 10.0] and x.is_leaf


def test_saved_tensors_are_watched_and_freed():
    x = leaf(1.0)
    y = Separate.apply(x * 1)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="the graph through .* was already used"):
        y.sum().backward()
    middle = x * 1
    y = Separate.apply(middle)
    middle.add_(1)
    with pytest.raises(RuntimeError, match="SeparateBackward had saved .* changed in place"):
        y.sum().backward()


def test_a_saved_output_makes_no_cycle():
    x = leaf(1.0)
    results = Two.apply(x, 1.0, x)
    node = weakref.ref(results[0].grad_fn)
    gc.disable()
    try:
        del results
        assert node() is None
    finally:
        gc.enable()


def test_a_walk_that_failed_leaves_nothing_behind():
    x, y = leaf(1.0), leaf(2.0)
    first, second = Two.apply(x, 1.0, y)
    second_twice = second * 2

    def fail(gradient):
        raise KeyError("mine")

    handle = first.register_hook(fail)
    with pytest.raises(KeyError):
        (first + second_twice).sum().backward(retain_graph=True)
    handle.remove()
    first.sum().backward()
    assert (x.grad.item(), y.grad.item()) == (2.0, 1.0)


def wrong(result):
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, gradient):
            return result

    return lambda: Wrong.apply(leaf(1.0, 2.0), leaf(1.0, 2.0)).sum().backward()


@pytest.mark.parametrize("call, error, text", [
    (wrong((fastnn.ones(2),)), RuntimeError, "Wrong.backward: returned 1 gradients, expected 2"),
    (wrong(fastnn.ones(2)), RuntimeError, "Wrong.backward: returned 1 gradients, expected 2"),
    (wrong((None, None, 1)), RuntimeError, "Wrong.backward: returned 3 gradients, expected 2"),
    (wrong((fastnn.ones(3), None)), RuntimeError, r"gradient 0 has shape \(3,\), its input \(2,\)"),
    (wrong((None, 3.0)), TypeError, "Wrong.backward: gradient 1 must be a Tensor or None, got fl"),
    (lambda: Two(), RuntimeError, "Two: a Function has no instances; call Two.apply"),
    (lambda: autograd.Function.apply(1), NotImplementedError, "a subclass defines forward"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_gradient_of_another_type_is_converted_and_surplus_nones_are_dropped():
    class Narrow(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient.float(), None, None

    x = leaf(1.0)
    Narrow.apply(x).sum().backward()
    assert x.grad.dtype == fastnn.float64


def test_what_a_forward_may_not_do():
    class Saves(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    class Dirty(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)

    class Number(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 3

    for kind, error, text in ((Saves, TypeError, "save_for_backward: expected Tensors or None"),
                              (Dirty, NotImplementedError, "mark_dirty"),
                              (Number, TypeError, "Number.forward: expected Tensors as outputs")):
        with pytest.raises(error, match=text):
            kind.apply(leaf(1.0))


class Once(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, = ctx.saved_tensors
        return fastnn.from_numpy(gradient.detach().numpy() * 2 * x.detach().numpy())


def test_once_differentiable():
    x = leaf(3.0)
    first, = autograd.grad(Once.apply(x), x, create_graph=True)
    assert first.tolist() == [6.0]
    with pytest.raises(RuntimeError, match="marked with once_differentiable"):
        first.sum().backward()
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradgradcheck(Once.apply, x)


def test_beside_pytorch(torch):

    class Theirs(torch.autograd.Function):
        forward, backward = staticmethod(Two.forward), staticmethod(Two.backward)

    results = []
    for library, function in ((fastnn, Two), (torch, Theirs)):
        x, y = (library.tensor(values, dtype=library.float64, requires_grad=True)
                for values in ([1.0, -0.5], [0.3, 2.0]))
        first, second = function.apply(x, 3.0, y)
        slopes = library.autograd.grad((first * second).sum(), (x, y), create_graph=True)
        (slopes[0] * slopes[1]).sum().backward()
        results.append([each.detach().numpy() for each in (first, second, *slopes, x.grad, y.grad)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
