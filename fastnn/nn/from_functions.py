"""Modules made from functions: a default value stands in the function alone."""

import inspect

from .module import Module

EMPTY = inspect.Parameter.empty


def module_of(function, name, *, settings=(), without=(), tensors=(), last=(), check=None,
              shows_all=False):
    """A module class whose settings are the parameters of ``function`` that have a default.

    ``settings`` names parameters without a default that are settings too, ``without`` those that
    the module does not offer, ``tensors`` those that are tensors and become buffers, ``last`` those
    that the module takes behind the others. ``check`` is called when a module is made, with its
    class as ``name`` and those settings that are its parameters. The module's text shows the
    settings that are not at their defaults; with ``shows_all`` all but switches that are off.
    """
    signature = _signature(function, settings, without, last)
    inputs = [key for key, each in inspect.signature(function).parameters.items()
              if each.default is EMPTY and key not in settings]
    defaults = {key: each.default for key, each in signature.parameters.items()}

    def __setattr__(self, key, value):
        Module.__setattr__(self, key, value)
        if key in defaults:
            _note_changes(self, defaults)

    def extra_repr(self):
        shown = {key: getattr(self, key) for key in defaults} if shows_all else self._changed
        return ", ".join(f"{key}={value!r}" for key, value in shown.items()
                         if key not in tensors and value is not False)

    return type(name, (Module,), {
        "__init__": _initializer(name, signature, defaults, tensors, check),
        "__setattr__": __setattr__, "extra_repr": extra_repr,
        "forward": _forward(function, inputs), "__module__": "fastnn.nn", "__qualname__": name,
        "__doc__": f"``{function.__name__}`` as a module: {inspect.getdoc(function)}"})


def _initializer(name, signature, defaults, tensors, check):
    """The ``__init__`` of a module: its settings become attributes, or buffers."""
    def __init__(self, *args, **kwargs):
        Module.__init__(self)
        given = _bound(name, signature, args, kwargs)
        if check is not None:
            check(name=name, **{key: given[key] for key in inspect.signature(check).parameters
                                if key != "name"})
        for key, value in given.items():
            if key in tensors:
                self.register_buffer(key, value)
            else:
                object.__setattr__(self, key, value)
        _note_changes(self, defaults)

    __init__.__signature__ = signature.replace(parameters=[
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *signature.parameters.values()])
    return __init__


def _signature(function, settings, without, last):
    """The module's settings, in their order."""
    parameters = [each for key, each in inspect.signature(function).parameters.items()
                  if key not in without and (each.default is not EMPTY or key in settings)]
    parameters.sort(key=lambda each: (each.kind, last.index(each.name) + 1
                                      if each.name in last else 0))
    return inspect.Signature(parameters)


def _bound(name, signature, args, kwargs):
    """The settings given by position and by name, or a TypeError."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        got = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
        raise TypeError(f"{name}{signature}: {error}, got ({got})") from None
    bound.apply_defaults()
    return bound.arguments


def _note_changes(module, defaults):
    """Keep the settings that are not at their defaults: only those are passed in each call."""
    own = module.__dict__
    own["_changed"] = {key: own[key] for key, default in defaults.items()
                       if key in own and own[key] is not default}


def _forward(function, inputs):
    """``forward`` of the inputs; a loop over the names of one or two would cost 0.5 us a call."""
    if len(inputs) == 1:
        def forward(self, input):
            return function(input, **self._changed)
    elif inputs == ["input", "target"]:
        def forward(self, input, target):
            return function(input, target, **self._changed)
    else:
        def forward(self, *args, **kwargs):
            return function(*args, **kwargs, **self._changed)
    return forward
