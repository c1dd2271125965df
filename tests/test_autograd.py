"""Switches, anomalies, hooks after accumulation, functional derivatives."""

import inspect
import threading

import numpy as np
import pytest

import fastnn
from fastnn import autograd, nn
from fastnn.autograd import functional


def leaf(*values, dtype=fastnn.float64):
    return fastnn.tensor(values, dtype=dtype, requires_grad=True)


def records():
    return fastnn.is_grad_enabled()


@pytest.mark.parametrize("decorator, inside", [
    (fastnn.no_grad(), False), (fastnn.no_grad, False), (fastnn.enable_grad(), True),
    (fastnn.enable_grad, True), (fastnn.inference_mode(), False), (fastnn.inference_mode, False),
    (fastnn.inference_mode(False), True), (lambda f: fastnn.set_grad_enabled(False)(f), False),
    (lambda f: fastnn.set_grad_enabled(True)(f), True)])
@pytest.mark.parametrize("outside", [True, False])
def test_decorators(decorator, inside, outside):
    with fastnn.set_grad_enabled(outside):
        decorated = decorator(records)
        assert decorated.__name__ == "records" and records() is outside
        assert decorated() is inside and records() is outside
        with pytest.raises(KeyError):
            decorator(lambda: {}[1])()
        assert records() is outside


def test_a_decorated_generator_keeps_the_mode_to_itself():
    @fastnn.no_grad()
    def steps():
        sent = yield records()
        yield sent, records()
        return "end"

    generator = steps()
    assert next(generator) is False and records()
    assert generator.send(3) == (3, False) and records()
    with pytest.raises(StopIteration, match="end"):
        next(generator)
    assert inspect.isgeneratorfunction(steps)


def test_contexts():
    with fastnn.inference_mode():
        assert not records() and fastnn.is_inference_mode_enabled()
        with fastnn.inference_mode(False):
            assert records() and not fastnn.is_inference_mode_enabled()
        assert fastnn.is_inference_mode_enabled()
        with fastnn.enable_grad():
            assert records()
    assert records() and not fastnn.is_inference_mode_enabled()
    fastnn.set_grad_enabled(False)
    assert not records()
    fastnn.set_grad_enabled(True)


def root_of_zero(x):
    return x.sqrt() * 0


def test_an_anomaly_names_operation_and_place():
    x = leaf(0.0)
    line = inspect.getsourcelines(root_of_zero)[1] + 1
    with autograd.detect_anomaly():
        y = root_of_zero(x).sum()
        with pytest.raises(RuntimeError, match=(
                rf"'sqrt' returned nan .* its forward call was File \"{__file__}\", line {line}, "
                "in root_of_zero")):
            y.backward()
    root_of_zero(x).sum().backward()
    assert np.isnan(x.grad.item()) and not autograd.is_anomaly_enabled()


def test_anomalies_of_functions_and_earlier_calls():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    x = leaf(1.0)
    early = Wrong.apply(x).sum()
    with autograd.set_detect_anomaly(True):
        with pytest.raises(RuntimeError, match="'WrongBackward' .* made before anomalies were"):
            early.backward()
        with pytest.raises(RuntimeError, match=f"'WrongBackward' .*{__file__}"):
            Wrong.apply(x).sum().backward()
    with autograd.detect_anomaly(check_nan=False):
        Wrong.apply(x).sum().backward()
    assert np.isnan(x.grad.item())


def test_set_detect_anomaly_as_a_call():
    autograd.set_detect_anomaly(True)
    try:
        assert autograd.is_anomaly_enabled()
        (leaf(1.0) * 2).sum().backward()
    finally:
        autograd.set_detect_anomaly(False)
    assert not autograd.is_anomaly_enabled()


def test_hooks_after_accumulation():
    x = leaf(1.0, 2.0)
    seen = []

    def hook(tensor):
        assert tensor is x
        seen.append(tensor.grad.tolist())
        tensor.grad = None

    handle = x.register_post_accumulate_grad_hook(hook)
    for _ in range(2):
        (x * 3).sum().backward()
    (x * 2).sum().backward(inputs=[x])
    assert seen == [[3.0, 3.0], [3.0, 3.0], [2.0, 2.0]] and x.grad is None
    autograd.grad((x * 3).sum(), x)
    handle.remove()
    (x * 3).sum().backward()
    assert len(seen) == 3
    for tensor in (x * 2, fastnn.ones(1)):
        with pytest.raises(RuntimeError, match="only for leaves that require gradients"):
            tensor.register_post_accumulate_grad_hook(hook)


def test_an_optimizer_within_the_backward_pass():
    net = nn.Linear(3, 2)
    for parameter in net.parameters():
        optimizer = fastnn.optim.SGD([parameter], lr=0.5)

        def step(tensor, optimizer=optimizer):
            optimizer.step()
            optimizer.zero_grad()

        parameter.register_post_accumulate_grad_hook(step)
    before = net.bias.tolist()
    net(fastnn.ones(4, 3)).sum().backward()
    np.testing.assert_allclose(net.bias.tolist(), np.array(before) - 2, rtol=1e-6)
    assert net.bias.grad is None


