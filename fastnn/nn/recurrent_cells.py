"""Recurrent cells: single steps of RNN, LSTM and GRU."""

from ..ops.recurrent import recurrence
from ..ops.shape import reshape
from .layers import count
from .recurrent import Recurrent, mode_of


class RNNCellBase(Recurrent):
    """What the cells share: one step of a network of one layer."""

    def __init__(self, mode, input_size, hidden_size, bias, device, dtype):
        super().__init__()
        name = type(self).__name__
        self.mode, self.bias = mode, bias
        self.input_size = count(name, "input_size", input_size)
        self.hidden_size = count(name, "hidden_size", hidden_size)
        self._enter_weights("", self.input_size, device, dtype)
        self.reset_parameters()

    def forward(self, input, hx=None):
        """The new state (of LSTM the pair of state and cell) from (batch, features).

        Without a batch the input is (features,) and the states are (hidden_size,); initial states
        are zeros by default.
        """
        weights = self._weights("")
        self._check_input(input, weights[0], 1, 2)
        batched, size = input.ndim == 2, self.hidden_size
        shape = (len(input), size) if batched else (size,)
        states = self._checked_states(
            hx, shape, "(batch, hidden_size)" if batched else "(hidden_size,)")
        rows = input if batched else reshape(input, 1, -1)
        _, *last = recurrence(self.mode, rows, (len(rows),), weights,
                              *(each if batched else reshape(each, 1, size) for each in states))
        last = tuple(each if batched else reshape(each, size)
                     for each in last if each is not None)
        return last if self.mode == "LSTM" else last[0]

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNCellBase):
    """One step of `RNN`: ``tanh(W_ih x + b_ih + W_hh h + b_hh)``, or with relu.

    >>> import fastnn
    >>> fastnn.nn.RNNCell(10, 20)(fastnn.rand(3, 10)).shape
    fastnn.Size([3, 20])
    """

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None,
                 dtype=None):
        super().__init__(mode_of("RNNCell", nonlinearity), input_size, hidden_size, bias, device,
                         dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self):
        shown = super().extra_repr()
        return shown if self.nonlinearity == "tanh" else f"{shown}, nonlinearity=relu"


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: (hidden, cell) from the input and (hidden, cell).

    >>> import fastnn
    >>> hidden, cell = fastnn.nn.LSTMCell(10, 20)(fastnn.rand(3, 10))
    >>> hidden.shape, cell.shape
    (fastnn.Size([3, 20]), fastnn.Size([3, 20]))
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype)


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    >>> import fastnn
    >>> fastnn.nn.GRUCell(10, 20)(fastnn.rand(3, 10)).shape
    fastnn.Size([3, 20])
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype)
