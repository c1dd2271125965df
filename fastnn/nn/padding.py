"""Padding as modules."""

from ..ops import checks, padding
from .module import Module


class _Padding(Module):
    """A rim around the last dimensions, of one width or (low, high) from the last one on."""

    mode, value = "constant", None

    def __init__(self, padding):
        super().__init__()
        rims = padding if isinstance(padding, (tuple, list)) else (padding,) * self.rims
        self.padding = checks.shape_argument(type(self).__name__, (tuple(rims),))
        if len(self.padding) != self.rims:
            raise ValueError(f"{type(self).__name__}: padding must be an integer or {self.rims} of "
                             f"them, got {padding!r}")

    def forward(self, input):
        return padding.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPad(_Padding):
    """A rim of one value."""

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


def _padding_of(name, base, dimensions, mode, holds):
    return type(name, (base,), {
        "rims": 2 * dimensions, "mode": mode, "__module__": "fastnn.nn", "__qualname__": name,
        "__doc__": f"`pad` of the last {dimensions} dimensions with {holds}; ``padding`` is one "
                   f"width or {2 * dimensions}, from the last dimension on."})


MODULES = {
    f"{kind}{dimensions}d": _padding_of(f"{kind}{dimensions}d", base, dimensions, mode, holds)
    for kind, base, mode, holds in (
        ("ZeroPad", _Padding, "constant", "zeros"),
        ("ConstantPad", _ConstantPad, "constant", "``value``"),
        ("ReflectionPad", _Padding, "reflect", "the elements mirrored at the outermost one"),
        ("ReplicationPad", _Padding, "replicate", "the outermost element"),
        ("CircularPad", _Padding, "circular", "the elements of the other end"))
    for dimensions in (1, 2, 3)}

globals().update(MODULES)
