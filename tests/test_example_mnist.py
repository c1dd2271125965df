"""The classifier of images: what it prints, writes and answers to wrong input."""

import gzip
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_files import write_mnist
from example_runs import EXAMPLES, read_report
from matplotlib.image import imread

import fastnn

FILE = "train-images-idx3-ubyte.gz"


@pytest.fixture
def mnist(load_example):
    return load_example("mnist")


def noise(random, count):
    return (random.integers(0, 256, (count, 28, 28)).astype(np.uint8),
            (np.arange(count) % 10).astype(np.uint8))


@pytest.fixture
def small_files(tmp_path):
    """A folder with the four files of a small data set in the manner of MNIST."""
    return write_mnist(tmp_path / "data", noise, 40, 20)


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
    report = read_report(out)
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
def test_wrong_arguments(mnist, refusal, arguments, text):
    assert text in refusal(mnist, *arguments)


@pytest.mark.parametrize("damage, text", [
    (lambda content: content[:-50], "truncated"),
    (lambda content: content[:100] + bytes(50) + content[150:], "damaged"),
    (lambda content: gzip.compress(b"\0\0\x08\x01" + gzip.decompress(content)[4:]),
     "magic number is 0x00000801"),
    (lambda content: b"", "truncated"),
], ids=["truncated", "corrupt", "magic", "empty"])
def test_a_data_file_that_is_wrong(mnist, small_files, refusal, damage, text):
    path = small_files / FILE
    path.write_bytes(damage(path.read_bytes()))
    line = refusal(mnist, "--data-dir", str(small_files))
    assert str(path) in line and text in line
    assert not Path("runs").exists()


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_no_network(mnist, tmp_path, refusal, dataset):
    assert f"cannot download {FILE}" in refusal(mnist, "--dataset", dataset)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_cache_that_cannot_be_written(mnist, tmp_path, refusal):
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert str(tmp_path / "cache") in refusal(mnist, "--dataset", "mnist")


def test_an_output_folder_that_cannot_be_made(mnist, tmp_path, refusal):
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "out")
    assert "Not a directory" in refusal(mnist, "--dataset", "digits", "--out", out)


def test_without_matplotlib_it_says_what_to_install(mnist, monkeypatch, refusal):
    monkeypatch.setattr(sys.modules["experiment"], "find_spec", lambda name: None)
    assert "pip install '.[examples]'" in refusal(mnist)


def heed_interrupts():
    """A shell has its programs in the background ignore Ctrl-C, which a test's process inherits."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
def test_interrupting_keeps_the_last_finished_epoch(tmp_path):
    command = [sys.executable, str(EXAMPLES / "mnist.py"), "--dataset", "digits",
               "--model", "lenet", "--epochs", "10000", "--out", str(tmp_path)]
    environment = dict(os.environ)
    environment.pop("PYTHONSAFEPATH", None)  # a script finds the module beside it
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=tmp_path, env=environment, preexec_fn=heed_interrupts) as process:
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


SMALL = ["--model", "cnn", "--dataset", "digits", "--epochs", "4"]  # with dropout and a schedule


def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(mnist, assert_resumes):
    assert_resumes(mnist, *SMALL, after=2, files=["model.safetensors"])


def test_what_cannot_be_resumed(mnist, interrupt, refusal):
    interrupt(mnist, *SMALL, "--out", "parts", "--threads", "2", after=2)
    before = Path("parts/checkpoint.safetensors").read_bytes()
    resume = ["--out", "parts", "--resume"]
    assert "elsewhere/checkpoint.safetensors" in refusal(
        mnist, *SMALL, "--out", "elsewhere", "--resume")
    assert "the run in parts has seed 0, this one 1" in refusal(
        mnist, *SMALL, *resume, "--seed", "1")
    assert "the run in parts has epochs 4, this one 5" in refusal(
        mnist, *SMALL[:-1], "5", *resume)
    assert Path("parts/checkpoint.safetensors").read_bytes() == before
    Path("parts/checkpoint.safetensors").write_bytes(before[:1000])
    assert "not a whole safetensors file" in refusal(mnist, *SMALL, *resume)
