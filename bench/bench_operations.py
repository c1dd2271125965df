"""Every registered operation on its own cases, forward and backward: the cost of a call.

The list is the registry's, so a new operation is measured without a new benchmark.
"""

import numpy
import pytest

import fastnn
from fastnn import registry

GENERATOR = numpy.random.default_rng(0)
CASES = [
    pytest.param(entry, case, id=f"{name}-{number}")
    for name, entry in registry.REGISTRY.items()
    for number, case in enumerate(entry.cases)
]


def drawn(argument, leaves):
    """The value of an argument of a case; floating-point tensors are added to ``leaves``."""
    if isinstance(argument, registry.Floats):
        values = GENERATOR.uniform(argument.low, argument.high, argument.shape)
        leaves.append(fastnn.tensor(values.astype(numpy.float32), requires_grad=True))
        return leaves[-1]
    if isinstance(argument, registry.Integers):
        return fastnn.tensor(GENERATOR.integers(argument.low, argument.high, argument.shape))
    if isinstance(argument, registry.Booleans):
        return fastnn.tensor(GENERATOR.random(argument.shape) < 0.5)
    if isinstance(argument, list):
        return [drawn(each, leaves) for each in argument]
    return argument


def prepared(entry, case):
    """A call without arguments, and the leaves it depends on."""
    leaves = []
    arguments = [drawn(argument, leaves) for argument in case.arguments]
    keywords = {name: drawn(value, leaves) for name, value in case.keywords.items()}
    return lambda: entry.function(*arguments, **keywords), leaves


def outputs_of(result):
    """The results, one or several, that gradients flow from."""
    results = result if isinstance(result, (tuple, list)) else [result]
    return [each for each in results if each.requires_grad]


@pytest.mark.parametrize(("entry", "case"), CASES)
def test_forward(benchmark, entry, case):
    call, _ = prepared(entry, case)
    with fastnn.no_grad():
        benchmark(call)


@pytest.mark.parametrize(
    ("entry", "case"), [each for each in CASES if each.values[0].differentiable]
)
def test_forward_and_backward(benchmark, entry, case):
    call, leaves = prepared(entry, case)
    if not outputs_of(call()):
        pytest.skip("the case leads to no gradient")
    gradients = [fastnn.ones_like(output) for output in outputs_of(call())]
    benchmark(lambda: fastnn.autograd.grad(
        outputs_of(call()), leaves, gradients, allow_unused=True))
