"""Convolutions as modules."""

from functools import partial

from ..ops import checks, convolve, padding
from ..ops.creation import empty
from .layers import count, start
from .module import Module
from .parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What all convolutions share."""

    dimensions = 2
    modes = ("zeros",)

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                 bias, padding_mode, device, dtype):
        super().__init__()
        name = type(self).__name__
        if padding_mode not in self.modes:
            raise ValueError(f"{name}: padding_mode must be one of {', '.join(self.modes)}, got "
                             f"{padding_mode!r}")
        self.in_channels = count(name, "in_channels", in_channels)
        self.out_channels = count(name, "out_channels", out_channels)
        self.groups = count(name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels do not divide "
                             f"into {groups} groups")
        self.padding_mode = padding_mode
        self.kernel_size = self._numbers("kernel_size", kernel_size, 1)
        self.stride = self._numbers("stride", stride, 1)
        self.padding = self._checked_padding(padding)
        self.dilation = self._numbers("dilation", dilation, 1)
        self.weight = Parameter(
            empty(*self._weight_channels(), *self.kernel_size, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _numbers(self, name, value, low):
        return checks.numbers(type(self).__name__, name, value, low, self.dimensions)

    def _checked_padding(self, padding):
        return self._numbers("padding", padding, 0)

    def reset_parameters(self):
        """Draw new initial values."""
        start(self.weight, self.bias)

    def extra_repr(self):
        shown = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}",
                 f"stride={self.stride}"]
        zeros, ones = (0,) * self.dimensions, (1,) * self.dimensions
        shown += [f"{name}={getattr(self, name)}" for name, plain in (
            ("padding", zeros), ("dilation", ones), ("output_padding", zeros), ("groups", 1))
            if getattr(self, name, plain) != plain]
        shown += ["bias=False"] if self.bias is None else []
        return ", ".join(shown + ([f"padding_mode={self.padding_mode}"]
                                  if self.padding_mode != "zeros" else []))


class _Forward(_Convolution):
    """A convolution with a weight of shape (out_channels, in_channels / groups, ...)."""

    modes = PADDING_MODES

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1,
                 groups=1, bias=True, padding_mode="zeros", device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode, device, dtype)
        if self.padding == "same" and set(self.stride) != {1}:
            raise ValueError(f"{type(self).__name__}: padding 'same' needs stride 1, got "
                             f"{self.stride}")

    def _checked_padding(self, padding):
        return padding if padding in ("same", "valid") else self._numbers("padding", padding, 0)

    def _weight_channels(self):
        return self.out_channels, self.in_channels // self.groups

    def _rims(self):
        """What `pad` takes for this padding: from the last dimension on."""
        if self.padding == "valid":
            return (0, 0) * self.dimensions
        if self.padding != "same":
            return tuple(rim for rim in reversed(self.padding) for _ in range(2))
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return tuple(rim for total in reversed(totals)
                     for rim in (total // 2, total - total // 2))

    def forward(self, input):
        return self._run(self.function, input)

    def forward_bent(self, input, below):
        """``bent(self.forward(input), below)``, computed at once."""
        return self._run(partial(self.bent_function, below=below), input)

    def _run(self, function, input):
        rims = self.padding
        if self.padding_mode != "zeros":
            input, rims = padding.pad(input, self._rims(), self.padding_mode), 0
        return function(input, self.weight, self.bias, self.stride, rims, self.dilation,
                        self.groups)


class Conv1d(_Forward):
    """``conv1d`` with a weight of shape (out_channels, in_channels / groups, K).

    >>> import fastnn
    >>> fastnn.nn.Conv1d(1, 6, 5, stride=2)(fastnn.ones(2, 1, 101)).shape
    fastnn.Size([2, 6, 49])
    """

    dimensions = 1
    function = staticmethod(convolve.conv1d)
    bent_function = staticmethod(convolve.bent_conv(1))


class Conv2d(_Forward):
    """``conv2d`` with a weight of shape (out_channels, in_channels / groups, KH, KW).

    >>> import fastnn
    >>> fastnn.nn.Conv2d(1, 6, 5, padding=2)(fastnn.ones(2, 1, 28, 28)).shape
    fastnn.Size([2, 6, 28, 28])
    """

    function = staticmethod(convolve.conv2d)
    bent_function = staticmethod(convolve.bent_conv(2))


class Conv3d(_Forward):
    """``conv3d`` with a weight of shape (out_channels, in_channels / groups, KD, KH, KW).

    >>> import fastnn
    >>> fastnn.nn.Conv3d(1, 2, 3, padding=1)(fastnn.ones(2, 1, 4, 5, 6)).shape
    fastnn.Size([2, 2, 4, 5, 6])
    """

    dimensions = 3
    function = staticmethod(convolve.conv3d)
    bent_function = staticmethod(convolve.bent_conv(3))


class _Transposed(_Convolution):
    """A transposed convolution with a weight of shape (in_channels, out_channels / groups, ...)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, groups=1, bias=True, dilation=1, padding_mode="zeros",
                 device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode, device, dtype)
        self.output_padding = self._numbers("output_padding", output_padding, 0)

    def _weight_channels(self):
        return self.in_channels, self.out_channels // self.groups

    def _extra(self, input, output_size):
        """The output padding that leads to ``output_size``, or the layer's own without one."""
        if output_size is None:
            return self.output_padding
        name, rank = type(self).__name__, self.dimensions
        wanted = checks.shape_argument(name, (tuple(output_size),))
        wanted = wanted[2:] if len(wanted) == rank + 2 else wanted
        if len(wanted) != rank:
            raise ValueError(f"{name}: output_size must have {rank} or {rank + 2} numbers, got "
                             f"{tuple(output_size)}")
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in zip(
            input.shape[-rank:], self.stride, self.padding, self.dilation, self.kernel_size,
            strict=True)]
        extra = tuple(size - low for size, low in zip(wanted, least, strict=True))
        if any(not 0 <= each < s for each, s in zip(extra, self.stride, strict=True)):
            raise ValueError(f"{name}: output_size {wanted} is not within one stride "
                             f"{self.stride} from {tuple(least)} on")
        return extra

    def forward(self, input, output_size=None):
        return self.function(input, self.weight, self.bias, self.stride, self.padding,
                             self._extra(input, output_size), self.groups, self.dilation)

    def forward_bent(self, input, below):
        """``bent(self.forward(input), below)``, computed at once."""
        return self.bent_function(input, self.weight, self.bias, self.stride, self.padding,
                                  self.output_padding, self.dilation, self.groups, below=below)


class ConvTranspose1d(_Transposed):
    """``conv_transpose1d`` with a weight of shape (in_channels, out_channels / groups, K)."""

    dimensions = 1
    function = staticmethod(convolve.conv_transpose1d)
    bent_function = staticmethod(convolve.bent_conv_transpose(1))


class ConvTranspose2d(_Transposed):
    """``conv_transpose2d`` with a weight of shape (in_channels, out_channels / groups, KH, KW).

    >>> import fastnn
    >>> fastnn.nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1)(fastnn.ones(2, 8, 7, 7)).shape
    fastnn.Size([2, 1, 14, 14])
    """

    function = staticmethod(convolve.conv_transpose2d)
    bent_function = staticmethod(convolve.bent_conv_transpose(2))


class ConvTranspose3d(_Transposed):
    """``conv_transpose3d`` with a weight of shape
    (in_channels, out_channels / groups, KD, KH, KW)."""

    dimensions = 3
    function = staticmethod(convolve.conv_transpose3d)
    bent_function = staticmethod(convolve.bent_conv_transpose(3))
