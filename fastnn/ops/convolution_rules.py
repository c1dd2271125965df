"""Shape rules of convolution in one, two and three dimensions.

All run on the primitives for images. One dimension is an image of one row. Three are images too:
for each output plane the input planes under the kernel stand side by side as channels (`Depth`).
"""

from dataclasses import dataclass

from . import checks
from .convolution import Plan


@dataclass(frozen=True)
class Depth:
    """How the planes of volumes (N, C, D, H, W) are gathered into images (N OD, C KD, H, W)."""

    volume: tuple
    positions: int
    taps: int
    stride: int
    padding: int
    dilation: int
    groups: int

    def planes(self, tap):
        """The output planes that see an input plane at this tap, and those input planes."""
        start = tap * self.dilation - self.padding
        first = max(0, -(start // self.stride))
        last = max(first, min(self.positions, (self.volume[2] - 1 - start) // self.stride + 1))
        begin = start + first * self.stride
        return slice(first, last), slice(begin, begin + (last - first) * self.stride, self.stride)


@dataclass(frozen=True)
class Convolution:
    """A checked convolution: the plan for images, and the sizes before and after it."""

    big: tuple     # (N, C, ...), what a convolution reads and a transposed one writes
    small: tuple   # (N, O, ...), the other
    plan: Plan
    depth: Depth | None


def _groups(name, groups):
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{name}: groups must be a positive integer, got {groups!r}")
    return groups


def output_size(name, size, kernel, stride, padding, dilation):
    """Positions of a kernel along an axis; a ValueError if it is larger than the padded axis."""
    span = dilation * (kernel - 1) + 1
    if size + 2 * padding < span:
        raise ValueError(f"{name}: kernel of {span} (with dilation) is larger than its input of "
                         f"{size} with padding {padding}")
    return (size + 2 * padding - span) // stride + 1


def _same(name, sizes, kernel, stride, dilation):
    """Padding 'same': the sizes stay; where its total is odd the end gets one zero more."""
    if set(stride) != {1}:
        raise ValueError(f"{name}: padding 'same' needs stride 1, got {stride}")
    return tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)), sizes


def _reached(name, sizes, kernel, stride, padding, dilation):
    """(padding as numbers, output sizes)."""
    if padding == "same":
        return _same(name, sizes, kernel, stride, dilation)
    padding = 0 if padding == "valid" else padding
    padding = checks.numbers(name, "padding", padding, 0, len(sizes))
    return padding, tuple(output_size(name, *each) for each in zip(
        sizes, kernel, stride, padding, dilation, strict=True))


def _joined(big, small, weight, stride, padding, dilation, groups):
    """The convolution between sizes of any rank, on images."""
    (n, c, *sizes), (_, o, *positions), (_, per_group, *kernel) = big, small, weight
    depth = None
    if len(sizes) == 1:
        sizes, positions, kernel = [1, *sizes], [1, *positions], [1, *kernel]
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    elif len(sizes) == 3:
        depth = Depth(big, positions[0], kernel[0], stride[0], padding[0], dilation[0], groups)
        n, c, per_group = n * positions[0], c * kernel[0], per_group * kernel[0]
        sizes, positions, kernel = sizes[1:], positions[1:], kernel[1:]
        stride, padding, dilation = stride[1:], padding[1:], dilation[1:]
    plan = Plan((n, c, *sizes), (weight[0], per_group, *kernel), (n, o, *positions), stride,
                padding, dilation, groups)
    return Convolution(big, small, plan, depth)


def _check_kernel(name, weight, transposed):
    """Raise for weights that PyTorch refuses too; 0 input channels a convolution may have."""
    if min(weight[2:]) < 1:
        raise ValueError(f"{name}: weight of shape {weight} has an empty kernel")
    if not weight[0] or transposed and not weight[1]:
        raise ValueError(f"{name}: weight of shape {weight} has no channels")


@checks.remembered
def convolution_of(name, x, weight, stride, padding, dilation, groups):
    """Shape rule of the convolution of x (N, C, ...) by weight (O, C / groups, ...)."""
    n, c, *sizes = x
    o, per_group, *kernel = weight
    groups = _groups(name, groups)
    stride = checks.numbers(name, "stride", stride, 1, len(sizes))
    dilation = checks.numbers(name, "dilation", dilation, 1, len(sizes))
    if c != per_group * groups:
        raise ValueError(f"{name}: x has {c} channels, weight expects {per_group * groups}")
    if o % groups:
        raise ValueError(f"{name}: {o} output channels do not divide into {groups} groups")
    _check_kernel(name, weight, False)
    padding, reached = _reached(name, sizes, kernel, stride, padding, dilation)
    return _joined(x, (n, o, *reached), weight, stride, padding, dilation, groups)


@checks.remembered
def transposed_of(name, x, weight, stride, padding, output_padding, dilation, groups):
    """Shape rule of a transposed convolution: the convolution whose data gradient it is."""
    n, c, *sizes = x
    channels, per_group, *kernel = weight
    groups = _groups(name, groups)
    stride = checks.numbers(name, "stride", stride, 1, len(sizes))
    dilation = checks.numbers(name, "dilation", dilation, 1, len(sizes))
    padding = checks.numbers(name, "padding", padding, 0, len(sizes))
    extra = checks.numbers(name, "output_padding", output_padding, 0, len(sizes))
    if c != channels:
        raise ValueError(f"{name}: x has {c} channels, weight expects {channels}")
    if c % groups:
        raise ValueError(f"{name}: {c} channels do not divide into {groups} groups")
    _check_kernel(name, weight, True)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: output_padding {extra} must be smaller than stride {stride} or "
                         f"dilation {dilation}")
    result = tuple((size - 1) * s - 2 * p + d * (k - 1) + e + 1 for size, k, s, p, e, d in
                   zip(sizes, kernel, stride, padding, extra, dilation, strict=True))
    if min(result) < 1:
        raise ValueError(f"{name}: the result would have size {result}")
    return _joined((n, per_group * groups, *result), x, weight, stride, padding, dilation, groups)
