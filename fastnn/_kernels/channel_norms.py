"""Kernels that give channels, or groups of channels, mean 0 and variance 1.

Images come as (samples, rows, width), their channels last, or as (samples, channels, rows). In
the first form ``width`` is a number of channels or a multiple of it: several rows are read as one.
``centre``, ``scale`` and the like are vectors of that width for each sample, or one for all, with
``step`` 0. A rectifier may follow: what is not above 0 is multiplied by ``below``, which is 1 where
there is none.
"""

from .kernel import kernel
from .names import T, pointer, sqrt


def row_mean(x, first, last):
    """By distances from the first value, so that the mean of equal values is that value."""
    total, origin = T(0), x[first]
    for i in range(first, last):
        total += x[i] - origin
    return origin + total / T(last - first)


def row_squares(x, first, last, mean):
    total = T(0)
    for i in range(first, last):
        apart = x[i] - mean
        total += apart * apart
    return total


def applied(x, centre, scale, shift):
    return (x - centre) * scale + shift


def bent(y, below):
    """The rectified value; ``below`` 0 makes it 0 even of infinity."""
    lower = T(0) if below == T(0) else below * y
    return lower if y <= T(0) else y


def bent_gradient(g, y, below):
    """The gradient of y, given that of its `bent` value; where y is not a number as they have it.

    ``relu`` lets it pass, its leaky kin take that for the lower side.
    """
    if below == T(0):
        return T(0) if y <= T(0) else g
    return g if y > T(0) else below * g


def row_products(g, x, first, last, mean, scale, shift, below):
    """Sum of the gradients of a rectified row, and of these times the distance of x from a mean."""
    total = product = T(0)
    for i in range(first, last):
        each = bent_gradient(g[i], applied(x[i], mean, scale, shift), below)
        total += each
        product += each * (x[i] - mean)
    return total, product


@kernel
def moments_last(start, stop, arguments, numbers):
    """Mean and sum of squared distances from it, of each piece of rows.

    The mean is taken of distances from the first row, so that of equal values it is that value.
    """
    means, squares, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    width, rows, piece_rows, pieces = arguments[3], arguments[4], arguments[5], arguments[6]
    for unit in range(start, stop):
        sample, first = unit // pieces, unit % pieces * piece_rows
        last = min(rows, first + piece_rows)
        base, offset = unit * width, sample * rows * width
        origin = offset + first * width
        share = T(1) / T(last - first)
        for c in range(width):
            means[base + c] = T(0)
            squares[base + c] = T(0)
        for row in range(first + 1, last):
            at = offset + row * width
            for c in range(width):
                means[base + c] += x[at + c] - x[origin + c]
        for c in range(width):
            means[base + c] = x[origin + c] + means[base + c] * share
        for row in range(first, last):
            at = offset + row * width
            for c in range(width):
                apart = x[at + c] - means[base + c]
                squares[base + c] += apart * apart


@kernel(sums=(row_mean, row_squares))
def moments_first(start, stop, arguments, numbers):
    """As `moments_last`, of rows that each belong to one channel of one sample."""
    means, squares, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    rows = arguments[3]
    for unit in range(start, stop):
        first, last = unit * rows, (unit + 1) * rows
        if rows:
            means[unit] = row_mean(x, first, last)
            squares[unit] = row_squares(x, first, last, means[unit])
        else:
            means[unit] = T(0)
            squares[unit] = T(0)


