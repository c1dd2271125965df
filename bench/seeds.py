"""Train an example with fastnn and with PyTorch, from several seeds, and compare the medians.

    python -m bench.seeds examples/gan.py --model mlp --seeds 0 1 2 --out runs/seeds/gan-mlp

What is not said here goes to the example. Each run has a folder of its own under --out and a log
beside it; a run that has ended is not repeated, and one that was interrupted is resumed, so a
folder serves one example and one set of arguments. Prints for each number of the reports its median
and the runs' values, and writes `seeds.json`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from fastnn.serialization import write_atomically

WITH = {"fastnn": [], "torch": ["-m", "bench.in_torch"]}
NOT_COMPARED = ("settings", "epochs", "version")  # the entries of a report


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m bench.seeds",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("example", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument("--libraries", nargs="+", choices=WITH, default=list(WITH))
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_known_args(arguments)


def claim(options, arguments):
    """Note what the folder's runs are of; exit if it holds others, which are not to be compared."""
    note, wanted = options.out / "runs.json", {"example": options.example.name,
                                               "arguments": arguments}
    if note.is_file() and (found := json.loads(note.read_text())) != wanted:
        sys.exit(f"bench.seeds: --out: {options.out} holds runs of {found}, not of {wanted}")
    options.out.mkdir(parents=True, exist_ok=True)
    write_atomically(note, json.dumps(wanted).encode())


def report_of(library, seed, options, arguments):
    """The report of one run, which is done if it has not been."""
    out = options.out / f"{library}-{seed}"
    if not (out / "report.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        resume = ["--resume"] if (out / "checkpoint.safetensors").is_file() else []
        command = [sys.executable, *WITH[library], str(options.example), *arguments,
                   "--seed", str(seed), "--out", str(out), *resume]
        with open(options.out / f"{library}-{seed}.log", "a") as log:
            done = subprocess.run(command, stdout=log, stderr=log)
        if done.returncode:
            sys.exit(f"bench.seeds: exit status {done.returncode}; see {log.name}")
    return json.loads((out / "report.json").read_text())


def numbers(report, prefix=""):
    """The numbers of a report by their names, those of its parts with the part's name before."""
    found = {}
    for name, value in report.items():
        if isinstance(value, dict):
            found |= numbers(value, f"{prefix}{name} ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[prefix + name] = value
    return found


def medians(reports):
    """By name and library: (median, values), of what the reports of each library all have."""
    values = {}
    for library, each in reports.items():
        tables = [numbers({name: value for name, value in report.items()
                           if name not in NOT_COMPARED}) for report in each]
        for name in tables[0]:
            if all(name in table for table in tables):
                column = [table[name] for table in tables]
                values.setdefault(name, {})[library] = statistics.median(column), column
    return values


def lines(values):
    """A table of medians and values."""
    for name, by_library in values.items():
        for library, (median, column) in by_library.items():
            shown = ", ".join(f"{value:.4g}" for value in column)
            yield f"{name:45}{library:8}{median:10.4g}   ({shown})"


def main(arguments=None):
    options, rest = parse(arguments)
    claim(options, rest)
    reports = {library: [] for library in options.libraries}
    for seed in options.seeds:
        for library in options.libraries:
            reports[library].append(report_of(library, seed, options, rest))
    values = medians(reports)
    print(*lines(values), sep="\n")
    write_atomically(options.out / "seeds.json", json.dumps(
        {"example": str(options.example), "arguments": rest, "seeds": options.seeds,
         "medians": values}, indent=2).encode())


if __name__ == "__main__":
    main()
