"""Arrays of the arena: new ones, copies, and images with their channels last in memory."""

import math

from . import layout, runtime, spread

# (N, C, H, W) with its channels last in memory is this view of an (N, H, W, C) array.
FROM_CHANNELS_LAST = (0, 3, 1, 2)
# The reverse, by the number of dimensions: sequences, images and volumes.
TO_CHANNELS_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}

empty = runtime.empty_array


def copy(x, order):
    """A copy in C order (``order="C"``) or in the order of ``x`` (``"K"``)."""
    if (order == "C" and x.dtype.kind == "f" and x.ndim in TO_CHANNELS_LAST
            and not x.flags.c_contiguous):
        if is_channels_last(x):
            return _transposed(x.transpose(TO_CHANNELS_LAST[x.ndim]),
                               (math.prod(x.shape[2:]), x.shape[1]), x.shape)
        first = x.transpose(inverse(TO_CHANNELS_LAST[x.ndim]))
        if first.flags.c_contiguous:
            return _transposed(first, (x.shape[-1], math.prod(x.shape[1:-1])), x.shape)
    repeated = spread.repeats(x)
    if repeated:
        result = empty(x.shape, x.dtype)
        spread.spread(result, x, *repeated)
    else:
        result = empty(x.shape, x.dtype) if order == "C" else empty_like(x)
        layout.copy_values(result, x)
    return result


def empty_like(x, shape=None):
    """A new array of the type and memory order of ``x``, and its shape unless one is given.

    An array that repeats elements has no order of its own: C order.
    """
    shape = x.shape if shape is None else shape
    if x.flags.c_contiguous or 0 in x.strides:
        return empty(shape, x.dtype)
    order = order_of(x)
    result = empty(tuple(shape[i] for i in order), x.dtype)
    return result.transpose(inverse(order))


def order_of(x):
    """The axes in the order in which they lie in memory, the largest steps first."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))


def inverse(order):
    """The order of axes that undoes another one: a tenth of the time of NumPy's argsort."""
    positions = [0] * len(order)
    for position, axis in enumerate(order):
        positions[axis] = position
    return tuple(positions)


def reshape(x, shape):
    """The elements in C order in another shape: a view where the strides allow it."""
    if x.flags.c_contiguous:
        return x.reshape(shape)
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        return copy(x, "C").reshape(shape)


def is_channels_last(x):
    """Whether an (N, C, ...) array of 3 to 5 dimensions has its channels last in memory."""
    return x.ndim in TO_CHANNELS_LAST and x.transpose(TO_CHANNELS_LAST[x.ndim]).flags.c_contiguous


def channels_last(x):
    """The (N, ..., C) contiguous array of an (N, C, ...) one; a copy only where needed."""
    return contiguous(x.transpose(TO_CHANNELS_LAST[x.ndim]))


def contiguous(x):
    """The array itself if it lies in C order, else a copy that does; 0-d stays 0-d, None None."""
    return x if x is None or x.flags.c_contiguous else copy(x, "C")


def _transposed(x, middle, shape):
    """Exchange the last two of the axes (N, rows, columns) that a contiguous array is read as."""
    result = empty(shape, x.dtype)
    if x.size:
        rows, columns = middle
        layout.transpose_copy(x.reshape(len(x), rows, columns),
                            result.reshape(len(x), columns, rows))
    return result
