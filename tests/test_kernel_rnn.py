"""The kernel of recurrent layers: gate functions, memory, what it refuses."""

import numpy as np
import pytest
from helpers import fences_memory, guarded

import fastnn
from fastnn._kernels import rnn as kernel
from fastnn._kernels.sequences import sequences
from fastnn.ops.recurrent import KINDS, recurrence

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 4), ("float64", 4)])
def test_gate_functions_are_within_4_units(dtype, tolerance):
    """Of a tanh network and of a GRU whose weights let the input through."""
    x = np.concatenate([np.linspace(-20, 20, 20001), np.geomspace(1e-30, 1, 2000),
                        -np.geomspace(1e-30, 1, 2000)]).astype(dtype)
    one, none = np.ones((1, 1), dtype), np.zeros((1, 1), dtype)
    rows = fastnn.from_numpy(x[:, None].copy())
    found, _, _ = recurrence("RNN_TANH", rows, (len(x),),
                             [fastnn.from_numpy(each) for each in (one, none)] + [None, None])
    check_units(found.array[:, 0], np.tanh(x.astype(np.longdouble)), dtype, tolerance)
    # The update gate z = sigmoid(x), new = 0 and the state before 1 give h = z.
    weight = np.array([[0], [1], [0]], dtype)
    found, _, _ = recurrence(
        "GRU", rows, (len(x),),
        [fastnn.from_numpy(each) for each in (weight, 0 * weight)] + [None, None],
        fastnn.ones(len(x), 1, dtype=dtype))
    exact = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    check_units(found.array[:, 0], exact, dtype, tolerance)


def check_units(found, exact, dtype, most):
    units = np.abs(found - exact) / np.spacing(np.abs(exact).astype(dtype))
    assert units.max() <= most


def test_denormals_are_flushed():
    x = fastnn.full((1, 1), 1e-40)
    weights = [fastnn.ones(1, 1), fastnn.ones(1, 1), None, None]
    assert recurrence("RNN_RELU", x, (1,), weights)[0].item() == 0


def drawn(kind, plan, hidden, dtype):
    """Arguments of both directions that are right."""
    random = np.random.default_rng(2)
    used, kept = kernel.gates_of(kind)
    rows = plan.rows + plan.batch

    def array(*shape):
        return random.uniform(-0.5, 0.5, shape).astype(dtype)

    forward = dict(kind=kind, batch=plan.batch, shift=plan.shift, spans=plan.spans,
                   weight=array(used * hidden, hidden), bias=array(used * hidden),
                   states=array(rows, hidden),
                   cells=array(rows, hidden) if kind == "LSTM" else None,
                   gates=array(plan.rows, kept * hidden))
    gradients = dict(d_states=array(rows, hidden),
                     d_cells=array(rows, hidden) if kind == "LSTM" else None,
                     d_gates=array(plan.rows, used * hidden))
    gradients["d_sums"] = array(plan.rows, used * hidden) if kind == "GRU" else \
        gradients["d_gates"]
    return forward, gradients


def both_ways(forward, gradients):
    kernel.forward(**forward)
    kernel.backward(**{key: value for key, value in forward.items() if key != "bias"}, **gradients)


@fences_memory
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [1, 7, 13, 16, 21, 53])
@each_kind
def test_nothing_beyond_the_arrays_is_touched(kind, hidden, dtype):
    """A masked access of the wrong kind would end the process here."""
    plan = sequences((9, 9, 5, 1), True)
    plain, guard = (drawn(kind, plan, hidden, dtype) for _ in range(2))
    both_ways(*plain)
    alone = {id(array): guarded(array) for part in guard for array in part.values()
             if isinstance(array, np.ndarray)}
    guard = [{key: alone.get(id(value), value) for key, value in part.items()} for part in guard]
    both_ways(*guard)
    for part, other in zip(guard, plain, strict=True):
        for name, value in part.items():
            np.testing.assert_array_equal(value, other[name])


def kernel_arguments(**changes):
    """Arguments of a call that is right, but for the changes."""
    plan = sequences((2, 2, 1), False)
    given = dict(kind="GRU", batch=2, shift=2, spans=plan.spans, weight=np.ones((12, 4)), bias=None,
                 states=np.ones((7, 4)), cells=None, gates=np.ones((5, 16)))
    return {**given, **changes}.values()


@pytest.mark.parametrize("changes, error, text", [
    (dict(kind="XX"), ValueError, "kind 'XX', there are"),
    (dict(weight=np.ones((12, 4), int)), TypeError, "weight has dtype int64"),
    (dict(weight=np.ones((16, 4))), ValueError, "weight has 16 rows, wanted 12"),
    (dict(states=np.ones((7, 4), np.float32)), TypeError, "states has dtype float32"),
    (dict(states=np.ones((6, 4))), ValueError, "span 2 names rows that do not exist"),
    (dict(gates=np.ones((4, 16))), ValueError, "span 2 names rows that do not exist"),
    (dict(gates=np.ones((5, 12))), ValueError, "gates has 12 columns, wanted 16"),
    (dict(batch=1), ValueError, "span 0 names rows that do not exist"),
    (dict(shift=-1), ValueError, "span 0 names rows that do not exist"),
    (dict(spans=np.array([[0, 0, 2 ** 62, 1]])), ValueError, "span 0 names rows"),
    (dict(spans=np.zeros((2, 3), np.int64)), ValueError, "spans has 3 columns, wanted 4"),
    (dict(bias=np.ones(3)), ValueError, "bias has 3 numbers, wanted 12"),
    (dict(kind="LSTM", weight=np.ones((16, 4))), TypeError, "cells is None"),
])
def test_kernel_refuses(changes, error, text):
    with pytest.raises(error, match=text):
        kernel.forward(*kernel_arguments(**changes))
