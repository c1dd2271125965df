"""Time the way to 99 % on MNIST from the start of the process: fastnn beside PyTorch.

    python -m bench.goal --data-dir FOLDER-OF-MNIST

`examples/mnist.py --model fast` and the same recipe for PyTorch (`bench/goal_in_torch.py`) take
turns; what counts is when a program says that it has reached the goal. What both do before (reading
the files, importing) counts as well, what the example does after it (its report) does not.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
WORDS = re.compile("test accuracy reached")  # and not: was not reached


def commands(folder, threads, out):
    """By library, the arguments of Python that reach the goal."""
    return {
        "fastnn": [str(ROOT / "examples" / "mnist.py"), "--model", "fast", "--dataset", "mnist",
                   "--data-dir", str(folder), "--threads", str(threads), "--out", out],
        "torch": ["-m", "bench.goal_in_torch", str(folder), str(threads)],
    }


def seconds(arguments):
    """From the start of a program to the line that says that the goal is reached."""
    start, reached = time.perf_counter(), None
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=log) as program:
        for line in program.stdout:
            if WORDS.search(line):
                reached = time.perf_counter() - start
        if program.wait() or reached is None:
            log.seek(0)
            sys.exit(f"bench.goal: {' '.join(arguments)}: {log.read().strip()[-500:]}")
    return reached


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.goal",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--threads", nargs="+", type=int, default=[len(os.sched_getaffinity(0))])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as out:
        for threads in options.threads:
            report(threads, turns(commands(options.data_dir, threads, out), options.rounds))


def turns(programs, rounds):
    """The times of each program, after one run of each that is not counted: it fills caches."""
    for arguments in programs.values():
        seconds(arguments)
    times = {library: [] for library in programs}
    for _ in range(rounds):
        for library, arguments in programs.items():
            times[library].append(seconds(arguments))
    return times


def report(threads, times):
    for library, each in times.items():
        print(f"threads {threads}  {library:8}min {min(each):6.2f} s   "
              f"median {median(each):6.2f} s")
    ours, theirs = times["fastnn"], times["torch"]
    print(f"threads {threads}  PyTorch / fastnn  min {min(theirs) / min(ours):.2f}   "
          f"median {median(theirs) / median(ours):.2f}", flush=True)


if __name__ == "__main__":
    main()
