"""The study of activations: what it trains, measures, prints, writes and answers to wrong input."""

import sys
from pathlib import Path

import numpy as np
import pytest
from data_files import write_mnist
from example_runs import read_report, without_times
from matplotlib.image import imread

import fastnn
from fastnn import nn

SMALL = ["--smoke", "--steps", "3", "--threads", "1"]


def noise(random, count):
    return (random.integers(0, 256, (count, 28, 28)).astype(np.uint8),
            random.integers(0, 10, count).astype(np.uint8))


@pytest.fixture
def example(load_example, monkeypatch, tmp_path):
    """The example as a module, in a folder with small files in the manner of MNIST."""
    module = load_example("activations")
    monkeypatch.setenv("FASTNN_DATA", str(write_mnist(tmp_path, noise, 50, 20)))
    monkeypatch.setitem(module.DEPTHS, "deep", 3)  # the tests need no depth
    return module


@pytest.fixture
def report(example):
    return sys.modules["activations_report"]


def test_a_smoke_run(example, capsys):
    assert example.main([*SMALL, "--custom", "x * tanh(x)", "--out", "out"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 36
    assert {each.name for each in Path("out").iterdir()} == {
        "checkpoint.safetensors", "report.json", "report.png"}
    assert imread("out/report.png").shape[:2] == (2400, 2000)
    figures = read_report("out")
    assert figures["settings"]["activations"] == ["relu", "selu", "sigmoid"]
    assert list(figures["accuracies"]) == [
        "relu", "selu", "sigmoid", "x * tanh(x)", "selu + alpha dropout"]
    assert list(figures["accuracies"]["relu"]) == [
        f"{depth} {network}{norm}" for network in ("dense", "convolutional")
        for depth in ("shallow", "deep") for norm in ("", ", batch norm")]
    assert len(figures["accuracies"]["selu + alpha dropout"]) == 4
    for epoch in figures["epochs"]:
        layers = 2 if epoch["depth"] == "shallow" else 3
        for name in ("gradients_at_start", "gradients_at_end", "means", "deviations"):
            assert len(epoch[name]) == layers, name
        assert len(epoch["losses"]) == 1 and epoch["steps"] == [2.0]
        assert 0 <= epoch["dead_units"] <= 1 and epoch["milliseconds_per_step"] > 0


def test_a_resumed_run_gives_the_figures_of_an_uninterrupted_one(example, assert_resumes):
    assert_resumes(example, *SMALL, "--activations", "selu", "--custom", "x*tanh(x)",
                   after=17)  # then comes alpha dropout


def test_a_configuration_gives_the_same_figures_in_whatever_run(example):
    assert example.main([*SMALL, "--activations", "relu", "selu", "--out", "both"]) == 0
    assert example.main([*SMALL, "--activations", "selu", "--out", "one"]) == 0
    both, one = (read_report(out)["epochs"] for out in ("both", "one"))
    assert without_times(both[8:]) == without_times(one)


def test_part_of_the_study_is_drawn_as_well(example):
    assert example.main([*SMALL, "--activations", "tanh", "--epochs", "3", "--out", "out"]) == 0
    assert imread("out/report.png").shape[:2] == (2400, 2000)
    assert len(read_report("out")["epochs"]) == 3


def test_every_activation_with_every_network(example):
    todo = example.configurations(example.ACTIVATIONS)
    assert len(todo) == 12 * 8 + 4 and len({str(each) for each in todo}) == len(todo)
    x = fastnn.randn(4, 1, 28, 28)
    for configuration in todo:
        model, used = example.make(configuration, example.ACTIVATIONS)
        kinds = [type(layer) for layer in model]
        depth = example.DEPTHS[configuration["depth"]]
        assert len(used) == depth and model(x).shape == (4, 10)
        weighty = nn.Linear if configuration["network"] == "dense" else nn.Conv2d
        norm = nn.BatchNorm1d if configuration["network"] == "dense" else nn.BatchNorm2d
        assert kinds.count(weighty) == depth + (weighty is nn.Linear)
        assert kinds.count(norm) == depth * configuration["batch_norm"]
        assert kinds.count(nn.AlphaDropout) == depth * configuration["alpha_dropout"]
        assert {type(layer) for layer in used} == {
            example.ACTIVATIONS[configuration["activation"]].layer}


@pytest.mark.parametrize("activation, variance", [("relu", 2), ("selu", 1), ("tanh", 1)])
def test_initial_weights(example, monkeypatch, activation, variance):
    monkeypatch.setattr(example, "UNITS", 400)
    model, _ = example.make({"network": "dense", "depth": "deep", "activation": activation,
                             "batch_norm": False, "alpha_dropout": False}, example.ACTIVATIONS)
    weights = model[3].weight.detach().numpy()
    assert weights.shape == (400, 400)
    assert 400 * weights.var() == pytest.approx(variance, rel=0.02)
    assert not model[3].bias.detach().numpy().any()


def test_dead_units(example):
    """Of four ReLUs one is never on, one at a single image; of sigmoids one is at its end."""
    images = fastnn.randn(50, 2).abs()
    weights = fastnn.tensor([[1.0, 0], [-1, -1], [-1, 0], [0, 1]])
    linear = nn.Linear(2, 4)
    with fastnn.no_grad():
        linear.weight.copy_(weights)
        linear.bias.copy_(fastnn.tensor([0.0, 0, images[:, 0].min().item() * 1.01, 0]))
    layer = nn.ReLU()
    figures = example.of_units(nn.Sequential(linear, layer), [layer], images.numpy())
    assert figures["dead_units"] == 0.25
    for layer, shift, share in ((nn.Sigmoid(), -10.0, 0.5), (nn.Sigmoid(), 3.0, 0),
                                (nn.LeakyReLU(), -10.0, 0), (nn.Identity(), -10.0, 0)):
        with fastnn.no_grad():
            linear.weight.fill_(0)
            linear.bias.copy_(fastnn.tensor([0.0, shift, 0.5, shift]))
        figures = example.of_units(nn.Sequential(linear, layer), [layer], images.numpy())
        assert figures["dead_units"] == share


def test_dead_channels_are_dead_at_every_place(example):
    images = np.zeros((3, 2, 4, 4), np.float32) - 1
    images[2, 0, 3, 3] = 1  # one place of one image wakes the first channel
    layer = nn.ReLU()
    assert example.of_units(nn.Sequential(layer), [layer], images)["dead_units"] == 0.5


def test_what_layers_give_out(example):
    images = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    first, second = nn.ReLU(), nn.Tanh()
    model = nn.Sequential(first, nn.Linear(3, 5), nn.Dropout(0.5), second)
    figures = example.of_units(model, [first, second], images)
    given = model.eval()(fastnn.from_numpy(images)).detach().numpy()
    assert figures["means"] == pytest.approx([np.maximum(images, 0).mean(), given.mean()], 1e-5)
    assert figures["deviations"] == pytest.approx([np.maximum(images, 0).std(), given.std()], 1e-5)


def test_gradient_norms_are_those_of_small_steps(example):
    """The loss falls by the norm where a weight goes along its gradient."""
    random = np.random.default_rng(0)
    images = random.standard_normal((8, 1, 28, 28)).astype(np.float64)
    labels = random.integers(0, 10, 8)
    model, _ = example.make({"network": "dense", "depth": "deep", "activation": "tanh",
                             "batch_norm": False, "alpha_dropout": False}, example.ACTIVATIONS)
    model.double()
    norms = example.gradient_norms(model, (images, labels))
    assert len(norms) == 3

    def loss():
        return nn.functional.cross_entropy(
            model(fastnn.from_numpy(images)), fastnn.from_numpy(labels)).item()

    for layer, norm in zip([model[1], model[3], model[5]], norms, strict=True):
        before, step = loss(), 1e-5
        with fastnn.no_grad():
            layer.weight.sub_(layer.weight.grad * (step / norm))
            slope = (before - loss()) / step
            layer.weight.add_(layer.weight.grad * (step / norm))
        assert slope == pytest.approx(norm, rel=1e-3)


def test_accuracy(example):
    images = np.eye(10, dtype=np.float32)
    labels = np.arange(10)
    assert example.accuracy(nn.Sequential(nn.Identity()), (images, labels)) == 1
    assert example.accuracy(nn.Sequential(nn.Identity()), (images, np.roll(labels, 1))) == 0
    labels[:3] = 9
    assert example.accuracy(nn.Sequential(nn.Identity()), (images, labels)) == 0.7


def test_figures_stand_in_their_cells(report):
    history = [{"activation": "selu", "network": network, "depth": depth, "batch_norm": norm,
                "alpha_dropout": alpha, "accuracy": value}
               for value, (network, depth, norm, alpha) in enumerate([
                   ("dense", "shallow", False, False), ("dense", "shallow", True, False),
                   ("convolutional", "deep", True, False), ("dense", "deep", False, True)])]
    found = report.table(history, ["relu", "selu", "selu + alpha dropout"], "accuracy")
    wanted = np.full((3, 8), np.nan)
    wanted[1, 0], wanted[1, 1], wanted[1, 7], wanted[2, 2] = range(4)
    assert np.array_equal(found, wanted, equal_nan=True)
    assert report.by_network(history, "selu", "accuracy") == {
        "shallow dense": 0, "shallow dense, batch norm": 1, "deep convolutional, batch norm": 2}
    assert report.by_network(history, "selu + alpha dropout", "accuracy") == {"deep dense": 3}


def test_the_custom_activation_is_the_expression(example):
    x = fastnn.linspace(-3, 3, 11)
    layer = example.Custom(example.custom("z * tanh(z) if z > -1 else 0.5 * z"))
    values = x.numpy()
    assert layer(x).numpy() == pytest.approx(
        np.where(values > -1, values * np.tanh(values), 0.5 * values), rel=1e-5)


@pytest.mark.parametrize("arguments, text", [
    (["--custom", "x *"], "--custom: elementwise custom: 'x *' is not an expression"),
    (["--custom", "__import__('os')"], "there is no variable in"),
    (["--custom", "open(x)"], "function 'open' is not known; there are abs, acos"),
    (["--custom", "x.real"], "'x.real' is not possible in a formula"),
    (["--custom", "x * y"], "--custom: there is more than one variable in 'x * y'"),
    (["--custom", "x > 0"], "--custom: 'x > 0' is true or false, not a number"),
    (["--custom", "x & 3"], "--custom: custom: not defined for floating-point tensors"),
    (["--custom", "-" * 600 + "x"], "--custom: "),
    (["--custom", ""], "'' is not an expression"),
    (["--activations", "relu", "maxout"], "invalid choice: 'maxout'"),
    (["--steps", "0"], "'0' is not a positive integer"),
    (["--dataset", "cifar"], "invalid choice: 'cifar'"),
])
def test_wrong_arguments(example, refusal, arguments, text):
    joined = ["=".join(arguments)] if len(arguments) == 2 else arguments
    assert text in refusal(example, *joined)
    assert not Path("runs").exists()


def test_pytorch_runs_the_same_lines(example, run_in_torch):
    report = run_in_torch("activations.py", "--smoke", "--activations", "selu", "--steps", "2")
    assert len(report["epochs"]) == 12