@kernel
def join_moments(start, stop, arguments, numbers):
    """(mean, variance) of each group, from those of pieces, rows read as one, and channels.

    Means are joined as distances from the first: summed as they are, those of values far from zero
    lose the digits that the deviation lies in.
    """
    mean, variance = pointer(arguments[0]), pointer(arguments[1])
    means, squares = pointer(arguments[2]), pointer(arguments[3])
    centre, square = pointer(arguments[4]), pointer(arguments[5])
    pieces, fold, channels, groups = arguments[6], arguments[7], arguments[8], arguments[9]
    rows, piece_rows = arguments[10], arguments[11]
    size = channels // groups
    for sample in range(start, stop):
        base, first = sample * channels, sample * pieces * fold * channels
        share = T(1) / T(rows * fold)
        for c in range(channels):
            centre[base + c] = T(0)
            square[base + c] = T(0)
        for part in range(pieces * fold):
            at = (sample * pieces * fold + part) * channels
            weight = T(min(rows, (part // fold + 1) * piece_rows) - part // fold * piece_rows) \
                * share
            for c in range(channels):
                centre[base + c] += (means[at + c] - means[first + c]) * weight
        for c in range(channels):
            centre[base + c] += means[first + c]
        for part in range(pieces * fold):
            at = (sample * pieces * fold + part) * channels
            count = T(min(rows, (part // fold + 1) * piece_rows) - part // fold * piece_rows)
            for c in range(channels):
                apart = means[at + c] - centre[base + c]
                square[base + c] += squares[at + c] + count * apart * apart
        for group in range(groups):
            first = base + group * size
            average = T(0)
            for c in range(first, first + size):
                average += centre[c] - centre[first]
            average = centre[first] + average / T(size)
            total = T(0)
            for c in range(first, first + size):
                apart = centre[c] - average
                total += square[c] + apart * apart * T(rows * fold)
            mean[sample * groups + group] = average
            variance[sample * groups + group] = total / T(rows * fold * size)


@kernel
def move_running(start, stop, arguments, numbers):
    """running += momentum * (factor * sum of the samples' values - running)."""
    running, value = pointer(arguments[0]), pointer(arguments[1])
    statistics, channels = arguments[2], arguments[3]
    momentum, factor = T(numbers[0]), T(numbers[1])
    for c in range(start, stop):
        total = T(0)
        for sample in range(statistics):
            total += value[sample * channels + c]
        running[c] += momentum * (factor * total - running[c])


@kernel
def coefficients(start, stop, arguments, numbers):
    """centre, scale and shift of each channel, ``fold`` times over."""
    centre, scale, shift = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    mean, variance = pointer(arguments[3]), pointer(arguments[4])
    weight, bias = pointer(arguments[5]), pointer(arguments[6])
    fold, channels, groups = arguments[7], arguments[8], arguments[9]
    has_weight, has_bias = arguments[5] != 0, arguments[6] != 0
    size = channels // groups
    for sample in range(start, stop):
        base = sample * fold * channels
        for group in range(groups):
            at = sample * groups + group
            inverse = T(1) / sqrt(variance[at] + T(numbers[0]))
            for c in range(group * size, (group + 1) * size):
                centre[base + c] = mean[at]
                scale[base + c] = inverse * weight[c] if has_weight else inverse
                shift[base + c] = bias[c] if has_bias else T(0)
        for i in range(channels, fold * channels):
            centre[base + i] = centre[base + i - channels]
            scale[base + i] = scale[base + i - channels]
            shift[base + i] = shift[base + i - channels]


@kernel(uses=(applied, bent))
def apply_last(start, stop, arguments, numbers):
    """out = (x - centre) * scale + shift, rectified."""
    out, x, centre = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    scale, shift = pointer(arguments[3]), pointer(arguments[4])
    width, rows, step, below = arguments[5], arguments[6], arguments[7], T(numbers[0])
    for row in range(start, stop):
        at, base = row * width, row // rows * step
        for c in range(width):
            out[at + c] = bent(
                applied(x[at + c], centre[base + c], scale[base + c], shift[base + c]), below)


@kernel(uses=(applied, bent))
def apply_first(start, stop, arguments, numbers):
    """As `apply_last`, of rows that each belong to one channel of one sample."""
    out, x, centres = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    scales, shifts = pointer(arguments[3]), pointer(arguments[4])
    rows, statistics, below = arguments[5], arguments[6], T(numbers[0])
    for unit in range(start, stop):
        each = unit % statistics
        centre, scale, shift = centres[each], scales[each], shifts[each]
        for i in range(unit * rows, (unit + 1) * rows):
            out[i] = bent(applied(x[i], centre, scale, shift), below)


@kernel(uses=(applied, bent_gradient))
def sums_last(start, stop, arguments, numbers):
    """For each piece of rows: sum of g, and of g times the distance of x from its centre.

    g is the gradient before the rectifier, which comes after it.
    """
    totals, products = pointer(arguments[0]), pointer(arguments[1])
    g, x, centre = pointer(arguments[2]), pointer(arguments[3]), pointer(arguments[4])
    scale, shift, below = pointer(arguments[5]), pointer(arguments[6]), T(numbers[0])
    width, step = arguments[7], arguments[8]
    rows, piece_rows, pieces = arguments[9], arguments[10], arguments[11]
    for unit in range(start, stop):
        sample, first = unit // pieces, unit % pieces * piece_rows
        last = min(rows, first + piece_rows)
        base, middle, offset = unit * width, sample * step, sample * rows * width
        for c in range(width):
            totals[base + c] = T(0)
            products[base + c] = T(0)
        for row in range(first, last):
            at = offset + row * width
            for c in range(width):
                from_centre = x[at + c] - centre[middle + c]
                each = bent_gradient(g[at + c], applied(
                    x[at + c], centre[middle + c], scale[middle + c], shift[middle + c]), below)
                totals[base + c] += each
                products[base + c] += each * from_centre


@kernel(uses=(applied, bent_gradient), sums=(row_products,))
def sums_first(start, stop, arguments, numbers):
    """As `sums_last`, of rows that each belong to one channel of one sample."""
    totals, products = pointer(arguments[0]), pointer(arguments[1])
    g, x, centre = pointer(arguments[2]), pointer(arguments[3]), pointer(arguments[4])
    scale, shift, below = pointer(arguments[5]), pointer(arguments[6]), T(numbers[0])
    rows, statistics = arguments[7], arguments[8]
    for unit in range(start, stop):
        each = unit % statistics
        totals[unit], products[unit] = row_products(
            g, x, unit * rows, (unit + 1) * rows, centre[each], scale[each], shift[each], below)


@kernel
def gradient_coefficients(start, stop, arguments, numbers):
    """Per channel, ``fold`` times over: slope and offset of the gradient of x.

    That is scale * g - slope * (x - centre) - offset, with the sums over each group of channels.
    """
    slope, offset = pointer(arguments[0]), pointer(arguments[1])
    totals, products = pointer(arguments[2]), pointer(arguments[3])
    variance, weight = pointer(arguments[4]), pointer(arguments[5])
    fold, channels, groups = arguments[6], arguments[7], arguments[8]
    has_weight = arguments[5] != 0
    size = channels // groups
    share = T(1) / (T(numbers[1]) * T(size))
    for sample in range(start, stop):
        base = sample * fold * channels
        for group in range(groups):
            total = product = T(0)
            for c in range(group * size, (group + 1) * size):
                factor = weight[c] if has_weight else T(1)
                total += factor * totals[sample * channels + c]
                product += factor * products[sample * channels + c]
            inverse = T(1) / sqrt(variance[sample * groups + group] + T(numbers[0]))
            for c in range(group * size, (group + 1) * size):
                slope[base + c] = inverse * (inverse * (inverse * (product * share)))
                offset[base + c] = inverse * (total * share)
        for i in range(channels, fold * channels):
            slope[base + i] = slope[base + i - channels]
            offset[base + i] = offset[base + i - channels]


@kernel(uses=(applied, bent_gradient))
def input_gradient_last(start, stop, arguments, numbers):
    """out = scale * g - slope * (x - centre) - offset, with g as in `sums_last`."""
    out, g, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    centre, scale, shift = pointer(arguments[3]), pointer(arguments[4]), pointer(arguments[5])
    slope, offset, below = pointer(arguments[6]), pointer(arguments[7]), T(numbers[0])
    width, rows, step = arguments[8], arguments[9], arguments[10]
    for row in range(start, stop):
        at, base = row * width, row // rows * step
        for c in range(width):
            from_centre = x[at + c] - centre[base + c]
            each = bent_gradient(g[at + c], applied(
                x[at + c], centre[base + c], scale[base + c], shift[base + c]), below)
            out[at + c] = scale[base + c] * each - offset[base + c] - slope[base + c] * from_centre


@kernel(uses=(applied, bent_gradient))
def input_gradient_first(start, stop, arguments, numbers):
    """As `input_gradient_last`, of rows that each belong to one channel of one sample."""
    out, g, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    centres, scales, shifts = pointer(arguments[3]), pointer(arguments[4]), pointer(arguments[5])
    slopes, offsets, below = pointer(arguments[6]), pointer(arguments[7]), T(numbers[0])
    rows, statistics = arguments[8], arguments[9]
    for unit in range(start, stop):
        each = unit % statistics
        centre, scale, shift = centres[each], scales[each], shifts[each]
        slope, offset = slopes[each], offsets[each]
        for i in range(unit * rows, (unit + 1) * rows):
            before = bent_gradient(g[i], applied(x[i], centre, scale, shift), below)
            out[i] = scale * before - offset - slope * (x[i] - centre)


@kernel
def parameter_gradients(start, stop, arguments, numbers):
    """Gradients of weight and bias of each channel: over the samples in their order."""
    d_weight, d_bias = pointer(arguments[0]), pointer(arguments[1])
    totals, products, variance = (pointer(arguments[2]), pointer(arguments[3]),
                                  pointer(arguments[4]))
    samples, channels, groups = arguments[5], arguments[6], arguments[7]
    for c in range(start, stop):
        total = product = T(0)
        for sample in range(samples):
            at = sample * channels + c
            total += totals[at]
            product += products[at] / sqrt(
                variance[sample * groups + c * groups // channels] + T(numbers[0]))
        d_weight[c] = product
        d_bias[c] = total
