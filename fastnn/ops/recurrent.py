"""Recurrent layers: one direction of one layer over all steps is one operation."""

from dataclasses import dataclass

import numpy

from .. import tape
from .._kernels import gemm, layout, memory, reductions, rnn
from .._kernels.sequences import Sequences, sequences
from ..operation import Operation
from .activation import relu, sigmoid, tanh
from .arithmetic import add
from .checks import floating
from .composed import rule_of_composition
from .creation import zeros
from .joining import cat, narrow
from .linear import linear

KINDS = tuple(rnn.KINDS)
# Columns of the input: with 128 the weight gradient of 2048 rows takes 0.9 instead of 1.3 ms as the
# transposed product (two threads), with 256 turning it costs what that gains.
NARROW = 192


def gates_of(kind):
    """How many rows the weights of a kind of network have for each hidden unit."""
    return rnn.gates_of(kind)[0]


@dataclass(frozen=True)
class Plan:
    """The kind of network, its steps, and the shape of the operation's output.

    The output is one array of rows: the states (the initial ones and those of all rows of the
    input), then the last state of each sequence and, of LSTM, its last cell.
    """

    kind: str
    steps: Sequences

    @property
    def states(self):
        """Rows of states, the initial ones among them."""
        return self.steps.rows + self.steps.batch

    @property
    def has_cells(self):
        """Whether there are cells beside the states."""
        return self.kind == "LSTM"


def _rows_of_zeros_around(plan, rows):
    start, stop, total = plan
    out = memory.empty((total, *rows.shape[1:]), rows.dtype)
    layout.clear(out[:start])
    layout.clear(out[stop:])
    layout.copy_values(out[start:stop], rows)
    return out


_rows = Operation(
    "rows", lambda plan, x: x[plan[0]:plan[1]],
    lambda node, gradient: _within(node.plan, gradient), shares_memory=True)
_within = Operation(
    "rows_gradient", _rows_of_zeros_around,
    lambda node, gradient: _rows(node.plan, gradient))


