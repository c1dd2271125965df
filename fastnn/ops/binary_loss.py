"""Losses of yes-or-no labels, each by itself."""

import math

from .._kernels import losses, program
from ..elementwise import elementwise
from ..registry import case, floats, integers, public
from ..tape import used
from .activation import sigmoid, softplus
from .checks import floating
from .pointwise_loss import UNIT, Pointwise, alike, broadcast, check_reduction, promoted, reduced


@elementwise
def _entropy(input, target):
    return -(target * max(math.log(input), -100) + (1 - target) * max(math.log1p(-input), -100))


@_entropy.written_derivative("input")
def _entropy_slope(input, target):
    return (input - target) / max((1 - input) * input, 1e-12)


@_entropy.written_derivative("target")
def _entropy_slope_target(input):
    return max(math.log1p(-input), -100) - max(math.log(input), -100)


_binary_entropy = Pointwise(_entropy)


@elementwise
def _logit_entropy(input, target):
    return max(input, 0) - input * target + math.log1p(math.exp(-abs(input)))


@_logit_entropy.written_derivative("input")
def _logit_entropy_slope(input, target):
    return sigmoid(input) - target


_binary_entropy_with_logits = Pointwise(_logit_entropy)


def _labelled(name, input, target, weight):
    floating(name, input=input, target=target, weight=weight)
    if input.array.shape != target.array.shape:
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, "
                         f"target {tuple(target.shape)}")


@public("functional", cases=[
    case(floats(3, 4, **UNIT), floats(3, 4, **UNIT)),
    case(floats(3, 4, **UNIT), floats(3, 4, **UNIT), weight=floats(4, **UNIT)),
    case(floats(3, 4, **UNIT), floats(3, 4, **UNIT), reduction="none")])
def binary_cross_entropy(input, target, weight=None, *, reduction="mean"):
    """``-(t log(p) + (1 - t) log(1 - p))`` of probabilities; each logarithm is at least -100.

    A ValueError if a probability lies outside [0, 1] or is NaN.
    """
    floating("binary_cross_entropy", input=input)
    program.expect_none(losses.improbable(used(input)), _refuse_probabilities, input.array)
    _labelled("binary_cross_entropy", input, target, weight)
    return _binary_entropy("binary_cross_entropy", (input, target), reduction, weight=weight)


def _refuse_probabilities(values):
    raise ValueError("binary_cross_entropy: input must hold probabilities in [0, 1], got "
                     f"values from {values.min()} to {values.max()}")


@public("functional", cases=[
    case(floats(3, 4, kinks=(0,)), floats(3, 4, **UNIT)),
    case(floats(3, 4), floats(3, 4, **UNIT), pos_weight=floats(4, **UNIT)),
    case(floats(3, 4, kinks=(0,)), floats(3, 4, **UNIT), weight=floats(4, **UNIT),
         reduction="sum")])
def binary_cross_entropy_with_logits(input, target, weight=None, *, reduction="mean",
                                     pos_weight=None):
    """``binary_cross_entropy(sigmoid(input), target)`` without overflow.

    ``pos_weight`` multiplies the part of the positive targets.
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    _labelled(name, input, target, weight)
    if pos_weight is None:
        return _binary_entropy_with_logits(name, (input, target), reduction, weight=weight)
    floating(name, input=input, pos_weight=pos_weight)
    everywhere = 1e30  # softplus without its linear part: the exact form for any input
    log_weight = (pos_weight - 1) * target + 1
    values = (1 - target) * input + log_weight * softplus(-input, 1.0, everywhere)
    return reduced(values if weight is None else values * weight, reduction)


@Pointwise
@elementwise
def _soft_margin(input, target):
    wrong = -target * input
    return max(wrong, 0) + math.log1p(math.exp(-abs(wrong)))


@_soft_margin.operation.written_derivative("input")
def _soft_margin_slope(input, target):
    return -target * sigmoid(-target * input)


@_soft_margin.operation.written_derivative("target")
def _soft_margin_slope_target(input, target):
    return -input * sigmoid(-target * input)


@public("functional", cases=[
    case(floats(3, 4), floats(3, 4)), case(floats(3, 4), floats(3, 4), reduction="sum"),
    case(floats(3, 4), floats(3, 4), reduction="none")])
def soft_margin_loss(input, target, *, reduction="mean"):
    """``log(1 + exp(-target * input))``, without overflow; targets are 1 or -1.

    >>> import fastnn
    >>> fastnn.nn.functional.soft_margin_loss(fastnn.zeros(2), fastnn.tensor([1.0, -1.0]))
    tensor(0.6931)
    """
    check_reduction("soft_margin_loss", reduction)
    pair = broadcast("soft_margin_loss", alike("soft_margin_loss", {"input": input}, target=target))
    if pair[0].shape != input.shape:
        raise ValueError(f"soft_margin_loss: input has shape {tuple(input.shape)}, target "
                         f"{tuple(target.shape)}")
    return _soft_margin("soft_margin_loss", pair, reduction)


@Pointwise
@elementwise
def _hinge(input, target, margin=1.0):
    far = max(margin - input, 0) if target != 1 else 0
    return far + (input if target != -1 else 0)


@public("functional", cases=[
    case(floats(3, 4, low=-3, high=0.9), integers(3, 4, low=-1, high=0)),
    case(floats(3, 4), integers(3, 4, low=1, high=2), reduction="sum"),
    case(floats(3, 4, low=-3, high=0.3), integers(3, 4, low=-1, high=0), margin=0.5,
         reduction="none")])
def hinge_embedding_loss(input, target, margin=1.0, *, reduction="mean"):
    """``input``, a distance, where the target is 1; ``max(0, margin - input)`` where it is -1.

    Another target counts as both. At the margin the derivative is -1.
    """
    check_reduction("hinge_embedding_loss", reduction)
    pair = broadcast("hinge_embedding_loss",
                     alike("hinge_embedding_loss", {"input": input}, target=target))
    return _hinge("hinge_embedding_loss", pair, reduction, (float(margin),))


@public("functional", cases=[
    case(floats(3, 4, kinks=(0,)), floats(3, 4, **UNIT)),
    case(floats(3, 4, kinks=(0,)), floats(3, 4, **UNIT), floats(4, **UNIT), reduction="sum"),
    case(floats(3, 2, 4, kinks=(0,)), floats(3, 2, 4, **UNIT), reduction="none")])
def multilabel_soft_margin_loss(input, target, weight=None, *, reduction="mean"):
    """``binary_cross_entropy_with_logits`` averaged over the classes, the last dimension."""
    name = "multilabel_soft_margin_loss"
    check_reduction(name, reduction)
    input, target = promoted(name, input=input, target=target)
    values = _logit_entropy(*broadcast(name, {"input": input, "target": target}))
    if weight is not None:
        floating(name, input=input, weight=weight)
        values = values * weight
    return reduced(values.mean(-1), reduction)
