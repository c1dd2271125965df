"""Changes of size, and of channels into pixels, as modules."""

from ..ops import rearranging, resampling
from .from_functions import module_of
from .module import Module


class Upsample(Module):
    """``interpolate`` as a module.

    >>> import fastnn
    >>> fastnn.nn.Upsample(scale_factor=2, mode="bilinear")(fastnn.ones(1, 3, 4, 5)).shape
    fastnn.Size([1, 3, 8, 10])
    """

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None,
                 recompute_scale_factor=None):
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.scale_factor = tuple(map(float, scale_factor)) if isinstance(
            scale_factor, (tuple, list)) else scale_factor and float(scale_factor)
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input):
        return resampling.interpolate(input, self.size, self.scale_factor, self.mode,
                                      self.align_corners, self.recompute_scale_factor)

    def extra_repr(self):
        given = f"size={self.size!r}" if self.scale_factor is None else \
            f"scale_factor={self.scale_factor!r}"
        return f"{given}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """``interpolate`` of images in mode ``"nearest"``."""

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """``interpolate`` of images in mode ``"bilinear"`` with ``align_corners``."""

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "bilinear", True)


PixelShuffle = module_of(rearranging.pixel_shuffle, "PixelShuffle", settings=("upscale_factor",))
PixelUnshuffle = module_of(rearranging.pixel_unshuffle, "PixelUnshuffle",
                           settings=("downscale_factor",))
ChannelShuffle = module_of(rearranging.channel_shuffle, "ChannelShuffle", settings=("groups",))
