"""Losses of predicted numbers and distributions."""

import math
import warnings

from .. import tensor as tensors
from .._kernels import program
from ..elementwise import elementwise
from ..registry import case, floats, public
from .checks import floating
from .creation import full
from .pointwise_loss import Pointwise, broadcast, check_reduction, promoted, reduced


@Pointwise
@elementwise
def _squared_error(input, target):
    difference = input - target
    return difference * difference


@Pointwise
@elementwise
def _absolute_error(input, target):
    return abs(input - target)


@Pointwise
@elementwise
def _huber(input, target, delta=1.0):
    size = abs(input - target)
    return 0.5 * size * size if size < delta else delta * (size - 0.5 * delta)


@_huber.operation.written_derivative("input")
def _huber_slope(input, target, delta):
    return max(-delta, min(delta, input - target))


@_huber.operation.written_derivative("target")
def _huber_slope_target(input, target, delta):
    return max(-delta, min(delta, target - input))


@Pointwise
@elementwise
def _smooth_error(input, target, beta=1.0):
    size = abs(input - target)
    return 0.5 * size * (size / beta) if size < beta else size - 0.5 * beta


PAIRED = [case(floats(3, 4), floats(3, 4)), case(floats(3, 4), floats(3, 4), reduction="sum"),
          case(floats(3), floats(3), reduction="none"), case(floats(70, 150), floats(70, 150)),
          case(floats(3, 4), floats(3, 4), weight=floats(3, 4, low=0.1, high=2)),
          case(floats(3, 4), floats(3, 4), weight=floats(3, 4, low=0.1, high=2), reduction="none")]
APART = [case(floats(3, 4), floats(3, 4, low=3, high=5)),
         case(floats(3, 4), floats(3, 4, low=3, high=5), reduction="sum"),
         case(floats(3, 4), floats(3, 4, low=3, high=5), weight=floats(3, 4, low=0.1, high=2))]
# Both sides of the kink at a distance of 1, with none at 0.
BENT = dict(low=0.3, high=0.6), dict(low=-0.2, high=0.2), dict(low=2, high=3)


def _compared(name, input, target, weight):
    """Input and target of one shape; PyTorch warns where one of them is repeated."""
    input, target, weight = promoted(name, input=input, target=target, weight=weight)
    if input.array.shape != target.array.shape:
        pair = broadcast(name, {"input": input, "target": target})
        warnings.warn(f"{name}: input has shape {tuple(input.shape)}, target "
                      f"{tuple(target.shape)}: values are repeated, which is rarely meant",
                      stacklevel=3)
        input, target = pair
    if weight is not None and weight.array.shape != input.array.shape:
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, weight "
                         f"{tuple(weight.shape)}")
    return input, target


def _as_input(name, input, target):
    """The target in the type of the input."""
    return tensors.as_tensor(name, target).to(tensors.as_tensor(name, input).dtype)


def _weighted(name, values, weight, reduction):
    """Weighted losses; the mean is over the weights."""
    check_reduction(name, reduction)
    values = values * weight
    return values.sum() / weight.sum() if reduction == "mean" else reduced(values, reduction)


@public("functional", cases=PAIRED)
def mse_loss(input, target, *, reduction="mean", weight=None):
    """The mean (or sum) of the squared differences; with weights their weighted mean.

    >>> import fastnn
    >>> fastnn.nn.functional.mse_loss(fastnn.tensor([1.0, 3.0]), fastnn.tensor([1.0, 1.0]))
    tensor(2.)
    """
    pair = _compared("mse_loss", input, target, weight)
    if weight is not None:
        return _weighted("mse_loss", _squared_error.values(*pair), weight, reduction)
    return _squared_error("mse_loss", pair, reduction)


@public("functional", cases=APART)
def l1_loss(input, target, *, reduction="mean", weight=None):
    """The mean (or sum) of the absolute differences; the derivative at 0 is 0."""
    pair = _compared("l1_loss", input, target, weight)
    if weight is not None:
        return _weighted("l1_loss", _absolute_error.values(*pair), weight, reduction)
    return _absolute_error("l1_loss", pair, reduction)


