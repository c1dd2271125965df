"""Compare operations, forward and backward, with PyTorch.

    python -m bench.operations [--only softmax LSTM] [--threads 1 2] [--rounds 3] [--out DIR]
    python -m bench.operations --table neighbours

The table `neighbours` holds layers at sizes beside those of the training steps of `bench.peers`.

Each library runs in a process of its own on the same cores, and sleeps while the other has its
turn. Both must compute the same. Images are given to both in either layout; the faster one
counts. Prints a table with the ratio of the minima, and the geometric mean; writes
`operations.json`, or `neighbours.json`.
"""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from . import history, machine
from .process import Worker
from .workloads import neighbours, operations

VARIANTS = (("fastnn", False), ("fastnn", True), ("torch", False), ("torch", True))
WITH_LAYOUTS = ("norm", "pool", "convolution", "transposed")  # in the name: the input is images
BLOCK_SECONDS, TURN_SECONDS, TIMEOUT = 0.005, 0.06, 120.0
TOLERANCE = 2e-3
ROUNDED_ZERO = 1e-6  # what sums of terms near 1 leave of 0: attention to one key alone 1.1e-7
TABLES = {"operations": operations.CASES, "neighbours": neighbours.CASES}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m bench.operations",
                                     description=__doc__.split("\n")[0])
    available = len(os.sched_getaffinity(0))
    parser.add_argument("--table", choices=TABLES, default="operations")
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    parser.add_argument("--threads", nargs="+", type=int, metavar="N",
                        default=[n for n in (1, 2) if n <= available])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/operations"))
    return parser.parse_args(arguments)


def turn(worker):
    """Times of some blocks of steps of what the worker has ready."""
    once = worker.ask(TIMEOUT, do="run", warm=1, blocks=2, steps=1)["seconds"]
    steps = max(1, round(BLOCK_SECONDS / min(once)))
    blocks = max(2, round(TURN_SECONDS / (steps * min(once))))
    return worker.ask(TIMEOUT, do="run", warm=1, blocks=blocks, steps=steps)["seconds"]


def check_equal(name, size, sums):
    first, *others = sums.values()
    for other in others:
        for a, b in zip(first, other, strict=True):
            if not math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=ROUNDED_ZERO):
                raise SystemExit(f"{name}, {size}: the libraries differ: {sums}")


def compare(name, size, threads, cores, workers, options):
    """The record of one case; all variants of it are made ready and timed in turn."""
    layouts = any(part in name for part in WITH_LAYOUTS) and "layer" not in name
    chosen = [variant for variant in VARIANTS if layouts or not variant[1]]
    best, sums = {variant: [] for variant in chosen}, {}
    for _ in range(options.rounds):
        for variant in chosen:
            library, channels_last = variant
            worker = workers[library]
            worker.resume()
            sums[variant] = worker.ask(
                TIMEOUT, do="operation", library=library, table=options.table, name=name, size=size,
                channels_last=channels_last, threads=threads, cores=cores)["sums"]
            best[variant] += turn(worker)
            worker.suspend()
    check_equal(name, size, sums)
    ours, peer = (min(min(times) for variant, times in best.items() if variant[0] == library)
                  for library in ("fastnn", "torch"))
    return {"name": name, "size": size, "threads": threads, "fastnn_ms": ours * 1e3,
            "torch_ms": peer * 1e3, "ratio": peer / ours}


def mean_ratio(records):
    return math.exp(sum(math.log(record["ratio"]) for record in records) / len(records))


def measure(threads, options, cores):
    workers = {library: Worker(threads, {}) for library in ("fastnn", "torch")}
    records = []
    try:
        for name, (_, sizes) in TABLES[options.table].items():
            if options.only and not any(part in name for part in options.only):
                continue
            for size in sizes:
                record = compare(name, size, threads, cores, workers, options)
                records.append(record)
                print(f"{name:40} {size:16} {threads:2} {record['fastnn_ms']:10.4f}"
                      f" {record['torch_ms']:10.4f} {record['ratio']:7.2f}", flush=True)
    finally:
        for worker in workers.values():
            worker.close()
    return records


def main(arguments=None):
    options = parse(arguments)
    print(f"{'operation':40} {'size':16} {'t':>2} {'fastnn ms':>10} {'torch ms':>10} {'ratio':>7}")
    cores = sorted(os.sched_getaffinity(0))
    records, control = [], [machine.control(cores[0])]
    for threads in options.threads:
        found = measure(threads, options, cores[:threads])
        print(f"geometric mean at {threads}: {mean_ratio(found):.2f}; below 1: "
              f"{sum(record['ratio'] < 1 for record in found)} of {len(found)}")
        records += found
        control.append(machine.control(cores[0]))
    record = {"machine": machine.describe(), "control_ms": control, "records": records}
    history.append(options.out, options.table, record["machine"], *history.of_operations(record))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.table}.json").write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
