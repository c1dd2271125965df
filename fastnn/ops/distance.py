"""Lengths of vectors, distances and angles between them."""

import math

import numpy

from .. import tensor as tensors
from .._kernels import program
from ..registry import case, floats, public
from ..tape import from_array
from .checks import axis, dimensions, floating
from .comparison import clamp
from .indexing import index_select
from .norms import vector_norm
from .pointwise_loss import broadcast

NORMS = [case(floats(3, 4), floats(3, 4)), case(floats(3, 4), floats(3, 4), p=1.0),
         case(floats(3, 4), floats(3, 4), p=3.0, eps=0.01, keepdim=True),
         case(floats(3, 4), floats(4), p=math.inf), case(floats(3), floats(3), p=0.5)]


@public("functional", "fastnn", cases=NORMS)
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The ``p``-norm of ``x1 - x2 + eps`` over the last dimension.

    >>> import fastnn
    >>> fastnn.nn.functional.pairwise_distance(fastnn.zeros(1, 2), fastnn.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    floating("pairwise_distance", x1=x1, x2=x2)
    x1, x2 = broadcast("pairwise_distance", {"x1": x1, "x2": x2})
    if not x1.ndim:
        raise ValueError("pairwise_distance: the tensors must have at least one dimension")
    norm = vector_norm(x1 - x2 + eps, float(p), x1.ndim - 1, keepdim=True)
    return norm if keepdim else norm.squeeze(-1)


@public("functional", "fastnn", cases=[
    case(floats(3, 4), floats(3, 4)), case(floats(3, 4, 2), floats(3, 4, 2), dim=-1),
    case(floats(3, 4), floats(4), dim=0), case(floats(3), floats(3), dim=0, eps=0.1)])
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between vectors along ``dim``; their lengths count as ``eps`` at
    least.

    >>> import fastnn
    >>> a, b = fastnn.tensor([[1.0, 0.0]]), fastnn.tensor([[1.0, 1.0]])
    >>> fastnn.nn.functional.cosine_similarity(a, b)
    tensor([0.7071])
    """
    floating("cosine_similarity", x1=x1, x2=x2)
    x1, x2 = broadcast("cosine_similarity", {"x1": x1, "x2": x2})
    dims = (axis("cosine_similarity", dim, x1.ndim),)
    if not eps >= 0:
        raise ValueError(f"cosine_similarity: eps must be at least 0, got {eps}")
    first, second = (x / clamp(vector_norm(x, 2.0, dims, keepdim=True), min=eps) for x in (x1, x2))
    return (first * second).sum(dims)


@public("functional", cases=[
    case(floats(3, 4)), case(floats(3, 4, 2), p=1.0, dim=-1), case(floats(3, 4), p=3.0, dim=0),
    case(floats(3, 4, 2), dim=(0, 2), eps=20.0), case(floats(3, 4), p=math.inf)])
def normalize(input, p=2.0, dim=1, eps=1e-12):
    """``input`` divided by its ``p``-norm along ``dim``, or by ``eps`` where that is larger.

    >>> import fastnn
    >>> fastnn.nn.functional.normalize(fastnn.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])
    """
    floating("normalize", input=tensors.as_tensor("normalize", input))
    return input / clamp(vector_norm(input, float(p), dim, keepdim=True), min=eps)


@public("functional", "fastnn", cases=[])
def pdist(input, p=2.0):
    """The ``p``-norm distances between the rows i < j of (N, M), as N (N - 1) / 2 numbers.

    >>> import fastnn
    >>> fastnn.pdist(fastnn.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])).tolist()
    [5.0, 1.0, 4.242640495300293]
    """
    floating("pdist", input=tensors.as_tensor("pdist", input))
    dimensions("pdist", "input", input, 2)
    if not p >= 0:
        raise ValueError(f"pdist: p must be at least 0, got {p}")
    first, second = (from_array(program.constant(each))
                     for each in numpy.triu_indices(input.shape[0], 1))
    apart = index_select(input, 0, first) - index_select(input, 0, second)
    return vector_norm(apart, float(p), 1)
