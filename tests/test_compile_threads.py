"""Compiled functions in several threads, with any number of them; what belongs to the caller."""

import threading

import numpy as np
from compiled_twins import assert_like_eager, bits, floats, python_runs, training

import fastnn
from fastnn import nn, optim


def test_any_number_of_threads_gives_the_same_bits(threads):
    def make():
        return training(lambda: nn.Sequential(nn.Linear(300, 257), nn.GELU(), nn.Linear(257, 9)),
                        lambda y: y.square().mean(), floats((128, 300)), optim.Adam)

    assert_like_eager(make, lambda job, number: threads(1 + number % 4), calls=9)


def in_threads(function, count=4):
    """``function(number)`` in several threads; what any of them raised."""
    raised = []

    def run(number):
        try:
            function(number)
        except BaseException as error:
            raised.append(error)

    started = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in started:
        each.start()
    for each in started:
        each.join()
    assert not raised, raised


def test_calls_from_several_threads():
    def function(x, y):
        return (x @ y).tanh().sum(0), x.exp()

    compiled, draw, wrong = fastnn.compile(function), floats((40, 30), (30, 20)), []

    def work(number):
        for call in range(12):
            arguments = draw(np.random.default_rng(100 * number + call))
            got = compiled(*arguments)
            if bits(got) != bits(function(*arguments)):
                wrong.append((number, call))

    in_threads(work)
    assert not wrong


def test_threads_take_turns():
    total = fastnn.zeros(1000, dtype=fastnn.int64)

    def function(x):
        return total.add_(x).clone()

    compiled = fastnn.compile(function)
    in_threads(lambda number: [compiled(fastnn.full((1000,), number)) for _ in range(20)])
    assert bits(total) == bits(fastnn.full((1000,), 20 * 6))


def test_a_clone_of_a_gradient_stays():
    net = nn.Linear(4, 3)

    def function(x):
        net.zero_grad()
        net(x).square().sum().backward()

    compiled, kept = fastnn.compile(function), []
    for number in range(6):
        compiled(*floats((2, 4))(np.random.default_rng(number)))
        kept.append((net.weight.grad.clone(), bits(net.weight.grad)))
    assert all(bits(clone) == before for clone, before in kept)


def test_a_result_may_be_changed():
    """A result belongs to the caller: what he writes into it no later call sees."""
    compiled, x = fastnn.compile(lambda x: (x.exp(), fastnn.arange(3.0))), fastnn.ones(3)
    for _ in range(6):
        results = compiled(x)
        assert bits(results) == bits((x.exp(), fastnn.arange(3.0)))
        for result in results:
            result.fill_(-1)


def test_explain():
    compiled = fastnn.compile(lambda x, y: (x @ y).tanh())
    assert isinstance(str(compiled.explain()), str)
    for _ in range(3):
        compiled(fastnn.ones(4, 4), fastnn.ones(4, 4))
    text = str(compiled.explain()).lower()
    assert "kernel" in text and "byte" in text


def test_explain_counts_the_products():
    net = fastnn.nn.Sequential(fastnn.nn.Conv2d(3, 8, 3), fastnn.nn.Flatten(),
                               fastnn.nn.Linear(8 * 4 * 4, 10))

    @fastnn.compile
    def function(images, q, k, v):
        with fastnn.no_grad():
            attended = fastnn.nn.functional.scaled_dot_product_attention(q, k, v)
            return net(images), attended

    heads = [fastnn.randn(2, 4, 9, 16) for _ in range(3)]
    for _ in range(2):
        function(fastnn.ones(2, 3, 6, 6), *heads)
    record, = function.records()
    counts = sum(record.program.multiply_adds())
    assert counts == 2 * 4 * 4 * 8 * 27 + 2 * 128 * 10 + 2 * (2 * 4 * 9 * 9 * 16)
    assert f"{2e-9 * counts:.4f} GFLOP of products" in function.explain()


def test_reading_values_outside_is_allowed():
    def function(x):
        return x.sum()

    compiled = fastnn.compile(function)
    values = [compiled(fastnn.full((3,), float(number))).item() for number in range(6)]
    assert values == [0, 3, 6, 9, 12, 15]
    assert python_runs(function, compiled, fastnn.ones(3)) == 0
