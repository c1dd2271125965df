"""What the tests of the examples share: an example as a module, Ctrl-C, small data, PyTorch."""

import gzip
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastnn.text import datasets as texts
from fastnn.utils.data import files
from fastnn.vision import datasets as images

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOWHERE = ("http://127.0.0.1:1/", "http://127.0.0.1:2/")


@pytest.fixture
def load_example(monkeypatch, tmp_path, reseeded, threads):
    """Import an example by name, in a folder of its own, without any data set at hand."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    monkeypatch.setattr(files, "cache_directory", lambda: tmp_path / "cache" / "kernels")
    for kind in (images.MNIST, images.FashionMNIST, texts.TinyShakespeare, texts.Names):
        monkeypatch.setattr(kind, "mirrors", NOWHERE)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def load(name):
        monkeypatch.setattr(sys, "argv", [f"{name}.py"])
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        path = getattr(sys.modules[name], "__file__", None)
        if path and Path(path).parent == EXAMPLES:
            del sys.modules[name]


def one_line(capsys):
    """What was printed on standard error after the progress bars, which must be one line."""
    lines = capsys.readouterr().err.rsplit("\r")[-1].strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"{sys.argv[0]}: "), lines
    return lines[0]


def report(out):
    """The figures that a run wrote."""
    return json.loads(Path(out, "report.json").read_text())


class Interrupted:
    """Batches as from `Run.progress`, without a bar, that Ctrl-C ends at the third of an epoch."""

    def __init__(self, run, batches, epochs):
        self.run, self.batches, self.epochs = run, batches, epochs

    def __iter__(self):
        for number, batch in enumerate(self.batches):
            if self.run.saved == self.epochs and number == 2:
                raise KeyboardInterrupt
            yield batch

    def set_postfix_str(self, text, refresh):
        pass


@pytest.fixture
def interrupt(monkeypatch, capsys):
    """Run an example that Ctrl-C ends in the midst of the epoch after so many."""
    def run(example, *arguments, after):
        experiment = sys.modules["experiment"]
        with monkeypatch.context() as patched:
            patched.setattr(experiment.Run, "progress", lambda self, batches, unit="":
                            Interrupted(self, batches, after))
            capsys.readouterr()
            assert example.main([*arguments]) == 130
        assert one_line(capsys).endswith(f"holds epoch {after}, --resume goes on from there")

    return run


@pytest.fixture
def whole_and_in_parts(interrupt):
    """Run an example without and with an interruption, into the folders `whole` and `parts`, with
    different numbers of threads; returns both reports."""
    def run(example, *arguments, after=1):
        assert example.main([*arguments, "--out", "whole", "--threads", "2"]) == 0
        parts = [*arguments, "--out", "parts", "--threads", "1"]
        interrupt(example, *parts, after=after)
        assert example.main([*parts, "--resume"]) == 0
        return report("whole"), report("parts")

    return run


def assert_same_files(*names):
    """The files of the folders `whole` and `parts` have the same bits."""
    for name in names:
        assert Path("whole", name).read_bytes() == Path("parts", name).read_bytes(), name


def write_mnist(folder, draw, training, test):
    """Write the four files of a data set in MNIST's manner; `draw(random, count)` makes a part."""
    random = np.random.default_rng(0)
    for part, count in (("train", training), ("t10k", test)):
        for kind, array in zip(("images-idx3", "labels-idx1"), draw(random, count), strict=True):
            header = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
            content = gzip.compress(header + array.tobytes(), mtime=0)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(content)


def run_in_torch(folder, example, *arguments):
    """Run an example with PyTorch in fastnn's place; returns its report."""
    command = [sys.executable, "-m", "bench.in_torch", str(EXAMPLES / example), *arguments,
               "--threads", "1", "--out", str(folder / "out")]
    path = f"{EXAMPLES.parent}{os.pathsep}{os.environ['PYTHONPATH']}"
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return report(folder / "out")
