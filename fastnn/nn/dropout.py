"""Layers that drop values at random."""

from ..ops import random
from .module import Module


class Dropout(Module):
    """``dropout`` in training, the input unchanged in evaluation.

    >>> import fastnn
    >>> fastnn.nn.Dropout(0.5).eval()(fastnn.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie in [0, 1], got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        return random.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"
