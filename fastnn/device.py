"""`device`: where a tensor lives, which is the CPU."""

KNOWN = ("cpu", "cuda", "mps", "xpu", "meta")


class device(str):
    """The name of a device such as ``"cpu"``: a string with PyTorch's ``type`` and ``index``.

    Names of devices that fastnn does not run on can be made, as in PyTorch without them; using one
    is an error.

    >>> import fastnn
    >>> fastnn.device("cuda" if fastnn.cuda.is_available() else "cpu")
    device(type='cpu')
    """

    __slots__ = ()

    def __new__(cls, type, index=None):
        text = str(type) if index is None else f"{type}:{index}"
        kind, _, number = text.partition(":")
        if kind not in KNOWN or (":" in text and not number.isdecimal()):
            raise RuntimeError(f"device: expected one of {KNOWN}, perhaps with an index, got "
                               f"{text!r}")
        return super().__new__(cls, text)

    @property
    def type(self):
        """The kind of device, ``"cpu"``."""
        return str(self).partition(":")[0]

    @property
    def index(self):
        """The number of the device, or None."""
        number = str(self).partition(":")[2]
        return int(number) if number else None

    def __repr__(self):
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"


def check_device(wanted):
    """Raise for any device but the CPU."""
    if wanted is not None and str(wanted).split(":")[0] != "cpu":
        raise ValueError(f"device: fastnn is for CPUs, got {str(wanted)!r}")


CPU = device("cpu")
