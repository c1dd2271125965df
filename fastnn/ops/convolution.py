"""Convolution of images: three primitives, each the derivative rule of the other two.

`convolution` maps images by weights, `data_gradient` maps the gradient of its output back to the
images (run forward it is the transposed convolution), `weight_gradient` to the weights. Images are
logically (N, C, H, W) with channels last in memory; weights are (out, in / groups, KH, KW).
"""

from dataclasses import dataclass

from .. import tape
from .._kernels import conv, memory
from ..operation import Operation
from .activation import rectified
from .shape import contiguous


@dataclass(frozen=True)
class Plan:
    """Sizes and parameters of one convolution, checked."""

    image: tuple   # (N, C, H, W)
    weight: tuple  # (O, C / groups, KH, KW)
    output: tuple  # (N, O, OH, OW)
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int

    @property
    def flops(self):
        """Floating-point operations of each of the three primitives."""
        _, per_group, kh, kw = self.weight
        n, o, oh, ow = self.output
        return 2 * n * o * oh * ow * per_group * kh * kw

    @property
    def parameters(self):
        """What the kernels take behind the arrays."""
        return self.stride, self.padding, self.dilation, self.groups


def channels_last(image):
    """The image itself if its channels are last in memory, else a copy, for several kernels."""
    return contiguous(image, "channels_last")


def _new_image(shape, dtype):
    """A channels-last array of logical shape (N, C, H, W), as (N, H, W, C)."""
    n, c, h, w = shape
    return memory.empty((n, h, w, c), dtype)


def _logical(image):
    return image.transpose(memory.FROM_CHANNELS_LAST)


def _forward(plan, x, weight, bias, below=1.0):
    out = _new_image(plan.output, x.dtype)
    conv.forward(memory.channels_last(x), memory.contiguous(weight), memory.contiguous(bias), out,
                 *plan.parameters, below)
    return _logical(out)


def _data_forward(plan, gradient, weight, bias, below=1.0):
    out = _new_image(plan.image, gradient.dtype)
    conv.data_gradient(memory.channels_last(gradient), memory.contiguous(weight),
                       memory.contiguous(bias), out, *plan.parameters, below)
    return _logical(out)


def _weight_forward(plan, x, gradient):
    return _weight_kernel(plan, x, gradient, None)


def _weight_kernel(plan, x, gradient, bias_out):
    out = memory.empty(plan.weight, x.dtype)
    conv.weight_gradient(memory.channels_last(x), memory.channels_last(gradient), out, bias_out,
                         *plan.parameters)
    return out


def _forward_rule(plan, node, gradient):
    x, weight = node.saved
    need_x, need_weight, need_bias = node.needs
    gradient = channels_last(gradient)
    d_x = data_gradient(plan, gradient, weight, None) if need_x else None
    if need_weight and need_bias and not tape.is_grad_enabled():
        bias_out = memory.empty(plan.weight[:1], x.dtype)
        d_weight = _weight_kernel(plan, x.array, gradient.array, bias_out)
        return d_x, tape.from_array(d_weight), tape.from_array(bias_out)
    d_weight = weight_gradient(plan, x, gradient) if need_weight else None
    return d_x, d_weight, gradient.sum((0, 2, 3)) if need_bias else None


def _data_rule(plan, node, gradient):
    image_gradient, weight = node.saved
    need_gradient, need_weight, need_bias = node.needs
    gradient = channels_last(gradient)
    return (convolution(plan, gradient, weight, None) if need_gradient else None,
            weight_gradient(plan, gradient, image_gradient) if need_weight else None,
            gradient.sum((0, 2, 3)) if need_bias else None)


def _weight_rule(node, gradient):
    x, output_gradient = node.saved
    need_x, need_output = node.needs
    return (data_gradient(node.plan, output_gradient, gradient, None) if need_x else None,
            convolution(node.plan, x, gradient, None) if need_output else None)


def _plain(name, forward, rule):
    return Operation(name, forward, lambda node, gradient: rule(node.plan, node, gradient),
                     saves=(0, 1))


convolution = _plain("convolution", _forward, _forward_rule)
rectified_convolution = rectified("convolution_rectified", _forward, _forward_rule)
data_gradient = _plain("convolution_data", _data_forward, _data_rule)
rectified_data_gradient = rectified("convolution_data_rectified", _data_forward, _data_rule)
weight_gradient = Operation("convolution_weight", _weight_forward, _weight_rule, saves=(0, 1))
