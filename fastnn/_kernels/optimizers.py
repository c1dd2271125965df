"""Optimizer updates in one pass over the memory, for all tensors of a group in one launch.

Each is the formula of one element: ``w`` the parameter, ``g`` its gradient, then the states, then
the settings; it returns the new parameter and states. ``sign`` is -1 where the function is to be
maximised, ``decay`` times the parameter is added to the gradient, and ``shrink`` multiplies the
parameter before (decay that is decoupled from the gradient).
"""

from .names import sqrt
from .update_kernel import update_kernel


@update_kernel(arrays=2)
def sgd(w, g, rate, decay, sign):
    return w - rate * (sign * g + decay * w)


@update_kernel(arrays=3)
def momentum(w, g, v, rate, decay, sign, keep, share):
    v = keep * v + share * (sign * g + decay * w)
    return w - rate * v, v


@update_kernel(arrays=3)
def nesterov(w, g, v, rate, decay, sign, keep, share):
    slope = sign * g + decay * w
    v = keep * v + share * slope
    return w - rate * (slope + keep * v), v


@update_kernel(arrays=4)
def adam(w, g, m, v, rate, root, epsilon, new_m, keep_v, new_v, decay, shrink, sign):
    w = w * shrink
    slope = sign * g + decay * w
    m = m + new_m * (slope - m)
    v = keep_v * v + new_v * slope * slope
    return w - rate * m / (sqrt(v) * root + epsilon), m, v


@update_kernel(arrays=5)
def amsgrad(w, g, m, v, top, rate, root, epsilon, new_m, keep_v, new_v, decay, shrink, sign):
    w = w * shrink
    slope = sign * g + decay * w
    m = m + new_m * (slope - m)
    v = keep_v * v + new_v * slope * slope
    top = top if v <= top else v  # NaN is largest
    return w - rate * m / (sqrt(top) * root + epsilon), m, v, top


@update_kernel(arrays=4)
def nadam(w, g, m, v, rate_g, rate_m, root, epsilon, new_m, keep_v, new_v, decay, shrink, sign):
    w = w * shrink
    slope = sign * g + decay * w
    m = m + new_m * (slope - m)
    v = keep_v * v + new_v * slope * slope
    return w - (rate_g * slope + rate_m * m) / (sqrt(v) * root + epsilon), m, v


@update_kernel(arrays=4)
def radam(w, g, m, v, plain, adaptive, epsilon, new_m, keep_v, new_v, decay, shrink, sign):
    w = w * shrink
    slope = sign * g + decay * w
    m = m + new_m * (slope - m)
    v = keep_v * v + new_v * slope * slope
    return w - m * (plain + (adaptive / (sqrt(v) + epsilon) if adaptive != 0 else adaptive)), m, v


@update_kernel(arrays=4)
def adamax(w, g, m, top, rate, epsilon, new_m, keep, decay, sign):
    slope = sign * g + decay * w
    m = m + new_m * (slope - m)
    top = keep * top
    size = abs(slope) + epsilon
    top = size if size > top or size != size else top  # NaN is largest
    return w - rate * m / top, m, top


@update_kernel(arrays=3)
def rmsprop(w, g, v, rate, keep, new, epsilon, decay, sign):
    slope = sign * g + decay * w
    v = keep * v + new * slope * slope
    return w - rate * slope / (sqrt(v) + epsilon), v


@update_kernel(arrays=4)
def rmsprop_momentum(w, g, v, b, rate, keep, new, epsilon, decay, sign, momentum):
    slope = sign * g + decay * w
    v = keep * v + new * slope * slope
    b = momentum * b + slope / (sqrt(v) + epsilon)
    return w - rate * b, v, b


@update_kernel(arrays=4)
def rmsprop_centered(w, g, v, m, rate, keep, new, epsilon, decay, sign):
    slope = sign * g + decay * w
    v = keep * v + new * slope * slope
    m = m + new * (slope - m)
    return w - rate * slope / (sqrt(v - m * m) + epsilon), v, m


@update_kernel(arrays=5)
def rmsprop_centered_momentum(w, g, v, b, m, rate, keep, new, epsilon, decay, sign, momentum):
    slope = sign * g + decay * w
    v = keep * v + new * slope * slope
    m = m + new * (slope - m)
    b = momentum * b + slope / (sqrt(v - m * m) + epsilon)
    return w - rate * b, v, b, m


@update_kernel(arrays=3)
def adagrad(w, g, total, rate, epsilon, decay, sign):
    slope = sign * g + decay * w
    total = total + slope * slope
    return w - rate * slope / (sqrt(total) + epsilon), total


@update_kernel(arrays=4)
def adadelta(w, g, v, moved, rate, keep, new, epsilon, decay, sign):
    slope = sign * g + decay * w
    v = keep * v + new * slope * slope
    change = sqrt(moved + epsilon) / sqrt(v + epsilon) * slope
    return w - rate * change, v, keep * moved + new * change * change


@update_kernel(arrays=3)
def asgd(w, g, mean, rate, shrink, share, decay, sign):
    slope = sign * g + decay * w
    w = w * shrink - rate * slope
    return w, w if share == 1 else mean + share * (w - mean)


@update_kernel(arrays=4)
def rprop(w, g, before, size, up, down, smallest, largest, sign):
    slope = sign * g
    turn = slope * before
    size = size * (up if turn > 0 else down if turn < 0 else turn * 0 + 1)
    size = smallest if size < smallest else largest if size > largest else size
    slope = slope * 0 if turn < 0 else slope
    return w - (size if slope > 0 else -size if slope < 0 else slope), slope, size
