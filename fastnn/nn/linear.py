"""Layers that are one product, or none."""

from ..ops import linear
from ..ops.creation import empty
from .layers import count, start
from .module import Module
from .parameter import Parameter


class Identity(Module):
    """The input, unchanged."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input


class Linear(Module):
    """``input @ weight.T + bias``, with a weight of shape (out_features, in_features).

    >>> import fastnn
    >>> fastnn.nn.Linear(3, 2)(fastnn.ones(4, 3)).shape
    fastnn.Size([4, 2])
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features = count("Linear", "in_features", in_features, 0)
        self.out_features = count("Linear", "out_features", out_features, 0)
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values."""
        start(self.weight, self.bias)

    def forward(self, input):
        return linear.linear(input, self.weight, self.bias)

    def forward_bent(self, input, below):
        """``bent(self.forward(input), below)``, computed at once."""
        return linear.bent_linear(input, self.weight, self.bias, below)

    def extra_repr(self):
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")
