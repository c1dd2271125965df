"""What the tests of the examples share: an example as a module, and what its runs must do."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from data_files import NOWHERE

from fastnn.text import datasets as texts
from fastnn.vision import datasets as images

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def load_example(monkeypatch, tmp_path, empty_cache, reseeded, threads):
    """Import an example by name, in a folder of its own, without any data set at hand."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
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


def read_report(out):
    """The figures that a run wrote."""
    return json.loads(Path(out, "report.json").read_text())


def without_times(report):
    """A report, or a part of it, without the figures that are measured by the clock."""
    if isinstance(report, dict):
        return {name: without_times(value) for name, value in report.items()
                if "second" not in name}
    return [without_times(each) for each in report] if isinstance(report, list) else report


def one_line(capsys):
    """What an example printed on standard error beside progress bars, which must be one line."""
    lines = [line for line in capsys.readouterr().err.splitlines()
             if line.strip() and not line.startswith("epoch ")]
    assert len(lines) == 1 and lines[0].startswith(f"{sys.argv[0]}: "), lines
    return lines[0]


@pytest.fixture
def refusal(capsys):
    """Run an example that cannot do what is asked for; returns the one line that it prints."""
    def run(example, *arguments):
        try:
            status = example.main([*arguments])
        except SystemExit as stopped:
            status = stopped.code
        assert status == 2
        return one_line(capsys)

    return run


class Bar:
    """Batches as from `Run.progress`, without a bar, which Ctrl-C ends before the number `end`."""

    def __init__(self, batches, end=None):
        self.batches, self.end = batches, end

    def __iter__(self):
        for number, batch in enumerate(self.batches):
            if number == self.end:
                raise KeyboardInterrupt
            yield batch

    def set_postfix_str(self, text, refresh):
        pass


@pytest.fixture
def interrupt(monkeypatch, capsys):
    """Run an example that Ctrl-C ends in the midst of an epoch, `after` so many whole ones."""
    def run(example, *arguments, after):
        def progress(self, batches, unit=None):
            return Bar(batches, end=1 if self.saved == after else None)

        with monkeypatch.context() as patched:
            patched.setattr(sys.modules["experiment"].Run, "progress", progress)
            assert example.main([*arguments]) == 130
        assert one_line(capsys).endswith(f" holds epoch {after}, --resume goes on from there")

    return run


@pytest.fixture
def assert_resumes(interrupt):
    """Check that an interrupted and resumed run gives the bits of an uninterrupted one.

    The runs have different numbers of threads, and the folders `whole` and `parts`. Their reports
    must be equal but for times, and the files that are named to the bit.
    """
    def run(example, *arguments, after, files=()):
        assert example.main([*arguments, "--out", "whole", "--threads", "2"]) == 0
        parts = [*arguments, "--out", "parts", "--threads", "1"]
        interrupt(example, *parts, after=after)
        assert example.main([*parts, "--resume"]) == 0
        reports = [without_times(read_report(out)) for out in ("whole", "parts")]
        for number, each in enumerate(reports):
            assert each["settings"].pop("out") == ("whole", "parts")[number]
            assert each["settings"].pop("threads") == (2, 1)[number]
        assert len(reports[0]["epochs"]) > after
        assert reports[0] == reports[1]
        for name in files:
            assert Path("whole", name).read_bytes() == Path("parts", name).read_bytes(), name

    return run


@pytest.fixture
def run_in_torch(torch, tmp_path):
    """Run an example with PyTorch in fastnn's place; returns its report."""
    def run(example, *arguments):
        command = [sys.executable, "-m", "bench.in_torch", str(EXAMPLES / example), *arguments,
                   "--threads", "1", "--out", str(tmp_path / "out")]
        path = f"{EXAMPLES.parent}{os.pathsep}{os.environ['PYTHONPATH']}"
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path,
                              env={**os.environ, "PYTHONPATH": path})
        assert done.returncode == 0, done.stderr
        report = read_report(tmp_path / "out")
        assert report["version"] == torch.__version__
        return report

    return run
