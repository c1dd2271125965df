"""Modules made of other modules or of parameters."""

import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ..tensor import Tensor
from . import joined
from .module import Module
from .parameter import Parameter


class _Indexed(Module):
    """Members under the names "0", "1", ..."""

    kind = "modules"

    def __len__(self):
        return len(self._members())

    def __iter__(self):
        return iter(self._members().values())

    def __contains__(self, member):
        return any(member is each for each in self)

    def __getitem__(self, index):
        items = list(self._members().items())
        return self._like(items[index]) if isinstance(index, slice) else self._item(index)[1]

    def __setitem__(self, index, member):
        if isinstance(index, slice):
            for name, each in zip(list(self._members())[index], member, strict=True):
                self._set(name, each)
        else:
            self._set(self._item(index)[0], member)

    def __delitem__(self, index):
        positions = range(len(self))[index]
        gone = positions if isinstance(index, slice) else (positions,)
        self._renumber([each for place, each in enumerate(self) if place not in gone])

    def __add__(self, other):
        return self._joined(self, self._several("+", other))

    def __iadd__(self, other):
        return self.extend(other)

    def _members(self):
        return self._modules

    def _set(self, name, member):
        self.add_module(name, member)

    def _item(self, index):
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"{type(self).__name__}: index {position}, there are {len(self)} "
                             f"{self.kind}")
        return list(self._members().items())[position]

    def _several(self, action, members):
        if not isinstance(members, Iterable) or isinstance(members, Tensor):
            raise TypeError(f"{type(self).__name__} {action}: expected several {self.kind}, got "
                            f"{type(members).__name__}")
        return members

    @classmethod
    def _joined(cls, *groups):
        """A container of the members of several."""
        return cls(member for group in groups for member in group)

    def _like(self, items):
        return type(self)._joined([member for _, member in items])

    def _renumber(self, members):
        for name in list(self._members()):
            delattr(self, name)
        for index, member in enumerate(members):
            self._set(str(index), member)

    def insert(self, index, module):
        """Put a member before the one at ``index``."""
        members = list(self)
        members.insert(index, module)
        self._renumber(members)

    def append(self, module):
        """Add a member at the end and return the container."""
        self._set(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add several members at the end and return the container."""
        for member in list(self._several("extend", modules)):
            self.append(member)
        return self

    def pop(self, key):
        """Take the member at ``key`` out and return it."""
        member = self[key]
        del self[key]
        return member


class Sequential(_Indexed):
    """Modules that pass on their results in turn; also made from an ``OrderedDict``.

    >>> import fastnn
    >>> net = fastnn.nn.Sequential(fastnn.nn.Linear(2, 3), fastnn.nn.ReLU())
    >>> net
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args):
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(str(name), module)

    @classmethod
    def _joined(cls, *groups):
        return cls(*(member for group in groups for member in group))

    def _like(self, items):
        return type(self)(OrderedDict(items))

    def __mul__(self, times):
        if operator.index(times) < 1:
            raise ValueError(f"Sequential: can be repeated once or more often, got {times}")
        return self._joined(*[self] * times)

    __rmul__ = __mul__

    def __imul__(self, times):
        return self.extend(list(self * times)[len(self):])

    def insert(self, index, module):
        """Put a module before the one at ``index`` and return the container."""
        super().insert(index, module)
        return self

    def forward(self, input):
        return joined.run(self._modules.values(), input)


class ModuleList(_Indexed):
    """A list of modules, registered, without a forward of its own.

    >>> import fastnn
    >>> layers = fastnn.nn.ModuleList([fastnn.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules=None):
        super().__init__()
        self.extend(() if modules is None else modules)

    def _named_texts(self):
        """Neighbours that say the same in one line."""
        folded = []
        for number, (_, text) in enumerate(super()._named_texts()):
            if folded and folded[-1][2] == text:
                folded[-1][1] = number
            else:
                folded.append([number, number, text])
        return [(str(first), text) if first == last else
                (f"{first}-{last}", f"{last - first + 1} x {text}")
                for first, last, text in folded]


def _parameter(value):
    """A tensor as a parameter; anything else as it is."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) \
        else value


