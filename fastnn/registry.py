"""The list of public operations: their names and places, and the cases that prove them.

`public` puts an operation into ``fastnn``, ``fastnn.nn.functional`` or on ``Tensor``, and keeps
with it the calls from which the tests of values, gradients and parity, the benchmarks and the
reference page are made. A new operation needs no new test, only cases.
"""

import functools
import inspect
from dataclasses import dataclass, field

PLACES = ("fastnn", "functional", "method", "linalg")


@dataclass(frozen=True)
class Floats:
    """A random floating-point tensor of a shape, drawn from (low, high) away from kinks."""

    shape: tuple
    low: float = -2.0
    high: float = 2.0
    kinks: tuple = ()


@dataclass(frozen=True)
class Integers:
    """A random int64 tensor of a shape with values in [low, high)."""

    shape: tuple
    high: int
    low: int = 0


@dataclass(frozen=True)
class Booleans:
    """A random boolean tensor of a shape."""

    shape: tuple


@dataclass(frozen=True)
class Case:
    """One call: positional and keyword arguments, tensors among them given as above."""

    arguments: tuple
    keywords: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A public operation."""

    name: str
    function: object
    places: tuple
    cases: tuple
    differentiable: bool
    reference: object  # a plain NumPy function for the cases' values, or None: the reference module
    sequence: str = None  # what a method takes as separate numbers and a function does not, or None


REGISTRY = {}
ALIASES = {}  # second name -> name
VARIANTS = {}  # name of a variant in place -> (function, places)


def floats(*shape, low=-2.0, high=2.0, kinks=()):
    """Shorthand for a tensor argument of a case."""
    return Floats(shape, low, high, kinks)


def integers(*shape, high, low=0):
    """Shorthand for an integer tensor argument of a case."""
    return Integers(shape, high, low)


def booleans(*shape):
    """Shorthand for a boolean tensor argument of a case."""
    return Booleans(shape)


def case(*arguments, **keywords):
    """A call that the generated tests make."""
    return Case(arguments, keywords)


def public(*places, cases=(), name=None, differentiable=True, reference=None, sequence=None):
    """Enter a function into the registry under its name, for the given places.

    ``sequence`` names the tuple or list that a function expects where the method, and what is
    decorated, takes ``*numbers`` as well.
    """
    unknown = set(places) - set(PLACES)
    if unknown:
        raise ValueError(f"public: unknown places {sorted(unknown)}, there are {PLACES}")

    def enter(function):
        entry_name = name or function.__name__
        if entry_name in REGISTRY:
            raise ValueError(f"public: {entry_name} is registered already")
        REGISTRY[entry_name] = Entry(
            entry_name, function, places, tuple(cases), differentiable, reference, sequence)
        return function

    return enter


def alias(name, of):
    """Give a registered operation a second name in the same places."""
    ALIASES[name] = of


def variant(name, function, *places):
    """Offer a variant in place of a registered operation; the operation's cases prove it."""
    VARIANTS[name] = function, places


NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def _with_numpy_names(function):
    """The function, which takes NumPy's ``axis`` and ``keepdims`` for its own names as well."""
    if not inspect.isfunction(function):
        return function
    own = inspect.signature(function).parameters
    names = {other: name for other, name in NUMPY_NAMES.items() if name in own}
    if not names:
        return function

    @functools.wraps(function)
    def call(*args, **kwargs):
        if kwargs:
            for other, name in names.items():
                if other in kwargs:
                    if name in kwargs:
                        raise TypeError(f"{function.__name__}: {name} and {other} are the same "
                                        "argument")
                    kwargs[name] = kwargs.pop(other)
        return function(*args, **kwargs)

    return call


def _with_sequence(entry):
    """The function of an entry, which takes one sequence where the method takes numbers."""
    @functools.wraps(entry.function)
    def call(input, *given, **keywords):
        if entry.sequence in keywords:
            given += (keywords.pop(entry.sequence),)
        if len(given) != 1 or not isinstance(given[0], (tuple, list)):
            raise TypeError(f"{entry.name}: {entry.sequence} must be a tuple or a list, got "
                            f"{', '.join(map(repr, given)) or 'nothing'}")
        return entry.function(input, given[0], **keywords)

    return call


@functools.cache  # one function in all places
def _with_named_errors(name, function):
    """The function, whose error where an argument is no tensor names the two (0.06 us a call)."""
    if not inspect.isfunction(function):
        return function

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            wrong = _argument_without(error, function, args, kwargs)
            if wrong is None:
                raise
            parameter, value = wrong
            raise TypeError(f"{name}: {parameter} must be a Tensor, got "
                            f"{type(value).__name__}") from error

    return call


def _argument_without(error, function, args, kwargs):
    """Which argument, or member of one, lacks an attribute, or None; else the first, if it may."""
    bound = inspect.signature(function).bind(*args, **kwargs).arguments
    for parameter, value in bound.items():
        for each in (value, *(value if isinstance(value, (tuple, list)) else ())):
            if each is error.obj:
                return parameter, each
    first, value = next(iter(bound.items()), (None, None))
    return None if first is None or hasattr(value, "array") else (first, value)


def in_place(place):
    """The registered functions of one place, by name, those with second names too."""
    entries = {**REGISTRY, **{name: REGISTRY[first] for name, first in ALIASES.items()}}
    found = {name: _with_sequence(entry) if entry.sequence and place == "fastnn"
             else entry.function for name, entry in entries.items() if place in entry.places}
    found |= {name: function for name, (function, places) in VARIANTS.items() if place in places}
    if place != "functional":
        found = {name: _with_numpy_names(function) for name, function in found.items()}
    return {name: _with_named_errors(name, function) for name, function in found.items()}
