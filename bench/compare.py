"""Compare two runs of a benchmark: the ratios of their times, the worst first.

    python -m bench.compare A B [--history runs/history.jsonl]

A and B are `peers.json` or `operations.json`, or beginnings of commits in the history, of which the
last runs count. Prints B's time over A's for each figure that both have, and that of the control
loop, which varies only if the machine does: a figure that became slower by no more than the control
did says nothing about the change. The exit status is 1 if something became slower by more than a
tenth beyond that.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from . import history

SLOWER = 1.1  # than the control's ratio: what is reported by the exit status


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m bench.compare",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--history", type=Path, default=Path("runs") / history.NAME)
    return parser.parse_args(arguments)


def _of_file(path):
    record = json.loads(path.read_text())
    if "groups" in record:
        return history.of_peers(record)
    if "records" in record:
        return history.of_operations(record)
    sys.exit(f"bench.compare: {path} is no record of bench.peers or bench.operations")


def _of_commit(commit, path):
    if not path.is_file():
        sys.exit(f"bench.compare: {commit} is no file, and there is no history {path}")
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    runs = [run for run in runs if (run["machine"]["commit"] or "").startswith(commit)]
    if not runs:
        sys.exit(f"bench.compare: {commit} is no file, and no commit in {path}")
    figures = {}
    for run in runs:
        figures |= run["figures"]
    return figures, [time for run in runs for time in run["control"]]


def load(name, path):
    """(milliseconds by name, milliseconds of the control loop) of a file or a commit."""
    return _of_file(Path(name)) if Path(name).is_file() else _of_commit(name, path)


def ratios(a, b):
    """(B over A, name), the largest first, of the figures that both have."""
    return sorted(((b[name] / a[name], name) for name in a.keys() & b.keys()), reverse=True)


def main(arguments=None):
    options = parse(arguments)
    (a, control_a), (b, control_b) = (load(name, options.history)
                                      for name in (options.a, options.b))
    found = ratios(a, b)
    if not found:
        sys.exit("bench.compare: the two have no figure in common")
    machine = min(control_b) / min(control_a)
    for ratio, name in found:
        print(f"{ratio:7.3f}  {name:60} {a[name]:10.4f} {b[name]:10.4f} ms")
    mean = math.exp(sum(math.log(ratio) for ratio, _ in found) / len(found))
    print(f"{mean:7.3f}  geometric mean of {len(found)}\n{machine:7.3f}  control loop")
    return int(found[0][0] > SLOWER * max(1.0, machine))


if __name__ == "__main__":
    sys.exit(main())
