"""Dropout as modules: at work in training, the input unchanged in evaluation."""

from ..ops import dropout
from .module import Module


class _Dropout(Module):
    function = None

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p must lie in [0, 1], got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        return type(self).function(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """``dropout`` in training, the input unchanged in evaluation.

    >>> import fastnn
    >>> fastnn.nn.Dropout(0.5).eval()(fastnn.ones(3))
    tensor([1., 1., 1.])
    """

    function = staticmethod(dropout.dropout)


class Dropout1d(_Dropout):
    """``dropout1d``: whole channels of (N, C, L) or (C, L)."""

    function = staticmethod(dropout.dropout1d)


class Dropout2d(_Dropout):
    """``dropout2d``: whole channels of (N, C, H, W).

    >>> import fastnn
    >>> channels = fastnn.nn.Dropout2d(0.5)(fastnn.ones(8, 8, 2, 2)).mean((2, 3))
    >>> sorted(set(channels.flatten().tolist()))
    [0.0, 2.0]
    """

    function = staticmethod(dropout.dropout2d)


class Dropout3d(_Dropout):
    """``dropout3d``: whole channels of (N, C, D, H, W) or (C, D, H, W)."""

    function = staticmethod(dropout.dropout3d)


class AlphaDropout(_Dropout):
    """``alpha_dropout``, which keeps mean and variance; it goes with ``SELU``."""

    function = staticmethod(dropout.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """``feature_alpha_dropout``: ``AlphaDropout`` of whole channels (N, C, ...)."""

    function = staticmethod(dropout.feature_alpha_dropout)
