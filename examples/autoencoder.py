"""Train an autoencoder or a variational one on images, and draw its latent space.

    python examples/autoencoder.py --model vae --dataset fashion-mnist

Each image becomes a point of a plane (or of a space of --latent dimensions) and an image again.
The pictures in the folder of --out show images beside their reconstructions, where the test images
of each class lie in the plane, and what is decoded from a grid laid over it.
"""

import sys

import numpy
from autoencoder_report import write_report
from experiment import Parser, Problem, launch, positive
from mnist import DATASETS, digits

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.optim.lr_scheduler import OneCycleLR
from fastnn.vision.datasets import Digits


def encoder(outputs):
    """Images (N, 1, 28, 28) to (N, outputs)."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128), nn.ReLU(),
        nn.Linear(128, outputs))


def decoder(inputs):
    """Codes (N, inputs) to logits of the grey values of images (N, 1, 28, 28)."""
    return nn.Sequential(
        nn.Linear(inputs, 128), nn.ReLU(),
        nn.Linear(128, 64 * 7 * 7), nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1))


class Autoencoder(nn.Module):
    """An image goes through a bottleneck; its code is a point."""

    def __init__(self, latent):
        super().__init__()
        self.encoder = encoder(latent)
        self.decoder = decoder(latent)

    def encode(self, images):
        return self.encoder(images)

    def forward(self, images):
        """The logits of the reconstructions, and 0 for what nothing is asked of: the codes."""
        return self.decoder(self.encode(images)), fastnn.zeros(len(images))


class VariationalAutoencoder(nn.Module):
    """The code of an image is a normal distribution near that of all codes, N(0, 1).

    D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", arXiv:1312.6114 (2013).
    """

    def __init__(self, latent):
        super().__init__()
        self.encoder = encoder(2 * latent)
        self.decoder = decoder(latent)

    def encode(self, images):
        """The mean of the distribution."""
        return self.encoder(images).chunk(2, dim=1)[0]

    def forward(self, images):
        """The logits of reconstructions from a draw, and the divergence from N(0, 1) in nats."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        codes = mean + (log_variance / 2).exp() * fastnn.randn_like(mean)
        divergence = (mean ** 2 + log_variance.exp() - log_variance - 1).sum(1) / 2
        return self.decoder(codes), divergence


MODELS = {"ae": Autoencoder, "vae": VariationalAutoencoder}


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/autoencoder/{model}", epochs=10, smoke_epochs=2)
    parser.add_argument("--model", choices=MODELS, default="vae")
    parser.add_argument("--dataset", choices=DATASETS, default="mnist")
    parser.add_argument("--latent", type=positive, default=2, help="dimensions of the codes")
    parser.add_argument("--batch-size", type=positive, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.002,
                        help="it rises to this and falls to 0")
    return launch(parser, load, train, arguments)


def load(run):
    """The training and the test set; the first images of both for a smoke run."""
    if run.options.latent < 2:
        raise Problem("--latent: the map needs codes of at least 2 dimensions")
    kind = DATASETS[run.options.dataset]
    training, test = digits() if kind is Digits else [
        kind(run.options.data_dir, train=is_training, download=True)
        for is_training in (True, False)]
    if run.options.smoke:
        for part, count in ((training, 2000), (test, 500)):
            part.data, part.targets = part.data[:count], part.targets[:count]
    return training, test


def train(run, data):
    """Train, test after each epoch, and report."""
    options, (training, test) = run.options, data
    images, test_images = training.data.numpy(), test.data.numpy()
    model = MODELS[options.model](options.latent)
    optimizer = Adam(model.parameters(), lr=options.learning_rate)
    steps = len(batches(len(images), options.batch_size))
    schedule = OneCycleLR(optimizer, options.learning_rate, total_steps=options.epochs * steps)
    run.keep(model=model, optimizer=optimizer, schedule=schedule)
    for epoch in run.epochs():
        order = numpy.random.default_rng((options.seed, epoch)).permutation(len(images))
        chosen = run.progress(batches(len(images), options.batch_size, order))
        training_loss = train_epoch(model, optimizer, schedule, images, chosen)
        run.record(training_loss=training_loss, **losses(model, test_images))
    write_report(run, model, training, test)


def train_epoch(model, optimizer, schedule, images, chosen):
    """A step for each batch of chosen images; the mean of the losses before each step."""
    model.train()
    total = count = 0
    for indices in chosen:
        inputs = as_inputs(images[indices])
        outputs, divergence = model(inputs)
        loss = reconstruction_loss(outputs, inputs).mean() + divergence.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(indices)
        count += len(indices)
        chosen.set_postfix_str(f"loss {total / count:.2f}", refresh=False)
    return total / count


def reconstruction_loss(outputs, images):
    """Minus the log-likelihood (N,) of each image in nats.

    The grey values 0 to 1 count as the probabilities that a pixel is white.
    """
    each = F.binary_cross_entropy_with_logits(outputs, images, reduction="none")
    return each.sum((1, 2, 3))


def losses(model, images):
    """The means over images, in nats: reconstruction loss, divergence, and the bound with both.

    ELBO is minus their sum, which the logarithm of an image's probability is at least. An
    autoencoder has no distribution, so only its reconstruction loss.
    """
    model.eval()
    reconstruction = divergence = 0.0
    with fastnn.no_grad():
        for indices in batches(len(images), 500):
            inputs = as_inputs(images[indices])
            outputs, divergences = model(inputs)
            reconstruction += reconstruction_loss(outputs, inputs).sum().item() / len(images)
            divergence += divergences.sum().item() / len(images)
    if isinstance(model, Autoencoder):
        return {"reconstruction": reconstruction}
    return {"reconstruction": reconstruction, "divergence": divergence,
            "elbo": -reconstruction - divergence}


def batches(count, size, order=None):
    """The numbers 0 to count - 1, in the given order, in arrays of the given size or less."""
    order = numpy.arange(count) if order is None else order
    return numpy.split(order, range(size, count, size))


def as_inputs(images):
    """Grey bytes (N, 28, 28) as numbers 0 to 1 (N, 1, 28, 28)."""
    return fastnn.from_numpy(images[:, None]).float() / 255


if __name__ == "__main__":
    sys.exit(main())
