"""Padding: a rim of a constant, or of copies of what it surrounds."""

import numbers
import operator

import numpy

from .. import tensor as tensors
from .._kernels import memory, sampling
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .resampling import along


def _inside(pads):
    """For each axis the part of the input that stays, and its place in the result."""
    kept = tuple(slice(max(0, -low), max(0, -high) and -max(0, -high) or None)
                 for low, high in pads)
    place = tuple(slice(max(0, low), max(0, high) and -max(0, high) or None) for low, high in pads)
    return kept, place


def _constant_forward(plan, x):
    pads, value = plan
    kept, place = _inside(pads)
    shape = tuple(size + low + high for size, (low, high) in zip(x.shape, pads, strict=True))
    out = memory.empty_like(x, shape)
    out.fill(value)
    out[place] = x[kept]
    return out


def _constant_rule(node, gradient):
    pads, _ = node.plan
    return _constant((tuple((-low, -high) for low, high in pads), 0), gradient)


_constant = Operation("pad", _constant_forward, _constant_rule)
_taken = Operation("pad", lambda plan, x: numpy.take(x, plan[1], plan[0]))


def _reflected(size, low, high):
    places = numpy.abs(numpy.arange(-low, size + high))
    return numpy.where(places < size, places, 2 * (size - 1) - places)


def _replicated(size, low, high):
    return numpy.clip(numpy.arange(-low, size + high), 0, size - 1)


def _circular(size, low, high):
    """What a negative rim takes away is gone before the other end is copied."""
    first, left = max(0, -low), size + min(low, 0) + min(high, 0)
    return first + numpy.arange(-max(low, 0), left + max(high, 0)) % max(left, 1)


MODES = {"reflect": _reflected, "replicate": _replicated, "circular": _circular}


def _widest(mode, size, low, high):
    """The widest rim that a mode can fill."""
    if mode == "circular":
        return size + min(low, 0) + min(high, 0)
    return size - 1 if mode == "reflect" else checks.LARGEST



@checks.remembered
def _samples(mode, size, low, high):
    return sampling.Samples.of(size, MODES[mode](size, low, high))


def _sources(mode, size, low, high):
    """(rim, sources) as places in the padded axis, for the low rim and for the high one."""
    sources = MODES[mode](size, low, high) + low
    return ((slice(0, low), sources[:low]),
            (slice(low + size, low + size + high), sources[low + size:]))


def _along(position, part):
    return (*(slice(None),) * position, part)


def _rim_forward(plan, x):
    mode, rims = plan
    shape = tuple(size + low + high for size, (low, high) in zip(x.shape, rims, strict=True))
    out = memory.empty_like(x, shape)
    out[_inside(rims)[1]] = x
    for position, (low, high) in enumerate(rims):
        for rim, sources in _sources(mode, x.shape[position], low, high):
            out[_along(position, rim)] = numpy.take(out, sources, position)
    return out


def _unrim_forward(plan, padded):
    """The adjoint: what a rim holds is added to where it came from."""
    mode, rims = plan
    total = memory.copy(padded, "K")
    for position, (low, high) in reversed([*enumerate(rims)]):
        size = padded.shape[position] - low - high
        for rim, sources in _sources(mode, size, low, high):
            for place, source in zip(range(rim.start, rim.stop), sources, strict=True):
                total[_along(position, source)] += total[_along(position, place)]
    return memory.copy(total[_inside(rims)[1]], "K")


_rim = Operation("pad", _rim_forward, lambda node, gradient: _unrim(node.plan, gradient))
_unrim = Operation("unpad", _unrim_forward, lambda node, gradient: _rim(node.plan, gradient))


def _copied(mode, input, rims):
    """A rim of copies; where it also takes away, axis by axis."""
    if min(min(rim) for rim in rims) >= 0:
        return _rim((mode, rims), input)
    result = input
    for position, (low, high) in enumerate(rims):
        size = input.shape[position]
        if (low or high) and input.is_floating_point():
            result = along((position, _samples(mode, size, low, high)), result)
        elif low or high:
            result = _taken((position, MODES[mode](size, low, high)), result)
    return result


