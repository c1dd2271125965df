"""The listener: spectra, network, what is written, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from data_files import write_wave
from example_runs import read_report
from matplotlib.image import imread

import fastnn


@pytest.fixture
def folder(tmp_path):
    """A folder of made-up recordings: tones of different heights and lengths that rise."""
    random = np.random.default_rng(0)
    folder = tmp_path / "recordings"
    for digit in range(10):
        for take in (0, 1, 5, 6, 7):
            count = int(random.integers(1000, 2500))
            heights = np.linspace(1, 1.5, count) * (200 + 150 * digit)
            samples = 8000 * np.sin(2 * np.pi * np.cumsum(heights) / 8000)
            write_wave(folder / f"{digit}_ann_{take}.wav", samples + random.normal(0, 300, count))
    return folder


@pytest.fixture
def example(load_example):
    """The example as a module, without recordings at hand."""
    return load_example("audio")


def tone(height, count=4000):
    return np.sin(2 * np.pi * height * np.arange(count) / 8000).astype(np.float32)


@pytest.mark.parametrize("task", ["digits", "order"])
def test_a_smoke_run(example, folder, capsys, task):
    assert example.main(["--smoke", "--task", task, "--data-dir", str(folder), "--threads", "1",
                         "--out", "out"]) == 0
    assert sorted(each.name for each in Path("out").iterdir()) == [
        "checkpoint.safetensors", "model.safetensors", "report.json", "report.png", "spectra.png"]
    figures = read_report("out")
    assert len(figures["epochs"]) == 2
    assert figures["epochs"][1]["loss"] < figures["epochs"][0]["loss"]
    assert np.sum(figures["confusion"]) == {"digits": 20, "order": 40}[task]
    assert figures["test_accuracy"] == figures["epochs"][-1]["test_accuracy"]
    assert imread("out/report.png").shape[:2] == (400, 1200)
    assert imread("out/spectra.png").shape[:2] == (700, 1400)
    example.Listener(len(example.CLASSES[task])).load_state_dict(
        fastnn.load("out/model.safetensors"))
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"held-out accuracy: {figures['test_accuracy']:.4f}")


def test_it_learns_digits_that_differ_and_order(example, folder):
    for task, epochs in (("digits", "25"), ("order", "25")):
        assert example.main(["--task", task, "--data-dir", str(folder), "--epochs", epochs,
                             "--batch-size", "10", "--out", task]) == 0
        assert read_report(task)["test_accuracy"] >= 0.9, task


@pytest.mark.parametrize("task", ["digits", "order"])
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(
        example, folder, assert_resumes, task):
    assert_resumes(example, "--task", task, "--data-dir", str(folder), "--batch-size", "10",
                   "--epochs", "3", "--seed", "-5", after=1,
                   files=("model.safetensors", "spectra.png"))


@pytest.mark.parametrize("arguments, text", [
    (["--task", "singing"], "invalid choice: 'singing'"),
    (["--batch-size", "0"], "'0' is not a positive integer"),
    (["--data-dir", "nowhere"], "there is no folder 'nowhere'"),
])
def test_wrong_arguments(example, refusal, arguments, text):
    assert text in refusal(example, *arguments)


def test_recordings_that_are_not_there_or_damaged(example, folder, refusal):
    assert "no files like 7_jackson_32.wav" in refusal(example, "--smoke")
    path = folder / "3_ann_0.wav"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path}: not a whole WAV file" in refusal(example, "--smoke", "--data-dir", str(folder))
    assert not Path("runs").exists()


def test_only_test_takes(example, folder, refusal):
    for path in folder.glob("*_[567].wav"):
        path.unlink()
    assert "has no takes for training" in refusal(example, "--smoke", "--data-dir", str(folder))


def test_mel_bands(example):
    bands = example.mel_bands()
    assert bands.shape == (129, 40) and bands.min() == 0 and bands.max() <= 1
    assert (bands.sum(axis=0) > 0).all()
    peaks = bands.argmax(axis=0)
    assert (np.diff(peaks) >= 0).all()
    # Neighbours share what lies between their middles, so that nothing is counted twice.
    assert bands[peaks[0] + 1:peaks[-1]].sum(axis=1) == pytest.approx(1)
    # Equally wide in mel: wider and wider in frequencies, above 1,000 Hz in proportion.
    middles = (np.arange(129)[:, None] * bands).sum(axis=0) / bands.sum(axis=0) * 31.25
    mel = 1127 * np.log1p(middles / 700)
    assert np.diff(mel)[15:] == pytest.approx((mel[-1] - mel[15]) / 24, rel=0.1)


def test_a_tone_is_loudest_in_its_band_while_it_sounds(example):
    samples = np.concatenate([tone(500), tone(2000)])
    spectrum = example.spectrum(samples)
    assert spectrum.dtype == np.float32
    assert spectrum.shape == (1 + (8000 - 256) // 80, 40)
    for frames, frequency in ((slice(0, 45), 500), (slice(52, None), 2000)):
        band = example.mel_bands()[round(frequency / 31.25)].argmax()
        assert (spectrum[frames, band] > 0.5).all()
    assert spectrum.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert spectrum.std() == pytest.approx(1, abs=1e-3)


def test_loudness_and_colour_make_no_difference(example):
    samples = tone(500) * np.linspace(0.1, 1, 4000) + np.random.default_rng(0).normal(0, 0.1, 4000)
    assert example.spectrum(samples / 50) == pytest.approx(example.spectrum(samples), abs=1e-3)


@pytest.mark.parametrize("samples", [np.zeros(1), np.zeros(1000), np.ones(100)])
def test_what_is_short_or_silent_gives_numbers(example, samples):
    spectrum = example.spectrum(samples.astype(np.float32))
    assert spectrum.shape == (1 + max(0, len(samples) - 256) // 80, 40)
    assert np.isfinite(spectrum).all()
    assert np.isfinite(example.varied(samples, np.random.default_rng(0))).all()


def test_variation_is_small_and_comes_from_its_generator(example):
    samples = tone(500)
    first, second = (example.varied(samples, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)
    lengths = [len(example.varied(samples, np.random.default_rng(seed))) for seed in range(50)]
    assert 0.84 * 4000 / 1.11 < min(lengths) < 3700 and 3900 < max(lengths) <= 4000 * 1.106
    heights = [np.abs(np.fft.rfft(example.varied(samples, np.random.default_rng(seed)), 8000)
                      ).argmax() for seed in range(50)]
    assert min(heights) < 475 and max(heights) > 525 and np.ptp(heights) < 105


def test_half_of_the_spectra_are_shuffled_when_order_is_asked_for(example):
    recordings = [(np.cumsum(tone(40 * number)), number) for number in range(1, 6)]
    plain = example.Spectra(recordings, False, False, 1)
    both = example.Spectra(recordings, True, False, 1)
    assert len(plain) == 5 and len(both) == 10
    for index, (samples, digit) in enumerate(recordings):
        expected = example.spectrum(samples)
        assert np.array_equal(plain[index][0], expected) and plain[index][1] == digit
        assert np.array_equal(both[index][0], expected) and both[index][1] == 1
        shuffled, label = both[5 + index]
        assert label == 0 and not np.array_equal(shuffled, expected)
        assert np.array_equal(np.sort(shuffled, axis=0), np.sort(expected, axis=0))
        assert {frame.tobytes() for frame in shuffled} == {frame.tobytes() for frame in expected}
        again = example.Spectra(recordings, True, False, 1)[5 + index][0]
        other = example.Spectra(recordings, True, False, 2)[5 + index][0]
        assert np.array_equal(shuffled, again) and not np.array_equal(shuffled, other)


def test_a_sequence_is_heard_alike_alone_and_among_longer_ones(example):
    model = example.Listener(10).eval()
    random = np.random.default_rng(0)
    spectra = [(random.normal(size=(count, 40)).astype(np.float32), 0) for count in (3, 30, 1, 12)]
    with fastnn.no_grad():
        together = model(example.packed(spectra)[0]).numpy()
        alone = [model(example.packed([each])[0]).numpy()[0] for each in spectra]
    assert together.shape == (4, 10)
    assert together == pytest.approx(np.stack(alone), abs=1e-5)


def test_the_same_lines_run_with_pytorch(run_in_torch, folder):
    epochs = run_in_torch("audio.py", "--smoke", "--data-dir", str(folder))["epochs"]
    assert epochs[1]["loss"] < epochs[0]["loss"]
