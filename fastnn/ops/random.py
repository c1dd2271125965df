"""Random tensors."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import layout, memory, program, sorting
from .._kernels import random as kernels
from ..changes import check_in_place
from ..generator import default_generator
from ..registry import public
from .checks import dimensions, floating, integers, several, shape_argument, whole
from .creation import new
from .promotion import copy_


def uniform_array(shape, dtype, low=0.0, high=1.0, generator=None):
    """A new array of numbers uniform in [low, high)."""
    wide = dtype == dtypes.float64
    words = 2 if wide else 1
    size = int(numpy.prod(shape, dtype=numpy.int64))
    place = (generator or default_generator).take(kernels.blocks(size, words))
    return kernels.fill(kernels.uniform_wide if wide else kernels.uniform, shape, dtype, place,
                        words, (low, high))


def normal_array(shape, dtype, mean=0.0, deviation=1.0, generator=None):
    """A new array of normally distributed numbers."""
    size = int(numpy.prod(shape, dtype=numpy.int64))
    place = (generator or default_generator).take(kernels.blocks(size))
    return kernels.fill(kernels.normal, shape, dtype, place, 1, (mean, deviation))


def _integer_array(shape, low, high, generator):
    size = int(numpy.prod(shape, dtype=numpy.int64))
    place = (generator or default_generator).take(kernels.blocks(size, 2))
    span = high - low  # up to 2**64 - 1, which the kernel reads as unsigned
    return kernels.fill(kernels.integers, shape, dtypes.int64, place, 2,
                        options=(low, span - (1 << 64) if span >> 63 else span))


def _floating_type(operation, dtype):
    dtype = dtypes.check(operation, dtype or dtypes.get_default_dtype())
    if dtype not in dtypes.FLOATING:
        raise TypeError(f"{operation}: expected float32 or float64, got {dtype}")
    return dtype


@public("fastnn", differentiable=False)
def rand(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1).

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> fastnn.rand(2, 3).shape
    fastnn.Size([2, 3])
    """
    array = uniform_array(shape_argument("rand", sizes, size), _floating_type("rand", dtype),
                          generator=generator)
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def randn(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Normally distributed numbers of mean 0 and variance 1."""
    array = normal_array(shape_argument("randn", sizes, size), _floating_type("randn", dtype),
                         generator=generator)
    return new(array, requires_grad, device)


def _like(name, input, dtype, requires_grad, device, made):
    """What ``made(shape, type)`` gives, in the shape, type and memory order of ``input``."""
    tensors.as_tensor(name, input)
    array = made(tuple(input.shape), input.dtype if dtype is None else dtype).array
    if not input.array.flags.c_contiguous:
        drawn, array = array, memory.empty_like(input.array.astype(array.dtype, copy=False))
        layout.copy_values(array, drawn)
    return new(array, requires_grad, device)


@public("fastnn", differentiable=False)
def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform numbers in the shape and layout of ``input``."""
    return _like("rand_like", input, dtype, requires_grad, device,
                 lambda shape, dtype: rand(shape, generator=generator, dtype=dtype))


@public("fastnn", differentiable=False)
def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal numbers in the shape and layout of ``input``."""
    return _like("randn_like", input, dtype, requires_grad, device,
                 lambda shape, dtype: randn(shape, generator=generator, dtype=dtype))


@public("fastnn", differentiable=False)
def randint_like(input, low, high=None, *, generator=None, dtype=None, device=None,
                 requires_grad=False):
    """Integers uniform in [low, high), or in [0, low), in the shape, layout and type of
    ``input``."""
    low, high = (0, low) if high is None else (low, high)
    return _like("randint_like", input, dtype, requires_grad, device, lambda shape, dtype: randint(
        low, high, shape, generator=generator, dtype=dtype))


def _drawn_integers(shape, low, high, dtype, generator):
    return _integer_array(shape, low, high, generator).astype(dtype, copy=False)


def _bounds(low, high, dtype):
    """Two integers that the type can hold, or an error that says what is wrong with them."""
    for bound in (low, high):
        if not hasattr(bound, "__index__"):
            raise TypeError(f"randint: low and high must be integers, got {bound!r}")
    low, high = low.__index__(), high.__index__()
    if low >= high:
        raise ValueError(f"randint: low {low} is not below high {high}")
    limits = {"b": (0, 1), "f": (-(1 << 63), (1 << 63) - 1)}.get(dtype.kind)
    least, largest = limits or (int(numpy.iinfo(dtype).min), int(numpy.iinfo(dtype).max))
    if low < least or high - 1 > largest or high > (1 << 63) - 1:
        raise ValueError(f"randint: numbers from {low} to below {high} do not fit into {dtype}")
    return low, high


@public("fastnn", differentiable=False)
def randint(low=None, high=None, size=None, *, generator=None, dtype=None, device=None,
            requires_grad=False):
    """Integers uniform in [low, high); ``randint(high, size)`` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    low = 0 if low is None else low
    if high is None or size is None:
        raise TypeError("randint: expected randint(high, size) or randint(low, high, size)")
    dtype = dtypes.check("randint", dtype or dtypes.int64)
    low, high = _bounds(low, high, dtype)
    shape = integers("randint", several("randint", "size", size))
    return new(program.apart(_drawn_integers, shape, low, high, dtype, generator), requires_grad,
               device)


@public("fastnn", differentiable=False)
def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """The integers from 0 to ``n - 1`` in random order."""
    n = whole("randperm", "n", n)
    if n < 0:
        raise ValueError(f"randperm: n must be at least 0, got {n}")
    dtype = dtypes.check("randperm", dtype or dtypes.int64)
    return new(program.apart(_shuffled, n, dtype, generator), requires_grad, device)


def _shuffled(n, dtype, generator):
    keys = _integer_array((n,), -(1 << 62), (1 << 62) - 1, generator)
    return sorting.order(keys.reshape(1, n), False).reshape(n).astype(dtype, copy=False)


def _probabilities(name, values):
    if values.size and not (0 <= values.min() and values.max() <= 1):
        raise ValueError(f"{name}: probabilities must lie in [0, 1]")
    return values


@public("fastnn", "method", differentiable=False)
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that ``input`` gives (or ``p``, in its shape), else 0."""
    tensors.as_tensor("bernoulli", input)
    if p is None:
        floating("bernoulli", input=input)
    p = input.array if p is None else getattr(p, "array", p)
    return new(program.apart(_zeros_and_ones, "bernoulli", input, p, generator))


def _zeros_and_ones(name, input, p, generator):
    """1 with the probability ``p``, a number or an array, else 0, in shape and type of a tensor."""
    chances = _probabilities(name, numpy.asarray(p))
    dtype = input.dtype if input.is_floating_point() else dtypes.get_default_dtype()
    drawn = uniform_array(input.array.shape, dtype, generator=generator)
    return numpy.asarray(drawn < chances).astype(input.dtype)


@public("fastnn", differentiable=False)
def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, device=None,
           requires_grad=False):
    """Normally distributed numbers with a mean and a standard deviation.

    Both may be numbers, with a ``size``, or tensors that broadcast: a number for each element.
    """
    given = [each for each in (mean, std) if isinstance(each, tensors.Tensor)]
    if bool(given) == (size is not None):
        raise TypeError("normal: expected two numbers and a size, or at least one tensor")
    program.always(_check_deviation, std.array if isinstance(std, tensors.Tensor)
                   else numpy.asarray(std))
    if given:
        floating("normal", **{f"tensor {i}": each for i, each in enumerate(given)})
        size = numpy.broadcast_shapes(*(each.array.shape for each in given))
        drawn = randn(size, generator=generator, dtype=given[0].dtype, device=device)
        return (drawn * _detached(std) + _detached(mean)).requires_grad_(requires_grad)
    shape = integers("normal", several("normal", "size", size))
    array = normal_array(shape, _floating_type("normal", dtype), mean,
                         std, generator)
    return new(array, requires_grad, device)


def _check_deviation(std):
    if std.size and not std.min() >= 0:
        raise ValueError("normal: std must be at least 0")


def _detached(value):
    return value.detach() if isinstance(value, tensors.Tensor) else value


@public("fastnn", "method", differentiable=False)
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Numbers of classes, drawn with the weights that a vector or each row of a matrix gives.

    Without ``replacement`` each class at most once, by a race of exponential clocks: the first
    ``num_samples`` of ``-log(u) / weight`` (Efraimidis and Spirakis, 2006).
    """
    floating("multinomial", input=tensors.as_tensor("multinomial", input))
    dimensions("multinomial", "input", input, 1, 2)
    return new(program.apart(_drawn_classes, input.array, num_samples, replacement, generator))


def _drawn_classes(weights, num_samples, replacement, generator):
    rank, weights = weights.ndim, numpy.atleast_2d(weights).astype(numpy.float64)
    _check_weights(weights, num_samples, replacement)
    if replacement:
        edges = numpy.cumsum(weights, 1)
        drawn = uniform_array((len(weights), num_samples), dtypes.float64, generator=generator)
        found = [numpy.searchsorted(row, u * row[-1], "right")
                 for row, u in zip(edges, drawn, strict=True)]
        last = weights.shape[1] - 1 - numpy.argmax(weights[:, ::-1] > 0, 1)  # u * total may round
        chosen = numpy.minimum(numpy.array(found, numpy.int64).reshape(drawn.shape), last[:, None])
    else:
        drawn = uniform_array(weights.shape, dtypes.float64, generator=generator)
        with numpy.errstate(divide="ignore"):
            times = -numpy.log1p(-drawn) / weights
        times[weights == 0] = numpy.inf
        chosen = sorting.order(times, False)[:, :num_samples]
    return numpy.ascontiguousarray(chosen if rank == 2 else chosen[0])


def _check_weights(weights, count, replacement):
    if not (numpy.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("multinomial: weights must be finite and at least 0")
    if not (weights.sum(1) > 0).all():
        raise ValueError("multinomial: the weights of a row add up to 0")
    possible = int((weights > 0).sum(1).min(initial=weights.shape[1]))
    if count < 1 or (not replacement and count > possible):
        raise ValueError(f"multinomial: num_samples {count} does not lie between 1 and {possible},"
                         " the classes with a weight")


def _filled(name, tensor, made, *settings):
    """Numbers written over a tensor; on the tape, its earlier values then have no gradient."""
    return _written(name, tensor,
                    made(tensor.array.shape, _floating_type(name, tensor.dtype), *settings))


def _written(name, tensor, array):
    check_in_place(name, tensor)
    return copy_.into(tensor, tape.from_array(array))


@public("method", differentiable=False)
def uniform_(input, a=0.0, b=1.0, *, generator=None):
    """Fill with numbers uniform in [a, b)."""
    if not a <= b:
        raise ValueError(f"uniform_: a {a} lies above b {b}")
    return _filled("uniform_", input, uniform_array, a, b, generator)


@public("method", differentiable=False)
def normal_(input, mean=0.0, std=1.0, *, generator=None):
    """Fill with normally distributed numbers."""
    if not std >= 0:
        raise ValueError(f"normal_: std must be at least 0, got {std}")
    return _filled("normal_", input, normal_array, mean, std, generator)


@public("method", differentiable=False)
def bernoulli_(input, p=0.5, *, generator=None):
    """Fill with 1 with the probability ``p``, a number or a tensor that broadcasts, else with 0."""
    p = p.array if isinstance(p, tensors.Tensor) else p
    return _written("bernoulli_", input,
                    program.apart(_zeros_and_ones, "bernoulli_", input, p, generator))