def _forward(plan, x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    steps, size = plan.steps, weight_hh.shape[1]
    used, kept = rnn.gates_of(plan.kind)
    stack = memory.empty((plan.states + (1 + plan.has_cells) * steps.batch, size), x.dtype)
    states, cells = stack[:plan.states], None
    _place_initial(steps, states, hidden)
    if plan.has_cells:
        cells = memory.empty(states.shape, x.dtype)
        _place_initial(steps, cells, cell)
    gates = memory.empty((steps.rows, kept * size), x.dtype)
    weight, bias = memory.contiguous(weight_hh), memory.contiguous(bias_hh)
    gemm.matmul(x, weight_ih.T, gates[:, :used * size], memory.contiguous(bias_ih))
    at_once = len(steps.spans) == 1
    if at_once:
        _add_recurrent(plan.kind, gates, states[steps.before], weight, bias)
    rnn.forward(plan.kind, steps.batch, steps.shift, steps.spans, weight, bias, states, cells,
                gates, not at_once)
    layout.copy_values(stack[plan.states:plan.states + steps.batch], states[steps.last])
    if plan.has_cells:
        layout.copy_values(stack[plan.states + steps.batch:], cells[steps.last])
    return stack, gates, cells


def _place_initial(steps, states, initial):
    rows = states[steps.initial:steps.initial + steps.batch]
    if initial is None:
        layout.clear(rows)
    else:
        layout.copy_values(rows, initial)


def _add_recurrent(kind, gates, states, weight, bias):
    """The products of a single step, for which packing the weight does not pay."""
    common = len(weight) if kind != "GRU" else 2 * weight.shape[1]
    first, last = (None, None) if bias is None else (bias[:common], bias[common:])
    gemm.matmul(states, weight[:common].T, gates[:, :common], first, accumulate=True)
    if common < len(weight):
        gemm.matmul(states, weight[common:].T, gates[:, len(weight):], last)


def _rule(node, gradient):
    if tape.is_grad_enabled():
        return _differentiable(node, gradient)
    x, weight_ih = node.saved[0].array, node.saved[3].array
    needs, (plan, _, _) = node.needs, node.plan
    states, d_states, d_cells, d_gates, d_sums = _through_time(node, gradient.array)
    initial = slice(plan.steps.initial, plan.steps.initial + plan.steps.batch)
    found = (
        gemm.matmul(d_gates, weight_ih) if needs[0] else None,
        memory.copy(d_states[initial], "C") if needs[1] else None,
        memory.copy(d_cells[initial], "C") if needs[2] else None,
        _weight_gradient(d_gates, x) if needs[3] else None,
        _weight_gradient(d_sums, states[plan.steps.before]) if needs[4] else None,
        *_bias_gradients(needs[5:], d_gates, d_sums))
    return tuple(None if each is None else tape.from_array(each) for each in found)


def _weight_gradient(d_gates, x):
    """d_gates' x; for few columns as x' d_gates, turned, whose panels are full."""
    if x.shape[1] < NARROW:
        return memory.contiguous(gemm.matmul(x.T, d_gates).T)
    return gemm.matmul(d_gates.T, x)


def _through_time(node, gradient):
    """States; gradients of states, cells, products with the input and with the states."""
    plan, gates, cells = node.plan
    steps, weight = plan.steps, memory.contiguous(node.saved[4].array)
    states, d_cells = node.output.array[:plan.states], None
    d_states = gradient[:plan.states]
    if not (node.gradient_is_free and d_states.flags.c_contiguous):
        d_states = memory.copy(d_states, "C")
    _add_rows(d_states, steps.last, gradient[plan.states:plan.states + steps.batch])
    if plan.has_cells:
        d_cells = memory.empty(states.shape, states.dtype)
        _set_rows(d_cells, steps.last, gradient[plan.states + steps.batch:])
    d_gates = memory.empty((steps.rows, len(weight)), states.dtype)
    d_sums = memory.empty(d_gates.shape, d_gates.dtype) if plan.kind == "GRU" else d_gates
    at_once = len(steps.spans) == 1
    rnn.backward(plan.kind, steps.batch, steps.shift, steps.spans, weight, states, cells, gates,
                 d_states, d_cells, d_gates, d_sums, not at_once)
    if at_once:
        gemm.matmul(d_sums, weight, d_states[steps.before], accumulate=True)
    return states, d_states, d_cells, d_gates, d_sums


def _add_rows(to, rows, values):
    if isinstance(rows, slice):
        add.into(tape.from_array(to[rows]), tape.from_array(values))
    else:
        to[rows] += values


def _set_rows(to, rows, values):
    if isinstance(rows, slice):
        layout.copy_values(to[rows], values)
    else:
        to[rows] = values


def _bias_gradients(needs, d_gates, d_sums):
    """Those of the input's and of the states' bias: the same numbers, but for GRU."""
    first = _column_sums(d_gates) if needs[0] else None
    if not needs[1]:
        return first, None
    same = first is not None and d_sums is d_gates
    return first, memory.copy(first, "C") if same else _column_sums(d_sums)


def _column_sums(rows):
    return reductions.sum_axis(rows.reshape(1, *rows.shape)).reshape(-1)


def _rnn_step(activation):
    return lambda given, sums, state, cell: (activation(given + sums), None)


def _gru_step(given, sums, state, cell):
    size = state.shape[1]
    gates = sigmoid(narrow(given, 1, 0, 2 * size) + narrow(sums, 1, 0, 2 * size))
    reset, update = narrow(gates, 1, 0, size), narrow(gates, 1, size, size)
    new = tanh(narrow(given, 1, 2 * size, size) + reset * narrow(sums, 1, 2 * size, size))
    return new + update * (state - new), None


def _lstm_step(given, sums, state, cell):
    size = state.shape[1]
    gates = given + sums
    input, forget, new, output = (narrow(gates, 1, i * size, size) for i in range(4))
    cell = sigmoid(forget) * cell + sigmoid(input) * tanh(new)
    return sigmoid(output) * tanh(cell), cell


STEPS = {"RNN_TANH": _rnn_step(tanh), "RNN_RELU": _rnn_step(relu), "GRU": _gru_step,
         "LSTM": _lstm_step}


def _composition(plan, x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    """The same from small operations, a step at a time; sequences that rest keep their state."""
    kind, steps = plan[0].kind, plan[0].steps
    shape = (steps.batch, weight_hh.shape[1])
    hidden = zeros(*shape, dtype=x.dtype) if hidden is None else hidden
    cell = zeros(*shape, dtype=x.dtype) if cell is None else cell
    given, initial, states = linear(x, weight_ih, bias_ih), hidden, []
    starts = numpy.cumsum([0, *steps.sizes]).tolist()
    order = range(len(steps.sizes))
    for t in reversed(order) if steps.reverse else order:
        size, rest = steps.sizes[t], steps.batch - steps.sizes[t]
        before = narrow(hidden, 0, 0, size)
        state, new_cell = STEPS[kind](narrow(given, 0, starts[t], size),
                                      linear(before, weight_hh, bias_hh), before,
                                      narrow(cell, 0, 0, size))
        hidden = cat([state, narrow(hidden, 0, size, rest)])
        if plan[0].has_cells:
            cell = cat([new_cell, narrow(cell, 0, size, rest)])
        states.append(state)
    every = [*reversed(states), initial] if steps.reverse else [initial, *states]
    return cat([*every, hidden, cell] if plan[0].has_cells else [*every, hidden])


_differentiable = rule_of_composition(_composition)
_operations = {kind: Operation(kind.lower(), _forward, _rule, saves=tuple(range(7)),
                               saves_output=True) for kind in KINDS}


def recurrence(kind, x, sizes, weights, hidden=None, cell=None, reverse=False):
    """The states of all rows of ``x``, the last state and (of LSTM, else None) the last cell.

    ``x`` (rows, features) holds the rows of all sequences, step after step; ``sizes`` says how many
    belong to each step and may only fall. ``weights`` are those of the input and of the states and
    the two biases (or None); ``hidden`` and ``cell`` the initial values, zeros by default. Gates as
    in Hochreiter and Schmidhuber, Long short-term memory, 1997 (LSTM, with the forget gate of Gers
    et al., 2000), and Cho et al., Learning phrase representations, 2014 (GRU, the reset gate after
    the product with the state).
    """
    floating(kind, input=x, weight_ih=weights[0], weight_hh=weights[1], bias_ih=weights[2],
             bias_hh=weights[3], hidden=hidden, cell=cell)
    plan = Plan(kind, sequences(sizes, reverse))
    stack = _operations[kind](plan, x, hidden, cell, *weights)
    steps, total = plan.steps, len(stack)

    def part(start, count):
        return _rows((start, start + count, total), stack)

    return (part(steps.shift, steps.rows), part(plan.states, steps.batch),
            part(plan.states + steps.batch, steps.batch) if plan.has_cells else None)


def _taken(plan, x):
    index, _, _ = plan
    out = memory.empty((len(index), *x.shape[1:]), x.dtype)
    numpy.take(x, index, axis=0, out=out, mode="clip")
    return out


def _spread(plan, rows):
    index, total, filler = plan
    out = memory.empty((total, *rows.shape[1:]), rows.dtype)
    out[...] = filler
    out[index] = rows
    return out


_take_rows = Operation("take_rows", _taken, lambda node, gradient: _spread_rows(
    (node.plan[0], node.plan[1], 0), gradient))
_spread_rows = Operation("spread_rows", _spread, lambda node, gradient: _take_rows(
    node.plan, gradient))


def take_rows(x, index):
    """``x[index]`` for an array of different row numbers."""
    return _take_rows((index, len(x), 0), x)


def spread_rows(rows, index, total, filler):
    """``total`` rows full of ``filler``, but for ``rows`` at the numbers of ``index``."""
    return _spread_rows((index, total, filler), rows)
