"""Batch normalisation as modules."""

from .. import dtypes
from ..ops.creation import ones, tensor, zeros
from ..ops.normalization import batch_norm, layer_norm
from . import init
from .layers import count
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """``batch_norm`` with learned scale and shift and running moments."""

    dimensions = ()

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True,
                 track_running_stats=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        self.num_features = count(type(self).__name__, "num_features", num_features, 0)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def vector(filled, wanted):
            return filled(num_features, dtype=dtype, device=device) if wanted else None

        self.register_parameter("weight", Parameter(vector(ones, True)) if affine else None)
        self.register_parameter("bias", Parameter(vector(zeros, True)) if affine and bias else None)
        self.register_buffer("running_mean", vector(zeros, track_running_stats))
        self.register_buffer("running_var", vector(ones, track_running_stats))
        self.register_buffer("num_batches_tracked",
                             tensor(0, dtype=dtypes.int64) if track_running_stats else None)

    def reset_running_stats(self):
        """Start the running moments anew, at mean 0 and variance 1."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Start scale, shift and running moments anew."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        name = type(self).__name__
        if input.ndim not in self.dimensions:
            raise ValueError(f"{name}: input must have {' or '.join(map(str, self.dimensions))} "
                             f"dimensions, got shape {tuple(input.shape)}")
        if self.running_mean is None:
            return batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        momentum = self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                          self.training, 0.0 if momentum is None else momentum, self.eps)

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see ``batch_norm``.

    >>> import fastnn
    >>> fastnn.nn.BatchNorm1d(2, affine=False, eps=0)(fastnn.tensor([[1.0, 5.0], [3.0, 9.0]]))
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W); see ``batch_norm``.

    >>> import fastnn
    >>> norm = fastnn.nn.BatchNorm2d(3)
    >>> norm(fastnn.rand(4, 3, 5, 5)).shape
    fastnn.Size([4, 3, 5, 5])
    """

    dimensions = (4,)


class LayerNorm(Module):
    """``layer_norm`` with learned scale and shift."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True,
                 device=None, dtype=None):
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape, self.eps = tuple(shape), eps
        self.register_parameter("weight", Parameter(
            ones(*shape, dtype=dtype, device=device)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(
            zeros(*shape, dtype=dtype)) if elementwise_affine and bias else None)

    def forward(self, input):
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)
