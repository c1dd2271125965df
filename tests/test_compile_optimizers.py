"""What replays keep of an optimizer's step, and when they look it up anew."""

import copy
import gc
import warnings
import weakref
from collections import OrderedDict

import numpy as np
import pytest
from compiled_twins import Job, assert_like_eager, labelled, once, perceptron

import fastnn
from fastnn import nn, optim
from fastnn.nn import functional as F

FLAT = labelled((7, 5), 3)


def training(rule, **settings):
    net = perceptron()
    optimizer = rule(net.parameters(), **{"lr": 0.1, **settings})

    def step(x, labels):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Job(step, FLAT, (net, optimizer))


def arguments(number=0):
    return FLAT(np.random.default_rng(number))


def test_a_setting_that_changes_in_place_acts_on_the_next_step():
    def make():
        return training(optim.SGD, momentum=0.9, dampening=fastnn.tensor(0.5))

    def change(job):
        job.owners[1].param_groups[0]["dampening"].mul_(0)

    job = make()
    assert job.owners[1].param_groups[0]["dampening"].item() == 0.5
    assert_like_eager(make, once(change), calls=9)


def test_a_tuple_of_parameters():
    def make():
        job = training(optim.SGD)
        group = job.owners[1].param_groups[0]
        group["params"] = tuple(group["params"])
        return job

    assert_like_eager(make)


def test_other_kinds_of_mappings_and_of_lists():
    def change(job):
        optimizer = job.owners[1]
        optimizer.param_groups = tuple(map(OrderedDict, optimizer.param_groups))
        for parameter, state in list(optimizer.state.items()):
            optimizer.state[parameter] = OrderedDict(state)

    assert_like_eager(lambda: training(optim.Adam), once(change), calls=9)


def test_parameters_of_several_types_and_layouts():
    def make():
        turned = nn.Parameter(fastnn.ones(4, 3).T.detach())
        double = nn.Parameter(fastnn.ones(3, dtype=fastnn.float64))
        optimizer = optim.Adam([turned, double], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            ((turned * x).square().sum() + (double * double).sum()).backward()
            optimizer.step()

        return Job(step, lambda generator: (fastnn.tensor(
            generator.normal(size=(3, 4)).astype("float32")),), (turned, double, optimizer))

    assert_like_eager(make)


def test_a_rule_of_ones_own():
    class Halving(optim.Optimizer):
        def __init__(self, parameters, lr):
            super().__init__(parameters, {"lr": lr})

        @fastnn.no_grad()
        def _step_group(self, group):
            for parameter in group["params"]:
                parameter.mul_(0.5)

    assert_like_eager(lambda: training(Halving))


def test_a_parameter_that_became_read_only_is_refused():
    job = training(optim.SGD)
    compiled = fastnn.compile(job.function)
    for number in range(4):
        compiled(*arguments(number))
    job.owners[0][0].weight.array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compiled(*arguments())


def test_gradients_from_outside_are_not_kept():
    weight = nn.Parameter(fastnn.ones(3))
    optimizer = optim.SGD([weight], lr=0.1)
    compiled = fastnn.compile(lambda: optimizer.step())
    for _ in range(5):
        weight.sum().backward()
        compiled()
        gradient = weakref.ref(weight.grad)
        optimizer.zero_grad()
        gc.collect()
        assert gradient() is None


def test_a_hook_that_calls_the_function_again():
    """With so many shapes that the recording which is being replayed is let go of."""
    weight = nn.Parameter(fastnn.ones(3))
    optimizer = optim.SGD([weight], lr=0.1)

    @fastnn.compile
    def step(x):
        optimizer.zero_grad()
        (weight * x.sum()).sum().backward()
        optimizer.step()
        return x * 2

    for _ in range(6):
        step(fastnn.ones(3))
    nested = []

    def hook(*_):
        if not nested:
            nested.append(True)
            for size in range(4, 80):
                step(fastnn.ones(size))
                step(fastnn.ones(size))
            nested.clear()

    optimizer.register_step_pre_hook(hook)
    assert step(fastnn.ones(3)).tolist() == [2.0] * 3


def test_explain_names_the_step():
    job = training(optim.SGD)
    compiled = fastnn.compile(job.function)
    for number in range(3):
        compiled(*arguments(number))
    assert "1 x SGD.step (Python)" in compiled.explain()


def test_hooks_of_a_state_that_the_function_reads():
    def make():
        net = nn.BatchNorm1d(2)
        return Job(lambda: {key: value * 1 for key, value in net.state_dict().items()},
                   lambda generator: (), (net,))

    def add(module, state, prefix, metadata):
        state["more"] = fastnn.ones(1)

    def change(job):
        job.owners[0].register_state_dict_post_hook(add)

    assert "more" in str(assert_like_eager(make, once(change), calls=9)[-1]["result"])


def test_a_shallow_copy_is_the_function_itself():
    compiled = fastnn.compile(lambda x: x + 1)
    assert copy.copy(compiled) is compiled


def test_the_warning_of_no_more_recordings_names_the_call():
    class Box:
        value = 0

    def function(x):
        return x * Box.value

    compiled = fastnn.compile(function)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for number in range(25):
            Box.value = number
            compiled(fastnn.ones(3))
    (warning,) = found
    assert warning.filename == __file__
    with open(__file__) as lines:
        assert "compiled(fastnn.ones(3))" in lines.read().splitlines()[warning.lineno - 1]
