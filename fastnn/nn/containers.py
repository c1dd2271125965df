"""Modules made of other modules."""

import operator
from collections import OrderedDict

from .module import Module


class _Indexed(Module):
    """Modules under the names "0", "1", ..."""

    def __init__(self, modules):
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index):
        items = list(self._modules.items())
        return self._like(items[index]) if isinstance(index, slice) else self._item(index)[1]

    def __setitem__(self, index, module):
        self.add_module(self._item(index)[0], module)

    def __delitem__(self, index):
        items = list(self._modules.items())
        gone = items[index] if isinstance(index, slice) else [self._item(index)]
        kept = [module for _, module in items if all(module is not each for _, each in gone)]
        self._renumber(kept)

    def _item(self, index):
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"{type(self).__name__}: index {position}, there are {len(self)} "
                             "modules")
        return list(self._modules.items())[position]

    def _renumber(self, modules):
        for name in list(self._modules):
            delattr(self, name)
        self.extend(modules)

    def insert(self, index, module):
        """Put a module before the one at ``index``."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)

    def append(self, module):
        """Add a module at the end and return the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add several modules at the end and return the container."""
        for module in modules:
            self.append(module)
        return self


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

    def __init__(self, *modules):
        named = len(modules) == 1 and isinstance(modules[0], OrderedDict)
        super().__init__(() if named else modules)
        if named:
            for name, module in modules[0].items():
                self.add_module(name, module)

    def _like(self, items):
        return Sequential(OrderedDict(items))

    def forward(self, input):
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_Indexed):
    """A list of modules, registered, without a forward of its own.

    >>> import fastnn
    >>> layers = fastnn.nn.ModuleList([fastnn.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules=()):
        super().__init__(modules)

    def _like(self, items):
        return ModuleList(module for _, module in items)
