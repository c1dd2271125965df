"""Normalisation of the rows of a matrix: layer norm, and RMS norm where no mean is taken away."""

from . import memory
from .channel_norms import row_distances, row_sum
from .kernel import kernel
from .names import T, pointer, sqrt
from .reductions import CHUNK_ELEMENTS, sum_axis

NANOSECONDS_PER_ELEMENT = 0.6
MOST_PIECES = 64


def row_square_mean(x, first, last):
    total, share = T(0), T(1) / T(last - first)
    for i in range(first, last):
        total += x[i] * x[i]
    return total * share


def gradient_projections(g, x, first, last, weight, has_weight, mean):
    """Sum of the weighted gradient, and of it times the distance of x from a mean."""
    total = product = T(0)
    if has_weight:
        for i in range(last - first):
            weighted = g[first + i] * weight[i]
            total += weighted
            product += weighted * (x[first + i] - mean)
    else:
        for i in range(first, last):
            total += g[i]
            product += g[i] * (x[i] - mean)
    return total, product


@kernel(sums=(row_sum, row_distances, row_square_mean))
def normalise_rows(start, stop, arguments, numbers):
    """out[row] = (x[row] - mean) / deviation * weight + bias; mean and 1 / deviation are kept."""
    out, means, inverses = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, weight, bias = pointer(arguments[3]), pointer(arguments[4]), pointer(arguments[5])
    size, centred = arguments[6], arguments[7]
    has_weight, has_bias = arguments[4] != 0, arguments[5] != 0
    for row in range(start, stop):
        first, last = row * size, (row + 1) * size
        if centred:
            mean = row_sum(x, first, last) / T(size)
            rest, square = row_distances(x, first, last, mean)
            left = rest / T(size)
            mean += left
            variance = (square - left * rest) / T(size)
        else:
            mean, variance = T(0), row_square_mean(x, first, last)
        inverse = T(1) / sqrt(variance + T(numbers[0]))
        means[row], inverses[row] = mean, inverse
        if has_weight and has_bias:
            for i in range(size):
                out[first + i] = (x[first + i] - mean) * inverse * weight[i] + bias[i]
        elif has_weight:
            for i in range(size):
                out[first + i] = (x[first + i] - mean) * inverse * weight[i]
        else:
            for i in range(size):
                out[first + i] = (x[first + i] - mean) * inverse


@kernel(sums=(gradient_projections,))
def gradient_rows(start, stop, arguments, numbers):
    """One pass over pieces of rows: the gradient of x, and the pieces' of weight and bias."""
    out, d_weight, d_bias = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    g, x, weight = pointer(arguments[3]), pointer(arguments[4]), pointer(arguments[5])
    means, inverses = pointer(arguments[6]), pointer(arguments[7])
    rows, size, piece_rows, centred = arguments[8], arguments[9], arguments[10], arguments[11]
    wants_x, wants_weight = arguments[0] != 0, arguments[1] != 0
    for piece in range(start, stop):
        base = piece * size
        if wants_weight:
            for i in range(size):
                d_weight[base + i] = T(0)
                d_bias[base + i] = T(0)
        for row in range(piece * piece_rows, min(rows, (piece + 1) * piece_rows)):
            first = row * size
            mean, inverse = means[row], inverses[row]
            if wants_weight:
                for i in range(size):
                    d_bias[base + i] += g[first + i]
                    d_weight[base + i] += g[first + i] * ((x[first + i] - mean) * inverse)
            if wants_x:
                total, product = gradient_projections(
                    g, x, first, first + size, weight, arguments[5] != 0, mean)
                slope = inverse * (inverse * (inverse * (product / T(size))))
                offset = inverse * (total / T(size)) if centred else T(0)
                if arguments[5] != 0:
                    for i in range(size):
                        out[first + i] = g[first + i] * weight[i] * inverse - offset \
                            - slope * (x[first + i] - mean)
                else:
                    for i in range(size):
                        out[first + i] = g[first + i] * inverse - offset \
                            - slope * (x[first + i] - mean)


def normalise(x, weight, bias, epsilon, centred):
    """(normalised, means, 1 / deviations) of the rows of a contiguous matrix."""
    rows, size = x.shape
    out, means, inverses = (memory.empty(shape, x.dtype) for shape in (x.shape, (rows,), (rows,)))
    normalise_rows(None, (out, means, inverses, x, weight, bias, size, int(centred)), rows,
                   chunk=max(1, CHUNK_ELEMENTS // max(1, size)),
                   nanoseconds=x.size * NANOSECONDS_PER_ELEMENT, numbers=(epsilon,))
    return out, means, inverses


def gradients(gradient, x, weight, means, inverses, centred, wants_x, wants_parameters):
    """(gradient of x, of the weight, of the bias), None for what is not wanted."""
    rows, size = x.shape
    piece_rows = max(1, CHUNK_ELEMENTS // max(1, size), -(-rows // MOST_PIECES))
    pieces = -(-rows // piece_rows)
    out = memory.empty(x.shape, x.dtype) if wants_x else None
    d_weight, d_bias = (memory.empty((1, pieces, size), x.dtype) if wants_parameters else None
                        for _ in range(2))
    gradient_rows("f32" if x.dtype.itemsize == 4 else "f64",
                  (out, d_weight, d_bias, gradient, x, weight, means, inverses, rows, size,
                   piece_rows, int(centred)), pieces, chunk=1,
                  nanoseconds=2 * x.size * NANOSECONDS_PER_ELEMENT)
    if not wants_parameters:
        return out, None, None
    return out, sum_axis(d_weight).reshape(size), sum_axis(d_bias).reshape(size)
