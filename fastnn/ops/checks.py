"""Checks of arguments that many operations share."""

import operator
from functools import lru_cache, wraps

from ..operation import are_floating_alike
from ..tape import TensorBase


def remembered(rule):
    """A shape rule that is computed once for each set of arguments: 10 us less for a call.

    Arguments that cannot be a key, such as lists, are computed anew; errors are never kept.
    """
    kept = lru_cache(maxsize=4096, typed=True)(rule)

    @wraps(rule)
    def remember(*arguments):
        try:
            return kept(*arguments)
        except TypeError:
            return rule(*arguments)

    return remember


class NotGiven:
    """The default of an argument for which None would be a value."""

    def __repr__(self):
        return "not given"


NOT_GIVEN = NotGiven()
LARGEST = 2 ** 31 - 1  # of a kernel, a stride and the like


def whole(operation, name, value):
    """An integer, which True and False are not, or a TypeError."""
    try:
        if value is not True and value is not False:
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{operation}: {name} must be an integer, got {type(value).__name__}")


def truth(operation, name, value):
    """True or False, which numbers and None do not stand for, or a TypeError."""
    if value is not True and value is not False:
        raise TypeError(f"{operation}: {name} must be True or False, got {value!r}")
    return value


def is_given(operation, dim, keepdim):
    """Whether ``dim`` was given, of reductions that have no ``keepdim`` without it."""
    if dim is NOT_GIVEN and keepdim:
        raise TypeError(f"{operation}: keepdim needs dim")
    return dim is not NOT_GIVEN


def several(operation, name, value):
    """A tuple or list, for which one number does not stand, or a TypeError."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{operation}: {name} must be a tuple or a list, got "
                        f"{type(value).__name__}")
    return value


def axis(operation, dim, ndim):
    """A dimension as a number from 0, or an IndexError."""
    position = whole(operation, "a dimension", dim)
    if not -max(ndim, 1) <= position < max(ndim, 1):
        raise IndexError(f"{operation}: dimension {dim} does not exist, the tensor has {ndim}")
    return position % max(ndim, 1)


def axes(operation, dims, ndim):
    """One or several dimensions as numbers from 0, each at most once."""
    dims = dims if isinstance(dims, (tuple, list)) else (dims,)
    found = tuple(axis(operation, dim, ndim) for dim in dims)
    if len(set(found)) != len(found):
        raise ValueError(f"{operation}: a dimension is named twice in {tuple(dims)}")
    return found


def shape_argument(operation, sizes, whole=None):
    """A shape given as separate integers, as one sequence, or by name: ``whole``."""
    if whole is not None:
        if sizes:
            raise TypeError(f"{operation}: sizes are given twice, as {sizes} and {whole!r}")
        sizes = (several(operation, "the sizes", whole),)
    elif not sizes:
        raise TypeError(f"{operation}: sizes must be given; () is a tensor without dimensions")
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    return integers(operation, sizes)


def integers(operation, sizes):
    """Several integers, of which the first is not True or False, as a tuple."""
    try:
        if not sizes or type(sizes[0]) is not bool:
            return tuple(operator.index(size) for size in sizes)
    except TypeError:
        pass
    raise TypeError(f"{operation}: sizes must be integers, got {sizes!r}")


FORMS = {1: "an integer", 2: "an integer or a pair", 3: "an integer or three of them"}


def numbers(operation, name, value, low, count):
    """A number, or one for each of ``count`` dimensions, as a tuple; each at least ``low``."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(values) == 1:
        values *= count
    try:
        values = tuple(whole(operation, name, each) for each in values)
    except TypeError:
        raise TypeError(f"{operation}: {name} must be {FORMS[count]}, got {value!r}") from None
    if len(values) != count:
        raise ValueError(f"{operation}: {name} must be {FORMS[count]}, got {value!r}")
    if not low <= min(values) <= max(values) <= LARGEST:
        raise ValueError(f"{operation}: {name} must lie between {low} and {LARGEST}, got {value!r}")
    return values


def pair(operation, name, value, low):
    """A number or a pair of numbers as a pair, each at least ``low``."""
    return numbers(operation, name, value, low, 2)


def dimensions(operation, name, tensor, *allowed):
    """Raise unless the tensor has one of the allowed numbers of dimensions."""
    if tensor.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{operation}: {name} must have {wanted} dimensions, got shape "
                         f"{tuple(tensor.shape)}")


def factors(operation, **tensors):
    """Raise unless all tensors have the same type, and one whose products are defined."""
    if are_floating_alike(*tensors.values()):
        return
    kinds = {each.dtype for each in tensors.values() if isinstance(each, TensorBase)}
    if len(kinds) != 1 or next(iter(kinds)).kind not in "iu":
        floating(operation, **tensors)


def floating(operation, **tensors):
    """Raise unless all tensors (None apart) have the same floating-point type."""
    if are_floating_alike(*tensors.values()):
        return
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    (first, reference), *others = given.items()
    for name, tensor in given.items():
        if not isinstance(tensor, TensorBase):
            raise TypeError(f"{operation}: {name} must be a Tensor, got {type(tensor).__name__}")
        if tensor.dtype.kind != "f":
            raise TypeError(f"{operation}: {name} must be float32 or float64, got {tensor.dtype}")
    for name, tensor in others:
        if tensor.dtype != reference.dtype:
            raise TypeError(f"{operation}: {first} is {reference.dtype}, {name} is {tensor.dtype}")
