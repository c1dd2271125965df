"""What the library tells a program of work beside kernels, while one is noted.

Without one, all of these do as if they were not there. See `recording.Program`.
"""

from functools import partial, wraps

from .layout import copy_values
from .recording import noting
from .repeating import Check


def apart(function, *arguments):
    """``function(*arguments)`` now, unseen by the program that notes, and again in each replay.

    Each replay writes the values of the arrays that it returns, alone or in tuples; while it is
    noted, those that may share memory with an argument are copied.
    """
    program = noting()
    return function(*arguments) if program is None else program.apart(function, arguments)


def aside(function):
    """A function that runs `apart` and returns nothing that a replay would have to make anew."""
    @wraps(function)
    def run(*arguments, **keywords):
        if noting() is None:
            return function(*arguments, **keywords)
        result = apart(partial(function, *arguments, **keywords))
        if result is not None:
            refuse(f"the result of {function.__qualname__} is used")
        return result

    return run


def unit(function, *arguments):
    """``function(*arguments)``, noted as its kernels where these alone give its results."""
    program = noting()
    return function(*arguments) if program is None else program.unit(function, arguments)


def always(function, *arguments):
    """``function(*arguments)``, which reads values and returns nothing, now and in each replay."""
    program = noting()
    if program is None:
        return function(*arguments)
    try:
        function(*arguments)
    except BaseException as error:
        program.refuse_after(error)
        raise
    return program.append_function(Check(function, *arguments))


def expect_none(found, function, *arguments):
    """``function(*arguments)``, which raises, if ``found``, an array of one int64, is not 0.

    A kernel counts there what is wrong: a replay that finds nothing has no use for Python.
    """
    if found.item():
        always(function, *arguments)
    elif (program := noting()) is not None:
        program.append_function(Check(function, *arguments), found)


def constant(array):
    """The array, whose values each replay restores; they must come from Python's numbers alone."""
    program = noting()
    if program is not None:
        kept = array.copy()
        program.admit(kept)
        program.admit(array)
        copy_values(array, kept)
    return array


def number_in(array):
    """The number in an array of one element; the unit that reads it is done again in Python."""
    program = noting()
    if program is not None:
        program.read_value()
    return array.item()


def changes(tensor, array):
    """Tell that a unit is about to change a tensor in place, beside giving its results."""
    program = noting()
    if program is not None:
        program.change_state(tensor, array)


def refuse(what):
    """Raise a `recording.NotReplayable` where calls are noted."""
    program = noting()
    if program is not None:
        program.refuse(what)
