"""Losses that ask for a margin: between scores, between classes, between distances."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import program
from ..elementwise import elementwise
from ..registry import case, floats, integers, public
from ..tape import from_array
from .activation import relu
from .checks import dimensions, floating
from .class_loss import class_numbers
from .comparison import clamp, minimum
from .distance import pairwise_distance
from .exponential import sqrt
from .picking import gather
from .pointwise_loss import UNIT, Pointwise, alike, broadcast, check_reduction, reduced


@Pointwise
@elementwise
def _ranking(input1, input2, target, margin=0.0):
    return max(margin - target * (input1 - input2), 0)


@public("functional", cases=[
    case(floats(3, 4, low=0), floats(3, 4, low=-2, high=-0.1), integers(3, 4, low=-1, high=0)),
    case(floats(3, low=-2, high=-0.1), floats(3, low=0), integers(3, low=1, high=2), margin=0.5,
         reduction="sum"),
    case(floats(3, 1), floats(1, 4), integers(3, 4, low=-1, high=2), margin=5.0,
         reduction="none")])
def margin_ranking_loss(input1, input2, target, margin=0.0, *, reduction="mean"):
    """``max(0, margin - target * (input1 - input2))``; the target 1 ranks ``input1`` higher.

    At 0 the slope is that of the side where the loss is positive.
    """
    name = "margin_ranking_loss"
    check_reduction(name, reduction)
    inputs = alike(name, {"input1": input1}, input2=input2, target=target)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ValueError(f"{name}: input1, input2 and target must have as many dimensions each, "
                         f"got shapes {tuple(input1.shape)}, {tuple(input2.shape)} and "
                         f"{tuple(target.shape)}")
    return _ranking(name, broadcast(name, inputs), reduction, (float(margin),))


@elementwise
def _angular(cosine, target, margin=0.0):
    return 1 - cosine if target == 1 else max(cosine - margin, 0) if target == -1 else 0


def _squared_length(x):
    return (x * x).sum(-1) + 1e-12


@public("functional", cases=[
    case(floats(4, 3), floats(4, 3), integers(4, low=1, high=2)),
    case(floats(4, 3, low=0.2), floats(4, 3, low=0.2), integers(4, low=-1, high=0), margin=-0.5,
         reduction="sum"),
    case(floats(3), floats(3), integers(low=1, high=2), reduction="none")])
def cosine_embedding_loss(input1, input2, target, margin=0.0, *, reduction="mean"):
    """For vectors (N, D) or (D): 1 - cos where the target is 1, ``max(0, cos - margin)`` for -1.

    >>> import fastnn
    >>> a, b = fastnn.tensor([[1.0, 0.0]]), fastnn.tensor([[0.0, 2.0]])
    >>> fastnn.nn.functional.cosine_embedding_loss(a, b, fastnn.tensor([1]))
    tensor(1.)
    """
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    inputs = alike(name, {"input1": input1}, input2=input2, target=target)
    dimensions(name, "target", target, 0, 1)
    dimensions(name, "input1", input1, target.ndim + 1)
    dimensions(name, "input2", input2, target.ndim + 1)
    x, y = broadcast(name, {"input1": input1, "input2": input2})
    cosine = (x * y).sum(-1) / (sqrt(_squared_length(x)) * sqrt(_squared_length(y)))
    pair = broadcast(name, {"input1": cosine, "target": inputs["target"]})
    return reduced(_angular(*pair, float(margin)), reduction)


def _rows(name, input, target):
    """Scores and labels of a batch: (N, C) and (N, ...)."""
    dimensions(name, "input", input, 1, 2)
    return (input, target) if input.ndim == 2 else (input.unsqueeze(0), target.unsqueeze(0))


@public("functional", cases=[
    case(floats(30, 8), integers(30, high=8)),
    case(floats(30, 8), integers(30, high=8), p=2, margin=0.7, reduction="sum"),
    case(floats(30, 8), integers(30, high=8), weight=floats(8, **UNIT), reduction="none"),
    case(floats(201), integers(high=201))])
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, *, reduction="mean"):
    """The mean over all classes i but the target y of ``max(0, margin - x[y] + x[i]) ** p``.

    Scores are (N, C) or (C), targets class numbers (N) or (); ``weight`` has a factor for each
    target class. Crammer and Singer, On the Algorithmic Implementation of Multiclass
    Kernel-based Vector Machines, 2001.
    """
    name = "multi_margin_loss"
    check_reduction(name, reduction)
    floating(name, input=input, weight=weight)
    check_power(name, p)
    if input.ndim == 1 and target.ndim == 1 and target.numel() == 1:
        target = target.reshape(())
    scores, labels = _rows(name, input, target)
    flat, _ = class_numbers(name, scores, labels)
    classes = scores.shape[1]
    if weight is not None and weight.array.shape != (classes,):
        raise ValueError(f"{name}: weight must have shape ({classes},), got {tuple(weight.shape)}")
    others = program.apart(_others, scores.array, flat)
    labels = from_array(flat.reshape(-1, 1))
    short = relu(scores - gather(scores, 1, labels) + margin) * from_array(others)
    values = (short if p == 1 else short * short).sum(1) * (1.0 / classes if classes else 0.0)
    if weight is not None:
        values = values * weight[labels.squeeze(1)]
    return reduced(values if input.ndim == 2 else values.squeeze(0), reduction)


def _others(scores, labels):
    """1 for each class but that of the label."""
    others = numpy.ones(scores.shape, scores.dtype)
    others[numpy.arange(len(labels)), labels] = 0
    return others


def _listed(name, target, classes):
    """Which labels count (those before the first -1), and which classes they name."""
    if target.size and not (target.min() >= -1 and target.max() < classes):
        wrong = target[(target < -1) | (target >= classes)]
        raise IndexError(f"{name}: target holds class {wrong[0]}, input has {classes} classes")
    counted = numpy.logical_and.accumulate(target >= 0, axis=1)
    named = numpy.zeros(target.shape, bool)
    named[numpy.nonzero(counted)[0], target[counted]] = True
    return counted, named


@public("functional", cases=[
    case(floats(30, 8), integers(30, 8, low=-1, high=8)),
    case(floats(30, 8), integers(30, 8, low=-1, high=8), reduction="sum"),
    case(floats(30, 8), integers(30, 8, low=0, high=2), reduction="none"),
    case(floats(201), integers(201, low=-1, high=1))])
def multilabel_margin_loss(input, target, *, reduction="mean"):
    """The sum over labels y and other classes i of ``max(0, 1 - x[y] + x[i])``, divided by C.

    Scores and targets are (N, C) or (C); a row of targets lists its class numbers, then -1.
    """
    name = "multilabel_margin_loss"
    check_reduction(name, reduction)
    floating(name, input=input)
    tensors.as_tensor(name, target)
    if target.dtype != dtypes.int64 or target.array.shape != input.array.shape:
        raise ValueError(f"{name}: target must be int64 of shape {tuple(input.shape)}, got "
                         f"{target.dtype} of shape {tuple(target.shape)}")
    scores, labels = _rows(name, input, target)
    flat = labels.array.astype(dtypes.int64, copy=False)
    program.refuse(f"{name} works on as many classes as the targets list")
    counted, named = _listed(name, flat, scores.shape[1])
    width = int(counted.sum(1).max(initial=0))
    counted, places = counted[:, :width], numpy.where(counted, flat, 0)[:, :width]
    short = relu(scores.unsqueeze(1) - gather(scores, 1, from_array(places)).unsqueeze(2) + 1)
    pairs = from_array((counted[:, :, None] & ~named[:, None]).astype(scores.dtype))
    values = (short * pairs).sum((1, 2)) * (1.0 / max(1, scores.shape[1]))
    return reduced(values if input.ndim == 2 else values.squeeze(0), reduction)


def _triplet(name, distances, margin, swap, reduction):
    """The loss of the distances to the positive, to the negative, and between these two."""
    check_reduction(name, reduction)
    near, far, between = distances
    return reduced(clamp(near - (minimum(far, between) if swap else far) + margin, min=0),
                   reduction)


def check_margin(name, margin):
    """ValueError for a margin that is not positive."""
    if not margin > 0:
        raise ValueError(f"{name}: margin must be positive, got {margin}")


def check_power(name, p):
    """ValueError for powers but 1 and 2."""
    if p not in (1, 2):
        raise ValueError(f"{name}: p must be 1 or 2, got {p}")


def _check_triplet(name, margin, *three):
    floating(name, **dict(zip(("anchor", "positive", "negative"), three, strict=True)))
    check_margin(name, margin)
    if len({each.ndim for each in three}) > 1:
        shapes = ", ".join(str(tuple(each.shape)) for each in three)
        raise ValueError(f"{name}: anchor, positive and negative must have as many dimensions each,"
                         f" got shapes {shapes}")


@public("functional", cases=[
    case(floats(4, 3), floats(4, 3), floats(4, 3), margin=3.0),
    case(floats(4, 3), floats(4, 3), floats(4, 3), margin=5.0, p=1.0, eps=0.01, swap=True,
         reduction="sum"),
    case(floats(3), floats(3), floats(3), margin=4.0, reduction="none")])
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, *,
                        reduction="mean"):
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)`` of ``pairwise_distance``.

    With ``swap`` the negative's distance is the smaller one of those to anchor and positive.
    Balntas et al., Learning Local Feature Descriptors with Triplets, 2016.
    """
    name = "triplet_margin_loss"
    _check_triplet(name, margin, anchor, positive, negative)
    distances = (pairwise_distance(anchor, positive, p, eps),
                 pairwise_distance(anchor, negative, p, eps),
                 pairwise_distance(positive, negative, p, eps) if swap else None)
    return _triplet(name, distances, margin, swap, reduction)


@public("functional", cases=[
    case(floats(4, 3), floats(4, 3), floats(4, 3), margin=3.0),
    case(floats(4, 3), floats(4, 3), floats(4, 3), margin=5.0, swap=True, reduction="sum")])
def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None,
                                      margin=1.0, swap=False, reduction="mean"):
    """``triplet_margin_loss`` with a distance of one's own, by default ``pairwise_distance``."""
    name = "triplet_margin_with_distance_loss"
    _check_triplet(name, margin, anchor, positive, negative)
    distance = distance_function or pairwise_distance
    distances = (distance(anchor, positive), distance(anchor, negative),
                 distance(positive, negative) if swap else None)
    return _triplet(name, distances, margin, swap, reduction)
