"""Distances of all pairs of rows."""

import numpy

from .._kernels import distances, memory
from ..operation import Operation
from ..registry import case, floats, public
from . import checks
from .arithmetic import absolute
from .comparison import where
from .linear import product
from .shape import broadcast_to, reshape, unsqueeze


def _euclidean_forward(plan, x, y):
    return distances.euclidean(memory.contiguous(x), memory.contiguous(y))


def _euclidean_rule(node, gradient):
    """Of d = |x - y|: (x - y) / d, and 0 where both meet."""
    x, y = node.saved
    meet = node.output == 0
    share = where(meet, 0.0, gradient / where(meet, 1.0, node.output))
    d_x = d_y = None
    if node.needs[0]:
        d_x = x * share.sum(2, keepdim=True) - product((False, False), share, y)
    if node.needs[1]:
        d_y = y * unsqueeze(share.sum(1), 2) - product((True, False), share, x)
    return d_x, d_y


_euclidean = Operation("cdist", _euclidean_forward, _euclidean_rule, saves=(0, 1),
                       saves_output=True)


def _of_differences(apart, p):
    """The p-norm over the last dimension, with gradient 0 where it is 0."""
    size = absolute(apart)
    if p == 0:
        return (apart != 0).sum(-1).to(apart.dtype) + 0 * apart.sum(-1)
    if p == 1:
        return size.sum(-1)
    if p == numpy.inf:
        return size.max(-1)[0]
    powers = where(size == 0, 0.0, where(size == 0, 1.0, size) ** p)
    total = powers.sum(-1)
    return where(total == 0, 0.0, where(total == 0, 1.0, total) ** (1.0 / p))


@public("fastnn", cases=[
    case(floats(4, 3), floats(5, 3)), case(floats(2, 4, 3), floats(3, 3)),
    case(floats(4, 3), floats(2, 3), p=1.0), case(floats(4, 3), floats(2, 3), p=3.0),
    case(floats(4, 3), floats(2, 3), p=float("inf"))])
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The distances by the p-norm of all rows: (..., n, k) and (..., m, k) give (..., n, m).

    Euclidean ones come from a product of matrices, and from differences where that would not be
    exact, whatever ``compute_mode``. Where two rows meet the gradient is 0.

    >>> import fastnn
    >>> fastnn.cdist(fastnn.zeros(1, 2), fastnn.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    checks.floating("cdist", x1=x1, x2=x2)
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: expected shapes (..., n, k) and (..., m, k), got "
                         f"{tuple(x1.shape)} and {tuple(x2.shape)}")
    if not p >= 0:
        raise ValueError(f"cdist: p must be at least 0, got {p}")
    try:
        batch = numpy.broadcast_shapes(x1.array.shape[:-2], x2.array.shape[:-2])
    except ValueError:
        raise ValueError(f"cdist: batches of shapes {tuple(x1.shape)} and {tuple(x2.shape)} do not "
                         "broadcast") from None
    shape = (*batch, x1.shape[-2], x2.shape[-2])
    if p != 2 and x1.shape[-1] == 0:
        p = 1.0
    if p != 2:
        return _of_differences(unsqueeze(x1, -2) - unsqueeze(x2, -3), p)
    stack = int(numpy.prod(batch))
    x, y = (reshape(broadcast_to(each, (*batch, *each.shape[-2:])), stack, *each.shape[-2:])
            for each in (x1, x2))
    return reshape(_euclidean(None, x, y), shape)
