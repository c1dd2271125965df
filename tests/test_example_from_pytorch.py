"""The example that carries weights from PyTorch to fastnn and back."""

import sys
from pathlib import Path

import numpy as np
import pytest
from example_runs import read_report

import fastnn

MODELS = ["lenet", "residual", "lstm", "transformer"]


@pytest.fixture
def example(load_example):
    return load_example("from_pytorch")


@pytest.fixture
def alone(example, monkeypatch):
    """The example where PyTorch is not installed."""
    monkeypatch.setattr(example, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    return example


@pytest.mark.parametrize("model", MODELS)
def test_both_ways(example, torch, model, capsys):
    before = torch.get_num_threads()
    try:
        assert example.main(["--model", model, "--out", "out", "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(before)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"{model} (")
    assert {each.name for each in Path("out").iterdir()} == {
        f"{model}-from-fastnn.safetensors", f"{model}-from-pytorch.safetensors", "report.json"}
    figures = read_report("out")["networks"][model]
    for way in ("from_pytorch", "from_fastnn"):
        assert 0 <= figures[way]["outputs"] < 1e-5 and 0 < figures[way]["gradients"] < 1e-5
    # The networks were trained on, so that the files differ.
    files = [fastnn.load(f"out/{model}-from-{side}.safetensors") for side in ("fastnn", "pytorch")]
    assert sorted(files[0]) == sorted(files[1])
    name = "9.weight" if model == "lenet" else "head.weight"
    name = "head.2.weight" if model == "residual" else name
    assert not np.array_equal(files[0][name].numpy(), files[1][name].numpy())


@pytest.mark.parametrize("fault", [
    lambda state: state["0.weight"].mul_(1.001),
    lambda state: state["9.bias"].copy_(state["9.bias"].flip(0)),
    lambda state: state["11.weight"].fill_(0),
], ids=["scaled", "turned", "lost"])
def test_a_weight_that_is_not_carried_is_noticed(example, torch, fault):
    inputs, labels = example.examples("lenet", 0)
    theirs, ours = example.lenet(torch.nn), example.lenet(fastnn.nn)
    state = {key: fastnn.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    fault(state)
    ours.load_state_dict(state)
    with pytest.raises(sys.modules["experiment"].Problem, match="outputs differ"):
        example.compared("way", theirs, ours, inputs, labels)


def test_differences_are_shares_of_the_largest(example):
    assert example.difference(np.array([1.0, 4.1]), np.array([1.0, 4.0])) == pytest.approx(0.025)
    assert example.difference(np.array([1.0, -4.0]), np.array([1.0, 4.0])) == 2
    assert example.difference(np.zeros(2), np.zeros(2)) == 0


def test_without_pytorch_it_reads_and_writes_a_file(alone, capsys):
    network = alone.lstm(fastnn.nn)
    fastnn.save(network.state_dict(), "given.safetensors")
    assert alone.main(["--model", "lstm", "--weights", "given.safetensors", "--out", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("PyTorch is not installed: ")
    assert lines[1] == "lstm (19 tensors, 41,786 numbers): read given.safetensors"
    outputs, _ = alone.results(fastnn, network, *alone.examples("lstm", 0))
    assert lines[2].split()[-4:] == [f"{value:.4f}" for value in outputs[0, :4]]
    written = fastnn.load("out/lstm-from-fastnn.safetensors")
    for key, value in network.state_dict().items():
        assert np.array_equal(written[key].numpy(), value.numpy())


def test_without_pytorch_and_a_file_it_writes_new_weights(alone, capsys):
    assert alone.main(["--out", "out"]) == 0
    assert "torch.load_file('out/lenet-from-fastnn.safetensors')" in capsys.readouterr().out
    assert sorted(each.name for each in Path("out").iterdir()) == sorted(
        [f"{model}-from-fastnn.safetensors" for model in MODELS] + ["report.json"])


def test_a_file_of_ones_own_is_read_by_both(example, torch, capsys):
    fastnn.save(example.transformer(fastnn.nn).state_dict(), "given.safetensors")
    before = torch.get_num_threads()
    try:
        assert example.main(["--model", "transformer", "--weights", "given.safetensors"]) == 0
    finally:
        torch.set_num_threads(before)
    assert "PyTorch > given.safetensors > fastnn: " in capsys.readouterr().out


@pytest.mark.parametrize("arguments, text", [
    (["--weights", "given.safetensors"], "--weights: of which network? --model says it"),
    (["--weights", "given.safetensors", "--model", "lstm"], "is not of the network lstm: "),
    (["--weights", "nowhere.safetensors", "--model", "lstm"], "nowhere.safetensors"),
    (["--weights", "text.safetensors", "--model", "lenet"], "not a whole safetensors file"),
])
def test_weights_that_cannot_be_used(alone, refusal, arguments, text):
    fastnn.save(alone.lenet(fastnn.nn).state_dict(), "given.safetensors")
    Path("text.safetensors").write_text("no weights")
    assert text in refusal(alone, *arguments)
    assert not Path("runs").exists()


def test_an_unknown_network(example, refusal):
    assert "invalid choice: 'gru'" in refusal(example, "--model", "gru")
