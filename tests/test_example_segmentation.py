"""The labelling of pixels: scenes, network, measures, what is written, what is refused."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from example_runs import read_report
from matplotlib.image import imread

import fastnn

SMOKE = ["--smoke", "--dataset", "digits"]


@pytest.fixture
def example(load_example):
    return load_example("segmentation")


@pytest.fixture
def small(example, monkeypatch):
    """A narrow network."""
    monkeypatch.setattr(example, "CHANNELS", (4, 4, 8, 8))
    monkeypatch.setattr(example.UNet.__init__, "__defaults__", ((4, 4, 8, 8),))


def squares(count=10):
    """Digits whose ink is a square; that of class c is 8 + c pixels wide."""
    images = np.zeros((count, 28, 28), np.uint8)
    for label in range(count):
        images[label, 5:13 + label, 5:13 + label] = 255
    return SimpleNamespace(data=fastnn.from_numpy(images),
                           targets=fastnn.from_numpy(np.arange(count)))


def test_a_smoke_run(example, capsys):
    assert example.main([*SMOKE, "--threads", "1", "--out", "out"]) == 0
    assert sorted(each.name for each in Path("out").iterdir()) == [
        "checkpoint.safetensors", "model.safetensors", "report.json", "report.png", "scenes.png"]
    figures = read_report("out")
    losses = [epoch["loss"] for epoch in figures["epochs"]]
    assert len(losses) == 2 and losses[1] < losses[0]
    assert list(figures["iou"]) == ["background", *"0123456789"]
    assert figures["mean_iou"] == pytest.approx(np.mean(list(figures["iou"].values())))
    assert figures["mean_iou"] == figures["epochs"][-1]["mean_iou"]
    assert np.sum(figures["confusion"]) == 32 * 64 * 64
    assert imread("out/scenes.png").shape[:2] == (760, 1400)
    assert imread("out/report.png").shape[:2] == (450, 1400)
    example.UNet().load_state_dict(fastnn.load("out/model.safetensors"))
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"mean intersection over union: {figures['mean_iou']:.4f}")


def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(example, small, assert_resumes):
    assert_resumes(example, *SMOKE, "--epochs", "3", "--seed", "-5", after=1,
                   files=("model.safetensors", "scenes.png"))


@pytest.mark.parametrize("arguments, text", [
    (["--dataset", "cifar"], "invalid choice: 'cifar'"),
    (["--batch-size", "0"], "'0' is not a positive integer"),
    (["--data-dir", "nowhere"], "there is no folder 'nowhere'"),
])
def test_wrong_arguments(example, refusal, arguments, text):
    assert text in refusal(example, *arguments)


def test_without_mnist(example, refusal):
    assert "cannot download" in refusal(example, "--smoke")
    assert not Path("runs").exists()


def test_scenes_come_from_their_seeds_and_numbers_alone(example):
    scenes = example.Scenes(squares(), 3, 7, 1)
    again = example.Scenes(squares(), 3, 7, 1)
    assert len(scenes) == 3
    image, classes = scenes[2]
    assert image.shape == (1, 64, 64) and image.dtype == np.float32
    assert classes.shape == (64, 64) and classes.dtype == np.int64
    for first, second in zip(scenes[2], again[2], strict=True):
        assert np.array_equal(first, second)
    for other in (scenes[1], example.Scenes(squares(), 3, 7, 2)[2],
                  example.Scenes(squares(), 3, 8, 1)[2]):
        assert not np.array_equal(image, other[0])


def test_a_scene_shows_the_digits_where_its_classes_say(example):
    scenes = example.Scenes(squares(), 50, 0)
    seen = set()
    for index in range(50):
        image, classes = scenes[index]
        for label in set(classes.ravel()) - {0}:
            inked = classes == label
            assert inked.sum() <= 6 * (7 + label) ** 2
            assert image[0][inked].mean() > image[0][classes == 0].mean()
        seen |= set(classes.ravel())
    assert seen == set(range(11))


def test_a_digit_covers_little_of_those_before_it(example, monkeypatch):
    painted = []
    monkeypatch.setattr(example, "paint", lambda image, place, ink, grey: painted.append(
        (place, ink > 127)) if ink.shape == (28, 28) else None)
    scenes = example.Scenes(squares(), 30, 0)
    overlaps = []
    for index in range(30):
        painted.clear()
        scenes[index]
        before = np.zeros((72, 72), bool)
        for place, ink in painted:
            overlaps.append(before[place][ink].mean())
            before[place] |= ink
        assert len(painted) >= 2
    assert max(overlaps) < 0.1 and np.count_nonzero(overlaps) > 5


def test_the_network_labels_every_pixel_and_uses_every_parameter(example):
    model = example.UNet()
    assert sum(each.numel() for each in model.parameters()) == 482_619
    out = model(fastnn.rand(2, 1, 32, 48))
    assert tuple(out.shape) == (2, 11, 32, 48)
    (out * fastnn.rand(2, 11, 32, 48)).sum().backward()
    for name, each in model.named_parameters():
        assert float(each.grad.abs().max()) > 0, name


def test_fine_detail_passes_by_the_small_images(example):
    model = example.UNet((4, 8)).eval()
    with fastnn.no_grad():
        for each in model.enlargements.parameters():
            each.zero_()  # nothing comes up from below
        plain = fastnn.zeros(1, 1, 16, 16)
        dotted = plain.clone()
        dotted[0, 0, 5, 9] = 1
        changed = (model(dotted) - model(plain)).abs().sum(1)[0].numpy() > 0
    rows, columns = np.nonzero(changed)
    assert changed[5, 9] and abs(rows - 5).max() <= 4 and abs(columns - 9).max() <= 4


def test_confusion_has_truth_in_rows(example):
    counts = example.confusion_matrix(np.array([[1, 1], [0, 2]]), np.array([[1, 0], [0, 0]]))
    assert counts.shape == (11, 11) and counts.sum() == 4
    assert counts[0, :3].tolist() == [1, 1, 1] and counts[1, 1] == 1


def test_intersection_over_union(example):
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 4, (2, 5, 20, 20))
    said[truth == 3] = 2  # a class that is never found
    found = example.intersection_over_union(example.confusion_matrix(said, truth))
    for label in range(3):
        union = ((truth == label) | (said == label)).sum()
        assert found[label] == ((truth == label) & (said == label)).sum() / union
    assert found[3] == ((truth == 3) & (said == 3)).sum() == 0
    assert (found[4:] == 1).all()  # neither there nor said to be


def test_the_same_lines_run_with_pytorch(run_in_torch):
    assert run_in_torch("segmentation.py", *SMOKE, "--epochs", "1")["mean_iou"] > 0
