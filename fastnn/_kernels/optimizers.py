"""Optimizer updates in one pass over the memory, for all tensors of a group in one launch.

`update.pyx` makes the table of chunks that the kernels read: a row for at most 16 K elements, with
the number of elements and the addresses of the parameter, its gradient and its state.
"""

from .kernel import kernel
from .names import T, pointer, sqrt


@kernel
def sgd_update(start, stop, arguments, numbers):
    """w -= rate * (g + decay * w)."""
    columns = arguments[0]
    rate, decay, sign = T(numbers[0]), T(numbers[1]), T(numbers[2])
    for row in range(start, stop):
        at = 1 + row * columns
        size, w, g = arguments[at], pointer(arguments[at + 1]), pointer(arguments[at + 2])
        for i in range(size):
            w[i] -= rate * (sign * g[i] + decay * w[i])


@kernel
def momentum_update(start, stop, arguments, numbers):
    """v = momentum * v + (1 - dampening) * g; w -= rate * v, or of g + momentum * v (Nesterov)."""
    columns = arguments[0]
    rate, decay, sign = T(numbers[0]), T(numbers[1]), T(numbers[2])
    momentum, share, nesterov = T(numbers[3]), T(numbers[4]), numbers[5] != 0
    for row in range(start, stop):
        at = 1 + row * columns
        size, w, g = arguments[at], pointer(arguments[at + 1]), pointer(arguments[at + 2])
        v = pointer(arguments[at + 3])
        if nesterov:
            for i in range(size):
                slope = sign * g[i] + decay * w[i]
                v[i] = momentum * v[i] + share * slope
                w[i] -= rate * (slope + momentum * v[i])
        else:
            for i in range(size):
                v[i] = momentum * v[i] + share * (sign * g[i] + decay * w[i])
                w[i] -= rate * v[i]


@kernel
def adam_update(start, stop, arguments, numbers):
    """m and v are running means of g and its square; w -= step * m / (sqrt(v) / root + epsilon).

    ``shrink`` multiplies w before (AdamW's decay); ``decay`` is added to the gradient (Adam's).
    """
    columns = arguments[0]
    step, root, epsilon = T(numbers[0]), T(numbers[1]), T(numbers[2])
    decay, shrink, sign = T(numbers[5]), T(numbers[6]), T(numbers[7])
    new_m, keep_v, new_v = T(1.0 - numbers[3]), T(numbers[4]), T(1.0 - numbers[4])
    for row in range(start, stop):
        at = 1 + row * columns
        size, w, g = arguments[at], pointer(arguments[at + 1]), pointer(arguments[at + 2])
        m, v = pointer(arguments[at + 3]), pointer(arguments[at + 4])
        for i in range(size):
            weight = w[i] * shrink
            slope = sign * g[i] + decay * weight
            mean = m[i] + new_m * (slope - m[i])
            square = keep_v * v[i] + new_v * slope * slope
            m[i] = mean
            v[i] = square
            w[i] = weight - step * mean / (sqrt(square) * root + epsilon)


@kernel
def amsgrad_update(start, stop, arguments, numbers):
    """As `adam_update`, with the largest v so far in the place of v; NaN is largest."""
    columns = arguments[0]
    step, root, epsilon = T(numbers[0]), T(numbers[1]), T(numbers[2])
    decay, shrink, sign = T(numbers[5]), T(numbers[6]), T(numbers[7])
    new_m, keep_v, new_v = T(1.0 - numbers[3]), T(numbers[4]), T(1.0 - numbers[4])
    for row in range(start, stop):
        at = 1 + row * columns
        size, w, g = arguments[at], pointer(arguments[at + 1]), pointer(arguments[at + 2])
        m, v, top = (pointer(arguments[at + 3]), pointer(arguments[at + 4]),
                     pointer(arguments[at + 5]))
        for i in range(size):
            weight = w[i] * shrink
            slope = sign * g[i] + decay * weight
            mean = m[i] + new_m * (slope - m[i])
            square = keep_v * v[i] + new_v * slope * slope
            m[i] = mean
            v[i] = square
            top[i] = top[i] if square <= top[i] else square
            w[i] = weight - step * mean / (sqrt(top[i]) * root + epsilon)
