"""The autoencoders: what they compute, print, write and answer to wrong input."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from data_files import write_mnist
from example_runs import read_report
from matplotlib.image import imread

import fastnn
from fastnn import nn


def lines(random, count):
    """Images of a line whose height is the class, and some noise around it."""
    labels = random.integers(0, 10, count).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    images[np.arange(count), 4 + 2 * labels, 5:20] = 255
    images += random.integers(0, 40, images.shape).astype(np.uint8) // 2 * (images == 0)
    return images, labels


@pytest.fixture
def example(load_example, monkeypatch, tmp_path):
    """The example as a module, in a folder with small files in the manner of MNIST."""
    module = load_example("autoencoder")
    monkeypatch.setenv("FASTNN_DATA", str(write_mnist(tmp_path, lines, 120, 40)))
    return module


@pytest.fixture
def report(example):
    return sys.modules["autoencoder_report"]


class Constant(nn.Module):
    """Gives the same, whatever goes in."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value


@pytest.mark.parametrize("model, latent", [("ae", 2), ("vae", 2), ("vae", 5)])
def test_a_smoke_run(example, capsys, model, latent):
    assert example.main(["--smoke", "--model", model, "--latent", str(latent), "--out", "out",
                         "--batch-size", "16", "--threads", "1"]) == 0
    assert {each.name for each in Path("out").iterdir()} == {
        "checkpoint.safetensors", "model.safetensors", "report.json", "report.png", "latent.png"}
    assert imread("out/report.png").shape[:2] == (600, 1000)
    assert imread("out/latent.png").shape[:2] == (750, 1500)
    figures = read_report("out")
    assert len(figures["epochs"]) == 2
    assert figures["epochs"][1]["training_loss"] < figures["epochs"][0]["training_loss"]
    assert len(figures["code_mean"]) == len(figures["code_deviation"]) == latent
    assert 0 < figures["least_reconstruction"] < figures["test_reconstruction"]
    assert 0 <= figures["neighbour_accuracy"] <= 1 and figures["squared_error"] > 0
    if model == "vae":
        assert figures["test_elbo"] == pytest.approx(
            -figures["test_reconstruction"] - figures["test_divergence"])
    else:
        assert "test_elbo" not in figures and "test_divergence" not in figures
    network = example.MODELS[model](latent)
    network.load_state_dict(fastnn.load("out/model.safetensors"))
    assert "codes of " in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("model", ["ae", "vae"])
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(example, assert_resumes, model):
    assert_resumes(example, "--smoke", "--epochs", "3", "--batch-size", "32", "--model", model,
                   after=1, files=["model.safetensors"])


def test_the_reconstruction_loss_is_the_cross_entropy_of_all_pixels(example):
    random = np.random.default_rng(1)
    logits = random.standard_normal((3, 1, 28, 28)).astype(np.float32)
    images = random.random((3, 1, 28, 28)).astype(np.float32)
    found = example.reconstruction_loss(fastnn.tensor(logits), fastnn.tensor(images)).numpy()
    white = 1 / (1 + np.exp(-logits.astype(np.float64)))
    wanted = -(images * np.log(white) + (1 - images) * np.log(1 - white)).sum((1, 2, 3))
    assert found == pytest.approx(wanted, rel=1e-5)


def test_the_divergence_is_that_of_many_draws(example):
    """Against the mean of log q(z) - log p(z) over draws z of q."""
    model = example.VariationalAutoencoder(2)
    statistics = fastnn.tensor([[0.5, -1.0, math.log(0.25), math.log(2.0)]])
    model.encoder, model.decoder = Constant(statistics), nn.Identity()
    _, divergence = model(fastnn.zeros(1, 1, 28, 28))
    mean, variance = np.array([0.5, -1.0]), np.array([0.25, 2.0])
    draws = mean + np.sqrt(variance) * np.random.default_rng(0).standard_normal((400_000, 2))
    log_q = -((draws - mean) ** 2 / variance + np.log(variance)).sum(1) / 2
    log_p = -(draws ** 2).sum(1) / 2
    assert divergence.item() == pytest.approx((log_q - log_p).mean(), abs=0.01)


def test_codes_are_drawn_with_the_deviation_that_is_meant(example):
    model = example.VariationalAutoencoder(2)
    statistics = fastnn.tensor([[0.5, -1.0, math.log(0.25), math.log(4.0)]]).expand(50_000, 4)
    model.encoder, model.decoder = Constant(statistics), nn.Identity()
    codes, _ = model(None)
    assert codes.numpy().mean(0) == pytest.approx([0.5, -1.0], abs=0.03)
    assert codes.numpy().std(0) == pytest.approx([0.5, 2.0], rel=0.02)
    assert model.encode(None).numpy()[0] == pytest.approx([0.5, -1.0])


