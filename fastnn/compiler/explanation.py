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


def _line(name, count, seconds, products, traffic, total):
    share = 100 * seconds / total if total else 0
    text = (f"{count:6d} x {name:<44} {1e6 * seconds:10.1f} us {share:5.1f} % "
            f"{1e-6 * traffic:9.3f} MB")
    if not products:
        return text
    rate = f" {2e-9 * products / seconds:6.0f} GFLOP/s" if seconds else ""
    return f"{text} {2e-9 * products:9.4f} GFLOP{rate}"


def explained(record, seconds):
    """One recording: its kernels by name with the time that they take, most of it first.

    With each the size of the arrays that it reads or writes, and of products the floating-point
    operations that their definition has, two for each multiplication with its addition, however
    they are computed.
    """
    table = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    program = record.program
    entries, products, traffic = program.listed(), program.multiply_adds(), program.traffic()
    for entry, *amounts in zip(entries, seconds, products, traffic, strict=True):
        row = table[name_of(entry)]
        row[0] += 1
        row[1:] = map(sum, zip(row[1:], amounts, strict=True))
    total = sum(seconds)
    kernels = sum(isinstance(entry, str) for entry in entries)
    head = (f"{kernels} kernels, {len(seconds) - kernels} functions of Python, "
            f"{2e-9 * sum(products):.4f} GFLOP of products, {program.bytes:,} bytes of "
            f"memory, {len(record.own)} arguments copied")
    rows = sorted(table.items(), key=lambda row: -row[1][1])
    return "\n".join([head, *(_line(name, *row, total) for name, row in rows)])
