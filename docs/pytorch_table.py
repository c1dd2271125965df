"""What fastnn offers of PyTorch's public names: reads pytorch.toml, writes pytorch.md.

    python docs/pytorch_table.py

The tests compare the table with both packages, and the page with the table.
"""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).parent
STATES = ("same", "differs", "absent")
INTRODUCTION = """# fastnn and PyTorch, name by name

Made from `pytorch.toml` by `python docs/pytorch_table.py`; the tests compare it with both packages
(PyTorch 2.13). `same`: the same arguments, defaults, dtypes and semantics. A name that is not
offered is an `AttributeError`, never an approximation.
"""


def read():
    """{namespace: {"same": [names], "differs": {name: how}, "absent": {name or pattern: why}}}"""
    with open(HERE / "pytorch.toml", "rb") as file:
        table = tomllib.load(file)
    for entry in table.values():
        entry["same"] = entry.get("same", "").split()
        entry.setdefault("differs", {})
        entry["absent"] = {name: reason for reason, names in entry.get("absent", [])
                           for name in names.split()}
    return table


def states_of(entry, name):
    """All states that the table gives to a name: there should be one."""
    found = [state for state in ("same", "differs") if name in entry[state]]
    return found + ["absent"] * any(fnmatchcase(name, pattern) for pattern in entry["absent"])


def _section(namespace, entry):
    lines = [f"\n## `{namespace}`\n", f"Same ({len(entry['same'])}): "
             + (", ".join(f"`{name}`" for name in entry["same"]) or "none") + "."]
    if entry["differs"]:
        lines += ["\n| differs | how |", "|---|---|"]
        lines += [f"| `{name}` | {how} |" for name, how in entry["differs"].items()]
    reasons = {}
    for name, why in entry["absent"].items():
        reasons.setdefault(why, []).append(f"`{name}`")
    if reasons:
        lines += ["\n| not offered | why |", "|---|---|"]
        lines += [f"| {', '.join(names)} | {why} |" for why, names in reasons.items()]
    return "\n".join(lines) + "\n"


def page():
    """The text of pytorch.md."""
    return INTRODUCTION + "".join(_section(*item) for item in read().items())


if __name__ == "__main__":
    (HERE / "pytorch.md").write_text(page())
