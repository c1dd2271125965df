"""The part of the oracle for losses."""

import itertools

import numpy as np

from .reference_activations import log_softmax, sigmoid


def _reduced(values, reduction):
    return {"none": np.asarray, "sum": np.sum, "mean": np.mean}[reduction](values)


def mse_loss(input, target, reduction="mean", weight=None):
    return _weighted((input - target) ** 2, weight, reduction)


def l1_loss(input, target, reduction="mean", weight=None):
    return _weighted(np.abs(input - target), weight, reduction)


def _weighted(values, weight, reduction):
    if weight is not None and reduction == "mean":
        return (values * weight).sum() / weight.sum()
    return _reduced(values if weight is None else values * weight, reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=1.0):
    size = np.abs(input - target)
    values = np.where(size < delta, 0.5 * size ** 2, delta * (size - 0.5 * delta))
    return _reduced(weight * values, reduction)


def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


def poisson_nll_loss(input, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    rate, log_rate = (np.exp(input), input) if log_input else (input, np.log(input + eps))
    values = rate - target * log_rate
    if full:
        stirling = target * np.log(target) - target + 0.5 * np.log(2 * np.pi * target)
        values = values + np.where(target > 1, stirling, 0)
    return _reduced(values, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    var = np.maximum(var[..., None] if var.ndim < input.ndim else var, eps)
    values = 0.5 * (np.log(var) + (input - target) ** 2 / var)
    return _reduced(values + (0.5 * np.log(2 * np.pi) if full else 0), reduction)


def kl_div(input, target, reduction="mean", log_target=False):
    p = np.exp(target) if log_target else target
    values = p * (np.log(p) - input)
    return values.sum() / len(input) if reduction == "batchmean" else _reduced(values, reduction)


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
    counted = np.ones(classes) if weight is None else weight
    shape = [1] * logs.ndim
    shape[axis] = classes
    every = -(counted.reshape(shape) * logs).sum(axis) / classes
    uniform = np.where(target == ignore_index, 0, every)
    if reduction == "mean":
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


def soft_margin_loss(input, target, reduction="mean"):
    return _reduced(np.log(1 + np.exp(-target * input)), reduction)


def hinge_embedding_loss(input, target, margin=1.0, reduction="mean"):
    return _reduced(np.where(target == 1, input, np.maximum(0, margin - input)), reduction)


def multilabel_soft_margin_loss(input, target, weight=1.0, reduction="mean"):
    values = binary_cross_entropy_with_logits(input, target, weight, "none")
    return _reduced(values.mean(-1), reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction="mean"):
    return _reduced(np.maximum(0, margin - target * (input1 - input2)), reduction)


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, reduction="mean"):
    if input.ndim == 1:
        values = multi_margin_loss(input[None], target[None], p, margin, weight, "none")[0]
        return _reduced(values, reduction)
    values = np.zeros(len(input))
    for row, label in enumerate(target):
        others = np.delete(input[row], label)
        short = np.maximum(0, margin - input[row, label] + others) ** p
        values[row] = short.sum() / input.shape[1] * (1 if weight is None else weight[label])
    return _reduced(values, reduction)


def multilabel_margin_loss(input, target, reduction="mean"):
    if input.ndim == 1:
        values = multilabel_margin_loss(input[None], target[None], "none")[0]
        return _reduced(values, reduction)
    values = np.zeros(len(input))
    for row, listed in enumerate(target):
        labels = list(itertools.takewhile(lambda label: label >= 0, listed))
        others = [i for i in range(input.shape[1]) if i not in labels]
        for label, other in itertools.product(labels, others):
            values[row] += max(0, 1 - input[row, label] + input[row, other]) / input.shape[1]
    return _reduced(values, reduction)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    return _norm(x1 - x2 + eps, p, -1, keepdim)


def _norm(x, p, dim, keepdim):
    if p == np.inf:
        return np.abs(x).max(dim, keepdims=keepdim)
    return (np.abs(x) ** p).sum(dim, keepdims=keepdim) ** (1 / p)


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    x1, x2 = np.broadcast_arrays(x1, x2)
    lengths = [np.maximum(_norm(x, 2, dim, False), eps) for x in (x1, x2)]
    return (x1 * x2).sum(dim) / (lengths[0] * lengths[1])


def normalize(input, p=2.0, dim=1, eps=1e-12):
    return input / np.maximum(_norm(input, p, dim, True), eps)


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction="mean"):
    cosine = cosine_similarity(input1, input2, -1)
    return _reduced(np.where(target == 1, 1 - cosine, np.maximum(0, cosine - margin)), reduction)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False,
                        reduction="mean"):
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = np.minimum(far, pairwise_distance(positive, negative, p, eps))
    values = np.maximum(0, pairwise_distance(anchor, positive, p, eps) - far + margin)
    return _reduced(values, reduction)


triplet_margin_with_distance_loss = triplet_margin_loss
