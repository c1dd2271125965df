"""The table of PyTorch's names is complete and true of both packages."""

import importlib.util
import inspect
import types
from operator import attrgetter
from pathlib import Path

import pytest

import fastnn

DOCS = Path(__file__).parents[1] / "docs"
spec = importlib.util.spec_from_file_location("pytorch_table", DOCS / "pytorch_table.py")
pytorch_table = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pytorch_table)
TABLE = pytorch_table.read()

HOMES = ("torch", "torch.nn", "torch.optim.lr_scheduler")
each_namespace = pytest.mark.parametrize("namespace", TABLE)
SETTLED = {"device", "dtype", "layout", "pin_memory", "memory_format", "out", "foreach", "fused",
           "capturable", "differentiable", "size_average", "reduce",  # never the subject of a test
           "orig_func", "min_value", "max_value"}  # of decorators; deprecated


def place(root, namespace):
    """The module or class of a name such as ``torch.nn``."""
    inner = namespace.partition(".")[2]
    return attrgetter(inner)(root) if inner else root


def names_of_torch(owner):
    """The public functions and classes that belong to a namespace of PyTorch."""
    found = []
    for name in dir(owner):
        value = getattr(owner, name, None)
        home = getattr(value, "__module__", None) or "torch"
        if (not name.startswith("_") and callable(value) and home.partition(".")[0] == "torch"
                and not isinstance(value, types.ModuleType)):
            found.append(name)
    return found


def is_borrowed(namespace, owner, name):
    """Whether a file merely imports ``Tensor``, ``Module`` or the like from their own place."""
    return any(getattr(owner, name, None) is getattr(place(fastnn, home), name, owner)
               for home in HOMES if home != namespace)


@each_namespace
def test_names_of_fastnn(namespace):
    entry, owner = TABLE[namespace], place(fastnn, namespace)
    for name in (*entry["same"], *entry["differs"]):
        assert hasattr(owner, name), f"{namespace}.{name} is in the table and not in fastnn"
        assert len(pytorch_table.states_of(entry, name)) == 1, name
    offered = {name for name in dir(owner) if not name.startswith("_")
               and not is_borrowed(namespace, owner, name)}
    for name in offered - {*entry["same"], *entry["differs"]}:
        assert not pytorch_table.states_of(entry, name), f"{namespace}.{name} is offered"


@each_namespace
def test_names_of_torch(torch, namespace):
    owner, entry = place(torch, namespace), TABLE[namespace]
    missing = [name for name in names_of_torch(owner)
               if len(pytorch_table.states_of(entry, name)) != 1]
    assert not missing, f"{namespace}: not exactly once in the table: {' '.join(missing)}"
    for name in (*entry["same"], *entry["differs"]):
        assert hasattr(owner, name), f"PyTorch has no {namespace}.{name}"


def parameters(function):
    """[(name, default)] of a Python function or class, None where it cannot be known."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in found):
        return None
    return [(each.name, each.default) for each in found
            if each.name not in SETTLED and not each.name.startswith("_")]


def named(default):
    """The name of a function that is a default."""
    return getattr(default, "__name__", default)


def _difference(ours, theirs):
    """How our parameters differ from PyTorch's, or None."""
    if ours is None or theirs is None:
        return None
    if theirs and theirs[0][0] == "self" and ours:  # a method; ours is the function itself
        theirs = [(ours[0][0], ours[0][1]), *theirs[1:]]
    if [key for key, _ in ours] != [key for key, _ in theirs]:
        return f"({', '.join(key for key, _ in ours)}), not ({', '.join(k for k, _ in theirs)})"
    unlike = [f"{key}={default!r}, not {wanted!r}"
              for (key, default), (_, wanted) in zip(ours, theirs, strict=True)
              if not (default is wanted or default == wanted or named(default) == named(wanted))]
    return ", ".join(unlike) or None


@each_namespace
def test_parameters(torch, namespace):
    faults = []
    for name in TABLE[namespace]["same"]:
        ours, theirs = (parameters(getattr(place(root, namespace), name))
                        for root in (fastnn, torch))
        difference = _difference(ours, theirs)
        if difference:
            faults.append(f"{namespace}.{name}: {difference}")
    assert not faults, "\n".join(faults)


def test_page():
    assert (DOCS / "pytorch.md").read_text() == pytorch_table.page(), (
        "run `python docs/pytorch_table.py`")
