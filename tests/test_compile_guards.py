"""When a compiled function runs its Python, and what changes act on its next call."""

import inspect

import numpy as np
import pytest
from compiled_twins import (
    Job,
    assert_like_eager,
    bits,
    floats,
    labelled,
    once,
    perceptron,
    python_runs,
    training,
)

import fastnn
from fastnn import nn, optim
from fastnn.nn import functional as F

FLAT = labelled((7, 5), 3)


def test_signature():
    parameters = inspect.signature(fastnn.compile).parameters
    assert {name: each.default for name, each in parameters.items()} == {
        "model": None, "fullgraph": False, "dynamic": None, "backend": "inductor", "mode": None,
        "options": None, "disable": False}
    assert all(each.kind is each.KEYWORD_ONLY for each in list(parameters.values())[1:])


@pytest.mark.parametrize("settings", [
    {}, {"fullgraph": True}, {"dynamic": True}, {"backend": "eager"}, {"mode": "max-autotune"},
    {"options": {"trace.enabled": True}}])
def test_options_change_nothing(settings):
    decorated = fastnn.compile(**settings)(lambda x: x * 2)
    called = fastnn.compile(lambda x: x * 2, **settings)
    for number in range(4):
        (x,) = floats((3,))(np.random.default_rng(number))
        assert bits(decorated(x)) == bits(called(x)) == bits(x * 2)


def test_disable_gives_the_function_back():
    net, function = perceptron(), len
    assert fastnn.compile(net, disable=True) is net
    assert fastnn.compile(disable=True)(function) is function


@pytest.mark.parametrize("model", [3, "relu", fastnn.ones(2), [len]])
def test_a_model_that_is_not_callable_is_refused(model):
    with pytest.raises(TypeError, match="compile"):
        fastnn.compile(model)
    with pytest.raises(TypeError, match="compile"):
        fastnn.compile()(model)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="fullgraf"):
        fastnn.compile(len, fullgraf=True)


def runs(function, compiled, draw, calls):
    return [python_runs(function, compiled, *draw(np.random.default_rng(number)))
            for number in range(calls)]


def test_the_third_call_runs_no_python_of_a_function():
    def function(x):
        return x.sin() + 1

    assert runs(function, fastnn.compile(function), floats((3,)), 6)[2:] == [0] * 4


def test_the_third_call_runs_no_python_of_a_module():
    with fastnn.no_grad():
        net = perceptron()
        counts = runs(nn.Linear.forward, fastnn.compile(net), floats((7, 5)), 6)
    assert counts[0] == 2 and counts[2:] == [0] * 4


def test_the_third_call_runs_no_python_of_a_training_step():
    job = training(perceptron, F.cross_entropy, FLAT, optim.Adam)
    counts = runs(job.function, fastnn.compile(job.function), FLAT, 6)
    assert counts[0] == 1 and counts[2:] == [0] * 4


def test_each_kind_of_arguments_has_a_record():
    def function(x, number):
        return x * number

    compiled, x = fastnn.compile(function), fastnn.ones(3)
    kinds = [(x, 2), (x, 3), (x.double(), 2), (x[:2], 2), (fastnn.ones(6)[::2], 2), (x, "2")][:5]
    counts = [[python_runs(function, compiled, *kind) for _ in range(4)] for kind in kinds]
    again = [python_runs(function, compiled, *kind) for kind in kinds]
    assert [each[0] for each in counts] == [1] * 5
    assert [each[2:] for each in counts] == [[0, 0]] * 5 and again == [0] * 5


def scheduled(rule):
    job = training(perceptron, F.cross_entropy, FLAT, rule)
    return Job(job.function, job.draw, (*job.owners, optim.lr_scheduler.StepLR(job.owners[1], 1)))


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam, optim.AdamW])
def test_another_learning_rate_needs_no_recording(rule):
    job = scheduled(rule)
    compiled = fastnn.compile(job.function)
    runs(job.function, compiled, FLAT, 3)
    job.owners[1].param_groups[0]["lr"] = 0.5
    assert runs(job.function, compiled, FLAT, 2) == [0, 0]
    job.owners[2].step()
    assert runs(job.function, compiled, FLAT, 2) == [0, 0]


def group(key, value):
    def change(job):
        job.owners[1].param_groups[0][key] = value
    return change


