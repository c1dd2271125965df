"""Pooling, and the windows of images as columns, as modules."""

from ..ops import adaptive_pooling, columns, pooling, unpooling
from .from_functions import module_of
from .module import Module

KERNEL = ("kernel_size",)
MAXIMUM = dict(settings=KERNEL, last=("return_indices", "ceil_mode"))

MaxPool1d = module_of(pooling.max_pool1d, "MaxPool1d", **MAXIMUM)
MaxPool2d = module_of(pooling.max_pool2d, "MaxPool2d", **MAXIMUM)
MaxPool3d = module_of(pooling.max_pool3d, "MaxPool3d", **MAXIMUM)
AvgPool1d = module_of(pooling.avg_pool1d, "AvgPool1d", settings=KERNEL)
AvgPool2d = module_of(pooling.avg_pool2d, "AvgPool2d", settings=KERNEL)
AvgPool3d = module_of(pooling.avg_pool3d, "AvgPool3d", settings=KERNEL)
LPPool1d = module_of(pooling.lp_pool1d, "LPPool1d", settings=("norm_type", *KERNEL))
LPPool2d = module_of(pooling.lp_pool2d, "LPPool2d", settings=("norm_type", *KERNEL))
LPPool3d = module_of(pooling.lp_pool3d, "LPPool3d", settings=("norm_type", *KERNEL))

SIZE = ("output_size",)
AdaptiveAvgPool1d = module_of(adaptive_pooling.adaptive_avg_pool1d, "AdaptiveAvgPool1d",
                              settings=SIZE)
AdaptiveAvgPool2d = module_of(adaptive_pooling.adaptive_avg_pool2d, "AdaptiveAvgPool2d",
                              settings=SIZE)
AdaptiveAvgPool3d = module_of(adaptive_pooling.adaptive_avg_pool3d, "AdaptiveAvgPool3d",
                              settings=SIZE)
AdaptiveMaxPool1d = module_of(adaptive_pooling.adaptive_max_pool1d, "AdaptiveMaxPool1d",
                              settings=SIZE)
AdaptiveMaxPool2d = module_of(adaptive_pooling.adaptive_max_pool2d, "AdaptiveMaxPool2d",
                              settings=SIZE)
AdaptiveMaxPool3d = module_of(adaptive_pooling.adaptive_max_pool3d, "AdaptiveMaxPool3d",
                              settings=SIZE)

Unfold = module_of(columns.unfold, "Unfold", settings=KERNEL)
Fold = module_of(columns.fold, "Fold", settings=("output_size", *KERNEL))


class _MaxUnpool(Module):
    """Values put to the places that maximum pooling took them from."""

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def forward(self, input, indices, output_size=None):
        return self.function(input, indices, self.kernel_size, self.stride, self.padding,
                             output_size)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """``max_unpool1d`` as a module."""

    function = staticmethod(unpooling.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """``max_unpool2d`` as a module."""

    function = staticmethod(unpooling.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """``max_unpool3d`` as a module."""

    function = staticmethod(unpooling.max_unpool3d)
