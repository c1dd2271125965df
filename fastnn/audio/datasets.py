"""Recordings: spoken digits."""

import re
import wave
from pathlib import Path

import numpy

from fastnn.utils.data import Dataset
from fastnn.utils.data.files import folders, nothing_found

RATE = 8000  # samples a second
NAME = re.compile(r"[0-9]_[a-z]+_[0-9]+\.wav")


class SpokenDigits(Dataset):
    """Spoken English digits, 8,000 samples a second: the Free Spoken Digit Dataset or a part of it.

    A sample is ``(wave, digit)``: float32 numbers from -1 to 1 of shape (samples,), and an int.
    Takes 0 to 4 of each speaker are for the test, the others for training, as the authors of the
    data set say; ``speakers`` names the speaker of each sample. The files
    ``{digit}_{speaker}_{take}.wav`` are looked for in the folder ``root``, in ``root/fsdd``,
    ``root/audio/fsdd`` and ``root/recordings``; where ``root`` is None, in ``$FASTNN_DATA`` and in
    the user's cache directory.

    FileNotFoundError where there are none, ValueError where one is something else.

    Z. Jackson and others, Free Spoken Digit Dataset, CC BY-SA 4.0:
    https://github.com/Jakobovski/free-spoken-digit-dataset
    """

    subfolders = ("", "fsdd", "audio/fsdd", "recordings")

    def __init__(self, root=None, train=True):
        paths = self.find(root)
        if not paths:
            raise FileNotFoundError(nothing_found(
                "SpokenDigits", "files like 7_jackson_32.wav", root,
                "the folder 'recordings' of the data set has them"))
        names = [path.stem.split("_") for path in paths]
        chosen = [index for index, (_, _, take) in enumerate(names) if (int(take) > 4) == train]
        if not chosen:
            raise FileNotFoundError(f"SpokenDigits: {paths[0].parent} has no takes for "
                                    f"{'training' if train else 'the test'}")
        self.waves = [read_wave(paths[index]) for index in chosen]
        self.digits = [int(names[index][0]) for index in chosen]
        self.speakers = [names[index][1] for index in chosen]

    @classmethod
    def find(cls, root=None):
        """The paths of all recordings in the first folder that has any, in order."""
        for folder in folders(root, cls.subfolders):
            paths = sorted(path for path in folder.glob("*.wav") if NAME.fullmatch(path.name))
            if paths:
                return paths
        return []

    def __len__(self):
        return len(self.waves)

    def __getitem__(self, index):
        return self.waves[index], self.digits[index]


def read_wave(path):
    """The samples of a file of one channel with 16 bits a sample, as float32 from -1 to 1."""
    path = Path(path)
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            count = file.getnframes()
            content = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a whole WAV file: {error}") from None
    if form != (1, 2, RATE):
        raise ValueError(f"{path}: channels, bytes a sample and samples a second are {form}, "
                         f"expected {(1, 2, RATE)}")
    if not count or len(content) < 2 * count:
        raise ValueError(f"{path}: not a whole WAV file: {len(content)} bytes of {count} samples")
    return numpy.frombuffer(content, "<i2").astype(numpy.float32) / 32768
