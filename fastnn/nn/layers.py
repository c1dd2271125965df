"""Layers with weights, dropout and changes of shape."""

import math
import operator

from ..ops import checks, convolve, linear, random, shape
from ..ops.creation import empty
from . import init
from .module import Module
from .parameter import Parameter


def count(layer, name, value, low=1):
    """A number of features or channels, at least ``low``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{layer}: {name} must be an integer, got {value!r}") from None
    if number < low:
        raise ValueError(f"{layer}: {name} must be at least {low}, got {value}")
    return number


def _start(weight, bias):
    """PyTorch's start: both uniform, within 1 / sqrt(fan in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in, _ = init.fans(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(bias, -bound, bound)


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
        _start(self.weight, self.bias)

    def forward(self, input):
        return linear.linear(input, self.weight, self.bias)

    def extra_repr(self):
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class _Convolution(Module):
    """What both convolutions share."""

    named_paddings = ()

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                 bias, padding_mode, device, dtype):
        super().__init__()
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode {padding_mode!r} is not offered, only 'zeros'")
        self.in_channels = count(name, "in_channels", in_channels)
        self.out_channels = count(name, "out_channels", out_channels)
        self.groups = count(name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels do not divide "
                             f"into {groups} groups")
        self.kernel_size = checks.pair(name, "kernel_size", kernel_size, 1)
        self.stride = checks.pair(name, "stride", stride, 1)
        self.padding = padding if padding in self.named_paddings else \
            checks.pair(name, "padding", padding, 0)
        self.dilation = checks.pair(name, "dilation", dilation, 1)
        self.weight = Parameter(
            empty(*self._weight_channels(), *self.kernel_size, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values."""
        _start(self.weight, self.bias)

    def extra_repr(self):
        shown = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}",
                 f"stride={self.stride}"]
        shown += [f"{name}={getattr(self, name)}" for name, plain in (
            ("padding", (0, 0)), ("dilation", (1, 1)), ("output_padding", (0, 0)), ("groups", 1))
            if getattr(self, name, plain) != plain]
        return ", ".join(shown + (["bias=False"] if self.bias is None else []))


class Conv2d(_Convolution):
    """``conv2d`` with a weight of shape (out_channels, in_channels / groups, KH, KW).

    >>> import fastnn
    >>> fastnn.nn.Conv2d(1, 6, 5, padding=2)(fastnn.ones(2, 1, 28, 28)).shape
    fastnn.Size([2, 6, 28, 28])
    """

    named_paddings = ("same", "valid")

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1,
                 groups=1, bias=True, padding_mode="zeros", device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode, device, dtype)

    def _weight_channels(self):
        return self.out_channels, self.in_channels // self.groups

    def forward(self, input):
        return convolve.conv2d(input, self.weight, self.bias, self.stride, self.padding,
                                  self.dilation, self.groups)


class ConvTranspose2d(_Convolution):
    """``conv_transpose2d`` with a weight of shape (in_channels, out_channels / groups, KH, KW).

    >>> import fastnn
    >>> fastnn.nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1)(fastnn.ones(2, 8, 7, 7)).shape
    fastnn.Size([2, 1, 14, 14])
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, groups=1, bias=True, dilation=1, padding_mode="zeros",
                 device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode, device, dtype)
        self.output_padding = checks.pair("ConvTranspose2d", "output_padding", output_padding, 0)

    def _weight_channels(self):
        return self.in_channels, self.out_channels // self.groups

    def forward(self, input):
        return convolve.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, self.output_padding,
            self.groups, self.dilation)


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


class Flatten(Module):
    """Join the dimensions from ``start_dim`` to ``end_dim``: by default all but the batch.

    >>> import fastnn
    >>> fastnn.nn.Flatten()(fastnn.ones(2, 3, 4)).shape
    fastnn.Size([2, 12])
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        return shape.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several, of which one may be -1: the reverse of ``Flatten``.

    >>> import fastnn
    >>> fastnn.nn.Unflatten(1, (3, -1))(fastnn.ones(2, 12)).shape
    fastnn.Size([2, 3, 4])
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input):
        dim = checks.axis("Unflatten", self.dim, input.ndim)
        return shape.reshape(input, *input.shape[:dim], *self.unflattened_size,
                             *input.shape[dim + 1:])

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