def fill(job):
    with fastnn.no_grad():
        job.owners[0][0].weight.fill_(0.25)


def load(job):
    job.owners[0].load_state_dict(perceptron().state_dict())


def load_optimizer(job):
    other = training(perceptron, F.cross_entropy, FLAT, optim.Adam, lr=0.2)
    for number in range(3):
        other.function(*FLAT(np.random.default_rng(number)))
    job.owners[1].load_state_dict(other.owners[1].state_dict())


def schedule(job):
    job.owners[2].step()


def freeze(job):
    job.owners[0][0].requires_grad_(False)


def rebind_parameter(job):
    job.owners[0][0].weight = nn.Parameter(fastnn.ones(8, 5))


def rebind_module(job):
    job.owners[0][1] = nn.ReLU()


def append_module(job):
    job.owners[0].append(nn.Dropout(0.5))


def rebind_method(job):
    job.owners[0][1].forward = fastnn.sigmoid


def hook(job):
    job.owners[0][1].register_forward_hook(lambda module, arguments, output: output * 2)


def more_parameters(job):
    extra = nn.Parameter(fastnn.ones(3))
    extra.grad = fastnn.ones(3)
    job.owners[1].add_param_group({"params": [extra], "lr": 0.3})


def forget_gradients(job):
    job.owners[0].zero_grad()


def own_gradients(job):
    for parameter in job.owners[0].parameters():
        parameter.grad = fastnn.ones_like(parameter)


def reseed(job):
    fastnn.set_rng_state((0, 77))


def state_of_first(job):
    optimizer = job.owners[1]
    return optimizer.state[optimizer.param_groups[0]["params"][0]]


def forget_states(job):
    job.owners[1].state.clear()


def forget_a_state(job):
    state_of_first(job).clear()


def replace_a_mean(job):
    state = state_of_first(job)
    state["exp_avg"] = fastnn.ones_like(state["exp_avg"])


def put_a_parameter_ahead(job):
    state_of_first(job)["step"] += 5


def hook_the_step(job):
    def double(optimizer, arguments, keywords):
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad.mul_(2)

    job.owners[1].register_step_pre_hook(double)


CHANGES = [forget_states, forget_a_state, replace_a_mean, put_a_parameter_ahead, hook_the_step,
           fill, load, load_optimizer, schedule, freeze, rebind_parameter, rebind_module,
           append_module, rebind_method, hook, more_parameters, forget_gradients, own_gradients,
           reseed, group("lr", 0.5), group("weight_decay", 0.1), group("betas", (0.5, 0.6))]
NAMES = [each.__name__ for each in CHANGES[:-3]] + ["lr", "weight_decay", "betas"]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_acts_on_the_next_training_step(change):
    assert_like_eager(lambda: scheduled(optim.Adam), once(change), calls=9)


@pytest.mark.parametrize("change", [
    schedule, load, forget_gradients, more_parameters, hook_the_step, group("maximize", True),
    group("momentum", 0.5), group("params", [])])
def test_a_change_acts_on_steps_without_states(change):
    assert_like_eager(lambda: scheduled(optim.SGD), once(change), calls=9)


def test_each_step_counts_as_one_change_of_the_parameters():
    job = scheduled(optim.SGD)
    compiled, weight, found = fastnn.compile(job.function), job.owners[0][0].weight, []
    for number in range(6):
        before = weight._version
        compiled(*FLAT(np.random.default_rng(number)))
        found.append(weight._version - before)
    assert found == [1] * 6


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_a_step_sees_gradients_that_came_about_outside(rule):
    def make():
        net = perceptron()
        optimizer = rule(net.parameters(), lr=0.1)

        def draw(generator):
            optimizer.zero_grad()
            x, labels = FLAT(generator)
            F.cross_entropy(net(x), labels).backward()
            return ()

        return Job(lambda: optimizer.step(), draw, (net, optimizer))

    assert_like_eager(make)


@pytest.mark.parametrize("change", [freeze, forget_gradients, own_gradients])
def test_a_change_acts_on_gradients_that_accumulate(change):
    def make():
        net = perceptron()
        return Job(lambda x, y: F.cross_entropy(net(x), y).backward(), FLAT, (net,))

    assert_like_eager(make, once(change), calls=9)
