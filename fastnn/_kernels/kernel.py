"""`kernel`: make a launchable kernel of a Python function written for Numba."""

from .launch import Kernel
from .source import source_of


def kernel(function=None, *, uses=(), sums=()):
    """A `Kernel` of the function's source, compiled for a type when it is first launched with it.

    ``uses`` are plain functions that it calls; in those that ``sums`` names the compiler may
    reorder additions, and so keeps a sum in several vectors. The function has the signature
    ``(start, stop, arguments, numbers)``.
    """
    if function is None:
        return lambda wrapped: kernel(wrapped, uses=uses, sums=sums)

    def source(dtype):
        helpers = "".join(f"@{way}\n{source_of(helper)}\n\n" for way, group in
                          (("jitted", uses), ("summing", sums)) for helper in group)
        own = source_of(function).replace(f"def {function.__name__}(", "def kernel(", 1)
        return helpers + own, dtype

    return Kernel(function.__name__, source)
