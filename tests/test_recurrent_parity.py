"""Recurrent layers and packed sequences beside PyTorch's: values, gradients, states, settings."""

import inspect

import numpy as np
import pytest
from helpers import close, import_torch

import fastnn

torch = import_torch()

TOLERANCE = {"float32": 5e-6, "float64": 1e-11}
SETTINGS = {
    "plain": {}, "two layers": dict(num_layers=2), "without bias": dict(bias=False),
    "both ways": dict(bidirectional=True), "batch first": dict(batch_first=True),
    "all": dict(num_layers=3, bidirectional=True, batch_first=True, bias=False, dropout=0.0)}
KINDS = {"RNN": {}, "RNN of relu": dict(nonlinearity="relu"), "LSTM": {}, "GRU": {}}
LENGTHS = {"falling": ([5, 3, 3, 1], True), "mixed": ([2, 5, 1, 4], False),
           "equal": ([4, 4], True), "equal, to be sorted": ([4, 4, 4], False)}

each_kind = pytest.mark.parametrize("kind", KINDS)
each_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
each_lengths = pytest.mark.parametrize("lengths, enforce_sorted", LENGTHS.values(), ids=LENGTHS)


def pair(name, *arguments, dtype="float64", **options):
    """PyTorch's module, and ours with its weights."""
    theirs = getattr(torch.nn, name)(*arguments, dtype=getattr(torch, dtype), **options)
    ours = getattr(fastnn.nn, name)(*arguments, dtype=dtype, **options)
    ours.load_state_dict({key: fastnn.from_numpy(value.numpy().copy())
                          for key, value in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    return theirs, ours


def leaves(*shapes, dtype="float64"):
    """Random tensors in both libraries, with gradients asked for."""
    random = np.random.default_rng(3)
    arrays = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    return ([torch.from_numpy(each.copy()).requires_grad_() for each in arrays],
            [fastnn.from_numpy(each.copy()).requires_grad_() for each in arrays])


def flat(value):
    """All floating-point tensors of nested results, in order."""
    if isinstance(value, (tuple, list)):
        return [each for part in value for each in flat(part)]
    return [value] if value is not None and value.requires_grad else []


def compare(theirs, ours, modules, inputs, tolerance):
    """Outputs and, of a random weighted sum of them, all gradients."""
    theirs, ours = flat(theirs), flat(ours)
    random = np.random.default_rng(4)
    for one, other in zip(ours, theirs, strict=True):
        close(one.detach().array, other.detach().numpy(), tolerance)
        assert str(other.dtype) == f"torch.{one.dtype}"
    upstream = [random.standard_normal(tuple(each.shape)).astype(str(each.dtype)) for each in ours]
    torch.autograd.backward(theirs, [torch.from_numpy(each) for each in upstream])
    fastnn.autograd.backward(ours, [fastnn.from_numpy(each) for each in upstream])
    parameters = list(zip(modules[1].parameters(), modules[0].parameters(), strict=True))
    for one, other in (*parameters, *zip(inputs[1], inputs[0], strict=True)):
        close(one.grad.array, other.grad.numpy(), tolerance)


def states_of(kind, states):
    if not states:
        return ()
    return (tuple(states),) if kind == "LSTM" else tuple(states)


def state_shapes(kind, modules, *rest):
    """Shapes of the initial states: one, or hidden and cell."""
    layers = modules[0].num_layers * (1 + modules[0].bidirectional)
    return [(layers, *rest, 7)] * (1 + (kind == "LSTM"))


def name_of(kind):
    return kind.split()[0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states given"])
@each_setting
@each_kind
def test_layer(kind, setting, given, dtype):
    modules = pair(name_of(kind), 3, 7, dtype=dtype, **KINDS[kind], **setting)
    shape = (4, 6, 3) if setting.get("batch_first") else (6, 4, 3)
    shapes = [shape, *(state_shapes(kind, modules, 4) if given else [])]
    inputs = leaves(*shapes, dtype=dtype)
    results = [module(each[0], *states_of(kind, each[1:]))
               for module, each in zip(modules, inputs, strict=True)]
    compare(*results, modules, inputs, TOLERANCE[dtype])


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states given"])
@each_setting
@each_kind
def test_layer_without_a_batch(kind, setting, given):
    modules = pair(name_of(kind), 3, 7, **KINDS[kind], **setting)
    inputs = leaves((5, 3), *(state_shapes(kind, modules) if given else []))
    results = [module(each[0], *states_of(kind, each[1:]))
               for module, each in zip(modules, inputs, strict=True)]
    compare(*results, modules, inputs, 1e-11)


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states given"])
@each_lengths
@each_setting
@each_kind
def test_packed(kind, setting, lengths, enforce_sorted, given):
    modules = pair(name_of(kind), 3, 7, **KINDS[kind], **setting)
    batch, first = len(lengths), setting.get("batch_first", False)
    shape = (batch, 5, 3) if first else (5, batch, 3)
    inputs = leaves(shape, *(state_shapes(kind, modules, batch) if given else []))
    results = []
    for library, module, each in zip((torch, fastnn), modules, inputs, strict=True):
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(each[0], lengths, first, enforce_sorted)
        output, last = module(packed, *states_of(kind, each[1:]))
        padded, found = rnn.pad_packed_sequence(output, first, 0.5, 8)
        assert found.tolist() == lengths
        results.append((padded, last))
    compare(*results, modules, inputs, 1e-11)


@pytest.mark.parametrize("shape", [(4, 3), (3,), (0, 3)], ids=["batch", "single", "empty"])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states given"])
@pytest.mark.parametrize("bias", [True, False])
@each_kind
def test_cell(kind, bias, given, shape):
    modules = pair(name_of(kind) + "Cell", 3, 7, bias=bias, **KINDS[kind])
    states = [(*shape[:-1], 7)] * (1 + (kind == "LSTM")) if given else []
    inputs = leaves(shape, *states)
    results = [module(each[0], *states_of(kind, each[1:]))
               for module, each in zip(modules, inputs, strict=True)]
    compare(*results, modules, inputs, 1e-11)


@each_kind
def test_large(kind):
    modules = pair(name_of(kind), 33, 7, dtype="float32", num_layers=2, **KINDS[kind])
    inputs = leaves((40, 37, 33), dtype="float32")
    compare(*(module(each[0]) for module, each in zip(modules, inputs, strict=True)), modules,
            inputs, 2e-5)


@each_kind
def test_empty_batch(kind):
    modules = pair(name_of(kind), 3, 7, **KINDS[kind])
    inputs = leaves((5, 0, 3))
    compare(*(module(each[0]) for module, each in zip(modules, inputs, strict=True)), modules,
            inputs, 0)


@each_lengths
def test_packed_fields(lengths, enforce_sorted):
    array = np.arange(5 * len(lengths)).reshape(5, -1)
    theirs, ours = (library.nn.utils.rnn.pack_padded_sequence(
        library.from_numpy(array.copy()), lengths, False, enforce_sorted)
        for library in (torch, fastnn))
    assert ours._fields == theirs._fields
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.tolist() == other.tolist()
            assert str(other.dtype) == f"torch.{one.dtype}"


@pytest.mark.parametrize("options", [
    {}, dict(batch_first=True), dict(padding_value=2.5), dict(padding_side="left"),
    dict(padding_side="left", batch_first=True, padding_value=-1)])
def test_pad_sequence(options):
    arrays = [np.random.default_rng(i).standard_normal((i, 2)) for i in (3, 1, 4)]
    theirs, ours = (library.nn.utils.rnn.pad_sequence(
        [library.from_numpy(each.copy()) for each in arrays], **options)
        for library in (torch, fastnn))
    assert ours.tolist() == theirs.tolist()


def test_lists_of_sequences():
    arrays = [np.random.default_rng(i).standard_normal((i, 2)) for i in (3, 1, 4)]
    found = []
    for library in (torch, fastnn):
        rnn = library.nn.utils.rnn
        parts = [library.from_numpy(each.copy()) for each in arrays]
        packed = rnn.pack_sequence(parts, enforce_sorted=False)
        padded, lengths = rnn.pad_packed_sequence(packed)
        found.append([packed.data.tolist(), [each.tolist() for each in rnn.unpack_sequence(packed)],
                      [each.tolist() for each in rnn.unpad_sequence(padded, lengths)],
                      rnn.invert_permutation(packed.sorted_indices).tolist()])
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["pack_padded_sequence", "pad_packed_sequence", "pad_sequence",
                                  "pack_sequence", "unpad_sequence", "unpack_sequence"])
def test_signatures(name):
    theirs, ours = (inspect.signature(getattr(library.nn.utils.rnn, name)).parameters.values()
                    for library in (torch, fastnn))
    assert [(each.name, each.default) for each in ours] == [
        (each.name, each.default) for each in theirs]


def test_settings_by_place():
    """PyTorch's order of arguments, which its signatures do not show."""
    for name, options in (("RNN", (2, "relu", False, True, 0.25, True)),
                          ("LSTM", (2, False, True, 0.25, True)),
                          ("GRU", (2, False, True, 0.25, True))):
        theirs, ours = pair(name, 3, 7, *options)
        assert ours.mode == theirs.mode
        for setting in ("input_size", "hidden_size", "num_layers", "bias", "batch_first",
                        "dropout", "bidirectional", "proj_size"):
            assert getattr(ours, setting) == getattr(theirs, setting)
