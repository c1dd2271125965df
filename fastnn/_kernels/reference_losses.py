"""The part of the oracle for losses."""

import numpy as np

from .reference_activations import log_softmax, sigmoid


def _reduced(values, reduction):
    return {"none": np.asarray, "sum": np.sum, "mean": np.mean}[reduction](values)


def mse_loss(input, target, reduction="mean", weight=1.0):
    return _reduced(weight * (input - target) ** 2, reduction)


def l1_loss(input, target, reduction="mean", weight=1.0):
    return _reduced(weight * np.abs(input - target), reduction)


def binary_cross_entropy(input, target, weight=1.0, reduction="mean"):
    values = -(target * np.log(input) + (1 - target) * np.log(1 - input))
    return _reduced(weight * values, reduction)


def binary_cross_entropy_with_logits(input, target, weight=1.0, reduction="mean", pos_weight=1.0):
    p = sigmoid(input)
    values = -(pos_weight * target * np.log(p) + (1 - target) * np.log(1 - p))
    return _reduced(weight * values, reduction)


def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """One loss for each target, weighted by its class; the mean is over the weights."""
    classes = input.shape[1 if input.ndim > 1 else 0]
    weight = np.ones(classes) if weight is None else weight
    losses, weights = np.zeros(target.shape), np.zeros(target.shape)
    for place in np.ndindex(target.shape):
        label = target[place]
        if label != ignore_index:
            weights[place] = weight[label]
            losses[place] = -weight[label] * input[_class_place(place, label)]
    return losses.sum() / weights.sum() if reduction == "mean" else _reduced(losses, reduction)


def _class_place(place, label):
    """The index of a class's value for the target at ``place``: classes are the second axis."""
    return (*place[:1], label, *place[1:])


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean",
                  label_smoothing=0.0):
    axis = 1 if input.ndim > 1 else 0
    logs, classes = log_softmax(input, axis), input.shape[axis]
    if target.dtype.kind == "f":
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing)
    exact = nll_loss(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return exact
    each = [nll_loss(logs, np.where(target == ignore_index, target, label), weight, ignore_index,
                     "none") for label in range(classes)]
    uniform = sum(each) / classes
    if reduction == "mean":
        counted = np.ones(classes) if weight is None else weight
        uniform = uniform.sum() / counted[target[target != ignore_index]].sum()
    elif reduction == "sum":
        uniform = uniform.sum()
    return (1 - label_smoothing) * exact + label_smoothing * uniform


def _soft_cross_entropy(logs, target, weight, reduction, label_smoothing):
    axis = 1 if logs.ndim > 1 else 0
    classes = logs.shape[axis]
    target = target * (1 - label_smoothing) + label_smoothing / classes
    weight = np.ones(classes) if weight is None else weight
    shape = [1] * logs.ndim
    shape[axis] = classes
    values = -(weight.reshape(shape) * target * logs).sum(axis)
    if reduction == "mean":
        return values.sum() / values.size
    return _reduced(values, reduction)
