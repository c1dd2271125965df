"""Train a generator of images against a discriminator, and measure how good its images are.

    python examples/gan.py --model dcgan --dataset mnist

The weights, a grid of samples after each epoch, the figures and their curves, a walk through the
latent space and the nearest training images end up in the folder of --out.
"""

import math
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy
from experiment import Parser, Problem, launch, positive
from gan_judge import Judge
from gan_report import write_report, write_samples
from mnist import DATASETS, digits

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from fastnn.vision.datasets import Digits

LATENT = 64  # numbers that an image is made from
CLASSES = 10
GRADIENT_PENALTY = 10
DECAY = 0.999  # of the averaged generator
SAMPLES = 10_000  # that are measured
NORMALIZED = 2560  # that batch norm's statistics are taken from
SMOKE_IMAGES, SMOKE_SAMPLES = 1280, 1000


def dense_generator():
    """256-512-1024 with batch norm."""
    def layer(inputs, outputs):
        return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]

    return nn.Sequential(
        *layer(LATENT, 256), *layer(256, 512), *layer(512, 1024),
        nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


def dense_discriminator():
    """512-256; its sigmoid is part of the loss."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512), nn.LeakyReLU(0.2),
        nn.Linear(512, 256), nn.LeakyReLU(0.2),
        nn.Linear(256, 1))


def generator(inputs=LATENT):
    """Two dense layers and two transposed convolutions up to 28 x 28, all with batch norm.

    As X. Chen et al., "InfoGAN", NIPS 2016, but half as wide. Where both networks lack the dense
    layer of 512, strokes look real soon but digits late: the Frechet distance after 1,400 steps
    (without batch norm in the discriminator) is 190 and not 42.
    """
    return nn.Sequential(
        nn.Linear(inputs, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Linear(512, 64 * 49, bias=False), nn.BatchNorm1d(64 * 49), nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1), nn.Tanh())


def discriminator(outputs=1, norm=nn.BatchNorm2d, dense_norm=nn.BatchNorm1d):
    """Two strided convolutions down to 7 x 7 and two dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1), norm(64), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(64 * 49, 512), dense_norm(512), nn.LeakyReLU(0.2),
        nn.Linear(512, outputs))


def critic():
    """A discriminator whose opinion of an image does not depend on the others beside it."""
    return discriminator(norm=nn.Identity, dense_norm=nn.Identity)


class GANTrainer:
    """Alternate minimisation: the discriminator learns to tell real images from fakes, the
    generator to make fakes that it takes for real.

    Other kinds of GAN override a loss, what the networks are given, or the `step`.

    I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014.
    """

    def __init__(self, recipe):
        self.recipe = recipe
        self.generator, self.discriminator = recipe.generator(), recipe.discriminator()
        self.average = AveragedModel(self.generator, multi_avg_fn=moving_average)
        self.generator_optimizer = Adam(
            self.generator.parameters(), lr=recipe.rate, betas=recipe.betas)
        self.discriminator_optimizer = Adam(
            self.discriminator.parameters(), lr=recipe.discriminator_rate, betas=recipe.betas)

    def step(self, images, labels):
        """Improve the discriminator ``n_critic`` times, on a part of the images each, and the
        generator once; return both losses."""
        parts = self.recipe.n_critic
        for real, classes in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            noise = fastnn.randn(len(real), LATENT)
            fakes = self.generator(self.code(noise, classes))
            loss = self.discriminator_loss(real, fakes.detach(), classes)
            discriminator_loss = descend(self.discriminator_optimizer, loss)
        with frozen(self.discriminator):
            loss = self.generator_loss(fakes, classes)
            generator_loss = descend(self.generator_optimizer, loss)
        self.average.update_parameters(self.generator)
        return {"discriminator_loss": discriminator_loss, "generator_loss": generator_loss}

    def discriminator_loss(self, real, fakes, labels):
        return (cross_entropy(self.opinion(real, labels), 1 - self.recipe.label_smoothing)
                + cross_entropy(self.opinion(fakes, labels), 0))

    def generator_loss(self, fakes, labels):
        return cross_entropy(self.opinion(fakes, labels), 1)

    def code(self, noise, labels):
        """What the generator makes images from."""
        return noise

    def opinion(self, images, labels):
        """How real the discriminator takes images to be, as a logit each."""
        return self.discriminator(images)

    def normalize(self, noise, labels):
        """Give the batch norms of the averaged generator the statistics of its own images."""
        update_bn(self.code(noise, labels).split(self.recipe.batch), self.average)

    @fastnn.no_grad()
    def sample(self, noise, labels):
        """Images (N, 28, 28) with grey levels from -1 to 1, by the averaged generator."""
        self.average.eval()
        codes = self.code(noise, labels).split(500)
        return numpy.concatenate([self.average(code).numpy()[:, 0] for code in codes])


