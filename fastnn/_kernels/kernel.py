"""`kernel`: make a launchable kernel of a Python function written for Numba."""

import inspect
import textwrap

from .launch import Kernel


def kernel(function=None, *, uses=()):
    """A `Kernel` of the function's source, compiled for a type when it is first launched with it.

    ``uses`` are plain functions that it calls. The function has the signature
    ``(start, stop, arguments, numbers)``.
    """
    if function is None:
        return lambda wrapped: kernel(wrapped, uses=uses)
    source = _source(function).replace(f"def {function.__name__}(", "def kernel(", 1)
    helpers = "".join(f"@jitted\n{_source(helper)}\n\n" for helper in uses)
    return Kernel(function.__name__, lambda dtype: (helpers + source, dtype))


def _source(function):
    text = textwrap.dedent(inspect.getsource(function))
    return text[text.index("def "):]
