"""Compiled training steps leave every parameter, gradient, buffer and state as eager mode does."""

import pytest
from compiled_twins import (
    assert_like_eager,
    floats,
    integers,
    labelled,
    perceptron,
    training,
)

from fastnn import nn, optim
from fastnn.nn import functional as F


def named(cases):
    return {"argvalues": cases, "ids": [case[0].__name__ for case in cases]}


class Recurrent(nn.Module):
    """The last output of a recurrent layer, as classes."""

    def __init__(self, layer, **settings):
        super().__init__()
        self.layer = layer(6, 5, batch_first=True, **settings)
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        return self.last(self.layer(x)[0][:, -1])


class Tied(nn.Module):
    """A language model whose last layer has the weights of its embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6, padding_idx=0)
        self.last = nn.Linear(6, 11)
        self.last.weight = self.embedding.weight

    def forward(self, words):
        return self.last(self.embedding(words).mean(1))


def normalized():
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def layer_normalized():
    return nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))


def dropped():
    return nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.4), nn.PReLU(), nn.Linear(8, 3))


def convolved():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(4, 6, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(6, 3))


def lstm():
    return Recurrent(nn.LSTM, num_layers=2, dropout=0.2)


def gru():
    return Recurrent(nn.GRU)


def transformer():
    return nn.Sequential(nn.TransformerEncoderLayer(6, 2, 12, batch_first=True), nn.Flatten(),
                         nn.Linear(24, 3))


def tied():
    return Tied()


def partly_frozen():
    net = perceptron()
    net[0].requires_grad_(False)
    return net


FLAT, IMAGES, SERIES = labelled((7, 5), 3), labelled((3, 1, 12, 12), 3), labelled((3, 4, 6), 3)


def words(random):
    return *integers(11, (5, 4))(random), *integers(11, (5,))(random)


NETWORKS = [(perceptron, FLAT), (normalized, FLAT), (layer_normalized, FLAT), (dropped, FLAT),
            (partly_frozen, FLAT), (convolved, IMAGES), (lstm, SERIES), (gru, SERIES),
            (transformer, SERIES), (tied, words)]
RULES = {"SGD": {"momentum": 0.9}, "Adam": {}, "AdamW": {"weight_decay": 0.1}}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network, draw", **named(NETWORKS))
def test_training(network, draw, rule):
    eager = assert_like_eager(lambda: training(
        network, F.cross_entropy, draw, getattr(optim, rule), **RULES[rule]))
    assert len({each["result"] for each in eager}) == len(eager)


OPTIMIZERS = [
    ("SGD", {}), ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.8, "nesterov": True}), ("SGD", {"momentum": 0.8, "dampening": 0.3}),
    ("Adam", {"betas": (0.5, 0.9), "weight_decay": 0.1}), ("Adam", {"amsgrad": True}),
    ("AdamW", {"amsgrad": True}), ("NAdam", {}), ("RAdam", {}), ("Adamax", {}), ("Adagrad", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}), ("Adadelta", {}), ("ASGD", {"t0": 4}),
    ("Rprop", {}), ("Adafactor", {})]


@pytest.mark.parametrize("rule, settings", OPTIMIZERS)
def test_optimizer(rule, settings):
    assert_like_eager(lambda: training(
        perceptron, F.cross_entropy, FLAT, getattr(optim, rule), **settings), calls=12)


LOSSES = [(F.mse_loss, floats((7, 5), (7, 3))), (F.smooth_l1_loss, floats((7, 5), (7, 3))),
          (lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), FLAT),
          (lambda x, y: F.nll_loss(F.log_softmax(x, -1), y), FLAT),
          (lambda x, y: F.binary_cross_entropy_with_logits(x, (y > 0).float()),
           floats((7, 5), (7, 3))),
          (lambda x, y: F.kl_div(F.log_softmax(x, -1), y.softmax(-1), reduction="batchmean"),
           floats((7, 5), (7, 3)))]


@pytest.mark.parametrize("number", range(len(LOSSES)))
def test_loss(number):
    loss_of, draw = LOSSES[number]
    assert_like_eager(lambda: training(perceptron, loss_of, draw))


def test_several_shapes():
    def draw(random):
        return floats([(2, 5), (7, 5), (1, 5), (64, 5)][random.integers(4)])(random)

    assert_like_eager(lambda: training(layer_normalized, lambda y: (y * y).mean(), draw,
                                       optim.Adam), calls=24)
