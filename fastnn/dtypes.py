"""Element types, and the rule by which operands of different types meet.

The types are NumPy's. Where types differ, PyTorch's rule decides: the category (boolean, integer,
floating point) of the highest operand wins, tensors with dimensions before single numbers.
"""

from functools import lru_cache

import numpy

float32 = numpy.dtype("float32")
float64 = numpy.dtype("float64")
int8 = numpy.dtype("int8")
int16 = numpy.dtype("int16")
int32 = numpy.dtype("int32")
int64 = numpy.dtype("int64")
uint8 = numpy.dtype("uint8")
bool_ = numpy.dtype("bool")

FLOATING = (float32, float64)
ALL = (float32, float64, int8, int16, int32, int64, uint8, bool_)

_default = float32


def get_default_dtype():
    """The type of new floating-point tensors, float32 unless changed.

    >>> import fastnn
    >>> fastnn.get_default_dtype()
    dtype('float32')
    """
    return _default


def set_default_dtype(d):
    """Make float32 or float64 the type of new floating-point tensors; else TypeError."""
    global _default
    dtype = check("set_default_dtype", d)
    if dtype not in FLOATING:
        raise TypeError(f"set_default_dtype: expected float32 or float64, got {dtype}")
    _default = dtype


def check(operation, dtype):
    """The NumPy type for ``dtype``, or a TypeError if tensors cannot have it."""
    dtype = numpy.dtype(dtype)
    if dtype not in ALL or not dtype.isnative:
        names = ", ".join(str(each) for each in ALL)
        raise TypeError(f"{operation}: dtype {dtype} is not supported; there are {names}")
    return dtype


class _Limits:
    """What the limits of floating-point and integer types share."""

    def __init__(self, dtype, found):
        self.dtype = dtype.name
        self.bits = dtype.itemsize * 8
        for name in self.shown:
            setattr(self, name, found[name])

    def __repr__(self):
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in self.shown)
        return f"{type(self).__name__}({values}, dtype={self.dtype})"

    def __eq__(self, other):
        return type(other) is type(self) and other.dtype == self.dtype

    def __hash__(self):
        return hash((type(self), self.dtype))


class finfo(_Limits):
    """The limits of a floating-point type, by default of the default one.

    >>> import fastnn
    >>> fastnn.finfo(fastnn.float32).eps
    1.1920928955078125e-07
    """

    shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type=None):
        dtype = check("finfo", _default if type is None else type)
        if dtype not in FLOATING:
            raise TypeError(f"finfo: expected float32 or float64, got {dtype}; see iinfo")
        found = numpy.finfo(dtype)
        super().__init__(dtype, {
            name: float(getattr(found, name)) for name in self.shown if name != "resolution"
        } | {"resolution": 10.0 ** -found.precision})


class iinfo(_Limits):
    """The limits of an integer type.

    >>> import fastnn
    >>> fastnn.iinfo(fastnn.int8).max
    127
    """

    shown = ("min", "max")

    def __init__(self, type):
        dtype = check("iinfo", type)
        if dtype.kind not in "iu":
            raise TypeError(f"iinfo: expected an integer type, got {dtype}")
        found = numpy.iinfo(dtype)
        super().__init__(dtype, {"min": int(found.min), "max": int(found.max)})

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
def one(operation, value, dtype):
    """One number as an array without dimensions, or a ValueError where it does not fit.

    Fractions are cut off, and negative numbers wrap around in an unsigned type.
    """
    if dtype.kind in "iu":
        limits = numpy.iinfo(dtype)
        fits = limits.min - (limits.max if dtype.kind == "u" else 0) <= value <= limits.max
        value = int(value) % (limits.max + 1) if fits and dtype.kind == "u" else value
    else:
        fits = dtype != float32 or not numpy.finfo(float32).max < abs(value) < numpy.inf
    if not fits:
        raise ValueError(f"{operation}: {value} does not fit into {dtype}")
    return numpy.array(value).astype(dtype)


def _category(dtype):
    return "bui".find(dtype.kind) and (2 if dtype.kind == "f" else 1)


def _number_dtype(value):
    """The type that a Python or NumPy number brings along."""
    if isinstance(value, (bool, numpy.bool_)):
        return bool_
    if isinstance(value, (int, numpy.integer)):
        return int64
    if isinstance(value, (float, numpy.floating)):
        return _default
    return None


def result_type(operation, arrays, numbers):
    """The common type of arrays (with and without dimensions) and numbers."""
    return _common_type(operation, tuple([array.dtype for array in arrays if array.ndim]),
                        tuple([array.dtype for array in arrays if not array.ndim]),
                        tuple([_number_dtype(number) for number in numbers]))


@lru_cache(maxsize=4096)
def _common_type(operation, *groups):
    """The common type of groups of types, of which each yields to those before it."""
    best = None
    for group in groups:
        if not group:
            continue
        highest = max(map(_category, group))
        common = numpy.result_type(*(dtype for dtype in group if _category(dtype) == highest))
        if best is None or _category(common) > _category(best):
            best = common
    return check(operation, best)
