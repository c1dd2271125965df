"""Check that a training step takes no more memory the thousandth time than the hundredth.

    python -m bench.steady [--workloads lstm gpt ...] [--library fastnn] [--steps 100 1000]

Prints the resident memory after the first and after the last of the steps and, of fastnn, the bytes
of its arena in use, kept and at their peak, which must be exactly equal. Exits with 1 if they are
not, or if the resident memory has grown by more than 2 MB.
"""

import argparse
import os
import sys

from .process import Worker, WorkerError
from .variants import LIBRARIES, OURS
from .workloads import WORKLOADS

ALLOWED = 2 << 20  # bytes; the C library, too, keeps some
TIMEOUT = 3600.0


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m bench.steady", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--library", choices=LIBRARIES, default=OURS)
    parser.add_argument("--steps", nargs=2, type=int, default=(100, 1000), metavar="N")
    options = parser.parse_args(arguments)
    if not 0 < options.steps[0] < options.steps[1]:
        parser.error(f"--steps: two rising numbers are needed, {options.steps} given")
    return options


def measure(library, workload, steps):
    """The memory after each of two numbers of steps, in a process of its own."""
    worker = Worker(1, {})
    try:
        core = min(os.sched_getaffinity(0))
        worker.ask(
            TIMEOUT,
            do="build",
            library=library,
            options=[],
            workload=workload,
            threads=1,
            cores=[core],
            steps=1,
        )
        return worker.ask(TIMEOUT, do="steady", steps=steps)["memory"]
    finally:
        worker.close()


def is_steady(early, late):
    """Whether neither the process nor the arena has grown."""
    grown = late["resident"] - early["resident"]
    return grown <= ALLOWED and early["arena"] == late["arena"]


def line(workload, early, late):
    """One row of the table."""
    megabytes = [f"{each['resident'] / 2**20:10.2f}" for each in (early, late)]
    arena = (
        ""
        if not late["arena"]
        else "  arena "
        + ", ".join(
            f"{name} {early['arena'][name]} to {value}"
            if early["arena"][name] != value
            else f"{name} {value}"
            for name, value in late["arena"].items()
        )
    )
    verdict = "steady" if is_steady(early, late) else "GROWS"
    return f"{workload:10}{''.join(megabytes)}  {verdict}{arena}"


def main(arguments=None):
    options = parse(arguments)
    first, last = options.steps
    print(f"resident memory in MB after {first} and {last} steps of {options.library}")
    failed = False
    for workload in options.workloads:
        try:
            early, late = measure(options.library, workload, options.steps)
        except WorkerError as error:
            print(f"{workload:10}  FAILED: {error}")
            failed = True
            continue
        print(line(workload, early, late), flush=True)
        failed = failed or not is_steady(early, late)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
