"""Recurrent layers that AMX's tiles take: against float64, which no tile touches.

On processors without tiles the same tests run on the vector kernels.
"""

import numpy as np
import pytest
from helpers import fences_memory, guarded

from fastnn._kernels import rnn, runtime
from fastnn._kernels.sequences import sequences
from fastnn.ops.recurrent import KINDS

# rows of each step, units: whole tiles, parts of them, sequences of different lengths.
CASES = {"whole": ((32,) * 5, 64), "edges": ((40,) * 4, 77), "one tile": ((16,) * 6, 130),
         "packed": ((50, 41, 33, 17, 16, 3), 96)}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_case = pytest.mark.parametrize("case", CASES)


def drawn(kind, case, reverse=False, scale=1.0):
    """Arguments of both directions; ``scale`` multiplies what products read."""
    steps, hidden = CASES[case]
    plan = sequences(steps, reverse)
    random = np.random.default_rng(2)
    used, kept = rnn.gates_of(kind)
    rows = plan.rows + plan.batch

    def array(*shape):
        return random.uniform(-0.5, 0.5, shape).astype(np.float32)

    forward = dict(kind=kind, batch=plan.batch, shift=plan.shift, spans=plan.spans,
                   weight=array(used * hidden, hidden) / 4, bias=array(used * hidden),
                   states=array(rows, hidden) * np.float32(scale),
                   cells=array(rows, hidden) if kind == "LSTM" else None,
                   gates=array(plan.rows, kept * hidden))
    gradients = dict(d_states=array(rows, hidden) * np.float32(scale),
                     d_cells=array(rows, hidden) * np.float32(scale) if kind == "LSTM" else None,
                     d_gates=array(plan.rows, used * hidden))
    gradients["d_sums"] = array(plan.rows, used * hidden) if kind == "GRU" else None
    return forward, gradients


def run(forward, gradients):
    """All arrays that the kernels write, by name."""
    gradients = dict(gradients)
    if gradients["d_sums"] is None:
        gradients["d_sums"] = gradients["d_gates"]
    rnn.forward(**forward)
    rnn.backward(**{key: value for key, value in forward.items() if key != "bias"}, **gradients)
    return {name: array for name, array in (*forward.items(), *gradients.items())
            if name in ("states", "cells", "gates", "d_states", "d_gates", "d_sums")
            and array is not None}


def copied(part, change):
    return {key: change(value) if isinstance(value, np.ndarray) and key != "spans" else value
            for key, value in part.items()}


def in_float64(array):
    return array.astype(np.float64)


@pytest.mark.parametrize("reverse", [False, True])
@each_case
@each_kind
def test_against_float64(kind, case, reverse):
    arguments = drawn(kind, case, reverse)
    exact = run(*[copied(part, in_float64) for part in arguments])
    for name, array in run(*arguments).items():
        np.testing.assert_allclose(array, exact[name], rtol=0, atol=4e-6, err_msg=name)


@each_case
@each_kind
def test_every_number_of_threads_gives_the_same_bits(kind, case):
    """Also where some rows are too small for tiles."""
    before, results = runtime.get_thread_count(), []
    try:
        for threads in (1, 2, 3, 8):
            runtime.set_thread_count(threads)
            forward, gradients = drawn(kind, case)
            gradients["d_states"][::3] *= np.float32(1e-25)
            results.append(run(forward, gradients))
    finally:
        runtime.set_thread_count(before)
    for result in results[1:]:
        for name, array in result.items():
            np.testing.assert_array_equal(array, results[0][name], err_msg=name)


@fences_memory
@each_kind
def test_nothing_beyond_the_arrays_is_touched(kind):
    wanted = run(*drawn(kind, "edges"))
    for name, array in run(*[copied(part, guarded) for part in drawn(kind, "edges")]).items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15])
@pytest.mark.parametrize("kind", ["RNN_RELU", "LSTM"])
def test_small_and_large_gradients(kind, scale):
    """Gradients fade over time; each row is to be as exact as its own numbers allow."""
    forward, gradients = drawn(kind, "whole")
    for name in ("d_states", "d_cells"):
        if gradients[name] is not None:
            gradients[name] *= np.float32(scale)
    exact = run(*[copied(part, in_float64) for part in (forward, gradients)])
    found = run(forward, gradients)
    for name in ("d_states", "d_gates"):
        tolerance = 4e-6 * abs(exact[name]).max()
        np.testing.assert_allclose(found[name], exact[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_alone_with_that(value):
    """With positive numbers alone, infinity stays infinity."""
    forward, gradients = drawn("RNN_RELU", "whole")
    for name in ("weight", "states", "gates"):
        forward[name] = abs(forward[name])
    before = run(*[copied(part, np.array) for part in (forward, gradients)])["states"]
    forward["states"][5, 3] = value
    exact = run(*[copied(part, in_float64) for part in (forward, gradients)])["states"]
    states = run(forward, gradients)["states"]
    np.testing.assert_array_equal(np.isnan(states), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(states), np.isinf(exact))
    others = np.arange(len(states)) % CASES["whole"][0][0] != 5
    np.testing.assert_array_equal(states[others], before[others])
    assert not np.isfinite(states[~others]).all()


def test_a_weight_that_tiles_cannot_take():
    forward, gradients = drawn("RNN_TANH", "edges")
    forward["weight"][3, 4] = np.inf
    exact = run(*[copied(part, in_float64) for part in (forward, gradients)])
    np.testing.assert_allclose(run(forward, gradients)["states"], exact["states"], rtol=0,
                               atol=4e-6)
