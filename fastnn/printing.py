"""The text of a tensor, as PyTorch prints it."""

import numpy

PRECISION = 4
THRESHOLD = 1000
EDGE = 3


def tensor_text(tensor):
    """``tensor([...])`` with what cannot be seen from the numbers behind it."""
    array = tensor.array
    body = numpy.array2string(
        array, separator=", ", prefix="tensor(", threshold=THRESHOLD, edgeitems=EDGE,
        max_line_width=80, formatter=_formatter(array))
    suffix = ""
    if array.dtype not in (numpy.float32, numpy.int64, numpy.bool_):
        suffix += f", dtype={array.dtype}"
    if array.size == 0 and array.ndim != 1:
        suffix += f", size={array.shape}"
    if tensor.grad_fn is not None:
        suffix += f", grad_fn=<{tensor.grad_fn.name()}>"
    elif tensor.requires_grad:
        suffix += ", requires_grad=True"
    return f"tensor({body}{suffix})"


def _formatter(array):
    if array.dtype.kind != "f" or array.size == 0:
        return None
    finite = numpy.abs(array[numpy.isfinite(array)].astype(numpy.float64))
    nonzero = finite[finite > 0]
    if nonzero.size and (nonzero.max() >= 1e8 or nonzero.max() / nonzero.min() > 1e8
                         or nonzero.max() < 1e-4):
        text = f"{{:.{PRECISION}e}}".format
    elif (finite == numpy.floor(finite)).all():
        text = "{:.0f}.".format
    else:
        text = f"{{:.{PRECISION}f}}".format
    shown = [_text(value, text) for value in array.reshape(-1)[:THRESHOLD]]
    width = max(map(len, shown))
    return {"float_kind": lambda value: _text(value, text).rjust(width)}


def _text(value, text):
    return text(value) if numpy.isfinite(value) else str(value)
