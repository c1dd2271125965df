"""What a compiled function must not change, take or return, and its calls after errors."""

from types import SimpleNamespace

import numpy as np
import pytest
from compiled_refusals import assert_names_a_line_of, assert_refused_at_second_call, lines_of
from compiled_twins import Job, assert_like_eager, bits, floats, training

import fastnn
from fastnn import nn, optim
from fastnn.nn import functional as F

COUNT = 0


def counts_in_a_global():
    def function(x):
        global COUNT
        COUNT += 1
        return x * COUNT
    return function


def counts_in_a_closure():
    count = 0

    def function(x):
        nonlocal count
        count += 1
        return x * count
    return function


def counts_in_an_attribute():
    holder = SimpleNamespace(steps=0)

    def function(x):
        holder.steps += 1
        return x * holder.steps
    return function


def appends_to_a_list():
    seen = []

    def function(x):
        seen.append(x.sum())
        return x * len(seen)
    return function


def rebinds_hidden_state():
    holder = SimpleNamespace(hidden=fastnn.zeros(3))

    def function(x):
        h = holder.hidden + x
        holder.hidden = h.detach()
        return h
    return function


def rebinds_an_item():
    holder = {"steps": 0}

    def function(x):
        holder["steps"] = holder["steps"] + 1
        return x * holder["steps"]
    return function


@pytest.mark.parametrize("make", [
    counts_in_a_global, counts_in_a_closure, counts_in_an_attribute, appends_to_a_list,
    rebinds_hidden_state, rebinds_an_item])
def test_changing_what_is_read_is_refused(make):
    function = make()
    error = assert_refused_at_second_call(function, fastnn.ones(3))
    assert_names_a_line_of(error, function)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, x):
        self.steps += 1
        return x * self.steps


def test_a_module_that_counts_is_refused():
    error = assert_refused_at_second_call(Counting(), fastnn.ones(3))
    assert_names_a_line_of(error, Counting.forward)


def test_a_result_on_the_tape_is_refused():
    net = nn.Linear(3, 2)

    def function(x):
        return {"loss": net(x).sum()}

    error = assert_refused_at_second_call(function, fastnn.ones(1, 3))
    assert_names_a_line_of(error, function)
    assert "detach" in str(error.value)


def test_a_module_whose_result_is_on_the_tape_is_refused():
    error = assert_refused_at_second_call(nn.Linear(3, 2), fastnn.ones(1, 3))
    assert str(error.value).startswith("compile:")


def test_an_argument_that_requires_grad_is_refused():
    compiled = fastnn.compile(lambda x: x.detach() * 2)
    with pytest.raises(RuntimeError) as error:
        for _ in range(2):
            compiled(fastnn.ones(3, requires_grad=True))
    assert lines_of(error, __file__)


def classifier():
    return nn.Sequential(nn.Embedding(6, 5), nn.Flatten(), nn.Dropout(0.3), nn.Linear(10, 3))


def batches(bad_word, bad_label):
    """Draws words and labels; those of calls 4 and 5 are out of range."""
    numbers = iter(range(100))

    def draw(random):
        bad = next(numbers) in (4, 5)
        words, labels = random.integers(0, 6, (4, 2)), random.integers(0, 3, 4)
        words[2, 1] = 6 if bad and bad_word else words[2, 1]
        labels[1] = 3 if bad and bad_label else labels[1]
        return fastnn.from_numpy(words), fastnn.from_numpy(labels)

    return draw


@pytest.mark.parametrize("bad", [(True, False), (False, True)], ids=["embedding", "cross_entropy"])
def test_errors_of_operations_are_raised_in_replays(bad):
    eager = assert_like_eager(lambda: training(
        classifier, F.cross_entropy, batches(*bad), optim.Adam), calls=10)
    assert ["Error" in str(each["result"]) for each in eager[3:7]] == [False, True, True, False]


@pytest.mark.parametrize("when", range(5))
def test_an_exception_leaves_the_function_usable(when):
    """Raised by the function while it runs eagerly, is recorded, or is recorded anew."""
    holder = SimpleNamespace(broken=False)

    def function(x):
        y = x.exp()
        if holder.broken:
            raise KeyError("mine")
        return y * 2

    compiled = fastnn.compile(function)
    for number in range(8):
        (x,) = floats((4,))(np.random.default_rng(number))
        holder.broken = number == when
        if holder.broken:
            with pytest.raises(KeyError, match="mine"):
                compiled(x)
            assert isinstance(x.sum().item(), float)  # nothing is being recorded any more
        else:
            assert bits(compiled(x)) == bits(function(x))


def test_a_refusal_leaves_other_kinds_usable():
    def function(x, read):
        return x * 2 + (x.sum().item() if read else 1)

    compiled, x = fastnn.compile(function), fastnn.ones(3)
    for number in range(8):
        if number == 4:
            compiled(x, True)
            with pytest.raises(RuntimeError, match="^compile:"):
                compiled(x, True)
            assert x.sum().item() == 3.0
        assert bits(compiled(x, False)) == bits(x * 2 + 1)


def test_an_exception_within_a_step_that_is_recorded():
    holder = SimpleNamespace(broken=False)

    def make():
        job = training(lambda: nn.Linear(5, 2), lambda y: y.square().mean(), floats((3, 5)),
                       optim.Adam)
        net, optimizer = job.owners

        def step(x):
            optimizer.zero_grad()
            loss = net(F.dropout(x)).square().mean()
            loss.backward()
            if holder.broken:
                raise ValueError("mine")
            optimizer.step()
            return loss.detach()

        return Job(step, job.draw, job.owners)

    assert_like_eager(make, lambda job, number: setattr(holder, "broken", number == 1), calls=8)
