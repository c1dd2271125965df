"""Whether what a function reads in Python is as it was: globals, closures, attributes, elements.

From the function's code follow the names that it uses; values are looked up by these in its
globals, its closure and the attributes of what is found there, and in the code of the user's own
functions and methods that it names. The library's functions, and those of other packages, are not
looked into, but modules of networks are.
"""

import functools
import random
import types
from collections import deque

import numpy

from ..autograd import Function
from ..generator import Generator
from ..nn import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .checks import MISSING, Watched, equal, hooks_of
from .code import is_users, names_of, place_of_code

PLAIN = (int, float, complex, str, bytes, bool, type(None))
METHODS = (types.FunctionType, staticmethod, classmethod, property, functools.cached_property)
MOST_ELEMENTS = 1000  # of a list, dict or array that is watched
EVERYTHING = {"getattr", "hasattr", "vars", "__dict__"}  # with these, any attribute may be read
OF_MODULES = {"training", "_parameters", "_buffers", "_modules", "_hooks", "forward"}
OF_STATE = {"_non_persistent", "_state_hooks"}  # which only these read
READERS_OF_STATE = {"state_dict", "load_state_dict", *EVERYTHING}
NOT_REPLAYED = {"random", "secrets", "time", "numpy.random"}
NOT_FOLLOWED = {"globals", "locals", "eval", "exec"}
DRAWING = (random.Random, numpy.random.Generator, numpy.random.RandomState)


def _same(value, other):
    if value is other:
        return True
    if type(value) is not type(other):
        return False
    if isinstance(value, types.MethodType):
        return value.__self__ is other.__self__ and value.__func__ is other.__func__
    if isinstance(value, (float, complex)):
        return repr(value) == repr(other)  # -0.0 is not 0.0, and NaN is itself
    return isinstance(value, PLAIN) and value == other