def test_batches_hold_every_number_once(example):
    order = np.random.default_rng(0).permutation(70)
    found = example.batches(70, 32, order)
    assert [len(each) for each in found] == [32, 32, 6]
    assert np.array_equal(np.concatenate(found), order)
    assert [len(each) for each in example.batches(64, 32)] == [32, 32]


def test_the_entropy_is_the_loss_of_the_best_reconstruction(example, report):
    images = np.random.default_rng(0).random((2, 1, 28, 28))
    images[0, 0, 0, :2] = 0, 1
    logits = np.log(np.clip(images, 1e-30, None)) - np.log(np.clip(1 - images, 1e-30, None))
    best = example.reconstruction_loss(fastnn.tensor(logits), fastnn.tensor(images)).numpy().mean()
    assert report.entropy(images) == pytest.approx(best, rel=1e-9)
    worse = example.reconstruction_loss(fastnn.tensor(logits * 1.1), fastnn.tensor(images)).numpy()
    assert report.entropy(images) < worse.mean()


@pytest.mark.parametrize("dimensions", [2, 6])
def test_the_classes_of_the_neighbours(report, dimensions):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 20)
    centres = 10 * random.standard_normal((4, dimensions))
    known = centres[labels] + 0.1 * random.standard_normal((80, dimensions))
    codes = centres[labels] + 0.1 * random.standard_normal((80, dimensions))
    assert report.neighbour_accuracy(known, labels, codes, labels) == 1
    wrong = np.where(np.arange(80) < 20, 1, labels)
    assert report.neighbour_accuracy(known, labels, codes, wrong) == 0.75
    # One stray among five neighbours is outvoted, and the nearest alone would be wrong.
    stray = np.vstack([known, codes[:1]])
    assert report.neighbour_accuracy(stray, np.append(labels, 3), codes[:1], labels[:1]) == 1


def test_the_plane_of_codes(report):
    random = np.random.default_rng(0)
    flat = random.standard_normal((200, 2)) * [3, 2]
    origin, axes = report.plane(flat)
    assert np.array_equal((flat - origin) @ axes.T, flat)
    turned = flat @ np.linalg.qr(random.standard_normal((5, 5)))[0][:2] + 7
    origin, axes = report.plane(turned)
    assert (turned - origin) @ axes.T @ axes + origin == pytest.approx(turned)


def test_the_grid_over_the_plane(report):
    across, up = report.grid_of(None, normal=True)
    shares = [(1 + math.erf(each / math.sqrt(2))) / 2 for each in across]
    assert np.diff(shares) == pytest.approx(np.full(report.SIDE - 1, 1 / report.SIDE))
    assert np.array_equal(across, up) and across == pytest.approx(-across[::-1])
    points = np.stack([np.linspace(-1, 1, 101), np.linspace(10, 20, 101)], axis=1)
    across, up = report.grid_of(points, normal=False)
    assert across[[0, -1]] == pytest.approx([-0.98, 0.98])
    assert up[[0, -1]] == pytest.approx([10.1, 19.9])


def test_the_grid_shows_each_place_where_its_coordinates_are(report):
    """A decoder that paints the first coordinate: it must grow from left to right, not upwards."""
    from matplotlib.figure import Figure

    across, up = np.arange(report.SIDE), np.arange(report.SIDE)
    places = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    for coordinate in (0, 1):
        decoded = np.broadcast_to(places[:, coordinate, None, None], (len(places), 28, 28))
        axes = Figure().subplots()
        report.draw_grid(axes, decoded, across, up)
        shown = axes.images[0].get_array()
        assert shown[-1, 0] == 0 and shown[0, -1] == report.SIDE - 1
        assert shown[-1, -1] == (report.SIDE - 1 if coordinate == 0 else 0)


@pytest.mark.parametrize("arguments, text", [
    (["--model", "gan"], "invalid choice: 'gan'"),
    (["--dataset", "cifar"], "invalid choice: 'cifar'"),
    (["--latent", "0"], "'0' is not a positive integer"),
    (["--latent", "1"], "--latent: the map needs codes of at least 2 dimensions"),
    (["--learning-rate", "fast"], "--learning-rate: invalid float value: 'fast'"),
])
def test_wrong_arguments(example, refusal, arguments, text):
    assert text in refusal(example, *arguments)


def test_pytorch_runs_the_same_lines(example, run_in_torch):
    report = run_in_torch("autoencoder.py", "--smoke", "--model", "vae", "--batch-size", "32")
    assert len(report["epochs"]) == 2 and report["test_elbo"] < 0
