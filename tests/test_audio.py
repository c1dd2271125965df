"""Recordings from made-up WAV files: which are taken, what they hold, and what is refused."""

import numpy as np
import pytest
from data_files import write_wave

from fastnn.audio.datasets import SpokenDigits, read_wave
from fastnn.utils.data import DataLoader


@pytest.fixture
def recordings(tmp_path):
    """A folder with takes 0, 4, 5 and 12 of two digits by two speakers, each of another length."""
    for length, name in enumerate((f"{digit}_{speaker}_{take}" for digit in (3, 7)
                                   for speaker in ("ann", "bob") for take in (0, 4, 5, 12)), 1):
        write_wave(tmp_path / f"{name}.wav", np.full(length, length))
    return tmp_path


def test_takes_0_to_4_are_for_the_test(recordings):
    training, test = SpokenDigits(recordings, train=True), SpokenDigits(recordings, train=False)
    # In the order of the names, which is that of digits, speakers and takes as text.
    assert [len(each) for each in training.waves] == [4, 3, 8, 7, 12, 11, 16, 15]
    assert [len(each) for each in test.waves] == [1, 2, 5, 6, 9, 10, 13, 14]
    for part in (training, test):
        assert part.digits == [3] * 4 + [7] * 4
        assert part.speakers == ["ann"] * 2 + ["bob"] * 2 + ["ann"] * 2 + ["bob"] * 2
        assert len(part) == 8


def test_a_sample_is_a_wave_and_a_digit(recordings):
    samples, digit = SpokenDigits(recordings, train=False)[2]
    assert samples.dtype == np.float32 and digit == 3 and type(digit) is int
    assert np.array_equal(samples, np.full(5, 5 / 32768, np.float32))


def test_a_loader_takes_them_with_a_function_of_its_own(recordings):
    batch = next(iter(DataLoader(SpokenDigits(recordings), batch_size=3, collate_fn=list)))
    assert [(len(samples), digit) for samples, digit in batch] == [(4, 3), (3, 3), (8, 3)]


def test_samples_lie_between_minus_one_and_one(tmp_path):
    write_wave(tmp_path / "a.wav", [-32768, -1, 0, 1, 32767])
    samples = read_wave(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert samples.tolist() == [-1, -1 / 32768, 0, 1 / 32768, 32767 / 32768]


@pytest.mark.parametrize("subfolder", ["", "fsdd", "audio/fsdd", "recordings"])
def test_where_they_are_looked_for(tmp_path, empty_cache, monkeypatch, subfolder):
    path = tmp_path / "data" / subfolder / "1_ann_5.wav"
    write_wave(path, [1])
    assert SpokenDigits.find(tmp_path / "data") == [path]
    assert SpokenDigits.find() == []
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "data"))
    assert SpokenDigits.find() == [path]
    assert len(SpokenDigits()) == 1


def test_the_cache_directory_is_looked_at_too(tmp_path, empty_cache):
    write_wave(tmp_path / "cache" / "data" / "fsdd" / "1_ann_5.wav", [1])
    assert len(SpokenDigits()) == 1


def test_other_files_are_left_alone(recordings):
    for name in ("notes.wav", "12_ann_5.wav", "1_ann.wav", "1_5_5.wav", "1_ann_5.mp3"):
        (recordings / name).write_text("something else")
    assert len(SpokenDigits(recordings)) == 8


@pytest.mark.parametrize("name", ["1_ann_5b.wav", "1_ann_bob_5.wav"])
def test_names_that_only_begin_like_recordings(recordings, name):
    (recordings / name).write_text("something else")
    assert len(SpokenDigits(recordings)) == 8


def test_none_there(tmp_path, empty_cache):
    with pytest.raises(FileNotFoundError, match="SpokenDigits: no files like .* in .*nowhere"):
        SpokenDigits(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "cache")):
        SpokenDigits()


def test_none_there_for_one_part(tmp_path):
    write_wave(tmp_path / "1_ann_5.wav", [1])
    assert len(SpokenDigits(tmp_path)) == 1
    with pytest.raises(FileNotFoundError, match="has no takes for the test"):
        SpokenDigits(tmp_path, train=False)


@pytest.mark.parametrize("form, said", [
    (dict(rate=16000), r"are \(1, 2, 16000\), expected \(1, 2, 8000\)"),
    (dict(channels=2), r"are \(2, 2, 8000\)"),
    (dict(width=1), r"are \(1, 1, 8000\)"),
], ids=["rate", "channels", "width"])
def test_another_form(recordings, form, said):
    path = recordings / "3_ann_5.wav"
    write_wave(path, [1, 2, 3, 4], **form)
    with pytest.raises(ValueError, match=f"3_ann_5.wav: channels, bytes .* {said}"):
        SpokenDigits(recordings, train=True)
    assert len(SpokenDigits(recordings, train=False)) == 8  # which reads no others


@pytest.mark.parametrize("kept", [0, 3, 11, 20, 36, 43, 45, 99])
def test_truncated(tmp_path, kept):
    path = tmp_path / "3_ann_5.wav"
    write_wave(path, np.arange(28))  # 44 bytes and 56
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="3_ann_5.wav: not a whole WAV file"):
        SpokenDigits(tmp_path)


def test_something_else(tmp_path):
    (tmp_path / "3_ann_5.wav").write_bytes(b"RIFX" + bytes(96))
    with pytest.raises(ValueError, match="not a whole WAV file"):
        SpokenDigits(tmp_path)


def test_no_samples(tmp_path):
    write_wave(tmp_path / "3_ann_5.wav", [])
    with pytest.raises(ValueError, match="not a whole WAV file: 0 bytes of 0 samples"):
        SpokenDigits(tmp_path)
