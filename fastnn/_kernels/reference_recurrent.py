"""Recurrent layers in plain NumPy, one sequence and one step at a time."""

import numpy as np


def sigmoid(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x)))


def rnn_step(activation):
    def step(given, sums, state, cell):
        return activation(given + sums), cell

    return step


def gru_step(given, sums, state, cell):
    reset_given, update_given, new_given = np.split(given, 3)
    reset_sum, update_sum, new_sum = np.split(sums, 3)
    reset, update = sigmoid(reset_given + reset_sum), sigmoid(update_given + update_sum)
    new = np.tanh(new_given + reset * new_sum)
    return (1 - update) * new + update * state, cell


def lstm_step(given, sums, state, cell):
    input, forget, new, output = np.split(given + sums, 4)
    cell = sigmoid(forget) * cell + sigmoid(input) * np.tanh(new)
    return sigmoid(output) * np.tanh(cell), cell


STEPS = {"RNN_TANH": rnn_step(np.tanh), "RNN_RELU": rnn_step(lambda x: np.maximum(x, 0)),
         "GRU": gru_step, "LSTM": lstm_step}


def one_sequence(kind, x, weights, state, cell, reverse):
    """States of all steps of x (steps, features), in x's order, and the last state and cell."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    states = np.empty((len(x), len(state)))
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        given = weight_ih @ x[t] + (0 if bias_ih is None else bias_ih)
        sums = weight_hh @ state + (0 if bias_hh is None else bias_hh)
        state, cell = STEPS[kind](given, sums, state, cell)
        states[t] = state
    return states, state, cell


def layer(kind, sequences, weights, state, cell, reverse=False):
    """Lists of each sequence's states, last state and last cell; initial ones (batch, hidden)."""
    return [list(each) for each in zip(*(
        one_sequence(kind, x, weights, state[i], cell[i], reverse)
        for i, x in enumerate(sequences)), strict=True)]
