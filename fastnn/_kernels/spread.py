"""Copies of arrays that repeat their elements, as the gradients of sums do.

NumPy copies runs of one repeated number element by element: 512 KB of numbers that are each there
16 times take 31 us, and 19 here on one thread.
"""

from .kernel import kernel
from .names import pointer

SMALLEST = 16384  # elements; NumPy's copy of fewer takes less than a launch
PIECE = 16384
NANOSECONDS_PER_ELEMENT = 0.15


@kernel
def repeat_numbers(start, stop, arguments, numbers):
    """out[unit * width:][:width] = x[unit], or x[0] with ``step`` 0."""
    out, x = pointer(arguments[0]), pointer(arguments[1])
    total, width, step = arguments[2], arguments[3], arguments[4]
    for unit in range(start, stop):
        value = x[unit * step]
        for i in range(unit * width, min(total, (unit + 1) * width)):
            out[i] = value


@kernel
def repeat_rows(start, stop, arguments, numbers):
    """out[outer, unit, :] = x[outer, :]."""
    out, x, size, inner = pointer(arguments[0]), pointer(arguments[1]), arguments[2], arguments[3]
    for unit in range(start, stop):
        at, base = unit * inner, unit // size * inner
        for j in range(inner):
            out[at + j] = x[base + j]


def _runs(x):
    """[size, step in elements] of the axes, neighbours that are walked as one joined."""
    runs = []
    for size, step in zip(x.shape, x.strides, strict=True):
        step //= x.itemsize
        if runs and runs[-1][1] == size * step:
            runs[-1] = [runs[-1][0] * size, step]
        elif size != 1:
            runs.append([size, step])
    return runs


def repeats(x):
    """(outer, size, inner) if the array is a dense (outer, inner) one, repeated size times between.

    None for any other array, and for one too small to be worth it.
    """
    if x.size < SMALLEST or 0 not in x.strides or x.dtype.kind != "f":
        return None
    runs = _runs(x)
    inner = runs.pop()[0] if runs[-1][1] == 1 else 1
    size = runs.pop()[0] if runs and runs[-1][1] == 0 else 1
    outer = runs.pop()[0] if runs and runs[-1][1] == inner else 1
    return None if runs or size == 1 else (outer, size, inner)


def spread(out, x, outer, size, inner):
    """Copy an array that `repeats` into a contiguous one."""
    nanoseconds = out.size * NANOSECONDS_PER_ELEMENT
    if inner > 1:
        repeat_rows(None, (out, x, size, inner), outer * size, chunk=max(1, PIECE // inner),
                    nanoseconds=nanoseconds)
    else:
        width = PIECE if outer == 1 else size
        repeat_numbers(None, (out, x, out.size, width, int(outer > 1)), -(-out.size // width),
                       chunk=max(1, PIECE // width), nanoseconds=nanoseconds)
