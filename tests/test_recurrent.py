"""Recurrent layers against plain NumPy and finite differences; errors."""

import numpy as np
import pytest
from helpers import LAYOUTS, close

import fastnn
from fastnn import nn
from fastnn._kernels import reference_recurrent as reference
from fastnn.nn.utils import rnn
from fastnn.ops.recurrent import KINDS, gates_of, recurrence
from fastnn.testing import gradcheck, gradgradcheck

TOLERANCE = {"float32": 3e-6, "float64": 1e-12}
STRICT = dict(eps=1e-4, rtol=1e-7, atol=1e-8, fast_mode=True)
NAMES = ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "hidden", "cell")
SIZES = {"one step": (3,), "even": (3,) * 5, "falling": (4, 4, 3, 1, 1), "alone": (1, 1)}


def drawn(kind, sizes, features=3, hidden=5, scale=1.0):
    """Arrays by name, of a batch of packed sequences."""
    random = np.random.default_rng(5)
    rows, gates = sum(sizes), gates_of(kind) * hidden
    shapes = ((rows, features), (gates, features), (gates, hidden), (gates,), (gates,),
              (sizes[0], hidden), (sizes[0], hidden))
    found = {name: random.uniform(-scale, scale, shape)
             for name, shape in zip(NAMES, shapes, strict=True)}
    if kind != "LSTM":
        found["cell"] = None
    return found


def run(kind, sizes, reverse, values):
    """All states, the last ones and (of LSTM) the last cells."""
    weights = [values.get(name) for name in NAMES[1:5]]
    found = recurrence(kind, values["x"], sizes, weights, values.get("hidden"),
                       values.get("cell"), reverse)
    return [each for each in found if each is not None]


def tensors(arrays, dtype, requires_grad=False, layout=np.copy):
    return {name: fastnn.from_numpy(layout(array.astype(dtype))).requires_grad_(requires_grad)
            for name, array in arrays.items() if array is not None}


def rows_of_sequences(sizes):
    """For each sequence its rows among the packed ones."""
    starts = np.cumsum([0, *sizes])
    return [[int(start) + i for start, size in zip(starts, sizes, strict=False) if i < size]
            for i in range(sizes[0])]


def wanted(kind, sizes, reverse, arrays):
    rows = rows_of_sequences(sizes)
    zeros = np.zeros((sizes[0], arrays["weight_hh"].shape[1]))
    hidden, cell = (zeros if arrays.get(name) is None else arrays[name]
                    for name in ("hidden", "cell"))
    weights = [arrays.get(name) for name in NAMES[1:5]]
    states, last, cells = reference.layer(kind, [arrays["x"][each] for each in rows], weights,
                                          hidden, cell, reverse)
    packed = np.empty((sum(sizes), zeros.shape[1]))
    for place, each in zip(rows, states, strict=True):
        packed[place] = each
    return [packed, last, cells][:3 if kind == "LSTM" else 2]


each_kind = pytest.mark.parametrize("kind", KINDS)
each_way = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
each_sizes = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("hidden", [1, 5, 16, 51])
@each_sizes
@each_way
@each_kind
def test_values(kind, reverse, sizes, hidden, dtype):
    arrays = drawn(kind, sizes, hidden=hidden, scale=min(1.0, 3 / hidden ** 0.5))
    arrays = {name: array if array is None else array.astype(dtype).astype(float)
              for name, array in arrays.items()}
    found = run(kind, sizes, reverse, tensors(arrays, dtype))
    for one, other in zip(found, wanted(kind, sizes, reverse, arrays), strict=True):
        assert one.dtype == dtype
        close(one.array, np.asarray(other), TOLERANCE[dtype])


@pytest.mark.parametrize("left_out", [("bias_ih", "bias_hh"), ("hidden", "cell")])
@each_way
@each_kind
def test_values_without(kind, reverse, left_out):
    sizes = SIZES["falling"]
    arrays = {name: array for name, array in drawn(kind, sizes).items() if name not in left_out}
    found = run(kind, sizes, reverse, tensors(arrays, "float64"))
    for one, other in zip(found, wanted(kind, sizes, reverse, arrays), strict=True):
        close(one.array, np.asarray(other), 1e-12)