@public("functional", cases=[
    case(floats(3, 4, **BENT[0]), floats(3, 4, **BENT[1])),
    case(floats(70, 150, **BENT[1]), floats(70, 150, **BENT[2])),
    case(floats(3, 4, **BENT[1]), floats(3, 4, **BENT[2]), reduction="sum"),
    case(floats(3, 4, **BENT[1]), floats(3, 4, **BENT[2]), reduction="none", delta=0.5),
    case(floats(3, 4, **BENT[0]), floats(3, 4, **BENT[1]), weight=floats(3, 4, low=0.1, high=2))])
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Half the squared difference d up to ``delta``, beyond it ``delta * (abs(d) - delta / 2)``.

    With weights the mean is over the number of values. Huber, Robust Estimation of a Location
    Parameter, 1964.

    >>> import fastnn
    >>> fastnn.nn.functional.huber_loss(fastnn.tensor([1.0, 3.0]), fastnn.tensor([0.0, 0.0]))
    tensor(1.5000)
    """
    pair = _compared("huber_loss", input, _as_input("huber_loss", input, target), weight)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return _huber("huber_loss", pair, reduction, (float(delta),), weight)


@public("functional", cases=[
    case(floats(3, 4, **BENT[0]), floats(3, 4, **BENT[1])),
    case(floats(70, 150, **BENT[1]), floats(70, 150, **BENT[2]), beta=0.5),
    case(floats(3, 4, **BENT[1]), floats(3, 4, **BENT[2]), reduction="sum", beta=0.5),
    case(floats(3, 4, **BENT[1]), floats(3, 4, **BENT[2]), reduction="none", beta=0.0)])
def smooth_l1_loss(input, target, *, reduction="mean", beta=1.0):
    """``huber_loss`` divided by ``beta``; with ``beta`` = 0 it is ``l1_loss``.

    Girshick, Fast R-CNN, 2015.
    """
    pair = _compared("smooth_l1_loss", input, target, None)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must be at least 0, got {beta}")
    if beta == 0:
        return _absolute_error("smooth_l1_loss", pair, reduction)
    return _smooth_error("smooth_l1_loss", pair, reduction, (float(beta),))


@Pointwise
@elementwise
def _poisson_of_log(input, target, full=0.0):
    stirling = target * math.log(target) - target + 0.5 * math.log(6.283185307179586 * target)
    return math.exp(input) - target * input + (stirling if full > 0 and target > 1 else 0)


@Pointwise
@elementwise
def _poisson(input, target, full=0.0, eps=1e-8):
    stirling = target * math.log(target) - target + 0.5 * math.log(6.283185307179586 * target)
    return input - target * math.log(input + eps) + (stirling if full > 0 and target > 1 else 0)


COUNTS = dict(low=0.2, high=4, kinks=(1,))


@public("functional", cases=[
    case(floats(3, 4), floats(3, 4, **COUNTS)),
    case(floats(3, 4), floats(3, 4, **COUNTS), full=True, reduction="sum"),
    case(floats(3, 4, **COUNTS), floats(3, 4, **COUNTS), log_input=False, full=True, eps=0.1,
         reduction="none")])
def poisson_nll_loss(input, target, log_input=True, full=False, *, eps=1e-8, reduction="mean"):
    """Minus the log-likelihood of counts: ``exp(input) - target * input``.

    ``log_input=False`` says that ``input`` is the rate itself: ``input - target * log(input +
    eps)``. ``full`` adds Stirling's approximation of ``log(target!)`` where the target is above 1.
    """
    check_reduction("poisson_nll_loss", reduction)
    input, target = promoted("poisson_nll_loss", input=input, target=target)
    pair = broadcast("poisson_nll_loss", {"input": input, "target": target})
    if log_input:
        return _poisson_of_log("poisson_nll_loss", pair, reduction, (float(bool(full)),))
    return _poisson("poisson_nll_loss", pair, reduction, (float(bool(full)), float(eps)))


@Pointwise
@elementwise
def _gaussian(input, target, var, eps=1e-6, constant=0.0):
    spread = max(var, eps)
    apart = input - target
    return 0.5 * (math.log(spread) + apart * apart / spread) + constant


@_gaussian.operation.written_derivative("var")
def _gaussian_slope_var(input, target, var, eps):
    inverse = 1 / max(var, eps)
    apart = input - target
    return 0.5 * (1 - apart * (apart * inverse)) * inverse


def _check_variance(var):
    if var.size and not var.min() >= 0 and not math.isnan(var.min()):
        raise ValueError(f"gaussian_nll_loss: var must not be negative, got {var.min()}")


def _variance(input, var):
    """The variance in a shape that can be repeated to that of the input."""
    if not isinstance(var, tensors.Tensor):
        var = full(input.array.shape, float(var), dtype=input.dtype)
    floating("gaussian_nll_loss", input=input, var=var)
    program.always(_check_variance, var.array)
    shape, wanted = var.array.shape, input.array.shape
    if shape != wanted and shape == wanted[:-1]:
        return var.unsqueeze(-1)
    differing = [size for size, other in zip(shape, wanted, strict=False) if size != other]
    if len(shape) != len(wanted) or differing not in ([], [1]):
        raise ValueError(f"gaussian_nll_loss: var must have the shape {wanted} of input, with 1 "
                         f"for a dimension or without the last one, got {shape}")
    return var


@public("functional", cases=[
    case(floats(3, 4), floats(3, 4), floats(3, 4, low=0.2, high=2)),
    case(floats(3, 4), floats(3, 4), floats(3, low=0.2, high=2), full=True, reduction="sum"),
    case(floats(3, 4), floats(3, 4), floats(3, 1, low=0.2, high=2), eps=0.05, reduction="none")])
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """Minus the log-likelihood of normal distributions of mean ``input`` and variance ``var``.

    ``0.5 * (log(v) + (input - target)**2 / v)``, v = ``var`` but at least ``eps``; the gradient of
    ``var`` does not see that limit. ``full`` adds ``0.5 * log(2 pi)``. ``var`` is a number, of the
    shape of ``input``, or has 1 for one dimension or lacks the last one. Nix and Weigend,
    Estimating the Mean and Variance of the Target Probability Distribution, 1994.
    """
    check_reduction("gaussian_nll_loss", reduction)
    floating("gaussian_nll_loss", input=input, target=target)
    inputs = broadcast("gaussian_nll_loss", {
        "input": input, "target": target, "var": _variance(input, var)})
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    return _gaussian("gaussian_nll_loss", inputs, reduction, (float(eps), constant))


@Pointwise
@elementwise
def _divergence(input, target):
    return target * (math.log(target) - input) if target != 0 else 0


@_divergence.operation.written_derivative("input")
def _divergence_slope(target):
    return -target


@Pointwise
@elementwise
def _divergence_of_logs(input, target):
    return math.exp(target) * (target - input)


@public("functional", cases=[
    case(floats(3, 4), floats(3, 4, low=0.1, high=1)),
    case(floats(3, 4), floats(3, 4, low=0.1, high=1), reduction="batchmean"),
    case(floats(3, 4), floats(3, 4), log_target=True, reduction="sum"),
    case(floats(3, 4), floats(3, 4), log_target=True, reduction="none")])
def kl_div(input, target, *, reduction="mean", log_target=False):
    """``target * (log(target) - input)``: the divergence of Kullback and Leibler.

    ``input`` holds logarithms of probabilities, ``target`` probabilities (a part of 0 counts 0),
    or their logarithms if ``log_target``. The reduction ``"batchmean"``, the divergence as
    mathematics has it, divides the sum by the first size; ``"mean"`` divides by the count.
    """
    check_reduction("kl_div", reduction, ("batchmean",))
    floating("kl_div", input=input)
    floating("kl_div", target=target)
    input, target = promoted("kl_div", input=input, target=target)
    pair = broadcast("kl_div", {"input": input, "target": target})
    loss = _divergence_of_logs if log_target else _divergence
    if reduction != "batchmean":
        return loss("kl_div", pair, reduction)
    if not input.ndim:
        raise ValueError("kl_div: 'batchmean' needs at least one dimension")
    return loss("kl_div", pair, "sum") * (1.0 / input.shape[0] if input.shape[0] else math.nan)
