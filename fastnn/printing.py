"""The text of a tensor, as PyTorch prints it."""

import numpy

PRECISION = 4
THRESHOLD = 1000  # elements; of larger tensors the edges are shown
EDGE = 3
LINE_WIDTH = 80
LEAST_PLAIN, LARGEST_PLAIN, LARGEST_RATIO = 1e-4, 1e8, 1000.0
PREFIX = "tensor("


def tensor_text(tensor):
    """``tensor([...])`` with what cannot be seen from the numbers behind it."""
    array = tensor.array
    cut = array.size > THRESHOLD
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
        fits = length + len(note) + 2 < LINE_WIDTH
        result += ", " + note if fits else ",\n" + " " * len(PREFIX) + note
        length = length + len(note) + 2 if fits else len(PREFIX) + len(note)
    return result + ")"


def _edges(array):
    """The elements that are shown of a large array."""
    for axis, size in enumerate(array.shape):
        if size > 2 * EDGE:
            array = numpy.take(array, [*range(EDGE), *range(size - EDGE, size)], axis)
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
    if (largest / least > LARGEST_RATIO or largest > LARGEST_PLAIN
            or (not whole and least < LEAST_PLAIN)):
        text = f"{{:.{PRECISION}e}}".format
    else:
        text = _whole if whole else f"{{:.{PRECISION}f}}".format
    return text, max(len(text(value)) for value in values.tolist())


def _whole(value):
    return f"{value:.0f}." if numpy.isfinite(value) else f"{value:.0f}"


def _rows(array, indent, text, width, cut):
    """The text of an array whose brackets stand ``indent`` characters from the left."""
    if not array.ndim:
        return text(array.item())
    cut_here = cut and len(array) > 2 * EDGE
    shown = [*array[:EDGE], *array[-EDGE:]] if cut_here else array
    if array.ndim == 1:
        parts = [text(value.item()).rjust(width) for value in shown]
    else:
        parts = [_rows(each, indent + 1, text, width, cut) for each in shown]
    if cut_here:
        parts.insert(EDGE, " ..." if array.ndim == 1 else "...")
    gap = "\n" * max(1, array.ndim - 1) + " " * (indent + 1)
    if array.ndim > 1:
        return "[" + ("," + gap).join(parts) + "]"
    count = max(1, (LINE_WIDTH - indent) // (width + 2))
    lines = [", ".join(parts[i:i + count]) for i in range(0, len(parts), count)]
    return "[" + ("," + gap).join(lines) + "]"
