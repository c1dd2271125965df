"""Batch normalisation as modules."""

from .. import dtypes
from ..ops.creation import ones, tensor, zeros
from ..ops.normalization import batch_norm
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """``batch_norm`` with learned scale and shift and running moments."""

    dimensions = ()

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True,
                 track_running_stats=True, device=None, dtype=None):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter(
            "weight", Parameter(ones(num_features, dtype=dtype)) if affine else None)
        self.register_parameter(
            "bias", Parameter(zeros(num_features, dtype=dtype)) if affine else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype) if tracked else None)
        self.register_buffer(
            "num_batches_tracked", tensor(0, dtype=dtypes.int64) if tracked else None)

    def forward(self, input):
        name = type(self).__name__
        if input.ndim not in self.dimensions:
            raise ValueError(f"{name}: input must have {' or '.join(map(str, self.dimensions))} "
                             f"dimensions, got shape {tuple(input.shape)}")
        if not self.track_running_stats:
            return batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        momentum = self.momentum
        if self.training:
            self.num_batches_tracked.array[...] += 1
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                          self.training, momentum or 0.0, self.eps)

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see ``batch_norm``."""

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W); see ``batch_norm``.

    >>> import fastnn
    >>> norm = fastnn.nn.BatchNorm2d(3)
    >>> norm(fastnn.rand(4, 3, 5, 5)).shape
    fastnn.Size([4, 3, 5, 5])
    """

    dimensions = (4,)
