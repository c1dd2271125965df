"""Predict each training step from what its kernels multiply and move; compare with the clock.

    python -m bench.cost [--workloads mlp gpt ...] [--threads 1 2] [--cores 8 16 64]

A step takes, by this model, the sum over its kernels of

    operations / rate of their kind + bytes of their arrays / bandwidth + dispatch
    (+ one hand-off for each kernel that is shared by threads)

and a part for the call, each function of Python and the optimizer's passes over the parameters.
Operations and bytes are those of `compiled.explain()`. The constants are measured first, on shapes
that no workload has. For more cores than the largest number of threads it takes rates that grow
with the cores, bandwidth too, up to `--bandwidth`, and hand-offs that grow with their logarithm.
"""

import argparse
import math
import sys
from dataclasses import dataclass

import fastnn

from . import constants
from .workloads import WORKLOADS, fastnn_steps

PASSES = {"SGD": 3, "Adam": 7, "AdamW": 7}  # of reading or writing the parameters


@dataclass
class Model:
    """The constants of one number of threads, in operations, bytes and seconds."""

    rates: dict
    gathering: float
    call: float
    dispatch: float
    hand_off: float

    @classmethod
    def measured(cls):
        rates = constants.rates()
        return cls(rates, constants.gathering(rates["convolutions"]), *constants.dispatch(),
                   constants.hand_off())

    def expected(self, step, cores=1, most=math.inf):
        """Seconds that a step takes; on ``cores`` times the cores with ``most`` bytes a second."""
        speed = min(cores * step.bandwidth, most)
        hand_off = self.hand_off * (1 + math.log2(cores))
        total = self.call + step.updated / speed
        for entry in step.entries:
            if entry.kind == "Python":
                total += step.python
                continue
            slow = min(speed, cores * self.gathering) if entry.kind == "convolutions" else speed
            total += self.dispatch + entry.bytes / slow + hand_off * entry.shared
            if entry.operations:
                total += entry.operations / self.rates[entry.kind] / cores
        return total


@dataclass
class Step:
    """What is known of a workload's step: its recording, and constants of memory of its size."""

    entries: list
    updated: float    # bytes that the optimizers read and write
    bandwidth: float  # bytes a second
    python: float     # seconds of a function
    seconds: float    # measured

    @classmethod
    def measured(cls, name):
        workload, step = WORKLOADS[name], fastnn_steps.build(name, ("compile",)).step
        seconds = constants.least_seconds(step, 40)
        parameters = constants.WORDS * workload.parameters
        size = step.records()[-1].program.bytes + 4 * parameters  # with gradients and averages
        return cls(constants.entries_of(step), parameters * PASSES[workload.optimizer],
                   constants.bandwidth(size), constants.python(size), seconds)


def knee(model, step, threads, most):
    """The least number of cores, in doublings, at which twice as many gain less than 1.5 times."""
    cores = 1
    while model.expected(step, cores, most) >= 1.5 * model.expected(step, 2 * cores, most):
        cores *= 2
    return cores * threads


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.cost",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--cores", nargs="*", type=int, default=[8, 16, 64])
    parser.add_argument("--bandwidth", type=float, default=200.0,
                        help="GB/s that many cores have together (200)")
    options = parser.parse_args(arguments)
    for threads in options.threads:
        fastnn.set_num_threads(threads)
        print(report(options, threads), flush=True)
    return 0


def report(options, threads):
    model, most = Model.measured(), 1e9 * options.bandwidth
    more = [cores for cores in options.cores if cores > threads == max(options.threads)]
    lines = [f"{threads} threads: " + ", ".join(
        f"{kind} {rate * 1e-9:.0f} GFLOP/s" for kind, rate in model.rates.items()),
        f"convolutions' arrays {model.gathering * 1e-9:.1f} GB/s, call {model.call * 1e6:.1f} us, "
        f"kernel {model.dispatch * 1e6:.2f} us, hand-off {model.hand_off * 1e6:.1f} us",
        f"{'ms':10} {'measured':>9} {'expected':>9} {'ratio':>6} {'GB/s':>6}"
        + "".join(f"{f'{cores} cores':>10}" for cores in more) + "   stops at" * bool(more)]
    for name in options.workloads:
        step = Step.measured(name)
        wanted = model.expected(step)
        further = [model.expected(step, cores / threads, most) for cores in more]
        stops = f"{knee(model, step, threads, most):11}" if more else ""
        lines.append(f"{name:10} {1e3 * step.seconds:9.3f} {1e3 * wanted:9.3f} "
                     f"{wanted / step.seconds:6.2f} {1e-9 * step.bandwidth:6.1f}"
                     + "".join(f"{1e3 * each:10.3f}" for each in further) + stops)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
