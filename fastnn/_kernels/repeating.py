"""What a program keeps of work that is done in Python, and how it tells arrays apart."""

from functools import partial

import numpy


def arrays_of(value):
    """The arrays in nested tuples and lists."""
    if isinstance(value, numpy.ndarray):
        return [value]
    if isinstance(value, (tuple, list)):
        return [array for each in value for array in arrays_of(each)]
    return []


def writeable(array):
    """The array, or where it is for reading the array that it shows."""
    while not array.flags.writeable and isinstance(array.base, numpy.ndarray):
        array = array.base
    return array


def shared(array, arguments):
    """Whether an array may lie in the memory of one among some arguments."""
    return any(numpy.may_share_memory(array, each) for each in arrays_of(arguments))


def apart_from(result, arguments):
    """The result with copies in the place of arrays that may share memory with arguments."""
    if isinstance(result, tuple):
        parts = [apart_from(each, arguments) for each in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if isinstance(result, numpy.ndarray) and shared(result, arguments):
        return result.copy()
    return result


class Check(partial):
    """A function that reads values, and raises or does nothing."""


class Again:
    """Calls a function anew and writes what it returns where the first results are.

    Results that lie in the memory of ``shown``, of which they are views, are left alone.
    """

    def __init__(self, function, arguments, results, shown):
        self.function, self.arguments, self.results = function, arguments, results
        self.shown = shown

    def __call__(self):
        result = self.function(*self.arguments)
        found = [each for each in arrays_of((result,)) if not shared(each, self.shown)]
        for old, new in zip(self.results, found, strict=True):
            if old is not new:
                numpy.copyto(old, new)
