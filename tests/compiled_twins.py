"""What the tests of `fastnn.compile` share: a job run twice from one seed, eager and compiled."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastnn
from fastnn import nn

CALLS = 7


@dataclass
class Job:
    """A function, how its arguments are drawn (from a NumPy generator), and all that it changes."""

    function: Any
    draw: Any
    owners: tuple = ()


def bits(value):
    """The value with every tensor's memory as bytes; two are equal if no bit differs."""
    if isinstance(value, fastnn.Tensor):
        kind = type(value).__name__, str(value.dtype), tuple(value.shape), value.requires_grad
        return *kind, value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return {key: bits(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [bits(each) for each in value]
    return repr(value)


def state_of(owner):
    """All that a call may change in a module, optimizer, schedule, tensor or generator."""
    if isinstance(owner, nn.Module):
        named = dict(owner.named_parameters())
        return {"training": owner.training, "parameters": bits(named),
                "gradients": bits({name: each.grad for name, each in named.items()}),
                "buffers": bits(dict(owner.named_buffers()))}
    if isinstance(owner, fastnn.Tensor):
        return {"value": bits(owner), "gradient": bits(owner.grad)}
    if isinstance(owner, fastnn.Generator):
        return {"state": owner.get_state()}
    return bits(owner.state_dict())


def outcome(function, arguments):
    """A call's result, or the error of an operation."""
    try:
        return function(*arguments)
    except (IndexError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def history(job, call, change=None, calls=CALLS):
    """What is there after each call; ``change(job, number)`` comes before call ``number``."""
    seen, results = [], []
    for number in range(calls):
        if change is not None:
            change(job, number)
        arguments = job.draw(np.random.default_rng(number))
        results.append(outcome(call, arguments))
        seen.append({
            "result": bits(results[-1]), "arguments": bits(arguments),
            "generator": fastnn.get_rng_state(),
            **{f"{type(owner).__name__} {place}": state_of(owner)
               for place, owner in enumerate(job.owners)}})
    late = [bits(result) for result in results]
    assert late == [each["result"] for each in seen], "a later call changed an earlier result"
    return seen


def once(change, before=4):
    """``change`` made before one call: two were replays, and more follow it."""
    return lambda job, number: change(job) if number == before else None


def differences(wanted, got, path=""):
    """The paths at which two histories differ."""
    if isinstance(wanted, dict) and isinstance(got, dict) and wanted.keys() == got.keys():
        return [each for key in wanted
                for each in differences(wanted[key], got[key], f"{path} > {key}")]
    return [] if wanted == got else [path]


def run_twins(make, change=None, calls=CALLS):
    """The histories of ``make()`` in eager mode and compiled."""
    both = []
    for compiled in (False, True):
        fastnn.manual_seed(0)
        job = make()
        call = fastnn.compile(job.function) if compiled else job.function
        both.append(history(job, call, change, calls))
    return both


def assert_like_eager(make, change=None, calls=CALLS):
    """Every bit after every call is what eager mode gives."""
    eager, compiled = run_twins(make, change, calls)
    for number, (wanted, got) in enumerate(zip(eager, compiled, strict=True)):
        assert not differences(wanted, got), f"call {number}: {differences(wanted, got)}"
    return eager


def python_runs(function, call, *arguments):
    """How often the Python of ``function`` runs during a call."""
    count, before = 0, sys.getprofile()

    def watch(frame, event, argument):
        nonlocal count
        count += event == "call" and frame.f_code is function.__code__

    sys.setprofile(watch)
    try:
        call(*arguments)
    finally:
        sys.setprofile(before)
    return count


def floats(*shapes, dtype="float32"):
    """Draws tensors of normal random numbers."""
    return lambda random: tuple(
        fastnn.from_numpy(np.asarray(random.standard_normal(shape), dtype)) for shape in shapes)


def labelled(shape, classes):
    """Draws a batch with labels."""
    return lambda random: (*floats(shape)(random), *integers(classes, shape[:1])(random))


def integers(high, *shapes):
    """Draws tensors of integers below ``high``."""
    return lambda random: tuple(
        fastnn.from_numpy(random.integers(0, high, shape)) for shape in shapes)


def training(network, loss_of, draw, optimizer=fastnn.optim.SGD, **settings):
    """A whole training step of a network."""
    net = network()
    optimizer = optimizer(net.parameters(), **{"lr": 0.05, **settings})

    def step(x, *targets):
        optimizer.zero_grad()
        loss = loss_of(net(x), *targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Job(step, draw, (net, optimizer))


def perceptron():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
