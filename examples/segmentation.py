"""Label each pixel of scenes in which handwritten digits overlap on clutter, with a small U-Net.

    python examples/segmentation.py

A scene is drawn anew from MNIST's digits for each step, so that no epoch shows one twice; those of
the test hold digits that the training never saw. Written are the weights, the intersection over
union of each class, curves, and pictures of scenes beside their truth and what the network says.
"""

import sys
from itertools import pairwise

import numpy
from experiment import Parser, launch, positive
from mnist import digits
from segmentation_report import confusion_matrix, intersection_over_union, write_report

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import AdamW
from fastnn.optim.lr_scheduler import OneCycleLR
from fastnn.utils.data import DataLoader, Dataset
from fastnn.vision.datasets import MNIST

SIZE, MARGIN = 64, 4          # pixels along each side of a scene, and beyond each side
WHOLE = SIZE + 2 * MARGIN
BIT = 9                       # pixels along each side of the bits of digits that are clutter
CLASSES = ("background", *"0123456789")
CHANNELS = (16, 32, 64, 128)  # at 64, 32, 16 and 8 pixels
SCENES, TEST_SCENES = 4000, 1000
TEST_SEED = 10**9
LEARNING_RATE = 0.005  # 0.003 and 0.01 reach the same in one epoch


def convolutions(inputs, outputs):
    """Two 3 x 3 convolutions of one size, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """(N, 1, H, W) -> (N, classes, H, W): what there is from small images, where from large ones.

    O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image
    segmentation", MICCAI 2015. H and W are multiples of 8 with four numbers of channels.
    """

    def __init__(self, channels=CHANNELS):
        super().__init__()
        levels = list(pairwise(channels))[::-1]  # (fewer, more), from the smallest images up
        self.encoders = nn.ModuleList(
            convolutions(before, after) for before, after in pairwise((1, *channels)))
        self.enlargements = nn.ModuleList(
            nn.ConvTranspose2d(more, fewer, 2, stride=2) for fewer, more in levels)
        self.decoders = nn.ModuleList(convolutions(2 * fewer, fewer) for fewer, _ in levels)
        self.classify = nn.Conv2d(channels[0], len(CLASSES), 1)

    def forward(self, x):
        kept = []
        for encoder in self.encoders:
            if kept:
                x = F.max_pool2d(x, 2)
            x = encoder(x)
            kept.append(x)
        kept.pop()
        for enlarge, decoder in zip(self.enlargements, self.decoders, strict=True):
            x = decoder(fastnn.cat([kept.pop(), enlarge(x)], 1))
        return self.classify(x)


class Scenes(Dataset):
    """Scenes of the digits of an MNIST set: ``(image, classes)``.

    ``image`` is (1, SIZE, SIZE) float32 and ``classes``, the class of each pixel, (SIZE, SIZE)
    int64. All that is random in a scene comes from ``seeds`` and its index.
    """

    def __init__(self, digits, count, *seeds):
        self.images, self.labels = digits.data.numpy(), digits.targets.numpy()
        self.count, self.seeds = count, seeds

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        random = numpy.random.default_rng([*self.seeds, index])
        image = shading(random)
        classes = numpy.zeros(image.shape, numpy.int64)
        for _ in range(random.integers(3, 9)):
            top, left = random.integers(4, 25 - BIT, 2)
            bit = self.images[random.integers(len(self.images)), top:top + BIT, left:left + BIT]
            paint(image, somewhere(random, BIT), bit, random.uniform(0.5, 1))
        for number in random.integers(len(self.images), size=6):
            place, ink = somewhere(random, 28), self.images[number] > 127
            if (classes[place] > 0)[ink].mean() < 0.1:
                paint(image, place, self.images[number], random.uniform(0.5, 1))
                classes[place][ink] = 1 + self.labels[number]
        image += random.normal(0, random.uniform(0, 0.05), image.shape)
        inner = slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN)
        return image[inner][None].astype(numpy.float32), classes[inner]


def shading(random):
    """A dark image, with a margin, that grows lighter in some direction."""
    down, across = numpy.mgrid[-1:1:WHOLE * 1j, -1:1:WHOLE * 1j]
    angle, slope = random.uniform(0, 2 * numpy.pi), random.uniform(0, 0.15)
    return random.uniform(0.1, 0.3) + slope * (numpy.cos(angle) * down + numpy.sin(angle) * across)


def somewhere(random, length):
    """A square of the image with sides of the given length."""
    top, left = random.integers(WHOLE - length + 1, size=2)
    return slice(top, top + length), slice(left, left + length)


def paint(image, place, ink, grey):
    """Cover the place with a grey, as much as there is ink from 0 to 255."""
    image[place] += ink / 255 * (grey - image[place])


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/segmentation", epochs=20, smoke_epochs=2)
    parser.add_argument("--dataset", choices=("mnist", "digits"), default="mnist",
                        help="digits: the few small ones that come with fastnn")
    parser.add_argument("--batch-size", type=positive, default=16)
    return launch(parser, load, train, arguments)


def load(run):
    """The training scenes of an epoch, as a function of its number, and the test scenes."""
    options = run.options
    scenes, test_scenes = (64, 32) if options.smoke else (SCENES, TEST_SCENES)
    if options.dataset == "digits":
        training, test = digits()
    else:
        root = options.data_dir if options.data_dir and MNIST.find(options.data_dir) else None
        training, test = MNIST(root, download=True), MNIST(root, train=False)
    return (lambda epoch: Scenes(training, scenes, options.seed % 2**64, epoch),
            Scenes(test, test_scenes, TEST_SEED))


def train(run, data):
    """Train on new scenes in each epoch, test, and report."""
    options, (training, test) = run.options, data
    model = UNet()
    optimizer = AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = OneCycleLR(optimizer, LEARNING_RATE, pct_start=0.2, cycle_momentum=False,
                          total_steps=options.epochs * -(-len(training(0)) // options.batch_size))
    run.keep(model=model, optimizer=optimizer, schedule=schedule)
    for epoch in run.epochs():
        model.train()
        losses = []
        for images, classes in run.progress(DataLoader(training(epoch), options.batch_size)):
            loss = F.cross_entropy(model(images), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        counts = sum(confusion_matrix(said, classes) for _, classes, said in labelled(model, test))
        run.record(loss=sum(losses) / len(losses), mean_iou=intersection_over_union(counts).mean())
    iou = write_report(run, CLASSES, counts, next(labelled(model, test)))
    print(f"mean intersection over union: {iou:.4f}")


def labelled(model, scenes):
    """Batches (images, classes, what the network says) of scenes, as arrays."""
    model.eval()
    with fastnn.no_grad():
        for images, classes in DataLoader(scenes, batch_size=50):
            yield images.numpy(), classes.numpy(), model(images).numpy().argmax(axis=1)


if __name__ == "__main__":
    sys.exit(main())