class WassersteinTrainer(GANTrainer):
    """The discriminator is a critic whose gradient between real images and fakes has norm 1.

    I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017.
    """

    def discriminator_loss(self, real, fakes, labels):
        share = fastnn.rand(len(real), 1, 1, 1)
        between = (share * real + (1 - share) * fakes).requires_grad_()
        gradient, = fastnn.autograd.grad(
            self.opinion(between, labels).sum(), between, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        distance = self.opinion(real, labels).mean() - self.opinion(fakes, labels).mean()
        return GRADIENT_PENALTY * penalty - distance

    def generator_loss(self, fakes, labels):
        return -self.opinion(fakes, labels).mean()


class ConditionalTrainer(GANTrainer):
    """Both networks are told the class; the discriminator has an opinion for each.

    M. Mirza, S. Osindero, "Conditional Generative Adversarial Nets", arXiv:1411.1784 (2014); the
    discriminator's last layer as in T. Miyato, M. Koyama, "cGANs with Projection Discriminator",
    ICLR 2018.
    """

    def code(self, noise, labels):
        return fastnn.cat([noise, F.one_hot(labels, CLASSES).float()], dim=1)

    def opinion(self, images, labels):
        return self.discriminator(images).gather(1, labels[:, None])


def cross_entropy(logits, target):
    """Binary cross-entropy of logits with one and the same target."""
    return F.binary_cross_entropy_with_logits(logits, fastnn.full_like(logits, target))


def descend(optimizer, loss):
    """One step of an optimizer; returns the loss before it."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def moving_average(averages, currents, number):
    """Move averages towards the present values, by less and less in the first steps."""
    decay = min(DECAY, (1 + int(number)) / (10 + int(number)))
    get_ema_multi_avg_fn(decay)(averages, currents, number)


@contextmanager
def frozen(network):
    """Within this context a network is a fixed function: no gradient of its parameters."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@dataclass(frozen=True)
class Recipe:
    """Networks and how they are trained."""

    trainer: type
    generator: object
    discriminator: object
    epochs: int
    batch: int = 64
    rate: float = 1e-3  # of the generator's optimizer
    discriminator_rate: float = 2e-4
    betas: tuple = (0.5, 0.999)
    label_smoothing: float = 0.0  # of the real images' label
    n_critic: int = 1             # steps of the discriminator for each of the generator


RECIPES = {
    "mlp": Recipe(GANTrainer, dense_generator, dense_discriminator, epochs=36, batch=128,
                  rate=2e-4),
    "dcgan": Recipe(GANTrainer, generator, discriminator, epochs=5),
    "wgan-gp": Recipe(WassersteinTrainer, generator, critic, epochs=10, rate=5e-4,
                      discriminator_rate=5e-4, betas=(0.0, 0.99)),
    "cgan": Recipe(ConditionalTrainer, lambda: generator(LATENT + CLASSES),
                   lambda: discriminator(CLASSES), epochs=5),
}


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/gan/{model}", smoke_epochs=2)
    parser.add_argument("--model", choices=RECIPES, default="mlp")
    parser.add_argument("--dataset", choices=DATASETS, default="mnist")
    parser.add_argument("--batch-size", type=positive)
    parser.add_argument("--judges", type=Path, default=Path("runs/gan/judges"),
                        help="folder where the classifier that judges the images is kept")
    return launch(parser, load, train, arguments)


def load(run):
    """The real images, their labels, and a judge that knows them."""
    options, recipe = run.options, RECIPES[run.options.model]
    options.epochs = options.epochs or recipe.epochs
    options.batch_size = options.batch_size or recipe.batch
    kind = DATASETS[options.dataset]
    parts = digits() if kind is Digits else [
        kind(options.data_dir, train=part, download=True) for part in (True, False)]
    count = SMOKE_IMAGES if options.smoke else None
    training, test = (
        (part.data.numpy()[:count] / numpy.float32(127.5) - 1, part.targets.numpy()[:count])
        for part in parts)
    largest = len(training[0]) // recipe.n_critic
    if not 2 <= options.batch_size <= largest:
        raise Problem(f"--batch-size: {options.batch_size} given, 2 to {largest} are possible")
    return training, Judge.obtain(options.judges, training, test)


def train(run, data):
    """Train, measure 10,000 samples after each epoch, and report."""
    options, ((images, labels), judge) = run.options, data
    recipe = RECIPES[options.model]
    trainer = recipe.trainer(recipe)
    count = SMOKE_SAMPLES if options.smoke else SAMPLES
    noise, classes = fastnn.randn(count, LATENT), fastnn.arange(count) % CLASSES
    run.keep(generator=trainer.generator, discriminator=trainer.discriminator,
             average=trainer.average, generator_optimizer=trainer.generator_optimizer,
             discriminator_optimizer=trainer.discriminator_optimizer)
    images, labels = fastnn.from_numpy(images)[:, None], fastnn.from_numpy(labels)
    for epoch in run.epochs():
        figures = train_epoch(trainer, images, labels, run, options.batch_size)
        check(epoch, figures)
        trainer.normalize(noise[:NORMALIZED], classes[:NORMALIZED])
        samples = trainer.sample(noise, classes)
        asked = classes.numpy() if options.model == "cgan" else None
        run.record(**figures, **judge.measure(samples, asked))
        warn(epoch, run.history[-1])
        write_samples(run, trainer, noise, f"samples-{epoch:03}.png")
    write_report(run, trainer, judge, noise, classes)


def train_epoch(trainer, images, labels, run, batch_size):
    """One pass over the real images in a random order; returns mean losses and times."""
    start, losses = time.perf_counter(), Counter()
    size = batch_size * trainer.recipe.n_critic
    steps = len(images) // size
    trainer.generator.train()
    for batch in run.progress(fastnn.randperm(len(images))[:steps * size].split(size)):
        losses.update(trainer.step(images[batch], labels[batch]))
    seconds = time.perf_counter() - start
    return {**{name: total / steps for name, total in losses.items()},
            "seconds": seconds, "images_per_second": steps * size / seconds}


def check(epoch, figures):
    """End a training that has diverged; what was saved before stays."""
    for name, value in figures.items():
        if not math.isfinite(value):
            name = name.replace("_", " ")
            raise Problem(f"epoch {epoch}: the training diverged: {name} is {value}")


def warn(epoch, figures):
    """Say it when the generator makes little else than one class."""
    share = figures["largest_share"]
    if share > 0.6:
        print(f"epoch {epoch}: mode collapse: {share:.0%} of the samples are of one class")


if __name__ == "__main__":
    sys.exit(main())
