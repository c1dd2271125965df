"""Hash what training steps and operations compute: results that a change may not alter.

    python -m bench.digest [--threads 1 2] [--steps 5]

Prints a hash of the losses of some steps of each of the workloads of `bench.peers`, eager and
compiled, and one of the outputs and gradients of each operation of `bench.operations`. The same
lines before and after a change mean the same bits.
"""

import argparse
import hashlib
import sys

import fastnn

from .workloads import WORKLOADS, fastnn_steps, operations


def of_steps(name, options, steps):
    """The hash of a workload's losses."""
    fastnn.manual_seed(0)
    program = fastnn_steps.build(name, options)
    digest = hashlib.sha256()
    for _ in range(steps):
        digest.update(repr(program.run(1)).encode())
    return digest.hexdigest()[:16]


def of_operation(name, size):
    """The hash of what an operation gives, and of the means of it and its gradients."""
    fastnn.manual_seed(0)
    program, sums = operations.build(fastnn, operations.CASES[name], size, False)
    digest = hashlib.sha256(repr(sums).encode())
    digest.update(program.step().detach().numpy().tobytes())
    return digest.hexdigest()[:16]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.digest",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--workloads", nargs="*", choices=WORKLOADS, default=list(WORKLOADS))
    options = parser.parse_args(arguments)
    for threads in options.threads:
        fastnn.set_num_threads(threads)
        for name in options.workloads:
            for settings in ((), ("compile",)):
                found = of_steps(name, settings, options.steps)
                print(f"{found}  {' '.join((name, *settings))}, {threads} threads", flush=True)
        for name, (_, sizes) in operations.CASES.items():
            for size in sizes:
                print(f"{of_operation(name, size)}  {name} {size}, {threads} threads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
