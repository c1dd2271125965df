"""Compare one training step of fastnn with PyTorch, TensorFlow and JAX.

    python -m bench.peers [--workloads mlp lenet gpt ...] [--threads 1 2]
                          [--peers torch tensorflow jax] [--rounds 5] [--out runs/peers] [--quick]

Every variant (a library with one choice of settings) runs in a process of its own, on the same
cores with the same number of threads; turns are interleaved, A B C A B C, and whoever has no turn
is stopped. All start from the same weights on the same batch and must show the same losses, the
same number of parameters, and a loss that falls. The fastest variant of a library stands for it.
Prints tables; writes `peers.json` and `peers.png`.
"""

import argparse
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from . import history, machine, report
from .race import QUICK, Settings, compare
from .variants import LIBRARIES, OURS, installed
from .workloads import WORKLOADS


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__.split("\n")[0]
    )
    peers = [library for library in LIBRARIES if library != OURS]
    available = len(os.sched_getaffinity(0))
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    usual = [threads for threads in (1, 2) if threads <= available]
    parser.add_argument("--threads", nargs="+", type=int, default=usual, metavar="N")
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers)
    parser.add_argument("--rounds", type=int, default=None, help="turns of each variant (5)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/peers"), help="folder of the results"
    )
    parser.add_argument("--quick", action="store_true", help="one round of few steps, not compiled")
    options = parser.parse_args(arguments)
    if not all(1 <= threads <= available for threads in options.threads):
        parser.error(f"--threads: {options.threads} given, 1 to {available} are available")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds: {options.rounds} given, at least 1 is needed")
    return options


def main(arguments=None):
    options = parse(arguments)
    settings = QUICK if options.quick else Settings()
    if options.rounds is not None:
        settings = replace(settings, rounds=options.rounds)
    libraries = [OURS, *options.peers]
    present = [library for library in libraries if installed(library)]
    record = {
        "machine": machine.describe(),
        "settings": asdict(settings),
        "not_installed": [library for library in libraries if library not in present],
        "groups": [],
    }
    for threads in options.threads:
        for name in options.workloads:
            group = compare(WORKLOADS[name], threads, present, settings)
            record["groups"].append(group)
            print(report.details(group), flush=True)
            report.write_record(record, options.out)
    print(report.summary(record))
    history.append(options.out, "peers", record["machine"], *history.of_peers(record))
    picture = report.write_picture(record, options.out)
    print(f"wrote {options.out / 'peers.json'} and {picture or 'no picture, without matplotlib'}")
    failed = any("error" in result for group in record["groups"] for result in group["results"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
