"""Convolution: three primitives, each the derivative rule of the other two.

`convolution` maps images by weights, `data_gradient` maps the gradient of its output back to the
images (run forward it is the transposed convolution), `weight_gradient` to the weights. Images are
logically (N, C, H, W) with channels last in memory; weights are (out, in / groups, KH, KW).
"""

from dataclasses import dataclass

from .. import tape
from .. import tensor as tensors
from .._kernels import conv, memory
from ..op import Operation
from ..registry import case, floats, public
from . import checks
from .shape import reshape


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


def _new_image(shape, dtype):
    """A channels-last array of logical shape (N, C, H, W), as (N, H, W, C)."""
    n, c, h, w = shape
    return memory.empty((n, h, w, c), dtype)


def _logical(image):
    return image.transpose(memory.FROM_CHANNELS_LAST)


def _forward(plan, x, weight, bias):
    out = _new_image(plan.output, x.dtype)
    conv.forward(memory.channels_last(x), memory.contiguous(weight), memory.contiguous(bias), out,
                 *plan.parameters)
    return _logical(out)


def _data_forward(plan, gradient, weight, bias):
    out = _new_image(plan.image, gradient.dtype)
    conv.data_gradient(memory.channels_last(gradient), memory.contiguous(weight),
                       memory.contiguous(bias), out, *plan.parameters)
    return _logical(out)


def _weight_forward(plan, x, gradient):
    return _weight_kernel(plan, x, gradient, None)


def _weight_kernel(plan, x, gradient, bias_out):
    out = memory.empty(plan.weight, x.dtype)
    conv.weight_gradient(memory.channels_last(x), memory.channels_last(gradient), out, bias_out,
                         *plan.parameters)
    return out


def _forward_rule(node, gradient):
    plan = node.plan
    x, weight = node.saved
    need_x, need_weight, need_bias = node.needs
    d_x = data_gradient(plan, gradient, weight, None) if need_x else None
    if need_weight and need_bias and not tape.is_grad_enabled():
        bias_out = memory.empty(plan.weight[:1], x.dtype)
        d_weight = _weight_kernel(plan, x.array, gradient.array, bias_out)
        return d_x, tape.from_array(d_weight), tape.from_array(bias_out)
    d_weight = weight_gradient(plan, x, gradient) if need_weight else None
    return d_x, d_weight, gradient.sum((0, 2, 3)) if need_bias else None


def _data_rule(node, gradient):
    plan = node.plan
    image_gradient, weight = node.saved
    need_gradient, need_weight, need_bias = node.needs
    return (convolution(plan, gradient, weight, None) if need_gradient else None,
            weight_gradient(plan, gradient, image_gradient) if need_weight else None,
            gradient.sum((0, 2, 3)) if need_bias else None)


def _weight_rule(node, gradient):
    x, output_gradient = node.saved
    need_x, need_output = node.needs
    return (data_gradient(node.plan, output_gradient, gradient, None) if need_x else None,
            convolution(node.plan, x, gradient, None) if need_output else None)


convolution = Operation("convolution", _forward, _forward_rule, saves=(0, 1))
data_gradient = Operation("convolution_data", _data_forward, _data_rule, saves=(0, 1))
weight_gradient = Operation("convolution_weight", _weight_forward, _weight_rule, saves=(0, 1))


def _images(name, input, weight, bias):
    """Check types and ranks; return the input with a batch dimension."""
    checks.floating(name, input=tensors.as_tensor(name, input), weight=weight, bias=bias)
    checks.dimensions(name, "weight", weight, 4)
    checks.dimensions(name, "input", input, 3, 4)
    return input if input.ndim == 4 else reshape(input, 1, *input.shape)


def _groups(name, groups):
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{name}: groups must be a positive integer, got {groups!r}")
    return groups


def _check_bias(name, bias, channels):
    if bias is not None and bias.array.shape != (channels,):
        raise ValueError(f"{name}: bias has shape {tuple(bias.shape)}, expected ({channels},)")


