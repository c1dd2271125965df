"""The classifier of images: what it prints, writes and answers to wrong input."""

import gzip
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import fastnn
from fastnn.utils.data import files
from fastnn.vision import datasets

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FILE = "train-images-idx3-ubyte.gz"


@pytest.fixture
def mnist(monkeypatch, tmp_path, reseeded, threads):
    """The example as a module, in a folder of its own, without any data set at hand."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mnist.py"])
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    monkeypatch.setattr(files, "cache_directory", lambda: tmp_path / "cache" / "kernels")
    for kind in (datasets.MNIST, datasets.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", ("http://127.0.0.1:1/", "http://127.0.0.1:2/"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield importlib.import_module("mnist")
    for name in ("mnist", "mnist_report", "experiment"):
        sys.modules.pop(name, None)


@pytest.fixture
def small_files(tmp_path):
    """A folder with the four files of a small data set in the manner of MNIST."""
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
            content = gzip.compress(header + array.tobytes(), mtime=0)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(content)
    return folder


def one_line(capsys):
    """What was printed on standard error, which must be one line."""
    lines = [line for line in capsys.readouterr().err.splitlines() if "\r" not in line and line]
    assert len(lines) == 1 and lines[0].startswith("mnist.py: "), lines
    return lines[0]


def leftovers(folder):
    return [each for each in folder.rglob("*") if each.name.startswith(".")]


def test_without_mnist_it_learns_the_embedded_digits(mnist, capsys):
    assert mnist.main(["--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("MNIST is not at hand")
    accuracy = re.fullmatch(r"test accuracy: (\d\.\d{4})", lines[-1])
    assert accuracy and float(accuracy[1]) >= 0.97
    assert sorted(each.name for each in Path("runs/mlp").iterdir()) == [
        "checkpoint.safetensors", "model.safetensors", "report.json", "report.png"]


@pytest.mark.parametrize("model", ["mlp", "lenet", "cnn", "fast"])
def test_every_model_trains_and_reports(mnist, small_files, tmp_path, capsys, model):
    out = tmp_path / "deep" / "out"
    assert mnist.main(["--model", model, "--data-dir", str(small_files), "--epochs", "2",
                       "--batch-size", "16", "--seed", "3", "--threads", "1",
                       "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["settings"] == {
        "model": model, "dataset": "mnist", "data_dir": str(small_files), "epochs": 2,
        "batch_size": 16, "seed": 3, "threads": 1, "out": str(out)}
    assert len(report["epochs"]) == 2 and np.sum(report["confusion"]) == 20
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"test accuracy: {report['test_accuracy']:.4f}")
    assert imread(out / "report.png").shape[:2] == (800, 1200)
    network = mnist.RECIPES[model].network()
    network.load_state_dict(fastnn.load(out / "model.safetensors"))
    assert not leftovers(tmp_path)


def test_the_weights_are_those_of_the_reported_accuracy(mnist, capsys):
    assert mnist.main(["--model", "lenet", "--dataset", "digits", "--epochs", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()[-1]
    network = mnist.lenet()
    network.load_state_dict(fastnn.load("runs/lenet/model.safetensors"))
    _, test = mnist.digits()
    accuracy = mnist.hits(mnist.predict(network, test), test.targets.numpy()) / len(test)
    assert printed == f"test accuracy: {accuracy:.4f}"


def test_a_seed_gives_the_same_weights_on_any_number_of_threads(mnist, capsys):
    found = []
    for number in ("1", "2"):
        assert mnist.main(["--model", "fast", "--dataset", "digits", "--epochs", "1",
                           "--threads", number, "--out", number]) == 0
        found.append(Path(number, "model.safetensors").read_bytes())
    assert found[0] == found[1]


def test_the_time_to_the_goal_is_told(mnist, capsys):
    def epoch(accuracy):
        return {"test_accuracy": accuracy, "seconds": 2.0}

    mnist.tell_time("fast", [epoch(0.98), epoch(0.991), epoch(0.992)])
    assert capsys.readouterr().out == (
        "99.0% test accuracy reached after 4.00 s of training (epoch 2)\n")
    mnist.tell_time("fast", [epoch(0.98)])
    assert capsys.readouterr().out == "99.0% test accuracy was not reached\n"


@pytest.mark.parametrize("arguments, text", [
    (["--model", "transformer"], "invalid choice: 'transformer'"),
    (["--dataset", "cifar"], "invalid choice: 'cifar'"),
    (["--epochs", "0"], "'0' is not a positive integer"),
    (["--batch-size", "-5"], "'-5' is not a positive integer"),
    (["--threads", "many"], "'many' is not a positive integer"),
    (["--seed", "x"], "--seed: invalid int value: 'x'"),
    (["--data-dir", "nowhere"], "there is no folder 'nowhere'"),
    (["--colour"], "unrecognized arguments: --colour"),
])
def test_wrong_arguments(mnist, capsys, arguments, text):
    with pytest.raises(SystemExit) as stopped:
        mnist.main(arguments)
    assert stopped.value.code == 2
    assert text in one_line(capsys)


@pytest.mark.parametrize("damage, text", [
    (lambda content: content[:-50], "truncated"),
    (lambda content: content[:100] + bytes(50) + content[150:], "damaged"),
    (lambda content: gzip.compress(b"\0\0\x08\x01" + gzip.decompress(content)[4:]),
     "magic number is 0x00000801"),
    (lambda content: b"", "truncated"),
], ids=["truncated", "corrupt", "magic", "empty"])
def test_a_data_file_that_is_wrong(mnist, small_files, tmp_path, capsys, damage, text):
    path = small_files / FILE
    path.write_bytes(damage(path.read_bytes()))
    assert mnist.main(["--data-dir", str(small_files)]) == 2
    line = one_line(capsys)
    assert str(path) in line and text in line
    assert not Path("runs").exists()


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_no_network(mnist, tmp_path, capsys, dataset):
    assert mnist.main(["--dataset", dataset]) == 2
    assert f"cannot download {FILE}" in one_line(capsys)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_cache_that_cannot_be_written(mnist, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert mnist.main(["--dataset", "mnist"]) == 2
    assert str(tmp_path / "cache") in one_line(capsys)


def test_an_output_folder_that_cannot_be_made(mnist, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert mnist.main(["--dataset", "digits", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "Not a directory" in one_line(capsys)


def test_without_matplotlib_it_says_what_to_install(mnist, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["experiment"], "find_spec", lambda name: None)
    assert mnist.main([]) == 2
    assert "pip install '.[examples]'" in one_line(capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
def test_interrupting_keeps_the_last_finished_epoch(tmp_path):
    command = [sys.executable, str(EXAMPLES / "mnist.py"), "--dataset", "digits",
               "--model", "lenet", "--epochs", "10000", "--out", str(tmp_path)]
    environment = dict(os.environ)
    environment.pop("PYTHONSAFEPATH", None)  # a script finds the module beside it
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=tmp_path, env=environment) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert first.startswith("epoch 1/10000: ")
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert re.search(r"mnist.py: interrupted; .* holds epoch \d+, --resume goes on from there\n$",
                     errors)
    assert tuple(fastnn.load(tmp_path / "model.safetensors")["0.weight"].shape) == (6, 1, 5, 5)
    assert not leftovers(tmp_path)


@pytest.fixture
def interrupted(mnist, monkeypatch, capsys):
    """Run with the arguments, ended by Ctrl-C in the midst of the epoch after the second."""
    experiment = sys.modules["experiment"]
    whole = experiment.Run.progress

    def progress(self, batches):
        for number, batch in enumerate(batches):
            if self.saved == 2 and number == 3:
                raise KeyboardInterrupt
            yield batch

    def run(*arguments):
        monkeypatch.setattr(experiment.Run, "progress",
                            lambda self, batches: Bar(progress(self, batches)))
        capsys.readouterr()
        assert mnist.main([*arguments]) == 130
        assert one_line(capsys).endswith("holds epoch 2, --resume goes on from there")
        monkeypatch.setattr(experiment.Run, "progress", whole)

    return run


class Bar:
    """Batches as from `Run.progress`, without a bar."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def set_postfix_str(self, text, refresh):
        pass