@each_kind
def test_many_rows_and_units(kind):
    """More rows than a tile, more units than a piece, more of them than one pass of a panel."""
    sizes = (21, 21, 13, 9, 9, 2)
    arrays = drawn(kind, sizes, features=7, hidden=531, scale=0.1)
    found = run(kind, sizes, False, tensors(arrays, "float64"))
    for one, other in zip(found, wanted(kind, sizes, False, arrays), strict=True):
        close(one.array, np.asarray(other), 1e-12)


def as_function(kind, sizes, reverse, arrays):
    """The outputs as a function of all arrays, and these as tensors in float64."""
    given = tensors(arrays, "float64", requires_grad=True)

    def function(*values):
        return tuple(run(kind, sizes, reverse, dict(zip(given, values, strict=True))))

    return function, list(given.values())


@each_sizes
@each_way
@each_kind
def test_gradients(kind, reverse, sizes):
    function, inputs = as_function(kind, sizes, reverse, drawn(kind, sizes))
    gradcheck(function, inputs, **STRICT)
    gradgradcheck(function, inputs, **STRICT)


@each_kind
def test_whole_jacobian(kind):
    sizes = (2, 2, 1)
    function, inputs = as_function(kind, sizes, False, drawn(kind, sizes, 2, 2))
    gradcheck(function, inputs, eps=1e-4, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("left_out", [("bias_ih", "bias_hh"), ("hidden", "cell")])
@each_kind
def test_gradients_without(kind, left_out):
    sizes = SIZES["falling"]
    arrays = {name: array for name, array in drawn(kind, sizes).items() if name not in left_out}
    function, inputs = as_function(kind, sizes, True, arrays)
    gradcheck(function, inputs, **STRICT)
    gradgradcheck(function, inputs, **STRICT)


@each_kind
def test_gradient_of_one_input_alone(kind):
    sizes = SIZES["falling"]
    arrays = drawn(kind, sizes)
    for name in arrays:
        if arrays[name] is None:
            continue
        given = tensors(arrays, "float64")
        leaf = given[name].requires_grad_()

        def function(value, name=name, given=given):
            return tuple(run(kind, sizes, False, {**given, name: value}))

        gradcheck(function, [leaf], **STRICT)


def gradients(kind, sizes, reverse, arrays, dtype="float32", layout=np.copy):
    """Outputs and gradients of everything, as arrays."""
    given = tensors(arrays, dtype, True, layout)
    found = run(kind, sizes, reverse, given)
    upstream = [fastnn.from_numpy(layout(np.random.default_rng(i).standard_normal(
        each.shape).astype(dtype))) for i, each in enumerate(found)]
    return [each.detach().array for each in (
        *found, *fastnn.autograd.grad(found, list(given.values()), upstream))]


@pytest.mark.parametrize("sizes, hidden", [((3,) * 40, 200), ((30, 30, 27, 9, 9, 1), 200),
                                           ((64, 64), 128), ((5,), 1000)])
@each_way
@each_kind
def test_same_bits_for_any_number_of_threads(kind, reverse, sizes, hidden, threads):
    arrays = drawn(kind, sizes, 40, hidden, 0.1)
    runs = []
    for count in (1, 2, 3, 5):
        threads(count)
        runs.append(gradients(kind, sizes, reverse, arrays))
    for each in runs[1:]:
        for one, other in zip(each, runs[0], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@each_kind
def test_layout(kind, layout):
    sizes = SIZES["falling"]
    arrays = drawn(kind, sizes)
    plain = gradients(kind, sizes, True, arrays, "float64")
    for one, other in zip(gradients(kind, sizes, True, arrays, "float64", layout), plain,
                          strict=True):
        close(one, other, 1e-12)


@each_way
@each_kind
def test_writes_every_element(kind, reverse):
    """The second run gets the memory of the first one, filled with NaN, from the arena."""
    sizes, arrays = (40, 40, 20, 3), drawn(kind, (40, 40, 20, 3), 30, 70)
    first = gradients(kind, sizes, reverse, arrays)
    copies = [array.copy() for array in first]
    for array in first:
        if array.flags.writeable:
            array.fill(np.nan)
    del array, first
    for one, other in zip(gradients(kind, sizes, reverse, arrays), copies, strict=True):
        np.testing.assert_array_equal(one, other)


@each_kind
def test_tails(kind):
    """Huge, infinite and NaN inputs: gates saturate, nothing overflows, NaN stays in its row."""
    x = np.array([[1e30], [-1e30], [np.inf], [-np.inf], [np.nan], [1.0]], np.float32)
    arrays = drawn(kind, (6,), 1, 4)
    arrays["x"] = x
    found = run(kind, (6,), False, tensors(arrays, "float32"))
    for each in found:
        finite = np.isfinite(each.array).all(1)
        assert finite[:2].all() and finite[5] and not finite[4]
        if kind != "RNN_RELU":
            assert finite[2:4].all()


@each_kind
def test_no_rows(kind):
    given = tensors(drawn(kind, (0, 0)), "float32", True)
    found = run(kind, (0, 0), False, given)
    assert [tuple(each.shape) for each in found] == [(0, 5)] * len(found)
    fastnn.cat(found).sum().backward()
    assert (given["weight_hh"].grad.array == 0).all()


def make(kind, **options):
    classes = {"RNN_TANH": nn.RNN, "RNN_RELU": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
    if kind == "RNN_RELU":
        options["nonlinearity"] = "relu"
    return classes[kind](3, 4, **options)


def test_state_of_a_module():
    """Keys in PyTorch's order, shapes, and initial values within 1 / sqrt(hidden)."""
    lstm = nn.LSTM(3, 100, num_layers=2, bidirectional=True)
    names = [f"{name}_l{layer}{suffix}" for layer in (0, 1) for suffix in ("", "_reverse")
             for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    state = lstm.state_dict()
    assert list(state) == names
    assert state["weight_ih_l0"].shape == (400, 3)
    assert state["weight_ih_l1_reverse"].shape == (400, 200)
    assert state["weight_hh_l1"].shape == (400, 100) and state["bias_hh_l1"].shape == (400,)
    for value in state.values():
        assert 0.09 < value.abs().max().item() <= 0.1
    assert [len(each) for each in lstm.all_weights] == [4] * 4
    assert lstm.flatten_parameters() is None
    assert list(nn.GRU(3, 4, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert list(nn.GRUCell(3, 4).state_dict()) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    assert next(nn.LSTM(3, 4, dtype=fastnn.float64).parameters()).dtype == "float64"


@each_kind
def test_module_gradients(kind):
    """Of the input and the states through two layers in both directions."""
    module = make(kind, num_layers=2, bidirectional=True, batch_first=True).double()
    x = fastnn.randn(2, 4, 3, dtype="float64", requires_grad=True)
    states = [fastnn.randn(4, 2, 4, dtype="float64", requires_grad=True)
              for _ in range(1 + (kind == "LSTM"))]

    def function(x, *states):
        output, last = module(x, states if kind == "LSTM" else states[0])
        return (output, *last) if kind == "LSTM" else (output, last)

    gradcheck(function, [x, *states], **STRICT)
    gradgradcheck(function, [x, *states], **STRICT)


@each_kind
def test_dropout_between_layers(kind):
    module = make(kind, num_layers=2, dropout=0.5)
    x = fastnn.randn(6, 2, 3)
    module.eval()
    assert (module(x)[0] == module(x)[0]).all()
    module.train()
    assert not (module(x)[0] == module(x)[0]).all()
    module.dropout = 1.0  # nothing comes through: the second layer sees zeros
    first = module(x)[0]
    assert (first == module(2 * x)[0]).all()
    with pytest.warns(UserWarning, match="with one layer dropout=0.5 does nothing"):
        make(kind, dropout=0.5)


def test_cell_repeats_the_layer():
    gru, cell = nn.GRU(3, 4), nn.GRUCell(3, 4)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in
                          gru.state_dict().items()})
    x, state = fastnn.randn(5, 2, 3), None
    for step in x:
        state = cell(step, state)
    close(state.detach().array, gru(x)[1][0].detach().array, 1e-6)


def test_weight_is_shared_between_calls():
    """The gradients of two calls add up."""
    cell = nn.RNNCell(2, 2).double()
    x = fastnn.randn(3, 2, dtype="float64", requires_grad=True)
    gradcheck(lambda x: cell(x, cell(x)), [x], **STRICT)


@each_kind
def test_packed_sequences_do_not_see_each_other(kind):
    """Each sequence of a packed batch gives what it gives alone."""
    module = make(kind, num_layers=2, bidirectional=True)
    parts = [fastnn.randn(length, 3) for length in (2, 5, 3)]
    output, last = module(rnn.pack_sequence(parts, enforce_sorted=False))
    last = last if kind == "LSTM" else (last,)
    for i, (found, part) in enumerate(zip(rnn.unpack_sequence(output), parts, strict=True)):
        alone, states = module(part)
        close(found.detach().array, alone.detach().array, 1e-6)
        for one, other in zip(last, states if kind == "LSTM" else (states,), strict=True):
            close(one[:, i].detach().array, other.detach().array, 1e-6)


def two(*shape):
    return fastnn.zeros(*shape), fastnn.zeros(*shape)


@pytest.mark.parametrize("call, error, text", [
    (lambda: nn.LSTM(3, 4, proj_size=2), ValueError, r"LSTM: projections \(proj_size\) are not"),
    (lambda: nn.GRU(3, 0), ValueError, "GRU: hidden_size must be at least 1, got 0"),
    (lambda: nn.GRU(0, 3), ValueError, "GRU: input_size must be at least 1, got 0"),
    (lambda: nn.GRU(3, 4.5), TypeError, "GRU: hidden_size must be an integer, got 4.5"),
    (lambda: nn.RNN(3, 4, 0), ValueError, "RNN: num_layers must be at least 1, got 0"),
    (lambda: nn.RNN(3, 4, nonlinearity="elu"), ValueError, "must be 'tanh' or 'relu', got 'elu'"),
    (lambda: nn.RNNCell(3, 4, True, "elu"), ValueError, "RNNCell: nonlinearity must be 'tanh' or"),
    (lambda: nn.RNNBase("XX", 3, 4), ValueError, "mode must be one of RNN_TANH, .*, got 'XX'"),
    (lambda: nn.LSTM(3, 4, dropout=2), ValueError, r"dropout must be a number in \[0, 1\], got 2"),
    (lambda: nn.LSTM(3, 4, dropout=True), ValueError, "dropout must be a number in"),
    (lambda: nn.LSTM(3, 4, device="cuda"), ValueError, "fastnn is for CPUs, got 'cuda'"),
    (lambda: nn.GRU(3, 4)([1.0]), TypeError, "GRU: input must be a Tensor, got list"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5)), ValueError, "input must have 2 or 3 dimensions"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5, 2, 2)), ValueError, "2 features, input_size is 3"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(0, 2, 3)), ValueError, "GRU: input has no steps"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5, 2, 3, dtype="float64")), TypeError,
     "GRU: input is float64, weight is float32"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5, 2, 3), fastnn.zeros(2, 4)), ValueError,
     r"directions, batch, hidden_size\) = \(1, 2, 4\), got \(2, 4\)"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5, 3), fastnn.zeros(1, 1, 4)), ValueError,
     r"\(layers \* directions, hidden_size\) = \(1, 4\), got \(1, 1, 4\)"),
    (lambda: nn.GRU(3, 4)(fastnn.ones(5, 2, 3), fastnn.zeros(1, 2, 4, dtype="float64")), TypeError,
     "GRU: input is float32, hidden is float64"),
    (lambda: nn.LSTM(3, 4)(fastnn.ones(5, 2, 3), fastnn.zeros(1, 2, 4)), TypeError,
     r"LSTM: hx must be the pair \(hidden, cell\)"),
    (lambda: nn.LSTM(3, 4)(fastnn.ones(5, 2, 3), two(1, 3, 4)), ValueError, r"got \(1, 3, 4\)"),
    (lambda: nn.LSTMCell(3, 4)(fastnn.ones(2, 3), fastnn.zeros(2, 4)), TypeError, "must be the pa"),
    (lambda: nn.GRUCell(3, 4)(fastnn.ones(2, 3), fastnn.zeros(3, 4)), ValueError,
     r"\(batch, hidden_size\) = \(2, 4\), got \(3, 4\)"),
    (lambda: nn.GRUCell(3, 4)(fastnn.ones(1, 2, 3)), ValueError, "must have 1 or 2 dimensions"),
    (lambda: nn.GRUCell(3, 4)(fastnn.ones(2, 5)), ValueError, "5 features, input_size is 3"),
    (lambda: nn.GRU(3, 4)(rnn.PackedSequence(fastnn.ones(3, 3), fastnn.tensor([1, 2]))),
     ValueError, r"GRU: batch_sizes must be positive, not grow .* 3 rows of data, got \(1, 2\)"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
