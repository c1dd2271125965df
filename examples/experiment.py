"""What every example does alike: its arguments, its errors, and a run that can be resumed.

An example gives `launch` two functions. ``load(run)`` reads the data, and ``train(run, data)``
makes the networks, hands them to `run.keep`, goes through `run.epochs` and writes its report.
Whatever is kept is written after each epoch; with --resume a run goes on from there to the same
bits.
"""

import argparse
import io
import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

import fastnn
from fastnn import nn
from fastnn.optim.lr_scheduler import LRScheduler
from fastnn.serialization import write_atomically

# Settings that change no bit of the training; the epochs do, with a schedule.
FREE = {"data_dir", "out", "threads", "temperature", "length"}


class Problem(Exception):
    """What the user can mend; one line says it."""


class Parser(argparse.ArgumentParser):
    """The arguments that all examples take; wrong ones are one line and exit status 2.

    ``out`` is the default of --out, in which ``{model}`` stands for the argument --model;
    ``epochs`` and ``smoke_epochs`` are the defaults of --epochs without and with --smoke. An
    example that ``trains`` nothing has no data, no epochs and no pictures.
    """

    def __init__(self, description, out, epochs=None, smoke_epochs=None, trains=True):
        super().__init__(description=description.splitlines()[0])
        self.out, self.usual_epochs, self.smoke_epochs = out, epochs, smoke_epochs
        self.trains = trains
        if trains:
            self.add_argument("--data-dir", type=folder, help="folder of the data set's files")
            self.add_argument("--epochs", type=positive)
            self.add_argument("--resume", action="store_true",
                              help="go on after the last epoch that is kept in the folder of --out")
        if smoke_epochs is not None:
            self.add_argument("--smoke", action="store_true",
                              help="a run of a minute or less, which shows that everything works")
        self.add_argument("--seed", type=int, default=0)
        self.add_argument("--threads", type=positive)
        self.add_argument("--out", type=Path, help=f"folder of the results; default: {out}")

    def parse_args(self, arguments=None):
        options = super().parse_args(arguments)
        options.out = options.out or Path(self.out.format(**vars(options)))
        if self.trains:
            usual = self.smoke_epochs if getattr(options, "smoke", False) else self.usual_epochs
            options.epochs = options.epochs or usual
        return options

    def error(self, message):
        self.exit(fail(message))


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def folder(text):
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return Path(text)


def fail(problem, status=2):
    """Print one line on what went wrong and return the exit status for it."""
    if isinstance(problem, OSError) and problem.strerror and problem.filename:
        problem = f"{problem.filename}: {problem.strerror}"
    print(f"{Path(sys.argv[0]).name}:", " ".join(str(problem).split()), file=sys.stderr)
    return status


def launch(parser, load, train, arguments=None):
    """Do what the command line asks for, and return the exit status.

    Wrong arguments, files that are missing or damaged (OSError, or ValueError in ``load``), a
    `Problem` and Ctrl-C end in one line each.
    """
    run = None
    try:
        run = Run(parser.parse_args(arguments))
        if parser.trains and find_spec("matplotlib") is None:
            raise Problem("matplotlib is not installed; pip install '.[examples]' installs it")
        try:
            if run.options.threads is not None:
                fastnn.set_num_threads(run.options.threads)
            data = load(run)
        except ValueError as error:
            raise Problem(error) from error
        fastnn.manual_seed(run.options.seed)
        run.out.mkdir(parents=True, exist_ok=True)
        try:
            train(run, data)
        finally:
            run.end_progress()
        return 0
    except (OSError, Problem) as error:
        return fail(error)
    except KeyboardInterrupt:
        kept = "nothing was saved"
        if run is not None and run.saved:
            kept = f"{run.out} holds epoch {run.saved}, --resume goes on from there"
        return fail(f"interrupted; {kept}", status=130)


def described(figures):
    """Figures by their names, in words, without lists; of floating-point ones four digits."""
    def shown(value):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    return ", ".join(
        f"{name.replace('_', ' ')} {shown(value) if isinstance(value, float) else value}"
        for name, value in figures.items() if not isinstance(value, list))


class Run:
    """The epochs of one training run, its figures and its files in the folder ``out``."""

    def __init__(self, options):
        self.options = options
        self.out = options.out
        self.history = []  # a dict of figures for each epoch
        self.saved = 0     # epochs in the checkpoint
        self.parts = {}
        self.bar = None

    @property
    def checkpoint(self):
        return self.out / "checkpoint.safetensors"

    @property
    def settings(self):
        """The arguments as JSON has them."""
        named = {name: str(value) if isinstance(value, Path) else value
                 for name, value in vars(self.options).items() if name != "resume"}
        return {**named, "threads": fastnn.get_num_threads()}

    def keep(self, **parts):
        """Networks, optimizers, schedules: what is saved, and what --resume restores."""
        self.parts = parts
        if self.options.resume:
            self._restore()

    def epochs(self):
        """The numbers of the epochs to run; the parts are saved at the end of each."""
        for number in range(self.saved + 1, self.options.epochs + 1):
            self.began = time.perf_counter()
            yield number
            self._save()
            print(f"epoch {number}/{self.options.epochs}:", described(self.history[-1]), flush=True)

    def progress(self, batches, unit=" batches"):
        """The batches, with a bar on the terminal whose `set_postfix` shows figures."""
        self.bar = tqdm(batches, desc=f"epoch {self.saved + 1}/{self.options.epochs}", unit=unit,
                        leave=False)
        return self.bar

    def end_progress(self):
        """Take the bar away, over which a message would be written otherwise."""
        if self.bar is not None:
            self.bar.close()

    def record(self, **figures):
        """Keep the figures of the epoch that ends; they are printed once it is saved."""
        figures.setdefault("seconds", time.perf_counter() - self.began)
        self.history.append(figures)

    def write_report(self, **figures):
        """Write the settings, the figures of the whole run and of each epoch to report.json."""
        content = {"version": fastnn.__version__, "settings": self.settings, **figures,
                   "epochs": self.history}
        write_atomically(self.out / "report.json", json.dumps(content, indent=2).encode())

    def write_picture(self, name, figure):
        """Write a matplotlib figure as a PNG file."""
        file = io.BytesIO()
        figure.savefig(file, format="png")
        write_atomically(self.out / name, file.getvalue())

    def _save(self):
        fastnn.save({
            "settings": self.settings,
            "history": self.history,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "random": fastnn.get_rng_state(),
        }, self.checkpoint)
        self.saved = len(self.history)
        for name, part in self.parts.items():
            if isinstance(part, nn.Module):
                fastnn.save(part.state_dict(), self.out / f"{name}.safetensors")

    def _restore(self):
        try:
            state = fastnn.load(self.checkpoint)
        except ValueError as error:
            raise Problem(error) from error
        scheduled = any(isinstance(part, LRScheduler) for part in self.parts.values())
        for name, value in self.settings.items():
            free = name in FREE or (name == "epochs" and not scheduled)
            if not free and state["settings"].get(name) != value:
                raise Problem(f"--resume: the run in {self.out} has {name} "
                              f"{state['settings'].get(name)}, this one {value}")
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        self.history = state["history"]
        self.saved = len(self.history)
        fastnn.set_rng_state(state["random"])
