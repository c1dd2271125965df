"""What a compiled function does, as a text."""

from collections import defaultdict
from functools import partial


def name_of(entry):
    """The name of a program's entry: a kernel's, or that of a function of Python."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, partial):
        return name_of(entry.func)
    for inner in ("function", "node", "operation"):
        if hasattr(entry, inner):
            return name_of(getattr(entry, inner))
    name = getattr(entry, "name", None) or getattr(entry, "__qualname__", repr(entry))
    return f"{name} (Python)"


def _line(name, count, seconds, total):
    share = 100 * seconds / total if total else 0
    return f"{count:6d} x {name:<44} {1e6 * seconds:10.1f} us {share:5.1f} %"


def explained(record, seconds):
    """One recording: its kernels by name with the time that they take, most of it first."""
    table = defaultdict(lambda: [0, 0.0])
    for entry, time in zip(record.program.listed(), seconds, strict=True):
        row = table[name_of(entry)]
        row[0] += 1
        row[1] += time
    total = sum(seconds)
    kernels = sum(isinstance(entry, str) for entry in record.program.listed())
    head = (f"{kernels} kernels, {len(seconds) - kernels} functions of Python, "
            f"{record.program.bytes:,} bytes of memory, {len(record.own)} arguments copied")
    rows = sorted(table.items(), key=lambda row: -row[1][1])
    return "\n".join([head, *(_line(name, count, time, total)
                              for name, (count, time) in rows)])