class Watch(Watched):
    """The values that were found from some roots, with the ways to them."""

    def __init__(self, roots):
        self.names, self.place, before = set(), None, None
        while before != self.names:
            before = set(self.names)
            for found in (self.entries, self.cells, self.lists, self.sizes, self.others):
                found.clear()
            self.tensors, self.seen = [], {}
            for root in roots:
                self._walk(root, getattr(root, "__name__", type(root).__name__))
        self.settle()
        self.seen = list(self.seen.values())  # which keeps identities from being used again

    def _refuse(self, what):
        raise RuntimeError(f"compile: {self.place}: the function {what}")

    def _entry(self, mapping, key, path):
        value = mapping.get(key, MISSING)
        self.entries.append((mapping, key, value, path))
        if value is not MISSING:
            self._walk(value, path)

    def _walk(self, value, path):
        if isinstance(value, (*PLAIN, Generator)) or id(value) in self.seen:
            return
        self.seen[id(value)] = value
        for kinds, walk in self.KINDS:
            if isinstance(value, kinds):
                return walk(self, value, path)
        return self._instance(value, path)

    def _tensor(self, tensor, path):
        self.tensors.append(tensor)
        self._walk(hooks_of(tensor), path)
        if vars(tensor):
            self._attributes(vars(tensor), path)

    def _function(self, function, path):
        if not is_users(function.__module__):
            return
        outer, self.place = self.place, place_of_code(function.__code__)
        names, attributes, imports = names_of(function.__code__)
        self.names |= attributes | names & EVERYTHING
        if imports & NOT_REPLAYED or names & NOT_FOLLOWED:
            self._refuse(f"uses {sorted(imports & NOT_REPLAYED or names & NOT_FOLLOWED)[0]}, whose "
                         "values a replay does not have anew")
        for name in sorted(names & function.__globals__.keys()):
            self._entry(function.__globals__, name, name)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (),
                              strict=True):
            self.cells.append((cell, _content(cell), name))
            self._walk(_content(cell), name)
        for each in (function.__defaults__, function.__kwdefaults__, vars(function)):
            self._walk(each, path)
        self.place = outer or self.place

    def _method(self, method, path):
        self._walk(method.__func__, path)
        self._walk(method.__self__, path.rpartition(".")[0] or path)

    def _descriptor(self, value, path):
        for name in ("__func__", "fget", "func"):
            self._walk(getattr(value, name, None), path)

    def _partial(self, value, path):
        for each in (value.func, value.args, value.keywords):
            self._walk(each, path)

    def _python_module(self, module, path):
        draws = module.__name__ == "numpy" and "random" in self.names
        if module.__name__ in NOT_REPLAYED or draws:
            self._refuse(f"uses {module.__name__ + '.random' * draws}, whose values a replay does "
                         "not have anew")
        if is_users(module.__name__):
            self._attributes(vars(module), path)

    def _attributes(self, mapping, path, absent=()):
        names = mapping.keys() if self.names & EVERYTHING else self.names & mapping.keys()
        for name in sorted({*names, *absent}):
            self._entry(mapping, name, f"{path}.{name}")

    def _module(self, module, path):
        own, users = vars(module), is_users(type(module).__module__)
        for name in sorted(OF_MODULES | (self.names if users else own.keys() - self._unread())):
            self._entry(own, name, f"{path}.{name}")
        if users:
            self._class(type(module), path)

    def _unread(self):
        return set() if self.names & READERS_OF_STATE else OF_STATE

    def _optimizer(self, optimizer, path):
        """Which parameters it has; how they are updated is looked up by each replay."""
        groups, path = optimizer.param_groups, f"{path}.param_groups"
        if "param_groups" in self.names:
            self._walk(groups, path)
        self.entries.append((vars(optimizer), "param_groups", groups, path))
        self.sizes.append((groups, len(groups), path))
        for group in groups:
            self.entries.append((group, "params", group["params"], path))
            self._walk(group["params"], path)

    def _schedule(self, schedule, path):
        self.names |= {"_last_lr"} if "get_last_lr" in self.names else set()
        self._attributes(vars(schedule), path)

    def _class(self, kind, path):
        for each in kind.__mro__:
            if is_users(each.__module__):
                for name, value in vars(each).items():
                    if isinstance(value, METHODS) and self._may_run(each, name):
                        self._walk(value, f"{path}.{name}")
                self._attributes(vars(each), path)

    def _may_run(self, kind, name):
        special = name.startswith("__") and name.endswith("__") and name != "__init__"
        return special or name in self.names or issubclass(kind, Function) or (
            name == "forward" and issubclass(kind, Module))

    def _instance(self, value, path):
        self._check_replayable(value, path)
        if type(value).__module__ == "fastnn.compiler.compiled":
            return self._walk(value.function, path)
        if type(value).__module__.startswith("fastnn"):
            return None
        users = is_users(type(value).__module__)
        if hasattr(value, "__dict__"):
            self._attributes(vars(value), path, self.names if users else ())
        for name in self.names if users else ():
            if any(name in getattr(each, "__slots__", ()) for each in type(value).__mro__):
                self._other(functools.partial(getattr, value, name, MISSING), f"{path}.{name}")
        if users:
            self._class(type(value), path)
        return None

    def _check_replayable(self, value, path):
        if isinstance(value, types.BuiltinFunctionType):
            value = value.__self__
        if isinstance(value, DRAWING):
            self._refuse(f"draws with {path}, which a replay does not do; draw with fastnn")
        if hasattr(type(value), "__next__"):
            self._refuse(f"uses the iterator {path}, which a replay does not go on with")

    def _other(self, read, path):
        self.others.append((read, read(), path))
        self._walk(read(), path)

    def _array(self, array, path):
        if array.size <= MOST_ELEMENTS:
            self.others.append((array.tobytes, array.tobytes(), path))

    def _list(self, value, path):
        self.lists.append((value, list(value[:MOST_ELEMENTS]), path))
        self.sizes.append((value, len(value), path))
        self._tuple(value, path)

    def _tuple(self, value, path):
        for index, each in enumerate(value[:MOST_ELEMENTS]):
            self._walk(each, f"{path}[{index}]")

    def _dict(self, value, path):
        self.sizes.append((value, len(value), path))
        for key in list(value)[:MOST_ELEMENTS]:
            self._entry(value, key, f"{path}[{key!r}]")

    def _unordered(self, value, path):
        self.sizes.append((value, len(value), path))
        if value:
            self._other(functools.partial(tuple, value), path)

    KINDS = (
        (Tensor, _tensor), (types.FunctionType, _function), (types.MethodType, _method),
        (types.ModuleType, _python_module), (Module, _module), (Optimizer, _optimizer),
        (LRScheduler, _schedule), (functools.partial, _partial), (METHODS, _descriptor),
        (list, _list), (tuple, _tuple), (dict, _dict), (numpy.ndarray, _array),
        ((set, frozenset, deque, bytearray), _unordered), (type, _class))

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
        for read, value, path in self.others:
            if not equal(read(), value):
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
