"""`save` and `load`: nested state in a safetensors file, whole or not at all, without pickle."""

import io
import os
import re
import stat
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastnn
from fastnn import nn, serialization


def same(one, other):
    """Equal values of equal types all the way down."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, fastnn.Tensor):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.array, other.array)
    else:
        assert one == other


NESTED = {
    "empty": {}, "number": 3, "float": 0.1, "truth": True, "nothing": None, "text": "ä\n\"'",
    "dict": {"epoch": 3, 5: "integer key", "inner": {"a": [1, (2.5, "x")], "b": ()}},
    "list": [1, [2, []], {}], "tensor": fastnn.tensor([1.5, 2.5]), "scalar": fastnn.tensor(7),
    "no elements": fastnn.zeros(0, 3), "transposed": fastnn.rand(3, 4).t(),
    "tensors": {"w": fastnn.rand(2, 3), "more": [fastnn.tensor([True]), fastnn.tensor([1, 2])]},
    "dots": {"a.b": fastnn.zeros(1), "a": {"b": fastnn.ones(1)}},
    "types": [fastnn.ones(2, dtype=name) for name in (
        "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")],
    "ordered": OrderedDict([("b", 1), ("a", OrderedDict(x=fastnn.ones(1)))]),
    "infinite": [float("inf"), -float("inf")],
    "large": fastnn.rand(2, 3, 9, 9),
    "odd keys": {"": fastnn.ones(1), "$tensor": fastnn.zeros(1), "dict": 1,
                 "__metadata__": fastnn.rand(2), "__metadata__~": fastnn.rand(3)},
}


@pytest.mark.parametrize("value", NESTED.values(), ids=NESTED)
def test_round_trip(value, tmp_path):
    path = tmp_path / "state.safetensors"
    fastnn.save(value, path)
    same(fastnn.load(path), value)
    fastnn.save(value, str(path))
    same(fastnn.load(str(path)), value)


def test_loaded_tensors_are_writable_leaves(tmp_path):
    x = fastnn.rand(3, requires_grad=True)
    fastnn.save([x, x * 2], tmp_path / "x")
    first, second = fastnn.load(tmp_path / "x")
    assert first.is_leaf and second.is_leaf and not first.requires_grad
    first.add_(1)
    np.testing.assert_array_equal(first.array, x.detach().array + 1)


def test_state_dict_is_a_plain_safetensors_file(tmp_path):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    fastnn.save(net.state_dict(), tmp_path / "net")
    assert set(load_file(tmp_path / "net")) == set(net.state_dict())
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other.load_state_dict(fastnn.load(tmp_path / "net"))
    np.testing.assert_array_equal(other[0].weight.array, net[0].weight.array)


def test_file_of_another_program(tmp_path):
    save_file({"w": np.arange(3.0)}, tmp_path / "w")
    loaded = fastnn.load(tmp_path / "w")
    assert loaded["w"].tolist() == [0, 1, 2]


DAMAGES = {"empty": lambda content: b"", "half": lambda content: content[:len(content) // 2],
           "short": lambda content: content[:-1], "longer": lambda content: content + b"x",
           "text": lambda content: b"hello" * 100, "pickle": lambda content: b"\x80\x04N."}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file(damage, tmp_path):
    path = tmp_path / "x"
    fastnn.save({"w": fastnn.ones(100)}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"load: {re.escape(str(path))} is not a whole safetens"):
        fastnn.load(path)


STRUCTURES = ["", "{", "[1, 2]", '{"dict": 3}', '{"$tensor": "absent"}', '{"unknown": []}',
              '{"dict": [], "list": []}', '{"dict": [[1]]}', '[' * 100_000]


@pytest.mark.parametrize("structure", STRUCTURES, ids=range(len(STRUCTURES)))
def test_damaged_structure(structure, tmp_path):
    """The structure is a stranger's text: it may be anything, and is only ever data."""
    path = tmp_path / "x"
    save_file({"w": np.ones(1)}, path, metadata={serialization.STRUCTURE: structure})
    with pytest.raises(ValueError, match="load: "):
        fastnn.load(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(OSError):
        fastnn.load(tmp_path / "absent")
    with pytest.raises(OSError):
        fastnn.save({}, tmp_path / "absent" / "x")


@pytest.mark.parametrize("value, message", [
    ({"a": {1, 2}}, "save: a is a set"), ([1, [object()]], r"save: 1.0 is a object"),
    (len, "save: the object is a builtin_function_or_method"),
    ({"a": 1 + 2j}, "save: a is a complex"), ({"a": np.ones(2)}, "save: a is a ndarray"),
    ({1.5: 0}, "save: keys of dicts must be strings or integers, got 1.5"),
    ({(1, 2): 0}, "keys of dicts must be strings or integers"),
])
def test_what_cannot_be_saved(value, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        fastnn.save(value, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    fastnn.save({"a": 1}, path)

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fastnn.save({"a": 2}, path)
    assert fastnn.load(path) == {"a": 1} and [each.name for each in tmp_path.iterdir()] == ["x"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_permissions_are_those_of_a_new_file(tmp_path):
    fastnn.save({}, tmp_path / "x")
    (tmp_path / "y").write_text("")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "y").stat().st_mode)


def test_no_pickle_in_the_library():
    for path in Path(fastnn.__file__).parent.rglob("*.py"):
        assert not re.search(r"^\s*(import|from)\s+(pickle|marshal|shelve|dill)\b",
                             path.read_text(), re.MULTILINE), path


def test_open_files():
    file = io.BytesIO()
    fastnn.save({"a": fastnn.arange(3), "n": [1, None]}, file)
    file.seek(0)
    found = fastnn.load(file, map_location="cpu", weights_only=True)
    assert found["a"].tolist() == [0, 1, 2] and found["n"] == [1, None]
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        fastnn.load(io.BytesIO(b"garbage!"))
