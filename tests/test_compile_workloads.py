"""The training steps that are measured beside other libraries, compiled: eager mode's bits."""

import pytest

import fastnn
from bench.workloads import WORKLOADS, fastnn_steps


def losses(name, options, steps):
    fastnn.manual_seed(0)
    program = fastnn_steps.build(name, options)
    return [program.run(1) for _ in range(steps)]


@pytest.mark.parametrize("name", WORKLOADS)
def test_losses_are_those_of_eager_mode(name):
    assert losses(name, ("compile",), 6) == losses(name, (), 6)
