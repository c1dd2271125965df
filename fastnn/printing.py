"""The text of a tensor, as PyTorch prints it."""

from types import SimpleNamespace

import numpy

PROFILES = {  # precision, threshold (elements; of larger tensors the edges are shown), edge
    "default": (4, 1000, 3), "short": (2, 1000, 2), "full": (4, float("inf"), 3)}
OPTIONS = SimpleNamespace(precision=4, threshold=1000, edgeitems=3, linewidth=80, sci_mode=None)
LEAST_PLAIN, LARGEST_PLAIN, LARGEST_RATIO = 1e-4, 1e8, 1000.0
PREFIX = "tensor("


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None,
                     sci_mode=None):
    """Change how tensors are printed.

    ``precision`` is the number of digits behind the point, ``threshold`` the number of elements
    beyond which only ``edgeitems`` of each end are shown, ``linewidth`` that of characters in a
    line; ``profile`` gives them together: ``"default"``, ``"short"`` or ``"full"``. ``sci_mode``
    says whether powers of ten are split off; by None, the default, the values do.
    """
    if profile is not None:
        if profile not in PROFILES:
            raise ValueError(f"set_printoptions: profile must be one of {', '.join(PROFILES)}, got "
                             f"{profile!r}")
        OPTIONS.precision, OPTIONS.threshold, OPTIONS.edgeitems = PROFILES[profile]
        OPTIONS.linewidth = 80
    given = dict(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth)
    vars(OPTIONS).update({name: value for name, value in given.items() if value is not None})
    OPTIONS.sci_mode = sci_mode


def tensor_text(tensor):
    """``tensor([...])`` with what cannot be seen from the numbers behind it."""
    array = tensor.array
    cut = array.size > OPTIONS.threshold
    text, width = _formatter(_edges(array) if cut else array)
    body = "[]" if not array.size else _rows(array, len(PREFIX), text, width, cut)
    notes = []
    if array.size == 0 and array.ndim != 1:
        notes.append(f"size={array.shape}")
    plain = (numpy.float32, numpy.int64, numpy.bool_) if array.size else (numpy.float32,)
    if array.dtype not in plain:
        notes.append(f"dtype={array.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    result = PREFIX + body
    length = len(result) - result.rfind("\n") - 1
    for note in notes:
        fits = length + len(note) + 2 < OPTIONS.linewidth
        result += ", " + note if fits else ",\n" + " " * len(PREFIX) + note
        length = length + len(note) + 2 if fits else len(PREFIX) + len(note)
    return result + ")"


def _edges(array):
    """The elements that are shown of a large array."""
    edge = OPTIONS.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = numpy.take(array, [*range(edge), *range(size - edge, size)], axis)
    return array


def _formatter(array):
    """(function that makes a value's text, width of the widest): of one form for all values."""
    if array.dtype.kind != "f":
        return str, max((len(str(value)) for value in array.ravel().tolist()), default=1)
    values = array[numpy.isfinite(array) & (array != 0)].astype(numpy.float64)
    if not values.size:
        return _whole, 1
    least, largest = numpy.abs(values).min(), numpy.abs(values).max()
    whole = (values == numpy.ceil(values)).all()
    scientific = OPTIONS.sci_mode
    if scientific is None:
        scientific = largest / least > LARGEST_RATIO or largest > LARGEST_PLAIN or (
            not whole and least < LEAST_PLAIN)
    if scientific:
        text = f"{{:.{OPTIONS.precision}e}}".format
    else:
        text = _whole if whole else f"{{:.{OPTIONS.precision}f}}".format
    return text, max(len(text(value)) for value in values.tolist())


def _whole(value):
    return f"{value:.0f}." if numpy.isfinite(value) else f"{value:.0f}"


def _rows(array, indent, text, width, cut):
    """The text of an array whose brackets stand ``indent`` characters from the left."""
    if not array.ndim:
        return text(array.item())
    cut_here = cut and len(array) > 2 * OPTIONS.edgeitems
    shown = [*array[:OPTIONS.edgeitems], *array[-OPTIONS.edgeitems:]] if cut_here else array
    if array.ndim == 1:
        parts = [text(value.item()).rjust(width) for value in shown]
    else:
        parts = [_rows(each, indent + 1, text, width, cut) for each in shown]
    if cut_here:
        parts.insert(OPTIONS.edgeitems, " ..." if array.ndim == 1 else "...")
    gap = "\n" * max(1, array.ndim - 1) + " " * (indent + 1)
    if array.ndim > 1:
        return "[" + ("," + gap).join(parts) + "]"
    count = max(1, (OPTIONS.linewidth - indent) // (width + 2))
    lines = [", ".join(parts[i:i + count]) for i in range(0, len(parts), count)]
    return "[" + ("," + gap).join(lines) + "]"
