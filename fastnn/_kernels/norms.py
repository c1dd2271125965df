"""Batch normalisation of (rows, channels) arrays."""

from . import memory
from .kernel import kernel
from .names import T, pointer, sqrt
from .reductions import CHUNK_ELEMENTS, sum_axis

NANOSECONDS_PER_ELEMENT = 0.6


@kernel
def moments_pieces(start, stop, arguments, numbers):
    """Mean and sum of squared distances from it, for each piece of rows and each channel."""
    mean, square, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    rows, channels, piece_rows = arguments[3], arguments[4], arguments[5]
    for piece in range(start, stop):
        first = piece * piece_rows
        last = min(rows, first + piece_rows)
        base = piece * channels
        share = T(1) / T(last - first)
        for c in range(channels):
            mean[base + c] = T(0)
            square[base + c] = T(0)
        for row in range(first, last):
            for c in range(channels):
                mean[base + c] += x[row * channels + c]
        for c in range(channels):
            mean[base + c] *= share
        for row in range(first, last):
            for c in range(channels):
                apart = x[row * channels + c] - mean[base + c]
                square[base + c] += apart * apart


@kernel
def join_moments(start, stop, arguments, numbers):
    """Join the pieces' moments in their order (Chan et al., 1979): mean, variance, 1/deviation."""
    mean, variance, inverse = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    means, squares = pointer(arguments[3]), pointer(arguments[4])
    rows, channels, piece_rows, pieces = (arguments[5], arguments[6], arguments[7], arguments[8])
    for c in range(start, stop):
        average, total, count = means[c], squares[c], T(min(rows, piece_rows))
        for piece in range(1, pieces):
            more = T(min(rows, (piece + 1) * piece_rows) - piece * piece_rows)
            apart = means[piece * channels + c] - average
            average += apart * (more / (count + more))
            total += squares[piece * channels + c] + apart * apart * (count * more / (count + more))
            count += more
        mean[c] = average
        variance[c] = total / count
        inverse[c] = T(1) / sqrt(total / count + T(numbers[0]))


@kernel
def scale_rows(start, stop, arguments, numbers):
    """out[row, c] = x[row, c] * scale[c] + shift[c]."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    scale, shift = pointer(arguments[2]), pointer(arguments[3])
    channels = arguments[4]
    for row in range(start, stop):
        for c in range(channels):
            out[row * channels + c] = x[row * channels + c] * scale[c] + shift[c]


@kernel
def gradient_sums_pieces(start, stop, arguments, numbers):
    """For each piece and channel: sum of g, and sum of g times the normalised x."""
    total, product = pointer(arguments[0]), pointer(arguments[1])
    gradient, x = pointer(arguments[2]), pointer(arguments[3])
    mean, inverse = pointer(arguments[4]), pointer(arguments[5])
    rows, channels, piece_rows = arguments[6], arguments[7], arguments[8]
    for piece in range(start, stop):
        first = piece * piece_rows
        last = min(rows, first + piece_rows)
        base = piece * channels
        for c in range(channels):
            total[base + c] = T(0)
            product[base + c] = T(0)
        for row in range(first, last):
            for c in range(channels):
                g = gradient[row * channels + c]
                total[base + c] += g
                product[base + c] += g * (x[row * channels + c] - mean[c])
        for c in range(channels):
            product[base + c] *= inverse[c]


@kernel
def input_gradient_rows(start, stop, arguments, numbers):
    """out = scale * (g - total / rows - normalised x * product / rows)."""
    out, gradient, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    scale, centre, slope = pointer(arguments[3]), pointer(arguments[4]), pointer(arguments[5])
    channels = arguments[6]
    for row in range(start, stop):
        for c in range(channels):
            at = row * channels + c
            out[at] = scale[c] * gradient[at] - centre[c] - slope[c] * x[at]


def _piece_rows(channels):
    return max(1, CHUNK_ELEMENTS // max(1, channels))


def moments(x, epsilon):
    """(mean, variance, 1 / sqrt(variance + epsilon)) of each channel of a contiguous array."""
    rows, channels = x.shape
    piece_rows = _piece_rows(channels)
    pieces = -(-rows // piece_rows)
    means, squares = (memory.empty((pieces, channels), x.dtype) for _ in range(2))
    results = tuple(memory.empty((channels,), x.dtype) for _ in range(3))
    moments_pieces(None, (means, squares, x, rows, channels, piece_rows), pieces, chunk=1,
                   nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    join_moments(None, (*results, means, squares, rows, channels, piece_rows, pieces), channels,
                 chunk=channels, nanoseconds=0, numbers=(epsilon,))
    return results


def scaled(x, scale, shift):
    """x * scale + shift by channel."""
    rows, channels = x.shape
    out = memory.empty(x.shape, x.dtype)
    scale_rows(None, (out, x, scale, shift, channels), rows, chunk=_piece_rows(channels),
               nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return out


def gradient_sums(gradient, x, mean, inverse):
    """(sum of the gradient, sum of the gradient times the normalised x) by channel."""
    rows, channels = x.shape
    piece_rows = _piece_rows(channels)
    pieces = -(-rows // piece_rows)
    totals, products = (memory.empty((pieces, channels), x.dtype) for _ in range(2))
    operands = (totals, products, gradient, x, mean, inverse, rows, channels, piece_rows)
    gradient_sums_pieces(None, operands, pieces, chunk=1,
                         nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return tuple(sum_axis(each.reshape(1, pieces, channels)).reshape(channels)
                 for each in (totals, products))


def input_gradient(gradient, x, mean, inverse, scale, total, product):
    """The gradient of x; ``scale`` is weight times ``inverse``."""
    rows, channels = x.shape
    out = memory.empty(x.shape, x.dtype)
    slope = scale * product * inverse / x.dtype.type(rows)
    centre = scale * total / x.dtype.type(rows) - slope * mean
    input_gradient_rows(None, (out, gradient, x, scale, centre, slope, channels), rows,
                        chunk=_piece_rows(channels),
                        nanoseconds=x.size * NANOSECONDS_PER_ELEMENT)
    return out
