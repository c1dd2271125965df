"""Cross-entropy of rows of logits against class numbers, and what of labels is wrong."""

import numpy

from . import memory
from .elementwise import ELEMENTS_PER_PIECE, LANES, sum_source
from .kernel import kernel
from .launch import Kernel
from .names import T, exp, log, pointer, pointer_i64
from .reductions import sum_read_as, sum_run
from .softmax import BLOCK_ELEMENTS, CHUNK_BLOCKS, max_run

ROWS_PER_CHUNK = 256


@kernel(uses=(max_run, sum_run))
def cross_entropy_rows(start, stop, arguments, numbers):
    """loss[row] = log(sum(powers)) + max - x[target], 0 where ignored; a unit is a block of rows.

    powers[row] = exp(x[row] - max), of which totals[row] is the sum. A share ``numbers[0]`` of the
    target is spread over all classes.
    """
    spread = T(numbers[0])
    loss, powers, totals = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    x, target = pointer(arguments[3]), pointer_i64(arguments[4])
    rows, classes, together, ignored = arguments[5], arguments[6], arguments[7], arguments[8]
    for block in range(start, stop):
        first, last = block * together, min(rows, (block + 1) * together)
        for row in range(first, last):
            base, label = row * classes, target[row]
            top = max_run(x, base, base + classes)
            loss[row] = T(0) if label == ignored else top - x[base + label]
            for j in range(base, base + classes):
                powers[j] = x[j] - top
            if spread > T(0) and label != ignored:
                even = sum_run(powers, base, base + classes) / T(classes)
                loss[row] = (T(1) - spread) * loss[row] - spread * even
        for j in range(first * classes, last * classes):
            powers[j] = exp(powers[j])
        for row in range(first, last):
            totals[row] = sum_run(powers, row * classes, (row + 1) * classes)
            if target[row] != ignored:
                loss[row] += log(totals[row])


@kernel
def cross_entropy_gradient_rows(start, stop, arguments, numbers):
    """out[row] = gradient * (powers[row] / totals[row] - one-hot target), 0 where it is ignored.

    ``averages``: that over the labels that count. A share ``numbers[0]`` of the target is spread
    over all classes.
    """
    spread = T(numbers[0])
    out, gradient, powers = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    totals, target = pointer(arguments[3]), pointer_i64(arguments[4])
    classes, ignored, step = arguments[5], arguments[6], arguments[7]
    count, averages = pointer_i64(arguments[8]), arguments[9]
    factor = T(1 / count[0]) if averages else T(1)
    for row in range(start, stop):
        base = row * classes
        label = target[row]
        scale = T(0) if label == ignored else gradient[row * step] * factor
        share = scale / totals[row]
        even = scale * spread / T(classes) if spread > T(0) else T(0)  # scale may be infinite
        for j in range(classes):
            out[base + j] = share * powers[base + j] - even
        if label != ignored and 0 <= label < classes:  # it may have changed since it was checked
            out[base + label] -= scale * (T(1) - spread)


@kernel
def count_labels(start, stop, arguments, numbers):
    """Count the labels that are not ignored, and those of them that lie outside of [0, classes)."""
    found, target = pointer_i64(arguments[0]), pointer_i64(arguments[1])
    size, classes, ignores, ignored = arguments[2], arguments[3], arguments[4], arguments[5]
    kept = outside = 0
    for i in range(size):
        counts = not ignores or target[i] != ignored
        kept += counts
        outside += counts and (target[i] < 0 or target[i] >= classes)
    found[0], found[1] = kept, outside


def counted(target, classes, ignored):
    """Two int64: how many of the flat labels are not ignored, and how many of those are no class.

    ``ignored`` is None where all count.
    """
    found = memory.empty((2,), target.dtype)
    operands = (found, target, target.size, classes, int(ignored is not None), ignored)
    count_labels("i64", operands, 1, chunk=1, nanoseconds=0.5 * target.size)
    return found


@kernel
def count_improbable(start, stop, arguments, numbers):
    """Count the numbers that are not in [0, 1]."""
    x, found, size = pointer(arguments[0]), pointer_i64(arguments[1]), arguments[2]
    outside = 0
    for i in range(size):
        outside += not (x[i] >= T(0) and x[i] <= T(1))
    found[0] = outside


def improbable(x):
    """How many of an array's numbers are no probabilities, as an array of one int64."""
    found = memory.empty((1,), numpy.int64)
    count_improbable(None, (memory.contiguous(x), found, x.size), 1, chunk=1,
                     nanoseconds=0.5 * x.size)
    return found


def cross_entropy(x, target, ignored, smoothing):
    """(loss of each row, its exponentials, their sum)."""
    rows, classes = x.shape
    loss, totals = memory.empty((rows,), x.dtype), memory.empty((rows,), x.dtype)
    powers = memory.empty(x.shape, x.dtype)
    if not classes:
        loss.fill(0)  # every target is ignored
        return loss, powers, totals
    together = max(1, BLOCK_ELEMENTS // classes)
    operands = (loss, powers, totals, x, target, rows, classes, together, ignored)
    cross_entropy_rows(None, operands, -(-rows // together), chunk=CHUNK_BLOCKS,
                       nanoseconds=1.0 * x.size, numbers=(smoothing,))
    return loss, powers, totals


def cross_entropy_gradient(gradient, powers, totals, target, ignored, smoothing, count, averages):
    """The gradient of the logits; ``gradient`` is one number or one for each row.

    ``averages``: it is that of the loss's mean over the labels that count, so many.
    """
    rows, classes = powers.shape
    out = memory.empty(powers.shape, powers.dtype)
    operands = (out, gradient, powers, totals, target, classes, ignored, int(gradient.ndim > 0),
                count, int(averages))
    cross_entropy_gradient_rows(None, operands, rows, chunk=ROWS_PER_CHUNK,
                                nanoseconds=0.5 * out.size, numbers=(smoothing,))
    return out


@kernel
def divide_by_count(start, stop, arguments, numbers):
    """A sum becomes the mean over so many; NaN where there are none."""
    x, count = pointer(arguments[0]), pointer_i64(arguments[1])
    x[0] /= T(count[0])


def mean_of_kept(loss, count):
    """The sum of the losses of rows, divided by how many of them count; NaN for none."""
    total = sum_read_as((1, loss.size, 1), loss, ())
    divide_by_count(None, (total, count), 1, chunk=1, nanoseconds=1.0)
    return total


def summed(formula):
    """A function ((scale, parameters), *arrays) -> scale times the sum of a formula over arrays."""
    loop = Kernel(formula.name, lambda dtype: (sum_source(formula), dtype))

    def run(plan, *arrays):
        scale, parameters = plan
        size = arrays[0].size
        pieces = max(1, -(-size // ELEMENTS_PER_PIECE))
        out = memory.empty(() if pieces == 1 else (pieces,), arrays[0].dtype)
        lanes = memory.empty((pieces, LANES), out.dtype)
        loop(None, (out, lanes, *map(memory.contiguous, arrays), size), pieces, chunk=8,
             nanoseconds=1.5 * size, numbers=(*parameters, scale))
        return out if pieces == 1 else sum_read_as((1, pieces, 1), out, ())

    return run