def _padding(name, padding, kernel, stride, dilation):
    """Padding as numbers; 'same' is possible with stride 1 and an even total."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return checks.pair(name, "padding", padding, 0)
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if stride != (1, 1):
        raise ValueError(f"{name}: padding 'same' needs stride 1, got {stride}")
    if total[0] % 2 or total[1] % 2:
        raise ValueError(f"{name}: padding 'same' needs an odd kernel, got {kernel}")
    return total[0] // 2, total[1] // 2


def output_size(name, size, kernel, stride, padding, dilation):
    """Positions of a kernel along an axis; a ValueError if it is larger than the padded axis."""
    span = dilation * (kernel - 1) + 1
    if size + 2 * padding < span:
        raise ValueError(f"{name}: kernel of {span} (with dilation) is larger than its input of "
                         f"{size} with padding {padding}")
    return (size + 2 * padding - span) // stride + 1


@checks.remembered
def _conv2d_plan(name, x, weight, stride, padding, dilation, groups):
    """Shape rule of the convolution of x (N, C, H, W) by weight (O, C / groups, KH, KW)."""
    n, c, h, w = x
    o, per_group, *kernel = weight
    groups = _groups(name, groups)
    stride = checks.pair(name, "stride", stride, 1)
    dilation = checks.pair(name, "dilation", dilation, 1)
    padding = _padding(name, padding, kernel, stride, dilation)
    if c != per_group * groups:
        raise ValueError(f"{name}: x has {c} channels, weight expects {per_group * groups}")
    if o % groups:
        raise ValueError(f"{name}: {o} output channels do not divide into {groups} groups")
    if min(kernel) < 1:
        raise ValueError(f"{name}: weight of shape {weight} has an empty kernel")
    sizes = [output_size(name, *each) for each in zip((h, w), kernel, stride, padding, dilation,
                                                      strict=True)]
    return Plan(x, weight, (n, o, *sizes), stride, padding, dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 6, 5), floats(4, 3, 3, 2), floats(4)),
    case(floats(2, 1, 7, 7), floats(3, 1, 3, 3), stride=2, padding=1),
    case(floats(1, 4, 6, 6), floats(6, 2, 3, 3), floats(6), groups=2, dilation=2, padding=(2, 1)),
    case(floats(2, 3, 5, 5), floats(3, 1, 3, 3), groups=3, padding="same"),
    case(floats(3, 5, 5), floats(2, 3, 1, 1), floats(2)),
    case(floats(2, 2, 9, 8), floats(5, 2, 4, 4), floats(5), stride=(2, 3), padding=1)])
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlate images (N, C, H, W), or one (C, H, W), with weights (O, C / groups, KH, KW).

    ``stride``, ``padding`` and ``dilation`` are numbers or (vertical, horizontal); ``padding`` may
    be ``"valid"`` or ``"same"``. The result is (N, O, OH, OW) with
    ``OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1``, its channels last in memory.

    >>> import fastnn
    >>> image, weight = fastnn.ones(1, 1, 3, 3), fastnn.ones(1, 1, 2, 2)
    >>> fastnn.nn.functional.conv2d(image, weight)
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    x = _images("conv2d", input, weight, bias)
    plan = _conv2d_plan("conv2d", x.array.shape, weight.array.shape, stride, padding, dilation,
                        groups)
    _check_bias("conv2d", bias, plan.output[1])
    result = convolution(plan, x, weight, bias)
    return result if input.ndim == 4 else reshape(result, *plan.output[1:])


@checks.remembered
def _transpose_plan(name, x, weight, stride, padding, output_padding, dilation, groups):
    """Shape rule of conv_transpose2d: the plan of the convolution whose data gradient it is."""
    n, c, h, w = x
    channels, per_group, *kernel = weight
    groups = _groups(name, groups)
    stride = checks.pair(name, "stride", stride, 1)
    dilation = checks.pair(name, "dilation", dilation, 1)
    padding = checks.pair(name, "padding", padding, 0)
    extra = checks.pair(name, "output_padding", output_padding, 0)
    if c != channels:
        raise ValueError(f"{name}: x has {c} channels, weight expects {channels}")
    if c % groups:
        raise ValueError(f"{name}: {c} channels do not divide into {groups} groups")
    if min(kernel) < 1:
        raise ValueError(f"{name}: weight of shape {weight} has an empty kernel")
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: output_padding {extra} must be smaller than stride {stride} or "
                         f"dilation {dilation}")
    sizes = [(size - 1) * s - 2 * p + d * (k - 1) + e + 1 for size, k, s, p, e, d in
             zip((h, w), kernel, stride, padding, extra, dilation, strict=True)]
    if min(sizes) < 1:
        raise ValueError(f"{name}: the result would have size {tuple(sizes)}")
    return Plan((n, per_group * groups, *sizes), weight, x, stride, padding, dilation, groups)


@public("functional", "fastnn", cases=[
    case(floats(2, 3, 4, 5), floats(3, 2, 3, 3), floats(2)),
    case(floats(2, 4, 4, 4), floats(4, 3, 4, 4), floats(3), stride=2, padding=1),
    case(floats(1, 4, 3, 4), floats(4, 1, 3, 2), stride=(2, 3), output_padding=(1, 2), groups=2,
         dilation=(2, 1)),
    case(floats(3, 4, 4), floats(3, 2, 2, 2))])
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """The data gradient of ``conv2d`` run forward: images (N, C, H, W) by weights
    (C, O / groups, KH, KW) to (N, O, OH, OW) with
    ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.

    >>> import fastnn
    >>> image, weight = fastnn.ones(1, 1, 1, 1), fastnn.ones(1, 1, 2, 2)
    >>> fastnn.nn.functional.conv_transpose2d(image, weight).shape
    fastnn.Size([1, 1, 2, 2])
    """
    x = _images("conv_transpose2d", input, weight, bias)
    plan = _transpose_plan("conv_transpose2d", x.array.shape, weight.array.shape, stride, padding,
                           output_padding, dilation, groups)
    _check_bias("conv_transpose2d", bias, plan.image[1])
    result = data_gradient(plan, x, weight, bias)
    return result if input.ndim == 4 else reshape(result, *plan.image[1:])
