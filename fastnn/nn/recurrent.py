"""Recurrent layers over whole sequences: RNN, LSTM and GRU."""

import math
import warnings

from ..ops import checks
from ..ops.creation import empty
from ..ops.dropout import dropout
from ..ops.joining import cat, stack
from ..ops.recurrent import KINDS, gates_of, recurrence
from ..ops.shape import reshape, transpose
from . import init
from .layers import count
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence, step_sizes

NONLINEARITIES = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}


class Recurrent(Module):
    """Weights of the input and of the states, by gates, for one or more layers."""

    def _enter_weights(self, suffix, input_size, device, dtype):
        rows = gates_of(self.mode) * self.hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, self.hidden_size),
                  "bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            wanted = self.bias or name.startswith("weight")
            self.register_parameter(name + suffix, Parameter(
                empty(*shape, dtype=dtype, device=device)) if wanted else None)

    def _weights(self, suffix):
        return tuple(self._parameters[name + suffix]
                     for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    def reset_parameters(self):
        """Draw new initial values, uniform within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _checked_states(self, hx, shape, dimensions):
        """The initial states as a tuple; an error unless all have the shape."""
        if hx is None:
            return ()
        name = type(self).__name__
        wanted = 1 + (self.mode == "LSTM")
        states = hx if wanted == 2 else (hx,)
        if not isinstance(states, (tuple, list)) or len(states) != wanted:
            raise TypeError(f"{name}: hx must be the pair (hidden, cell)")
        checks.floating(name, **dict(zip(("hidden", "cell"), states, strict=False)))
        for state in states:
            if tuple(state.shape) != shape:
                raise ValueError(f"{name}: initial states must have shape {dimensions} = {shape}, "
                                 f"got {tuple(state.shape)}")
        return tuple(states)

    def _check_input(self, input, weight, *dimensions):
        name = type(self).__name__
        checks.floating(name, input=input, weight=weight)
        checks.dimensions(name, "input", input, *dimensions)
        features = input.array.shape[-1]
        if features != self.input_size:
            raise ValueError(f"{name}: input has {features} features, input_size is "
                             f"{self.input_size}")


class RNNBase(Recurrent):
    """What `RNN`, `LSTM` and `GRU` share; ``mode`` is RNN_TANH, RNN_RELU, LSTM or GRU."""

    def __init__(self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None):
        super().__init__()
        name = type(self).__name__
        if mode not in KINDS:
            raise ValueError(f"{name}: mode must be one of {', '.join(KINDS)}, got {mode!r}")
        if proj_size:
            raise ValueError(f"{name}: projections (proj_size) are not offered")
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) \
                or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout must be a number in [0, 1], got {dropout!r}")
        self.mode, self.bias, self.batch_first = mode, bias, batch_first
        self.input_size = count(name, "input_size", input_size)
        self.hidden_size = count(name, "hidden_size", hidden_size)
        self.num_layers = count(name, "num_layers", num_layers)
        self.dropout, self.bidirectional, self.proj_size = float(dropout), bidirectional, 0
        if dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout comes after all layers but the last, so with one layer "
                          f"dropout={dropout} does nothing", stacklevel=3)
        for layer in range(num_layers):
            size = self.hidden_size * len(self._directions) if layer else self.input_size
            for suffix in self._suffixes(layer):
                self._enter_weights(suffix, size, device, dtype)
        self.reset_parameters()

    @property
    def _directions(self):
        return (False, True) if self.bidirectional else (False,)

    def _suffixes(self, layer):
        return [f"_l{layer}" + "_reverse" * reverse for reverse in self._directions]

    @property
    def all_weights(self):
        """The parameters, in one list for each direction of each layer."""
        return [[weight for weight in self._weights(suffix) if weight is not None]
                for layer in range(self.num_layers) for suffix in self._suffixes(layer)]

    def flatten_parameters(self):
        """Nothing: the kernels need no joint memory of the parameters."""

    def forward(self, input, hx=None):
        """(states of all steps, last states); of LSTM the last are the pair (hidden, cell).

        ``input`` is (steps, batch, features), (batch, steps, features) with ``batch_first``, or
        (steps, features) for one sequence, which has no batch in the states either; or a
        `PackedSequence`, and the states of all steps are then one too. ``hx`` holds the initial
        states (layers * directions, batch, hidden_size), zeros by default.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        name = type(self).__name__
        self._check_input(input, self.weight_ih_l0, 2, 3)
        batched = input.ndim == 3
        turned = batched and self.batch_first
        steps_first = transpose(input, 0, 1) if turned else input
        steps, batch = len(steps_first), steps_first.shape[1] if batched else 1
        if not steps:
            raise ValueError(f"{name}: input has no steps")
        states = self._states(hx, batch, batched)
        rows, last = self._layers(reshape(steps_first, -1, self.input_size), (batch,) * steps,
                                  states)
        output = reshape(rows, steps, batch, rows.shape[1]) if batched else rows
        if not batched:
            last = [reshape(each, len(each), self.hidden_size) for each in last]
        return transpose(output, 0, 1) if turned else output, self._result(last)

    def _forward_packed(self, input, hx):
        self._check_input(input.data, self.weight_ih_l0, 2)
        sizes = step_sizes(type(self).__name__, input.batch_sizes, len(input.data))
        states = self._states(hx, sizes[0], True)
        if input.sorted_indices is not None:
            states = tuple(each.index_select(1, input.sorted_indices) for each in states)
        rows, last = self._layers(input.data, sizes, states)
        if input.unsorted_indices is not None:
            last = [each.index_select(1, input.unsorted_indices) for each in last]
        return PackedSequence(rows, *input[1:]), self._result(last)

    def _states(self, hx, batch, batched):
        """Initial states as (layers * directions, batch, hidden_size)."""
        count = self.num_layers * len(self._directions)
        shape = (count, batch, self.hidden_size) if batched else (count, self.hidden_size)
        dimensions = "(layers * directions, batch, hidden_size)" if batched else \
            "(layers * directions, hidden_size)"
        states = self._checked_states(hx, shape, dimensions)
        return tuple(reshape(each, count, batch, self.hidden_size) for each in states)

    def _layers(self, rows, sizes, states):
        """All layers over packed rows: the last one's rows, and the last states of all."""
        finals = []
        for layer in range(self.num_layers):
            if layer:
                rows = dropout(rows, self.dropout, self.training)
            outputs = []
            for suffix, reverse in zip(self._suffixes(layer), self._directions, strict=True):
                initial = [each[len(finals)] for each in states]
                output, *last = recurrence(self.mode, rows, sizes, self._weights(suffix), *initial,
                                           reverse=reverse)
                outputs.append(output)
                finals.append(last)
            rows = cat(outputs, 1) if len(outputs) > 1 else outputs[0]
        return rows, [self._stacked(each) for each in zip(*finals, strict=True)
                      if each[0] is not None]

    def _stacked(self, last):
        return stack(last) if len(last) > 1 else reshape(last[0], 1, *last[0].shape)

    def _result(self, last):
        return tuple(last) if self.mode == "LSTM" else last[0]

    def extra_repr(self):
        shown = [f"{self.input_size}, {self.hidden_size}"]
        shown += [f"{name}={getattr(self, name)}" for name, plain in (
            ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0),
            ("bidirectional", False)) if getattr(self, name) != plain]
        return ", ".join(shown)