def test_nodes_and_what_they_retain():
    x = leaf(1.0)
    y = (x * 2).exp()
    assert not y.retains_grad and not x.retains_grad and x.is_leaf and not y.is_leaf
    y.retain_grad()
    assert y.retains_grad
    assert y.grad_fn.name() == "exp"
    (first, number), = y.grad_fn.next_functions
    assert first.name() == "mul" and number == 0
    end = first.next_functions[0][0]
    assert end.name() == "AccumulateGrad" and end.variable is x and end.next_functions == ()


def test_settings_of_grad():
    x, y = leaf(1.0), leaf(2.0)
    assert autograd.grad(x * 2, (x, y), materialize_grads=True)[1].tolist() == [0.0]
    assert autograd.grad(x * 2, (x, y), allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match="input 1 was not used"):
        autograd.grad(x * 2, (x, y))
    with pytest.raises(NotImplementedError, match="is_grads_batched is not offered"):
        autograd.grad(x * 2, x, is_grads_batched=True)
    with pytest.raises(ValueError, match="materialize_grads needs allow_unused"):
        autograd.grad(x * 2, x, allow_unused=False, materialize_grads=True)


# Functional derivatives

FUNCTIONS = {
    "one": (lambda x: (x * x * 3).exp(), ((2, 2),)),
    "two": (lambda x, y: x.sin() * y * y, ((3,), (3,))),
    "several": (lambda x, y: (x * y, x.sum(), (y * y).sum()), ((3,), (3,))),
    "matrix": (lambda x: x @ x.t(), ((2, 3),)),
}
NUMBERS = {
    "one": (lambda x: (x ** 3).sum(), ((2, 2),)),
    "two": (lambda x, y: (x.sin() * y * y).sum(), ((3,), (3,))),
    "unused": (lambda x, y: (x * x).sum(), ((3,), (2,))),
    "linear": (lambda x: x.sum(), ((2,),)),
}


def points(library, shapes, seed=0):
    random = np.random.default_rng(seed)
    made = tuple(library.tensor(random.normal(size=shape)) for shape in shapes)
    return made if len(made) > 1 else made[0]


def flat(value):
    return [part for each in value for part in flat(each)] if isinstance(value, tuple) else [value]


def assert_alike(ours, theirs):
    assert type(ours) is type(theirs) or not isinstance(ours, tuple)
    ours, theirs = flat(ours), flat(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert tuple(one.shape) == tuple(other.shape) and one.requires_grad == other.requires_grad
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-10,
                                   atol=1e-12)


def derivative(library, name, func, shapes, create_graph):
    """A function of ``autograd.functional`` at fixed points, with a vector where it needs one."""
    inputs = points(library, shapes)
    if create_graph:
        for each in flat(inputs):
            each.requires_grad_()
    vector = ()
    if name == "vjp":
        outputs = func(*inputs) if isinstance(inputs, tuple) else func(inputs)
        if isinstance(outputs, tuple) or outputs.ndim:
            vector = (points(library, [tuple(each.shape) for each in flat(outputs)], 1),)
    elif name in ("jvp", "hvp", "vhp"):
        vector = (points(library, shapes, 1),)
    return getattr(library.autograd.functional, name)(
        func, inputs, *vector, create_graph=create_graph)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("func, shapes", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("name", ["jacobian", "vjp", "jvp"])
def test_first_derivatives_are_pytorchs(torch, name, func, shapes, create_graph):
    assert_alike(*(derivative(library, name, func, shapes, create_graph)
                   for library in (fastnn, torch)))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("func, shapes", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("name", ["hessian", "hvp", "vhp", "vjp", "jacobian"])
def test_second_derivatives_are_pytorchs(torch, name, func, shapes, create_graph):
    def values(library):
        return tuple(each.detach() for each in flat(
            derivative(library, name, func, shapes, create_graph)))

    assert_alike(values(fastnn), values(torch))


def test_the_results_can_be_differentiated():
    x = leaf(1.0, 2.0)
    functional.jacobian(lambda x: x ** 3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    assert functional.jacobian(lambda x: x * 2, fastnn.zeros(0)).shape == (0, 0)


@pytest.mark.parametrize("call, error, text", [
    (lambda: functional.jacobian(lambda x: x, 3), TypeError, "jacobian: inputs must be Tensors"),
    (lambda: functional.jacobian(lambda x: 3, leaf(1.0)), TypeError, "must return Tensors, got i"),
    (lambda: functional.hessian(lambda x: x, leaf(1.0, 2.0)), RuntimeError, "a single number, got"),
    (lambda: functional.vjp(lambda x: x, leaf(1.0, 2.0)), RuntimeError, "vjp: v must be given"),
    (lambda: functional.jvp(lambda x: x, leaf(1.0, 2.0), leaf(1.0)), RuntimeError,
     r"jvp: v has shapes \[\(1,\)\], expected \[\(2,\)\]"),
    (lambda: functional.jacobian(lambda x: x.detach(), leaf(1.0), strict=True), RuntimeError,
     "output 0 does not depend on the inputs"),
    (lambda: functional.vjp(lambda x, y: x, (leaf(1.0), leaf(1.0)), strict=True), RuntimeError,
     "does not depend on input 1"),
    (lambda: functional.jacobian(lambda x: x, leaf(1.0), strategy="forward-mode"), ValueError,
     "only the reverse-mode strategy"),
])
def test_functional_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_modes_are_of_a_thread():
    with fastnn.no_grad():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(records()))
        thread.start()
        thread.join()
    assert seen == [True]
