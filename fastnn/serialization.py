"""Save and load nested dicts, lists, numbers, strings and tensors in a safetensors file.

Tensors stand in the file under their path; the structure around them is JSON in its metadata. A
flat dict of tensors, such as a ``state_dict``, has its own keys and is readable by any program.
"""

import json
import os
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from . import tape
from .tensor import Tensor

STRUCTURE = "fastnn_structure"
TENSOR = "$tensor"


def save(obj, f):
    """Write nested dicts, lists, tuples, numbers, strings, None and tensors to the file ``f``.

    ``f`` is a path, where the file appears whole or not at all, or a file open for writing bytes.
    A TypeError for anything else in ``obj``.

    >>> import fastnn, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> fastnn.save({"weight": fastnn.ones(2), "epoch": 3}, path)
    >>> fastnn.load(path)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    arrays = {}
    structure = json.dumps(_describe(obj, "", arrays))
    content = to_bytes(arrays, metadata={STRUCTURE: structure})
    if hasattr(f, "write"):
        f.write(content)
    else:
        write_atomically(Path(f), content)


def load(f, map_location=None, *, weights_only=True, mmap=None):
    """Read what ``save`` wrote, or any safetensors file as a dict of tensors.

    ``f`` is a path, or a file open for reading bytes, which is read to its end. ``map_location``,
    ``weights_only`` and ``mmap`` change nothing: such a file holds no code.

    A ValueError if the file is not a whole safetensors file, or not one that ``save`` wrote.
    """
    if hasattr(f, "read"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "content")
            path.write_bytes(f.read())
            return _load(path, f)
    return _load(f, f)


def _load(path, f):
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"load: {f} is not a whole safetensors file: {error}") from None
    tensors = {name: tape.from_array(array) for name, array in arrays.items()}
    if STRUCTURE not in metadata:
        return tensors
    try:
        return _restore(json.loads(metadata[STRUCTURE]), tensors)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"load: {f} has a damaged structure: {error}") from None


def write_atomically(path, content):
    """Write bytes to a temporary file beside ``path``, then put it in place."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _describe(value, path, arrays):
    """The JSON form of a value; tensors go to ``arrays`` under their path."""
    if isinstance(value, Tensor):
        name = _free_name(path or TENSOR, arrays)
        arrays[name] = numpy.ascontiguousarray(value.array).reshape(value.array.shape)
        return {TENSOR: name}
    if isinstance(value, dict):
        items = [[_key(key), _describe(each, f"{path}.{key}" if path else str(key), arrays)]
                 for key, each in value.items()]
        return {"ordered" if isinstance(value, OrderedDict) else "dict": items}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_describe(each, f"{path}.{i}" if path else str(i), arrays)
                       for i, each in enumerate(value)]}
    if isinstance(value, numpy.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save: {path or 'the object'} is a {type(value).__name__}; possible are "
                    "dicts, lists, tuples, numbers, strings, None and tensors")


def _free_name(path, arrays):
    """The path, or what is like it where {"a.b": x, "a": {"b": y}} has two alike."""
    while path in arrays or path == "__metadata__":
        path += "~"
    return path


def _key(key):
    if not isinstance(key, (str, int)) or isinstance(key, bool):
        raise TypeError(f"save: keys of dicts must be strings or integers, got {key!r}")
    return key


def _restore(value, tensors):
    if isinstance(value, list):
        raise ValueError("a list without its kind")
    if not isinstance(value, dict):
        return value
    (kind, content), = value.items()
    if kind == TENSOR:
        return tensors[content]
    if kind in ("dict", "ordered"):
        items = [(key, _restore(each, tensors)) for key, each in content]
        return dict(items) if kind == "dict" else OrderedDict(items)
    if kind not in ("list", "tuple"):
        raise ValueError(f"unknown kind {kind!r}")
    restored = [_restore(each, tensors) for each in content]
    return tuple(restored) if kind == "tuple" else restored