def mode_of(name, nonlinearity):
    """The kind of network that a nonlinearity stands for, or a ValueError."""
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"{name}: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    return NONLINEARITIES[nonlinearity]


class RNN(RNNBase):
    """Elman's network: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or with relu.

    Elman, Finding structure in time, 1990. ``forward`` says what goes in and comes out.

    >>> import fastnn
    >>> output, last = fastnn.nn.RNN(10, 20, num_layers=2)(fastnn.rand(5, 3, 10))
    >>> output.shape, last.shape
    (fastnn.Size([5, 3, 20]), fastnn.Size([2, 3, 20]))
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
                 batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None):
        super().__init__(mode_of("RNN", nonlinearity), input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory, with input, forget, cell and output gates i, f, g and o.

    Each gate is W_ih x + b_ih + W_hh h + b_hh through sigmoid, g through tanh; then
    ``c' = f c + i g`` and ``h' = o tanh(c')``. Hochreiter and Schmidhuber, Long short-term memory,
    1997. ``forward`` says what goes in and comes out. Projections (``proj_size``) are not offered.

    >>> import fastnn
    >>> lstm = fastnn.nn.LSTM(10, 20, batch_first=True, bidirectional=True)
    >>> output, (hidden, cell) = lstm(fastnn.rand(3, 5, 10))
    >>> output.shape, hidden.shape
    (fastnn.Size([3, 5, 40]), fastnn.Size([2, 3, 20]))
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None):
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)


class GRU(RNNBase):
    """Gated recurrent unit, with reset, update and new gates r, z and n.

    r and z are W_ih x + b_ih + W_hh h + b_hh through sigmoid; ``n = tanh(W_in x + b_in +
    r (W_hn h + b_hn))`` and ``h' = (1 - z) n + z h``. Cho et al., Learning phrase representations
    using RNN encoder-decoder, 2014. ``forward`` says what goes in and comes out.

    >>> import fastnn
    >>> output, last = fastnn.nn.GRU(10, 20)(fastnn.rand(5, 3, 10))
    >>> bool((output[-1] == last[0]).all())
    True
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, device=None, dtype=None):
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)
