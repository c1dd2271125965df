"""What a replay would lose is refused or seen: Python's random numbers, iterators, objects."""

import copy
import itertools
import random
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import fastnn
from fastnn import nn
from fastnn.compiler import compiled as module


def draws_with_python(x):
    return x * DRAW.random()


def draws_with_numpy(x):
    return x * float(GENERATOR.random())


def goes_on(x):
    return x * next(COUNT)


def sets_the_rate(x):
    optimizer.param_groups[0]["lr"] *= 0.5
    return x + 1


def steps_with_a_closure(x):
    optimizer.step(lambda: x.sum())
    return x + 1


def makes_an_optimizer(x):
    fastnn.optim.SGD([weight], lr=0.1)
    return x + 1


def copies_deeply(x):
    return copy.deepcopy(weight).detach().sum() + x


def fills_by_numpy(x):
    nn.init.eye_(table)
    return table + x


def returns_an_object(x):
    return SimpleNamespace(value=x)


def goes_on_after_an_error(x):
    try:
        nn.functional.embedding(fastnn.tensor([9]), table)
    except IndexError:
        pass
    return x + 1


def changes_an_alias(x):
    table.add_(1)
    return x * 1


DRAW, GENERATOR, COUNT = random.Random(0), np.random.default_rng(0), itertools.count()
weight, table = fastnn.ones(2, requires_grad=True), fastnn.zeros(3, 3)
optimizer = fastnn.optim.SGD([weight], lr=0.1)


@pytest.mark.parametrize("function, message", [
    (draws_with_python, "draws with DRAW"), (draws_with_numpy, "draws with GENERATOR"),
    (goes_on, "the iterator COUNT"),
    (sets_the_rate, r"changes optimizer.param_groups\[0\]\['lr'\]"),
    (steps_with_a_closure, "closure"), (makes_an_optimizer, "an optimizer is made"),
    (copies_deeply, "no kernel of fastnn made"), (fills_by_numpy, "beside the operations"),
    (returns_an_object, "a result of type SimpleNamespace"),
    (goes_on_after_an_error, "goes on after an error.*IndexError")],
    ids=lambda value: getattr(value, "__name__", "message"))
def test_what_replays_would_lose_is_refused(function, message):
    compiled, x = fastnn.compile(function), fastnn.ones(3, 3)
    compiled(x)
    with pytest.raises(RuntimeError, match=rf"compile: .*test_compile_lost\.py:\d+: .*{message}"):
        compiled(x)


def test_an_argument_in_the_memory_of_a_tensor_that_is_changed():
    compiled = fastnn.compile(changes_an_alias)
    for _ in range(4):
        assert compiled(fastnn.ones(3)).tolist() == [1, 1, 1]
    assert compiled(table[0]).tolist() == table[0].tolist()


class Cube(fastnn.autograd.Function):
    exponent = 3

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** Cube.exponent

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * x ** (Cube.exponent - 1) * Cube.exponent


def test_functions_of_the_users_own(monkeypatch):
    def function(x):
        leaf = x.clone().requires_grad_()
        Cube.apply(leaf).sum().backward()
        return leaf.grad

    compiled = fastnn.compile(function)
    for number in range(8):
        if number == 5:
            monkeypatch.setattr(Cube, "exponent", 2)
        x = fastnn.full((2,), 1.0 + number)
        assert compiled(x).tolist() == function(x).tolist()


def test_old_kinds_of_arguments_are_forgotten():
    compiled = fastnn.compile(lambda x, factor: x * factor)
    for _ in range(2):
        for number in range(3 * module.MOST_KINDS):
            assert compiled(fastnn.ones(1), float(number)).item() == number
    assert len(compiled._kinds) == module.MOST_KINDS


def test_the_same_tensor_twice():
    compiled = fastnn.compile(lambda x, y: x + 1 if x is y else x + y)
    a, b = fastnn.ones(2), fastnn.full((2,), 5.0)
    for _ in range(4):
        assert compiled(a, b).tolist() == [6, 6] and compiled(a, a).tolist() == [2, 2]


def test_hooks_of_tensors_added_and_removed():
    leaf = fastnn.ones(2, requires_grad=True)

    def function(x):
        leaf.grad = None
        (leaf * x).sum().backward()
        return leaf.grad.clone()

    compiled, x, handle = fastnn.compile(function), fastnn.full((2,), 2.0), None
    for number in range(12):
        if number == 4:
            handle = leaf.register_hook(lambda gradient: gradient * 3)
        if number == 8:
            handle.remove()
        assert compiled(x).tolist() == [6.0 if 4 <= number < 8 else 2.0] * 2


@pytest.mark.parametrize("change", ["class", "instance"])
def test_attributes_that_come_and_go(change):
    class Settings:
        factor = 2.0

    settings = Settings()
    compiled = fastnn.compile(lambda x: x * settings.factor)
    for number in range(12):
        if number == 4:
            (Settings if change == "class" else settings).factor = 3.0
        if number == 8 and change == "instance":
            del settings.factor
        assert compiled(fastnn.ones(1)).item() == settings.factor


def test_two_that_call_each_other_from_two_threads():
    ready = threading.Barrier(2, timeout=60)

    def one(x, first):
        if first:
            ready.wait()
            return other_compiled(x, False) + 1
        return x * 2

    def other(x, first):
        if first:
            ready.wait()
            return one_compiled(x, False) + 1
        return x * 3

    one_compiled, other_compiled = fastnn.compile(one), fastnn.compile(other)
    found = {}

    def call(compiled):
        found[compiled] = compiled(fastnn.ones(1), True).item()

    threads = [threading.Thread(target=call, args=[compiled], daemon=True)
               for compiled in (one_compiled, other_compiled)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {one_compiled: 4, other_compiled: 3}
