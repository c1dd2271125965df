"""What is rebound between two calls of a compiled function acts on the next, as in eager mode."""

from types import SimpleNamespace

import numpy as np
import pytest
from compiled_twins import Job, assert_like_eager, bits, floats, once

import fastnn
from fastnn import nn


class Scaled(nn.Module):
    """A layer that reads every kind of attribute."""

    def __init__(self):
        super().__init__()
        self.scale, self.shift, self.act = 2.0, fastnn.zeros(5), fastnn.tanh
        self.register_buffer("offset", fastnn.ones(5))
        self.drop, self.norm = nn.Dropout(0.5), nn.BatchNorm1d(5)

    def forward(self, x):
        y = self.drop(self.norm(x)) if self.training else x
        return self.act(y) * self.scale + self.shift + self.offset


ATTRIBUTES = {
    "number": {"scale": 3.0}, "integer": {"scale": 5}, "tensor": {"shift": fastnn.ones(5)},
    "larger": {"shift": fastnn.ones(7, 5)}, "buffer": {"offset": fastnn.zeros(5)},
    "function": {"act": fastnn.sigmoid}, "module": {"drop": nn.Dropout(0.1)},
    "flag": {"training": False}}


@pytest.mark.parametrize("whole", [True, False], ids=["module", "function"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_rebound_attribute_acts(name, whole):
    def make():
        net = Scaled()
        return Job(net if whole else lambda x: net(x).detach(), floats((7, 5)), (net,))

    def change(job):
        for attribute, value in ATTRIBUTES[name].items():
            setattr(job.owners[0], attribute, value)

    with fastnn.set_grad_enabled(not whole):
        assert_like_eager(make, once(change), calls=8)


def test_train_and_eval_in_turn():
    with fastnn.no_grad():
        assert_like_eager(
            lambda: (lambda net: Job(net, floats((7, 5)), (net,)))(Scaled()),
            lambda job, number: job.owners[0].train(number // 3 % 2 == 0), calls=15)


FACTOR = 2.0


def by_global():
    def rebind(value):
        global FACTOR
        FACTOR = value

    return lambda x: x * FACTOR, rebind


def by_closure():
    factor = 2.0

    def rebind(value):
        nonlocal factor
        factor = value

    return lambda x: x * factor, rebind


def by_object():
    holder = SimpleNamespace(factor=2.0)
    return lambda x: x * holder.factor, lambda value: setattr(holder, "factor", value)


def by_nested_object():
    holder = SimpleNamespace(inner=SimpleNamespace(factor=2.0))
    return (lambda x: x * holder.inner.factor,
            lambda value: setattr(holder, "inner", SimpleNamespace(factor=value)))


def by_class():
    class Settings:
        factor = 2.0

    return lambda x: x * Settings().factor, lambda value: setattr(Settings, "factor", value)


def by_dictionary():
    holder = {"factor": 2.0}
    return lambda x: x * holder["factor"], lambda value: holder.update(factor=value)


def by_list():
    holder = [2.0]
    return lambda x: x * holder[0], lambda value: holder.__setitem__(0, value)


def by_function():
    holder = SimpleNamespace(scale=lambda x: x * 2.0)
    return lambda x: holder.scale(x), lambda value: setattr(holder, "scale", lambda x: x * value)


def by_callee():
    holder = SimpleNamespace(factor=2.0)

    def scale(x):
        return x * holder.factor

    return lambda x: scale(x) + 1, lambda value: setattr(holder, "factor", value)


def by_branch():
    holder = SimpleNamespace(low=True)
    return (lambda x: x + 1 if holder.low else x - 1,
            lambda value: setattr(holder, "low", isinstance(value, float) and value == 2.0))


@pytest.mark.parametrize("value", [3.0, 2, fastnn.full((4,), 5.0)], ids=["float", "int", "tensor"])
@pytest.mark.parametrize("reads", [
    by_global, by_closure, by_object, by_nested_object, by_class, by_dictionary, by_list,
    by_function, by_callee, by_branch])
def test_what_is_rebound_acts_on_the_next_call(reads, value):
    draw = floats((4,))
    function, rebind = reads()
    compiled = fastnn.compile(function)
    for number in range(12):
        rebind(value if 4 <= number < 8 else 2.0)
        (x,) = draw(np.random.default_rng(number))
        assert bits(compiled(x)) == bits(function(x)), f"call {number}"
    rebind(2.0)


def test_another_default_type_acts_on_the_next_call():
    compiled = fastnn.compile(lambda x: fastnn.ones(3) / 3 + x)
    before = fastnn.get_default_dtype()
    for number in range(9):
        fastnn.set_default_dtype(fastnn.float64 if 3 <= number < 6 else fastnn.float32)
        result = compiled(fastnn.zeros(3, dtype=fastnn.float32))
        assert bits(result) == bits(fastnn.ones(3) / 3)
    fastnn.set_default_dtype(before)
