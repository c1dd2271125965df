"""Normalisation as modules."""

import operator

from .. import dtypes
from ..ops import layer_normalization, normalization
from ..ops.creation import ones, tensor, zeros
from . import init
from .layers import count
from .module import Module
from .parameter import Parameter


class _Scaled(Module):
    """A learned scale and shift, or None in the place of either."""

    def _make_parameters(self, shape, weight, bias, dtype, device):
        for name, filled, wanted in (("weight", ones, weight), ("bias", zeros, bias)):
            self.register_parameter(
                name, Parameter(filled(shape, dtype=dtype, device=device)) if wanted else None)

    def reset_parameters(self):
        """Scale by 1 and shift by 0 again."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)


class _ChannelNorm(_Scaled):
    """Normalised channels, with running moments if these are tracked."""

    dimensions = ()

    def __init__(self, num_features, eps, momentum, affine, track_running_stats, device, dtype,
                 bias):
        super().__init__()
        self.num_features = count(type(self).__name__, "num_features", num_features, 0)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._make_parameters(num_features, affine, affine and bias, dtype, device)
        tracked = track_running_stats
        for name, filled in (("running_mean", zeros), ("running_var", ones)):
            self.register_buffer(
                name, filled(num_features, dtype=dtype, device=device) if tracked else None)
        self.register_buffer("num_batches_tracked",
                             tensor(0, dtype=dtypes.int64) if tracked else None)

    def reset_running_stats(self):
        """Start the running moments anew, at mean 0 and variance 1."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Start scale, shift and running moments anew."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input, dimensions):
        if input.ndim not in dimensions:
            raise ValueError(
                f"{type(self).__name__}: input must have {' or '.join(map(str, dimensions))} "
                f"dimensions, got shape {tuple(input.shape)}")

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class _BatchNorm(_ChannelNorm):
    """``batch_norm`` with learned scale and shift and running moments."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True,
                 track_running_stats=True, device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)

    def forward(self, input):
        return self.forward_bent(input, 1.0)

    def forward_bent(self, input, below):
        """``forward``, and what is not above 0 times ``below``, computed at once in training."""
        self._check(input, self.dimensions)
        mean, variance, momentum = self.running_mean, self.running_var, self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        training = self.training or mean is None and variance is None
        if self.training and not self.track_running_stats:
            mean = variance = None
        return normalization.bent_batch_norm(
            input, mean, variance, self.weight, self.bias, training,
            0.0 if momentum is None else momentum, self.eps, below)


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see ``batch_norm``.

    With ``momentum=None`` the running moments are the means over all batches; without
    ``track_running_stats`` there are none, and evaluation uses the batch too.

    >>> import fastnn
    >>> fastnn.nn.BatchNorm1d(2, affine=False)(fastnn.tensor([[1.0, 5.0], [3.0, 9.0]]))
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])
    """

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W); see ``BatchNorm1d`` and ``batch_norm``.

    >>> import fastnn
    >>> norm = fastnn.nn.BatchNorm2d(3)
    >>> norm(fastnn.rand(4, 3, 5, 5)).shape
    fastnn.Size([4, 3, 5, 5])
    """

    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see ``BatchNorm1d`` and ``batch_norm``.

    >>> import fastnn
    >>> fastnn.nn.BatchNorm3d(3)(fastnn.rand(4, 3, 2, 5, 5)).shape
    fastnn.Size([4, 3, 2, 5, 5])
    """

    dimensions = (5,)


class _InstanceNorm(_ChannelNorm):
    """``instance_norm``, by default without scale, shift and running moments."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False,
                 track_running_stats=False, device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)

    def forward(self, input):
        name, batched = type(self).__name__, self.dimensions[-1]
        self._check(input, self.dimensions)
        channels = input.shape[input.ndim - batched + 1]
        if channels != self.num_features and self.affine:
            raise ValueError(f"{name}: input has {channels} channels, num_features is "
                             f"{self.num_features}")
        images = input if input.ndim == batched else input.unsqueeze(0)
        momentum = 0.0 if self.momentum is None else self.momentum
        result = normalization.instance_norm(
            images, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, momentum, self.eps)
        return result if images is input else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L); see ``instance_norm``.

    >>> import fastnn
    >>> fastnn.nn.InstanceNorm1d(2, eps=0)(fastnn.tensor([[1.0, 3.0], [10.0, 30.0]]))
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """

    dimensions = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W); see ``instance_norm``.

    >>> import fastnn
    >>> fastnn.nn.InstanceNorm2d(3)(fastnn.rand(4, 3, 5, 5)).shape
    fastnn.Size([4, 3, 5, 5])
    """

    dimensions = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W); see ``instance_norm``.

    >>> import fastnn
    >>> fastnn.nn.InstanceNorm3d(3)(fastnn.rand(4, 3, 2, 5, 5)).shape
    fastnn.Size([4, 3, 2, 5, 5])
    """

    dimensions = (4, 5)


class GroupNorm(_Scaled):
    """``group_norm`` with a learned scale and shift of each channel.

    >>> import fastnn
    >>> fastnn.nn.GroupNorm(2, 6)(fastnn.rand(4, 6, 5, 5)).shape
    fastnn.Size([4, 6, 5, 5])
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None,
                 *, bias=True):
        super().__init__()
        self.num_groups = count("GroupNorm", "num_groups", num_groups)
        self.num_channels = count("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels={num_channels} does not divide into "
                             f"num_groups={num_groups}")
        self.eps, self.affine = eps, affine
        self._make_parameters(num_channels, affine, affine and bias, dtype, device)

    def forward(self, input):
        return normalization.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


def _shape(name, normalized_shape):
    """``normalized_shape``, a number or several, as a tuple."""
    try:
        return (operator.index(normalized_shape),)
    except TypeError:
        return tuple(count(name, "normalized_shape", size, 0) for size in normalized_shape)


class LayerNorm(_Scaled):
    """``layer_norm`` with a learned scale and shift of each position.

    >>> import fastnn
    >>> fastnn.nn.LayerNorm(2)(fastnn.tensor([[1.0, 3.0], [10.0, 30.0]])).detach()
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None,
                 dtype=None):
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._make_parameters(self.normalized_shape, elementwise_affine,
                              elementwise_affine and bias, dtype, device)

    def forward(self, input):
        return layer_normalization.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class RMSNorm(_Scaled):
    """``rms_norm`` with a learned scale of each position.

    >>> import fastnn
    >>> fastnn.nn.RMSNorm(2)(fastnn.tensor([1.0, 7.0])).detach()
    tensor([0.2000, 1.4000])
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None,
                 dtype=None):
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", Parameter(
            ones(self.normalized_shape, dtype=dtype, device=device))
            if elementwise_affine else None)

    def forward(self, input):
        return layer_normalization.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class LocalResponseNorm(Module):
    """``local_response_norm`` as a module.

    >>> import fastnn
    >>> fastnn.nn.LocalResponseNorm(2)(fastnn.ones(1, 4, 3)).shape
    fastnn.Size([1, 4, 3])
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = count("LocalResponseNorm", "size", size)
        self.alpha, self.beta, self.k = alpha, beta, k

    def forward(self, input):
        return layer_normalization.local_response_norm(
            input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
