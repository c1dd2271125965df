"""A small network with every kind of attribute, for the tests of `Module`."""

import fastnn
from fastnn import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.scale = nn.Parameter(fastnn.tensor(2.0))
        self.register_buffer("offset", fastnn.ones(4))
        self.register_buffer("scratch", fastnn.zeros(2), persistent=False)
        self.last = nn.Sequential(nn.Linear(4, 2), nn.ReLU())

    def forward(self, x):
        return self.last(self.norm(self.first(x)) * self.scale + self.offset)


KEYS = ["scale", "offset", "first.weight", "first.bias", "norm.weight", "norm.bias",
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "last.0.weight",
        "last.0.bias"]


def values(net):
    return {key: tensor.numpy().copy() for key, tensor in net.state_dict().items()}
