"""Whether what a function reads in Python is as it was: globals, closures, attributes, elements.

From the function's code follow the names it uses; values are looked up by these in its globals, its
closure and the attributes of what is found there, in functions that it calls as well. The library's
own functions, and those of other packages, are not looked into, but modules of networks are.
"""

import sys
import sysconfig
import types
from pathlib import Path

import numpy

from ..generator import Generator
from ..nn import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from . import checks

LIBRARY = str(Path(__file__).parents[1])
PACKAGES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
MISSING = object()
PLAIN = (int, float, complex, str, bytes, bool, type(None))
MOST_ELEMENTS = 1000  # of a list, dict or array that is watched
EVERYTHING = {"getattr", "vars", "__dict__"}  # with these, any attribute may be read
NOT_REPLAYED = {"random", "secrets", "time", "numpy.random"}
OF_MODULES = ("training", "_parameters", "_buffers", "_modules", "_hooks")


def _is_users(name):
    """Whether a module of this name is the user's own."""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return bool(name) and not file.startswith(LIBRARY) and (
        "site-packages" not in file and not file.startswith(PACKAGES)
        and name not in sys.builtin_module_names)


def _names_of(code):
    """The names that code and the functions in it use."""
    names = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            names |= _names_of(each)
    return names


def _same(value, other):
    if value is other:
        return True
    if type(value) is not type(other):
        return False
    if isinstance(value, types.MethodType):
        return value.__self__ is other.__self__ and value.__func__ is other.__func__
    return isinstance(value, PLAIN) and value == other


