"""What a replay does beside its kernels, and what a recording relies on, one by one."""

import functools
import gc
import threading

import numpy as np
import pytest

import fastnn
from fastnn import nn
from fastnn.compiler import compiled as module

READ = r"compile: .*test_compile_details\.py:\d+: a tensor's value is read"


def replayed(function, *arguments, calls=3):
    """The compiled function, after calls enough to be replayed."""
    compiled = fastnn.compile(function)
    for _ in range(calls):
        compiled(*arguments)
    assert len(compiled.records()) == 1
    return compiled


def test_changes_in_place_count_for_graphs_outside():
    outside, x = fastnn.ones(3), fastnn.ones(3)
    compiled = replayed(lambda x: outside.add_(x), x)
    leaf = fastnn.ones(3, requires_grad=True)
    loss = (leaf * outside).sum()
    compiled(x)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_arguments_changed_in_place_count_too():
    x = fastnn.zeros(3)
    compiled = replayed(lambda x: x.add_(1), x)
    leaf = fastnn.ones(3, requires_grad=True)
    loss = (leaf * x).sum()
    compiled(x)
    assert x.tolist() == [4, 4, 4]
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_refusal_that_is_swallowed_is_raised_all_the_same():
    def function(x):
        try:
            return x * x.sum().item()
        except RuntimeError:
            return x

    compiled = fastnn.compile(function)
    compiled(fastnn.ones(2))
    with pytest.raises(RuntimeError, match=READ):
        compiled(fastnn.ones(2))


def test_a_leaf_that_the_function_makes_has_its_gradient_in_each_call():
    def slopes(x):
        leaf = x.clone().requires_grad_()
        (leaf * leaf).sum().backward()
        return leaf.grad

    compiled = replayed(slopes, fastnn.ones(2))
    assert compiled(fastnn.tensor([2.0, 3.0])).tolist() == [4, 6]
    assert len(compiled.records()) == 1


def test_nothing_is_recorded_while_anomalies_are_looked_for():
    compiled = fastnn.compile(lambda x: x + 1)
    with fastnn.autograd.set_detect_anomaly(True):
        for _ in range(3):
            compiled(fastnn.ones(2))
    assert not compiled.records()


def test_an_argument_that_is_gone_does_not_stand_for_another():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

    compiled = fastnn.compile(lambda x, scale: x * scale.factor)
    for factor in range(20):
        assert compiled(fastnn.ones(1), Scale(float(factor))).item() == factor
        gc.collect()


def test_calls_in_turn_are_never_called_restless():
    holder = {"factor": 1.0}
    compiled = fastnn.compile(lambda x: x * holder["factor"])
    for number in range(40):
        holder["factor"] = float(number // 2 % 12)
        assert compiled(fastnn.ones(1)).item() == number // 2 % 12
    assert len(compiled.records()) == module.MOST_RECORDS


def test_what_changes_with_each_call_is_named_and_not_recorded():
    holder = {"factor": 0.0}
    compiled = fastnn.compile(lambda x: x * holder["factor"])
    with pytest.warns(RuntimeWarning, match=r"compile: .* each of the last \d+ calls .*factor"):
        for number in range(40):
            holder["factor"] += 1
            assert compiled(fastnn.ones(1)).item() == number + 1


def test_a_function_may_call_itself_compiled():
    def halve(x, times):
        return x if not times else compiled(x / 2, times - 1)

    compiled = fastnn.compile(halve)
    for _ in range(4):
        assert compiled(fastnn.ones(1), 3).item() == 0.125


def test_threads_take_turns():
    compiled = fastnn.compile(lambda x: (x @ x).exp().sum(0))
    inputs = [fastnn.randn(16, 16) * 0.1 for _ in range(4)]
    wanted = [(x @ x).exp().sum(0).tolist() for x in inputs]
    faults = []

    def call(number):
        for _ in range(50):
            if compiled(inputs[number]).tolist() != wanted[number]:
                faults.append(number)

    threads = [threading.Thread(target=call, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_a_tensor_with_a_gradient_is_no_argument():
    compiled = fastnn.compile(lambda x: x.detach() + 1)
    plain, leaf = fastnn.ones(2), fastnn.ones(2, requires_grad=True)
    for _ in range(3):
        compiled(plain)
    compiled(leaf)
    with pytest.raises(RuntimeError, match="compile: .*an argument requires gradients"):
        compiled(leaf)


def by_default():
    def function(x, factor=[1.0]):  # noqa: B006
        return x * factor[0]

    return function, lambda value: function.__defaults__[0].__setitem__(0, value)


def by_keyword_default():
    def function(x, *, factor=[1.0]):  # noqa: B006
        return x * factor[0]

    return function, lambda value: function.__kwdefaults__["factor"].__setitem__(0, value)


def by_partial():
    def function(factor, x):
        return x * factor[0]

    factor = [1.0]
    return functools.partial(function, factor), lambda value: factor.__setitem__(0, value)


def by_array():
    factors = np.ones(2)
    return lambda x: x * float(factors[0]), lambda value: factors.__setitem__(0, value)


def by_hook():
    class Doubled(nn.Module):
        def forward(self, x):
            return x * 2

    net = Doubled()
    return net, lambda value: net.register_forward_hook(
        lambda module, given, result: result * value)


@pytest.mark.parametrize("reads", [by_default, by_keyword_default, by_partial, by_array, by_hook])
def test_what_is_changed_acts_on_the_next_call(reads):
    function, change = reads()
    compiled = fastnn.compile(function)
    with fastnn.no_grad():
        for number in range(9):
            if number in (4, 7):
                change(number + 1.0)
            x = fastnn.ones(2)
            assert compiled(x).tolist() == function(x).tolist()


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e30])
def test_norms_go_the_way_that_the_values_ask_for(scale):
    def function(x):
        leaf = x.clone().requires_grad_()
        unit = nn.functional.normalize(leaf)
        (unit * unit[:, :1]).sum().backward()
        return unit.detach(), leaf.grad

    x = fastnn.randn(4, 3)
    compiled = replayed(function, x)
    x[1] *= scale
    for got, wanted in zip(compiled(x), function(x), strict=True):
        assert got.numpy().tobytes() == wanted.numpy().tobytes()


def test_shapes_changed_in_place_are_refused():
    compiled = fastnn.compile(lambda x: x.t_())
    compiled(fastnn.ones(2, 3))
    with pytest.raises(RuntimeError, match="compile: .*t_ changes a tensor's shape in place"):
        compiled(fastnn.ones(2, 3))


@pytest.mark.parametrize("sizes", [(6,), (6, 4), (6, 4, 6, 5)])
def test_gradients_of_several_recordings_are_one(sizes):
    """Set to zero in place, they pass from one recording's memory to the other's."""
    twins = []
    for wrap in (fastnn.compile, lambda function: function):
        fastnn.manual_seed(0)
        net = nn.Linear(8, 5)
        optimizer = fastnn.optim.SGD(net.parameters(), lr=0.01)

        def step(x, net=net, optimizer=optimizer):
            optimizer.zero_grad(set_to_none=False)
            net(x).square().mean().backward()
            optimizer.step()

        step = wrap(step)
        for number in range(30):
            step(fastnn.full((sizes[number % len(sizes)], 8), 1.0 + number))
        twins.append([each.tolist() for each in (net.weight, net.weight.grad)])
    assert twins[0] == twins[1]


def test_a_compiled_module_is_a_module():
    net = nn.Linear(3, 2)
    compiled = fastnn.compile(net)
    outer = nn.Sequential(compiled, nn.Dropout(0.5)).eval()
    assert not net.training and compiled.in_features == 3
    assert set(outer.parameters()) == {net.weight, net.bias}
    assert list(compiled.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
    with pytest.raises(AttributeError, match="in_channels"):
        _ = compiled.in_channels
    with fastnn.no_grad():
        for number in range(4):
            x = fastnn.full((2, 3), 1.0 + number)
            assert outer(x).tolist() == net(x).tolist()
    assert len(compiled.records()) == 1 and "product of matrices" in compiled.explain()


def test_a_compiled_method_knows_its_object():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        @fastnn.compile
        def __call__(self, x):
            return x * self.factor

    twice, thrice = Scale(2.0), Scale(3.0)
    for _ in range(4):
        assert twice(fastnn.ones(1)).item() == 2 and thrice(fastnn.ones(1)).item() == 3
