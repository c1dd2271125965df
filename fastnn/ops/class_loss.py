"""Losses of class numbers and class probabilities."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import losses, memory, program
from ..operation import Operation
from ..registry import case, floats, integers, public
from ..tape import from_array, used
from .checks import floating, whole
from .comparison import where
from .composed import rule_of_composition
from .picking import gather
from .pointwise_loss import UNIT, check_reduction, reduced
from .softmax import log_softmax, softmax


def _class_rows(x):
    """Logits (N, C, d1, ...) as rows over the classes."""
    if x.ndim > 2:
        x = numpy.moveaxis(x, 1, -1)
    return memory.contiguous(x.reshape(-1, x.shape[-1]))


def _rows_back(rows, shape):
    """Rows over the classes as (N, C, d1, ...)."""
    if len(shape) <= 2:
        return rows.reshape(shape)
    return numpy.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _cross_entropy_forward(plan, x, labels):
    target, ignored, smoothing, count, reduction = plan
    loss, *kept = losses.cross_entropy(_class_rows(x), target, ignored, smoothing)
    if reduction == "none":
        return loss.reshape(x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()), *kept
    if reduction == "mean":
        return losses.mean_of_kept(loss, count), *kept
    return losses.sum_read_as((1, loss.size, 1), loss, ()), *kept


def _cross_entropy_rule(node, gradient):
    return _cross_entropy_gradient(node.plan, gradient, node.saved[0]), None


def _cross_entropy_gradient_forward(plan, gradient, x):
    (target, ignored, smoothing, count, reduction), *kept = plan
    rows = losses.cross_entropy_gradient(
        memory.contiguous(gradient), *kept, target, ignored, smoothing, count,
        reduction == "mean")
    return _rows_back(rows, x.shape)


def _weight_of_each(count, reduction):
    """What the loss of a label that counts is multiplied by."""
    if reduction != "mean":
        return 1.0
    kept = program.number_in(count[:1])
    return 1.0 / kept if kept else float("nan")


def _cross_entropy_gradient_composition(plan, gradient, x):
    target, ignored, smoothing, count, reduction = plan[0]
    classes = 1 if x.ndim > 1 else 0
    kept = target != ignored
    wanted = numpy.full((target.size, x.shape[classes]), smoothing / x.shape[classes], x.dtype)
    wanted[kept, target[kept]] += 1 - smoothing
    weights = numpy.where(kept, _weight_of_each(count, reduction), 0).astype(x.dtype)
    weights = _rows_back(numpy.repeat(weights[:, None], x.shape[classes], 1), x.array.shape)
    difference = softmax(x, classes) - from_array(_rows_back(wanted, x.array.shape))
    if gradient.ndim:
        gradient = gradient.unsqueeze(classes)
    return difference * from_array(weights) * gradient


# The labels are saved so that a change of them in place is noticed: the plan has a view of them.
_cross_entropy = Operation(
    "cross_entropy", _cross_entropy_forward, _cross_entropy_rule, saves=(0, 1))
_cross_entropy_gradient = Operation(
    "cross_entropy_gradient", _cross_entropy_gradient_forward,
    rule_of_composition(_cross_entropy_gradient_composition), saves=(0, 1))


def class_numbers(name, input, target, ignore_index=None):
    """Check class numbers; returns them flat, and an array that begins with how many count."""
    floating(name, input=tensors.as_tensor(name, input))
    tensors.as_tensor(name, target)
    shape, labels = input.array.shape, used(target)
    if not shape:
        raise ValueError(f"{name}: input must have at least one dimension")
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if labels.dtype.name not in ("int64", "uint8") or labels.shape != expected:
        raise ValueError(
            f"{name}: target must be class numbers (int64 or uint8) of shape {expected}, got "
            f"{labels.dtype} of shape {labels.shape}")
    flat = labels if labels.dtype == dtypes.int64 else program.apart(_widened, labels)
    flat = memory.contiguous(flat).reshape(-1)
    classes = shape[1] if len(shape) > 1 else shape[0]
    found = losses.counted(flat, classes, ignore_index)
    program.expect_none(found[1:], _refuse_class, name, flat, classes, ignore_index)
    return flat, found


def _widened(labels):
    return labels.astype(dtypes.int64)


def _refuse_class(name, labels, classes, ignore_index):
    wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignore_index)]
    raise IndexError(f"{name}: target holds class {wrong[0]}, input has {classes} classes")


def _check_weight(name, input, weight):
    if weight is None:
        return
    floating(name, input=tensors.as_tensor(name, input), weight=weight)
    classes = input.array.shape[1 if input.ndim > 1 else 0] if input.ndim else 0
    if weight.array.shape != (classes,):
        raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}, input has {classes} "
                         "classes")


@public("functional", cases=[
    case(floats(4, 5), integers(4, high=5)), case(floats(4, 5), integers(4, high=5),
                                                  reduction="sum"),
    case(floats(4, 5), integers(4, high=5), reduction="none"),
    case(floats(2, 3, 4), integers(2, 4, high=3)), case(floats(5), integers(high=5)),
    case(floats(4, 5), integers(4, high=5), ignore_index=2),
    case(floats(4, 5), integers(4, high=5), label_smoothing=0.1),
    case(floats(2, 3, 4), integers(2, 4, high=3), label_smoothing=0.3, ignore_index=2,
         reduction="none"),
    case(floats(4, 5), integers(4, high=5), label_smoothing=0.1, weight=floats(5, **UNIT)),
    case(floats(4, 5), integers(4, high=5), weight=floats(5, **UNIT)),
    case(floats(4, 5), floats(4, 5, **UNIT))])
def cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean",
                  label_smoothing=0.0):
    """The negative logarithm of the softmax of logits (N, C, ...) at the target classes.

    ``target`` holds class numbers (N, ...) or, as floating-point numbers of the shape of
    ``input``, a probability for each class. Targets equal to ``ignore_index`` do not count.
    A class number outside [0, C) is an IndexError. ``label_smoothing`` is the share of each
    target that is spread over all classes (Szegedy et al., Rethinking the Inception Architecture
    for Computer Vision, 2016).

    >>> import fastnn
    >>> logits = fastnn.tensor([[0.0, 0.0], [0.0, 0.0]])
    >>> fastnn.nn.functional.cross_entropy(logits, fastnn.tensor([0, 1]))
    tensor(0.6931)
    """
    check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], got "
                         f"{label_smoothing}")
    whole("cross_entropy", "ignore_index", ignore_index)
    _check_weight("cross_entropy", input, weight)
    if target.dtype.kind == "f" and target.shape == input.shape:
        if ignore_index >= 0:
            raise ValueError("cross_entropy: ignore_index is for class numbers, and target holds "
                             f"probabilities; got {ignore_index}")
        return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)
    flat, count = class_numbers("cross_entropy", input, target, ignore_index)
    if weight is None:
        plan = (flat, ignore_index, float(label_smoothing), count, reduction)
        return _cross_entropy(plan, input, target)
    logs = log_softmax(input, 1 if input.ndim > 1 else 0)
    exact = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return exact
    spread = _uniform_loss(logs, target, weight, ignore_index, reduction)
    return exact * (1 - label_smoothing) + spread * (label_smoothing / input.shape[
        1 if input.ndim > 1 else 0])


def _weights_of(target, weight, ignore_index, dtype):
    """The weight of each target: 0 where it is ignored."""
    kept = target != ignore_index
    safe = target.to(dtypes.int64) * kept
    return kept.to(dtype) if weight is None else weight[safe] * kept


def _uniform_loss(logs, target, weight, ignore_index, reduction):
    """The loss against a uniform distribution over the classes."""
    classes = 1 if logs.ndim > 1 else 0
    weighted = logs * weight.reshape((-1,) + (1,) * (logs.ndim - classes - 1))
    values = where(target != ignore_index, -weighted.sum(classes), 0.0)
    if reduction != "mean":
        return reduced(values, reduction)
    return values.sum() / _weights_of(target, weight, ignore_index, logs.dtype).sum()


def _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing):
    classes = 1 if input.ndim > 1 else 0
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[classes]
    logs = log_softmax(input, classes)
    if weight is not None:
        logs = logs * weight.reshape((-1,) + (1,) * (input.ndim - classes - 1))
    values = -(logs * target).sum(classes)
    if reduction != "mean":
        return reduced(values, reduction)
    return values.sum() / max(1, values.numel())


@public("functional", cases=[
    case(floats(4, 5), integers(4, high=5)), case(floats(4, 5), integers(4, high=5),
                                                  weight=floats(5, **UNIT)),
    case(floats(2, 3, 4), integers(2, 4, high=3), reduction="sum"),
    case(floats(4, 5), integers(4, high=5), ignore_index=2, reduction="none")])
def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean"):
    """Minus the log-probabilities (N, C, ...) at the target classes; see ``cross_entropy``."""
    check_reduction("nll_loss", reduction)
    whole("nll_loss", "ignore_index", ignore_index)
    _check_weight("nll_loss", input, weight)
    class_numbers("nll_loss", input, target, ignore_index)
    classes = 1 if input.ndim > 1 else 0
    weights = _weights_of(target, weight, ignore_index, input.dtype)
    safe = target.to(dtypes.int64) * (target != ignore_index)
    picked = gather(input, classes, safe.unsqueeze(classes)).squeeze(classes)
    values = where(target != ignore_index, -picked * weights, 0.0)
    return values.sum() / weights.sum() if reduction == "mean" else reduced(values, reduction)