class Watch:
    """The values that were found from some roots, with the ways to them."""

    def __init__(self, roots):
        self.roots, self.names, before = roots, set(), None
        while before != self.names:
            before = set(self.names)
            self.entries, self.cells, self.lists, self.sizes, self.arrays = [], [], [], [], []
            self.seen = {}
            for root in roots:
                self._walk(root, getattr(root, "__name__", type(root).__name__))
        self.columns = [[entry[place] for entry in self.entries] for place in range(3)]
        self.elements = [[entry[place] for entry in self.lists] for place in range(2)]
        self.containers = [[entry[place] for entry in self.sizes] for place in range(2)]
        self.seen = list(self.seen.values())  # which keeps identities from being used again

    def _entry(self, mapping, key, path):
        value = mapping.get(key, MISSING)
        self.entries.append((mapping, key, value, path))
        self._walk(value, path)

    def _walk(self, value, path):
        if isinstance(value, (*PLAIN, Tensor, LRScheduler, Generator)) or id(value) in self.seen:
            return
        self.seen[id(value)] = value
        if isinstance(value, types.FunctionType):
            self._function(value, path)
        elif isinstance(value, types.MethodType):
            self._walk(value.__func__, path)
            self._walk(value.__self__, path.rpartition(".")[0] or path)
        elif isinstance(value, types.ModuleType):
            self._python_module(value, path)
        elif isinstance(value, Module):
            self._module(value, path)
        elif isinstance(value, Optimizer):
            self._optimizer(value, path)
        elif isinstance(value, (list, tuple, dict, numpy.ndarray)):
            self._elements(value, path)
        elif isinstance(value, type):
            self._class(value, path)
        else:
            self._instance(value, path)

    def _function(self, function, path):
        if not _is_users(function.__module__):
            return
        code = function.__code__
        names = _names_of(code)
        self.names |= names
        for name in sorted(names & function.__globals__.keys()):
            self._entry(function.__globals__, name, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self.cells.append((cell, _content(cell), name))
            self._walk(_content(cell), name)
        self._walk(function.__defaults__, path)
        self._walk(function.__kwdefaults__, path)

    def _attributes(self, mapping, path):
        names = mapping.keys() if self.names & EVERYTHING else self.names & mapping.keys()
        for name in sorted(names):
            self._entry(mapping, name, f"{path}.{name}")

    def _python_module(self, module, path):
        if module.__name__ in NOT_REPLAYED:
            raise RuntimeError(f"compile: the function uses the module {module.__name__}, whose "
                               "values a replay does not have anew")
        if module.__name__ == "numpy" and "random" in self.names:
            raise RuntimeError("compile: the function uses numpy.random, whose values a replay "
                               "does not have anew; draw with fastnn")
        if _is_users(module.__name__):
            self._attributes(vars(module), path)

    def _module(self, module, path):
        users = _is_users(type(module).__module__)
        own = vars(module)
        for name in own if not users else {*OF_MODULES, *self.names} & own.keys():
            self._entry(own, name, f"{path}.{name}")
        if "forward" not in own:
            self._entry(own, "forward", f"{path}.forward")
        if users:
            self._class(type(module), path)

    def _optimizer(self, optimizer, path):
        """Which parameters it has; how they are updated is looked up by each replay."""
        groups, path = optimizer.param_groups, f"{path}.param_groups"
        self.entries.append((vars(optimizer), "param_groups", groups, path))
        self.sizes.append((groups, len(groups), path))
        for group in groups:
            self._elements(group["params"], path)

    def _class(self, kind, path):
        for each in kind.__mro__:
            if _is_users(each.__module__) and each is not object:
                if issubclass(each, Module) and "forward" in vars(each):
                    self._walk(vars(each)["forward"], path)
                if "__call__" in vars(each):
                    self._walk(vars(each)["__call__"], path)
                self._attributes(vars(each), path)

    def _instance(self, value, path):
        if hasattr(value, "function") and hasattr(value, "records"):
            self._walk(value.function, path)  # compiled itself
        elif type(value).__name__ == "partial":
            for each in (value.func, value.args, value.keywords):
                self._walk(each, path)
        elif hasattr(value, "__dict__") and not type(value).__module__.startswith("fastnn"):
            self._attributes(vars(value), path)
            self._class(type(value), path)
        elif isinstance(value, (property, classmethod, staticmethod)):
            self._walk(getattr(value, "fget", None) or getattr(value, "__func__", None), path)

    def _elements(self, value, path):
        if isinstance(value, numpy.ndarray):
            if value.size <= MOST_ELEMENTS:
                self.arrays.append((value, value.tobytes(), path))
            return
        if isinstance(value, list):
            self.lists.append((value, list(value[:MOST_ELEMENTS]), path))
        if not isinstance(value, tuple):
            self.sizes.append((value, len(value), path))
        if isinstance(value, dict):
            for key in list(value)[:MOST_ELEMENTS]:
                self._entry(value, key, f"{path}[{key!r}]")
            return
        for index, each in enumerate(value[:MOST_ELEMENTS]):
            self._walk(each, f"{path}[{index}]")

    def is_unchanged(self):
        """Whether every value is what it was."""
        if (checks.hold(*self.columns, MISSING) >= 0 or not checks.have_sizes(*self.containers)
                or not checks.have_elements(*self.elements)):
            return self.difference() is None
        for cell, value, _ in self.cells:
            if (now := _content(cell)) is not value and not _same(now, value):
                return False
        return not self.arrays or self.difference() is None

    def difference(self):
        """The way to a value that has changed, or None."""
        for mapping, key, value, path in self.entries:
            if not _same(mapping.get(key, MISSING), value):
                return path
        for cell, value, path in self.cells:
            if not _same(_content(cell), value):
                return path
        for value, size, path in self.sizes:
            if len(value) != size:
                return path
        for value, elements, path in self.lists:
            if not all(map(_same, value, elements)):
                return path
        for array, content, path in self.arrays:
            if array.tobytes() != content:
                return path
        return None

    def check_unchanged(self, place):
        """Raise where the function itself has changed what is watched."""
        path = self.difference()
        if path is not None:
            raise RuntimeError(
                f"compile: {place}: the function changes {path}, which a replay does not do; pass "
                "it as an argument and return it, or change it outside")


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING
