"""Cross-entropy of rows of logits against class numbers."""

from . import memory
from .elementwise import ELEMENTS_PER_PIECE, sum_source
from .kernel import kernel
from .launch import Kernel
from .names import T, exp, log, pointer, pointer_i64
from .reductions import sum_axis

ROWS_PER_CHUNK = 256


@kernel
def cross_entropy_rows(start, stop, arguments, numbers):
    """loss[row] = logsumexp(x[row]) - x[row, target], 0 where the target is ignored."""
    loss, logsumexp = pointer(arguments[0]), pointer(arguments[1])
    x, target = pointer(arguments[2]), pointer_i64(arguments[3])
    classes, ignored = arguments[4], arguments[5]
    for row in range(start, stop):
        base = row * classes
        largest = x[base]
        for j in range(classes):
            value = x[base + j]
            largest = value if value > largest or value != value else largest
        total = T(0)
        for j in range(classes):
            total += exp(x[base + j] - largest)
        logsumexp[row] = largest + log(total)
        label = target[row]
        loss[row] = T(0) if label == ignored else logsumexp[row] - x[base + label]


@kernel
def cross_entropy_gradient_rows(start, stop, arguments, numbers):
    """out[row] = scale * gradient * (softmax(x[row]) - one-hot target)."""
    out, gradient, x = pointer(arguments[0]), pointer(arguments[1]), pointer(arguments[2])
    logsumexp, target = pointer(arguments[3]), pointer_i64(arguments[4])
    classes, ignored, step = arguments[5], arguments[6], arguments[7]
    for row in range(start, stop):
        base = row * classes
        label = target[row]
        scale = T(0) if label == ignored else gradient[row * step] * T(numbers[0])
        for j in range(classes):
            out[base + j] = scale * exp(x[base + j] - logsumexp[row])
        if label != ignored:
            out[base + label] -= scale


def cross_entropy(x, target, ignored):
    """(loss of each row, its logsumexp)."""
    rows, classes = x.shape
    loss, logsumexp = memory.empty((rows,), x.dtype), memory.empty((rows,), x.dtype)
    cross_entropy_rows(None, (loss, logsumexp, x, target, classes, ignored), rows,
                       chunk=ROWS_PER_CHUNK, nanoseconds=2.0 * x.size)
    return loss, logsumexp


def cross_entropy_gradient(gradient, x, logsumexp, target, ignored, scale):
    """The gradient of the logits; ``gradient`` is one number or one for each row."""
    rows, classes = x.shape
    out = memory.empty(x.shape, x.dtype)
    operands = (out, gradient, x, logsumexp, target, classes, ignored, int(gradient.ndim > 0))
    cross_entropy_gradient_rows(None, operands, rows, chunk=ROWS_PER_CHUNK,
                                nanoseconds=2.0 * x.size, numbers=(scale,))
    return out


def summed(formula):
    """A function (numbers, scale, *arrays) -> scale times the sum of a formula over flat arrays."""
    loop = Kernel(formula.name, lambda dtype: (sum_source(formula), dtype))

    def run(numbers, scale, *arrays):
        size = arrays[0].size
        pieces = max(1, -(-size // ELEMENTS_PER_PIECE))
        out = memory.empty((pieces,), arrays[0].dtype)
        loop(None, (out, *arrays, size), pieces, chunk=8, nanoseconds=1.5 * size,
             numbers=(*numbers, scale))
        return out.reshape(()) if pieces == 1 else sum_axis(out.reshape(1, pieces, 1)).reshape(())

    return run
