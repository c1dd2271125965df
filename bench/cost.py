"""Predict each training step from what its kernels multiply and move; compare with the clock.

    python -m bench.cost [--workloads mlp gpt ...] [--threads 1 2] [--cores 8 16 64]

A step takes, by this model, the sum over its kernels of

    operations / rate of their kind + bytes of their arrays / bandwidth + dispatch
    (+ one hand-off for each kernel that is shared by threads)

and a part for the call, each function of Python and the optimizer's passes over the parameters.
Operations and bytes are those of `compiled.explain()`. The constants are measured first, on shapes
that no workload has: so the model has nothing to fit to. For more cores than there are it takes
rates that grow with the cores, bandwidth too, up to `--bandwidth`, and hand-offs that grow with
their logarithm.
"""

import argparse
import math
import sys
import time
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

    def expected(self, entries, workload, footprint, cores=1, most=math.inf):
        """Seconds that the step takes; on ``cores`` times the cores with ``most`` bytes a second.
        """
        speed = min(cores * constants.bandwidth(footprint), most)
        hand_off = self.hand_off * (1 + math.log2(cores))
        updated = constants.WORDS * workload.parameters * PASSES[workload.optimizer]
        total = self.call + updated / speed
        in_python = constants.python(footprint)
        for entry in entries:
            if entry.kind == "Python":
                total += in_python
                continue
            slow = min(speed, cores * self.gathering) if entry.kind == "convolutions" else speed
            total += self.dispatch + entry.bytes / slow + hand_off * entry.shared
            if entry.operations:
                total += entry.operations / self.rates[entry.kind] / cores
        return total


def footprint(compiled, workload):
    """Bytes that a step goes through: its arrays, and parameters with gradient and averages."""
    return compiled.records()[-1].program.bytes + 4 * constants.WORDS * workload.parameters


def measured(step):
    times = []
    for _ in range(40):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


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
    model = Model.measured()
    more = [cores for cores in options.cores if cores > threads == max(options.threads)]
    lines = [f"{threads} threads: " + ", ".join(
        f"{kind} {rate * 1e-9:.0f} GFLOP/s" for kind, rate in model.rates.items()),
        f"convolutions' arrays {model.gathering * 1e-9:.1f} GB/s, call {model.call * 1e6:.1f} us, "
        f"kernel {model.dispatch * 1e6:.2f} us, hand-off {model.hand_off * 1e6:.1f} us",
        f"{'ms':10} {'measured':>9} {'expected':>9} {'ratio':>6} {'GB/s':>6}"
        + "".join(f"{f'{cores} cores':>10}" for cores in more)]
    for name in options.workloads:
        workload, step = WORKLOADS[name], fastnn_steps.build(name, ("compile",)).step
        for _ in range(5):
            step()
        entries, size = constants.entries_of(step), footprint(step, workload)
        found, wanted = measured(step), model.expected(entries, workload, size)
        further = [model.expected(entries, workload, size, cores / threads, 1e9 * options.bandwidth)
                   for cores in more]
        lines.append(f"{name:10} {1e3 * found:9.3f} {1e3 * wanted:9.3f} {wanted / found:6.2f} "
                     f"{1e-9 * constants.bandwidth(size):6.1f}"
                     + "".join(f"{1e3 * each:10.3f}" for each in further))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