SMALL = ["--model", "cnn", "--dataset", "digits", "--epochs", "4"]  # with dropout and a schedule


def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(mnist, interrupted):
    assert mnist.main([*SMALL, "--out", "whole", "--threads", "2"]) == 0
    interrupted(*SMALL, "--out", "parts")
    assert mnist.main([*SMALL, "--out", "parts", "--resume"]) == 0
    assert Path("whole/model.safetensors").read_bytes() == Path(
        "parts/model.safetensors").read_bytes()
    reports = [json.loads(Path(out, "report.json").read_text()) for out in ("whole", "parts")]
    assert [epoch["loss"] for epoch in reports[0]["epochs"]] == [
        epoch["loss"] for epoch in reports[1]["epochs"]]


def test_what_cannot_be_resumed(mnist, interrupted, capsys):
    interrupted(*SMALL, "--out", "parts", "--threads", "2")
    before = Path("parts/checkpoint.safetensors").read_bytes()
    capsys.readouterr()
    assert mnist.main([*SMALL, "--out", "elsewhere", "--resume"]) == 2
    assert "elsewhere/checkpoint.safetensors" in one_line(capsys)
    assert mnist.main([*SMALL, "--out", "parts", "--resume", "--seed", "1"]) == 2
    assert "the run in parts has seed 0, this one 1" in one_line(capsys)
    assert mnist.main([*SMALL[:-1], "5", "--out", "parts", "--resume"]) == 2
    assert "the run in parts has epochs 4, this one 5" in one_line(capsys)
    assert Path("parts/checkpoint.safetensors").read_bytes() == before
    Path("parts/checkpoint.safetensors").write_bytes(before[:1000])
    assert mnist.main([*SMALL, "--out", "parts", "--resume"]) == 2
    assert "not a whole safetensors file" in one_line(capsys)
