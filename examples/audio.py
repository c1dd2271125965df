"""Recognise spoken digits by a recurrent network over spectra of short pieces of sound.

    python examples/audio.py --task digits

With --task order the same network tells recordings from such whose pieces are shuffled. Written are
the weights, curves, the confusion matrix and the spectra of held-out recordings with what the
network says about them.
"""

import sys

import numpy
from audio_report import write_report
from experiment import Parser, launch, positive
from mnist_report import confusion_matrix

import fastnn
from fastnn import nn
from fastnn.audio.datasets import RATE, SpokenDigits
from fastnn.nn import functional as F
from fastnn.nn.utils.rnn import pack_sequence, pad_packed_sequence
from fastnn.optim import AdamW
from fastnn.optim.lr_scheduler import OneCycleLR
from fastnn.utils.data import DataLoader, Dataset

FRAME, STEP = 256, 80  # samples in a frame, and from one to the next: 32 and 10 ms
BANDS = 40
CLASSES = {"digits": tuple("0123456789"), "order": ("shuffled", "real")}
LEARNING_RATE = 0.005
TEST_SEED = 10**9


class Listener(nn.Module):
    """Packed sequences of spectra -> (N, classes): a recurrent layer's mean over all steps."""

    def __init__(self, classes, hidden=64):
        super().__init__()
        self.recurrent = nn.GRU(BANDS, hidden, bidirectional=True)
        self.classify = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * hidden, classes))

    def forward(self, spectra):
        states, _ = self.recurrent(spectra)
        states, lengths = pad_packed_sequence(states)  # zeros beyond the end of each
        return self.classify(states.sum(0) / lengths.unsqueeze(1))


def mel_bands():
    """The weights (frequencies, BANDS) of overlapping triangles that are equally wide in mel."""
    highest = 1127 * numpy.log1p(RATE / 2 / 700)
    corners = 700 * numpy.expm1(numpy.linspace(90, highest, BANDS + 2) / 1127)
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    frequencies = numpy.fft.rfftfreq(FRAME, 1 / RATE)[:, None]
    rising, falling = frequencies - left, right - frequencies
    return numpy.clip(numpy.minimum(rising / (middle - left), falling / (right - middle)), 0, None)


WINDOW, MEL = numpy.hanning(FRAME), mel_bands()


def spectrum(samples):
    """(frames, BANDS) float32: logarithms of the energy in each band of each frame.

    From each band its mean is taken, and so what the microphone and the voice do all the time.
    """
    samples = numpy.pad(samples, (0, max(0, FRAME - len(samples))))
    frames = numpy.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP] * WINDOW
    energies = numpy.abs(numpy.fft.rfft(frames)) ** 2 @ MEL
    levels = numpy.log(energies + 1e-6 * energies.max() + 1e-12)
    levels -= levels.mean(axis=0)
    return (levels / (levels.std() + 1e-6)).astype(numpy.float32)


def varied(samples, random):
    """The samples up to a tenth faster or slower, cut somewhere at both ends, with some noise."""
    speed = numpy.exp(random.uniform(-0.1, 0.1))
    places = numpy.arange(0, max(1, len(samples) - 1), speed)
    samples = numpy.interp(places, numpy.arange(len(samples)), samples)
    noise = random.uniform(0, 0.02) * numpy.abs(samples).max()
    first, last = (random.uniform(0, 0.08, 2) * len(samples)).astype(int)
    return (samples + random.normal(0, noise, len(samples)))[first:len(samples) - last]


class Spectra(Dataset):
    """Recordings as ``(spectrum, digit)``; with ``order`` each also as ``(spectrum, is real)``.

    The second half is then shuffled. All that is random comes from ``seeds`` and the index;
    ``vary`` is for training.
    """

    def __init__(self, recordings, order, vary, *seeds):
        self.recordings, self.order, self.vary, self.seeds = recordings, order, vary, seeds

    def __len__(self):
        return len(self.recordings) * (2 if self.order else 1)

    def __getitem__(self, index):
        random = numpy.random.default_rng([*self.seeds, index])
        real = index < len(self.recordings)
        samples, digit = self.recordings[index % len(self.recordings)]
        found = spectrum(varied(samples, random) if self.vary else samples)
        return found if real else random.permutation(found), int(real) if self.order else digit


def packed(samples):
    """A batch of spectra of different lengths and their classes."""
    spectra, classes = zip(*samples, strict=True)
    sequences = pack_sequence([fastnn.from_numpy(each) for each in spectra], enforce_sorted=False)
    return sequences, fastnn.from_numpy(numpy.array(classes))


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/audio/{task}", epochs=60, smoke_epochs=2)
    parser.add_argument("--task", choices=CLASSES, default="digits")
    parser.add_argument("--batch-size", type=positive, default=20)
    return launch(parser, load, train, arguments)


def load(run):
    """The training recordings and the held-out ones."""
    return [SpokenDigits(run.options.data_dir, train) for train in (True, False)]


def train(run, data):
    """Train, test after each epoch, and report."""
    options, (training, held_out) = run.options, data
    order = options.task == "order"
    test = Spectra(held_out, order, False, TEST_SEED)
    names = CLASSES[options.task]
    model = Listener(len(names))
    optimizer = AdamW(model.parameters(), lr=LEARNING_RATE)
    steps = -(-len(Spectra(training, order, True)) // options.batch_size)
    schedule = OneCycleLR(optimizer, LEARNING_RATE, total_steps=options.epochs * steps,
                          pct_start=0.2, cycle_momentum=False)
    run.keep(model=model, optimizer=optimizer, schedule=schedule)
    for epoch in run.epochs():
        spectra = Spectra(training, order, True, options.seed % 2**64, epoch)
        batches = DataLoader(spectra, options.batch_size, shuffle=True, collate_fn=packed)
        loss, hits = train_epoch(model, optimizer, schedule, run.progress(batches))
        counts = confusion_matrix(*predict(model, test))
        run.record(loss=loss, training_accuracy=hits / len(spectra),
                   test_accuracy=float(numpy.trace(counts) / counts.sum()))
    accuracy = write_report(run, names, test, *predict(model, test))
    print(f"held-out accuracy: {accuracy:.4f}")


def train_epoch(model, optimizer, schedule, batches):
    """One step for each batch: the mean loss, and how many outputs were right."""
    model.train()
    losses, hits = [], 0
    for sequences, classes in batches:
        outputs = model(sequences)
        loss = F.cross_entropy(outputs, classes, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        hits += int((outputs.argmax(1) == classes).sum())
    return sum(losses) / len(losses), hits


def predict(model, spectra):
    """The outputs (N, classes) for all spectra, and their classes, as arrays."""
    model.eval()
    sequences, classes = next(iter(DataLoader(spectra, len(spectra), collate_fn=packed)))
    with fastnn.no_grad():
        return model(sequences).numpy(), classes.numpy()


if __name__ == "__main__":
    sys.exit(main())
