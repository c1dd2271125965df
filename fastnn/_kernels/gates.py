"""The gated linear unit over contiguous (outer, 2, size) arrays: values, then their gates."""

from . import memory
from .kernel import kernel
from .names import T, exp, pointer

PIECE = 2048
NANOSECONDS_PER_ELEMENT = 1.0


def logistic(x):
    """1 / (1 + exp(-x)) without overflow."""
    power = exp(-abs(x))
    return (T(1) if x >= T(0) else power) / (T(1) + power)


@kernel(uses=(logistic,))
def forward_pieces(start, stop, arguments, numbers):
    """out = value * sigmoid(gate); a unit is a piece of one outer row."""
    out, x, size, pieces, piece = (pointer(arguments[0]), pointer(arguments[1]), arguments[2],
                                   arguments[3], arguments[4])
    for unit in range(start, stop):
        outer, first = unit // pieces, unit % pieces * piece
        value = 2 * outer * size
        for j in range(first, min(size, first + piece)):
            out[outer * size + j] = x[value + j] * logistic(x[value + size + j])


@kernel(uses=(logistic,))
def gradient_pieces(start, stop, arguments, numbers):
    """The gradients of the values and of the gates, side by side as the input is."""
    out, gradient, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    size, pieces, piece = arguments[3], arguments[4], arguments[5]
    for unit in range(start, stop):
        outer, first = unit // pieces, unit % pieces * piece
        value = 2 * outer * size
        for j in range(first, min(size, first + piece)):
            share = logistic(x[value + size + j])
            passed = gradient[outer * size + j] * share
            out[value + j] = passed
            out[value + size + j] = passed * x[value + j] * (T(1) - share)


def _launch(function, out, arrays, outer, size):
    piece = max(1, min(size, PIECE))
    pieces = -(-size // piece)
    function(None, (out, *arrays, size, pieces, piece), outer * pieces,
             chunk=max(1, 8 * PIECE // piece), nanoseconds=NANOSECONDS_PER_ELEMENT * outer * size)
    return out


def forward(x):
    """The (outer, size) values of an (outer, 2, size) array, gated."""
    outer, _, size = x.shape
    return _launch(forward_pieces, memory.empty((outer, size), x.dtype), (x,), outer, size)


def gradient(upstream, x):
    """The gradient of the (outer, 2, size) array from that of the (outer, size) result."""
    outer, _, size = x.shape
    return _launch(gradient_pieces, memory.empty(x.shape, x.dtype), (upstream, x), outer, size)
