"""Measures one workload: builds all workers, checks that they do equal work, interleaves turns."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from . import machine
from .process import Worker, WorkerError
from .variants import OURS, Variant, variants

TOLERANCE = 0.005  # of a loss; TensorFlow's Adam adds epsilon elsewhere: 0.0017 on the mlp


@dataclass(frozen=True)
class Settings:
    """How long to measure."""

    rounds: int = 5
    block_seconds: float = 0.02  # a block of steps gives one figure
    turn_seconds: float = 0.4
    check_steps: int = 10
    patience: float = 30.0  # seconds to wait in all before turns for other programs to pause
    build_timeout: float = 400.0
    turn_timeout: float = 120.0
    retire: float = 1.5  # after two rounds a variant this much slower than its library's best rests
    compiled: bool = True


QUICK = Settings(
    rounds=1, block_seconds=0.0, turn_seconds=0.0, patience=0.0, compiled=False, retire=float("inf")
)


@dataclass
class Contender:
    """A variant in the race: its worker, its record and, if it fell out, the reason."""

    variant: object
    worker: Worker | None = None
    build: dict = field(default_factory=dict)
    seconds: list = field(default_factory=list)
    cpu: list = field(default_factory=list)
    peak: int = 0
    error: str | None = None
    retired: bool = False

    @property
    def best(self):
        return min(self.seconds, default=float("inf"))

    def fail(self, reason):
        self.error = str(reason)
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def record(self):
        """What goes into the JSON file."""
        known = {
            "library": self.variant.library,
            "variant": self.variant.name,
            "options": list(self.variant.options),
        }
        if self.error is not None:
            return {**known, "error": self.error}
        memory = {name: round(value / 2**20, 1) for name, value in self.build["memory"].items()}
        return {
            **known,
            "version": self.build["version"],
            "parameters": self.build["parameters"],
            "losses": self.build["losses"],
            "min_ms": self.best * 1e3,
            "median_ms": median(self.seconds) * 1e3,
            "blocks_ms": [round(seconds * 1e3, 6) for seconds in self.seconds],
            "cpu_min_ms": min(self.cpu) * 1e3,
            "cores_used": round(sum(self.cpu) / sum(self.seconds), 2),
            "memory_mb": memory,
            "peak_without_build": self.build["peak_without_build"],
            "step_peak_over_import_mb": round(self.peak / 2**20 - memory["import"], 1),
            "step_peak_over_first_step_mb": round(self.peak / 2**20 - memory["first_step"], 1),
            "retired_early": self.retired,
        }


def start(contender, workload, cores, settings):
    """A worker that has built its network and made its first steps on the given cores."""
    contender.worker = Worker(len(cores), contender.variant.environment)
    contender.build = contender.worker.ask(
        settings.build_timeout,
        do="build",
        library=contender.variant.library,
        options=contender.variant.options,
        workload=workload.name,
        threads=len(cores),
        cores=cores,
        steps=settings.check_steps,
    )


def fill_kernel_cache(workload, cores, settings):
    """Let fastnn compile what it keeps on disk: a step's memory is not that of the compiler."""
    contender = Contender(Variant(OURS, ()))
    try:
        start(contender, workload, cores, settings)
    except (WorkerError, OSError):
        return  # the race itself reports what is wrong
    finally:
        if contender.worker is not None:
            contender.worker.close()


def build_all(contenders, workload, threads, cores, settings):
    """Start and check all workers, as many at a time as there are cores."""

    def build(index):
        contender = contenders[index]
        share = [cores[(index * threads + k) % len(cores)] for k in range(threads)]
        try:
            start(contender, workload, share, settings)
            contender.worker.suspend()
            contender.worker.pin(cores[:threads])
        except (WorkerError, OSError) as error:
            contender.fail(error)

    with ThreadPoolExecutor(min(len(cores), 8)) as pool:
        list(pool.map(build, range(len(contenders))))


def check_equal_work(contenders, workload):
    """Fail whoever has other parameters, a loss that does not fall, or other losses than most."""
    alive = [contender for contender in contenders if contender.error is None]
    usual = [median(step) for step in zip(*(c.build["losses"] for c in alive), strict=True)]
    for contender in alive:
        reason = _difference(contender.build, workload, usual)
        if reason:
            contender.fail(reason)


def _difference(build, workload, usual):
    losses = build["losses"]
    if build["parameters"] != workload.parameters:
        return f"has {build['parameters']} parameters instead of {workload.parameters}"
    if not losses[-1] < losses[0]:
        return f"the loss does not fall: {losses[0]:.4g} to {losses[-1]:.4g}"
    if workload.random:
        return None
    for step, (loss, other) in enumerate(zip(losses, usual, strict=True)):
        if abs(loss - other) > TOLERANCE * abs(other):
            return f"does other work: loss {loss:.5g} in step {step}, the others {other:.5g}"
    return None


def take_turn(contender, settings):
    """Wake one worker, time some blocks of steps, put it to sleep again."""
    contender.worker.resume()
    try:
        estimate = contender.best
        if not contender.seconds:
            first = contender.worker.ask(settings.turn_timeout, do="run", warm=1, blocks=3, steps=1)
            estimate = min(first["seconds"])
        steps = max(1, round(settings.block_seconds / estimate))
        blocks = max(2, round(settings.turn_seconds / (steps * estimate)))
        reply = contender.worker.ask(
            settings.turn_timeout, do="run", warm=1, blocks=blocks, steps=steps
        )
        contender.worker.suspend()
    except WorkerError as error:
        contender.fail(error)
        return
    contender.seconds += reply["seconds"]
    contender.cpu += reply["cpu"]
    contender.peak = max(contender.peak, reply["peak"])


def race(contenders, cores, settings):
    """Interleave the turns of all contenders; return the control's times and the time waited."""
    control, waited = [], 0.0
    for round_ in range(settings.rounds):
        control += [machine.control(core) for core in cores]
        for contender in contenders:
            if contender.error is None and not contender.retired:
                waited += machine.wait_until_quiet(settings.patience - waited)
                take_turn(contender, settings)
        if round_ == 1:
            retire(contenders, settings)
    return control + [machine.control(core) for core in cores], waited


def retire(contenders, settings):
    """Spare the rounds of variants that cannot become their library's best."""
    for contender in contenders:
        rivals = [c for c in contenders if c.variant.library == contender.variant.library]
        contender.retired = contender.best > settings.retire * min(c.best for c in rivals)


def compare(workload, threads, libraries, settings):
    """Measure one workload with one number of threads; return its record."""
    cores = sorted(os.sched_getaffinity(0))
    chosen = [v for v in variants(workload, libraries) if settings.compiled or not v.compiled]
    contenders = [Contender(variant) for variant in chosen]
    begin = time.perf_counter()
    try:
        fill_kernel_cache(workload, cores[:threads], settings)
        build_all(contenders, workload, threads, cores, settings)
        check_equal_work(contenders, workload)
        control, waited = race(contenders, cores[:threads], settings)
    finally:
        for contender in contenders:
            if contender.worker is not None:
                contender.worker.close()
    return {
        "workload": workload.name,
        "threads": threads,
        "batch": workload.batch,
        "seconds": round(time.perf_counter() - begin, 1),
        "seconds_waited_for_quiet": round(waited, 1),
        "control_ms": {"min": min(control), "median": median(control), "max": max(control)},
        "results": [contender.record() for contender in contenders],
    }