def _rims(input, pad):
    """(low, high) for each axis of the input, from the flat list that begins at the last axis."""
    if isinstance(pad, int):
        raise TypeError(f"pad: pad must be a sequence of integers, got {pad!r}")
    try:
        flat = tuple(operator.index(each) for each in pad)
    except TypeError:
        raise TypeError(f"pad: pad must be a sequence of integers, got {pad!r}") from None
    if len(flat) % 2 or len(flat) > 2 * input.ndim:
        raise ValueError(f"pad: {len(flat)} numbers given, wanted two for each of up to "
                         f"{input.ndim} dimensions")
    pairs = [flat[i:i + 2] for i in range(0, len(flat), 2)][::-1]
    return ((0, 0),) * (input.ndim - len(pairs)) + tuple(pairs)


def _check(mode, shape, rims, padded):
    """Raise unless the rims suit the sizes."""
    if mode != "constant" and not (1 <= padded <= 3 and padded + 1 <= len(shape) <= padded + 2):
        raise ValueError(f"pad: mode {mode!r} pads the last 1, 2 or 3 dimensions of a tensor that "
                         f"has one or two more, got {padded} of shape {shape}")
    for size, rim in zip(shape, rims, strict=True):
        if size + sum(rim) < (mode != "constant" and any(rim)) or max(rim) > checks.LARGEST:
            raise ValueError(f"pad: a dimension of {size} cannot be padded by {rim}")
        if any(rim) and mode != "constant" and (not size or max(rim) > _widest(mode, size, *rim)):
            raise ValueError(f"pad: mode {mode!r} cannot pad a dimension of {size} by {rim}")


@public("functional", cases=[
    case(floats(2, 3, 4), (1, 2)), case(floats(2, 3), (1, 0, -1, 2), value=0.5),
    case(floats(2, 5, 4), (-2, 1, 0, -3), "constant", -1.0),
    case(floats(2, 2, 3, 2, 3), (1, 1, 0, 2, 1, 0), "constant"),
    case(floats(2, 3, 5), (2, 4), mode="reflect"), case(floats(2, 4, 5), (2, 1, -1, 3), "reflect"),
    case(floats(2, 1, 3, 2, 3), (1, 2, 1, 0, 0, 2), "reflect"),
    case(floats(3, 5), (2, 7), mode="replicate"),
    case(floats(2, 2, 4, 3), (1, 2, -1, 5), mode="replicate"),
    case(floats(2, 2, 3), (3, 1), mode="circular"),
    case(floats(1, 2, 4, 3), (3, 1, 2, -1), mode="circular")])
def pad(input, pad, mode="constant", value=None):
    """A rim around the last dimensions: ``pad`` = (low, high) of the last one, then of the one
    before it and so on; a negative number takes that many elements away.

    ``mode`` tells what the rim holds: ``"constant"`` ``value`` (0 if None); ``"reflect"`` the
    elements mirrored at the first and last one, ``"replicate"`` the first and last one, and
    ``"circular"`` those of the other end.

    >>> import fastnn
    >>> fastnn.nn.functional.pad(fastnn.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    tensors.as_tensor("pad", input)
    rims = _rims(input, pad)
    if mode != "constant" and mode not in MODES:
        raise ValueError(f"pad: mode must be constant, {', '.join(MODES)}, got {mode!r}")
    _check(mode, tuple(input.shape), rims, len(pad) // 2)
    if mode == "constant":
        if value is not None and not isinstance(value, numbers.Real):
            raise TypeError(f"pad: value must be a number, got {value!r}")
        return _constant((rims, 0 if value is None else value), input)
    if value is not None and value != 0:
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value}")
    return _copied(mode, input, rims)