class ParameterList(_Indexed):
    """A list of parameters, registered; plain tensors become parameters.

    >>> import fastnn
    >>> scales = fastnn.nn.ParameterList([fastnn.ones(2), fastnn.zeros(3)])
    >>> [name for name, _ in scales.named_parameters()]
    ['0', '1']
    """

    kind = "parameters"

    def __init__(self, values=None):
        super().__init__()
        self.extend(() if values is None else values)

    def _members(self):
        return self._parameters

    def _set(self, name, member):
        self.register_parameter(name, _parameter(member))

    def __repr__(self):
        return _text(self)


def _text(container):
    """PyTorch's text of a container of parameters."""
    lines = [f"\n  ({name}): Parameter containing: "
             f"[fastnn.{each.dtype} of size {'x'.join(map(str, each.shape))}]"
             for name, each in container._parameters.items()]
    end = "\n" if lines else ""
    return f"{type(container).__name__}({''.join(lines)}{end})"


class _Named(Module):
    """Members under names of one's own choice."""

    def __len__(self):
        return len(self._members())

    def __iter__(self):
        return iter(self._members())

    def __contains__(self, key):
        return key in self._members()

    def __getitem__(self, key):
        return self._members()[key]

    def __setitem__(self, key, member):
        self._set(key, member)

    def __delitem__(self, key):
        self._members()[key]
        delattr(self, key)

    def clear(self):
        """Take all members out."""
        for key in list(self):
            del self[key]

    def pop(self, key):
        """Take the member of a name out and return it."""
        member = self[key]
        del self[key]
        return member

    def keys(self):
        """The names."""
        return self._members().keys()

    def items(self):
        """The names with their members."""
        return self._members().items()

    def values(self):
        """The members."""
        return self._members().values()

    def update(self, members):
        """Put in the members of a dict, or of pairs of a name and a member."""
        for key, member in self._pairs(members):
            self._set(key, member)

    def _pairs(self, members):
        return members.items() if isinstance(members, (Mapping, _Named)) else members


class ModuleDict(_Named):
    """Modules by name, registered, without a forward of its own.

    >>> import fastnn
    >>> choices = fastnn.nn.ModuleDict({"relu": fastnn.nn.ReLU(), "tanh": fastnn.nn.Tanh()})
    >>> choices["relu"](fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, modules=None):
        super().__init__()
        self.update(() if modules is None else modules)

    def _members(self):
        return self._modules

    def _set(self, key, member):
        self.add_module(key, member)


class ParameterDict(_Named):
    """Parameters by name, registered; plain tensors become parameters.

    Those of a plain dict come in the order of their names, as PyTorch has them.

    >>> import fastnn
    >>> scales = fastnn.nn.ParameterDict({"left": fastnn.ones(2)})
    >>> scales["right"] = fastnn.zeros(3)
    >>> list(scales.keys())
    ['left', 'right']
    """

    def __init__(self, parameters=None):
        super().__init__()
        self.update(() if parameters is None else parameters)

    def _members(self):
        return self._parameters

    def _set(self, key, member):
        self.register_parameter(key, _parameter(member))

    def _pairs(self, members):
        if isinstance(members, Mapping) and not isinstance(members, OrderedDict):
            return sorted(members.items())
        return super()._pairs(members)

    def setdefault(self, key, default=None):
        """The parameter of a name, which is ``default`` from now on if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def get(self, key, default=None):
        """The parameter of a name, or ``default``."""
        return self[key] if key in self else default

    def popitem(self):
        """Take the last parameter out and return its name and it."""
        key = next(reversed(self._parameters))
        return key, self.pop(key)

    def copy(self):
        """Another dict of the same parameters."""
        return ParameterDict(self._parameters.items())

    def fromkeys(self, keys, default=None):
        """A dict with ``default`` under each of the names."""
        return ParameterDict((key, default) for key in keys)

    def __reversed__(self):
        return reversed(self._parameters)

    def __or__(self, other):
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other):
        return ParameterDict(other) | self

    def __ior__(self, other):
        self.update(other)
        return self

    def __repr__(self):
        return _text(self)
