"""The process that runs one variant of one workload; started by `bench.process`.

It reads one JSON request a line from standard input and answers each with one JSON line on the
descriptor that was its standard output; whatever libraries print goes to standard error.

    {"do": "build", "library": ..., "options": [...], "workload": ..., "threads": 2,
     "cores": [0, 1], "steps": 10}
    {"do": "operation", "library": ..., "table": "operations", "name": ..., "size": ...,
     "channels_last": false, "threads": 2, "cores": [0, 1]}
    {"do": "run", "warm": 1, "blocks": 5, "steps": 20}
    {"do": "steady", "steps": [100, 1000]}
"""

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path

# At the end of the path, so that an installed fastnn goes before the source tree.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from bench import machine  # noqa: E402


class Session:
    """Answers requests; `build` or `operation` comes first."""

    def build(self, library, options, workload, threads, cores, steps):
        """Import, build, check: the losses of the first steps, and the memory that each took."""
        os.sched_setaffinity(0, cores)  # before the library starts threads
        backend = importlib.import_module(f"bench.workloads.{library}_steps")
        backend.prepare(threads, options)
        memory = {"import": machine.resident_bytes()}
        backend.build("tiny", []).run(1)  # whatever is loaded late is loaded now
        memory["first_step"] = machine.resident_bytes()
        self.program = backend.build(workload, options)
        self.arena = getattr(backend, "arena", dict)
        losses = [self.program.run(1) for _ in range(steps)]
        memory["peak_of_build"] = machine.peak_bytes()
        exact = machine.reset_peak()
        return {
            "version": backend.VERSION,
            "parameters": self.program.parameters,
            "losses": losses,
            "memory": memory,
            "peak_without_build": exact,
        }

    def operation(self, library, table, name, size, channels_last, threads, cores):
        """Make one operation ready in the place of the one before; say what it computes."""
        os.sched_setaffinity(0, cores)
        from bench.workloads import operations

        module = importlib.import_module(library)
        module.set_num_threads(threads)
        self.program = None
        cases = importlib.import_module(f"bench.workloads.{table}").CASES
        self.program, sums = operations.build(module, cases[name], size, channels_last)
        return {"sums": sums}

    def run(self, warm, blocks, steps):
        """Seconds per step of each block: of the clock, and of all processors together."""
        self.program.run(warm)
        seconds, cpu = zip(*(self._block(steps) for _ in range(blocks)), strict=True)
        return {"seconds": seconds, "cpu": cpu, "peak": machine.peak_bytes()}

    def steady(self, steps):
        """The memory held after each of some rising numbers of steps."""
        memory, done = [], 0
        for count in steps:
            self.program.run(count - done)
            done = count
            gc.collect()
            memory.append({"resident": machine.resident_bytes(), "arena": self.arena()})
        return {"memory": memory}

    def _block(self, steps):
        cpu, start = time.process_time(), time.perf_counter()
        self.program.run(steps)
        seconds = time.perf_counter() - start
        return seconds / steps, (time.process_time() - cpu) / steps


def answer(session, line):
    request = json.loads(line)
    try:
        return getattr(session, request.pop("do"))(**request)
    except Exception as error:  # whatever a library raises is the variant's result
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        print(json.dumps(answer(session, line)), file=replies, flush=True)


if __name__ == "__main__":
    main()
