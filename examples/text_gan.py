"""Train two recurrent networks against each other until one of them invents names.

    python examples/text_gan.py

The generator draws one letter after the other. Its draws are Gumbel-softmax samples: what the
discriminator thinks of a name has a gradient for the chance of every letter in it. The weights, the
figures, the curves and names that the generator invented end up in the folder of --out.
"""

import sys

import numpy
from experiment import Parser, Problem, launch, positive
from text_gan_report import compared, random_names, write_report

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.text.datasets import Names
from fastnn.utils.data import DataLoader

END = "."  # after a name's last letter, and from there on
SYMBOLS = END + "abcdefghijklmnopqrstuvwxyz"
LENGTH, NOISE = 16, 64
BETAS = 0.5, 0.99
INVENTED = 2000  # names after each epoch
SMOKE = 4000     # of the real names


class Generator(nn.Module):
    """Names from noise: each letter is drawn, and read before the next one is drawn."""

    def __init__(self, hidden=128):
        super().__init__()
        self.start = nn.Linear(NOISE, hidden)
        self.cell = nn.GRUCell(len(SYMBOLS), hidden)
        self.scores = nn.Linear(hidden, len(SYMBOLS))

    def forward(self, noise):
        """Letters (batch, LENGTH, symbols): one-hot, but with the gradient of the softmax."""
        state = self.start(noise).tanh()
        letter = fastnn.zeros(len(noise), len(SYMBOLS))
        letters = []
        for _ in range(LENGTH):
            state = self.cell(letter, state)
            letter = F.gumbel_softmax(self.scores(state), hard=True)
            letters.append(letter)
        return fastnn.stack(letters, dim=1)


class Discriminator(nn.Module):
    """Judges the beginnings of names: a score after each letter, high where it could be real."""

    def __init__(self, hidden=128):
        super().__init__()
        self.recurrent = nn.GRU(len(SYMBOLS), hidden, batch_first=True)
        self.score = nn.Linear(hidden, 1)

    def forward(self, letters):
        return self.score(self.recurrent(letters)[0])


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/text_gan", epochs=10, smoke_epochs=2)
    parser.add_argument("--batch-size", type=positive, default=64)
    return launch(parser, load, train, arguments)


def load(run):
    """The names to train on, and every tenth, which is held out."""
    names = Names(run.options.data_dir, download=True).names
    if run.options.smoke:
        names = names[::max(1, len(names) // SMOKE)]
    encoded(names)  # an error where one is too long
    training = [name for number, name in enumerate(names) if number % 10]
    if len(training) < run.options.batch_size:
        raise Problem(f"{len(training)} names are no batch of {run.options.batch_size}")
    return training, names[::10]


def encoded(names):
    """Numbers of letters, filled up with those of END; ValueError for what is no name."""
    for name in names:
        if len(name) >= LENGTH or not set(name) <= set(SYMBOLS[1:]):
            raise ValueError(f"{name!r} is not a name of at most {LENGTH - 1} small letters")
    return numpy.array([[SYMBOLS.index(letter) for letter in name.ljust(LENGTH, END)]
                        for name in names])


def invent(generator):
    """INVENTED names."""
    with fastnn.no_grad():
        return decoded(generator(fastnn.randn(INVENTED, NOISE)))


def decoded(letters):
    """The names that letters (batch, LENGTH, symbols) spell, up to the first END."""
    return ["".join(SYMBOLS[each] for each in row).partition(END)[0]
            for row in letters.argmax(2).numpy()]


def train(run, data):
    """Train, invent names after each epoch and compare them with real ones, and report."""
    options, (names, held_out) = run.options, data
    generator, discriminator = Generator(), Discriminator()
    # The discriminator learns faster: with equal rates it cannot follow the generator.
    generator_optimizer = Adam(generator.parameters(), lr=5e-4, betas=BETAS)
    discriminator_optimizer = Adam(discriminator.parameters(), lr=2e-3, betas=BETAS)
    run.keep(generator=generator, discriminator=discriminator,
             generator_optimizer=generator_optimizer,
             discriminator_optimizer=discriminator_optimizer)
    batches = DataLoader(fastnn.from_numpy(encoded(names)), options.batch_size, shuffle=True,
                         drop_last=True)
    for _ in run.epochs():
        losses = numpy.zeros(2)
        for batch in run.progress(batches):
            real = F.one_hot(batch, len(SYMBOLS)).float()
            invented = generator(fastnn.randn(len(batch), NOISE))
            losses += (train_discriminator(discriminator, discriminator_optimizer,
                                           real, invented.detach()),
                       train_generator(discriminator, generator_optimizer, invented))
        sample = invent(generator)
        print("invented:", *sample[:12])
        discriminator_loss, generator_loss = (losses / len(batches)).tolist()
        run.record(discriminator_loss=discriminator_loss, generator_loss=generator_loss,
                   **compared(sample, names))
    letters = random_names(held_out, SYMBOLS[1:], numpy.random.default_rng(options.seed))
    write_report(run, invent(generator), random_letters=compared(letters, names),
                 held_out_names=compared(held_out, names))


def train_discriminator(discriminator, optimizer, real, invented):
    """One step towards high scores for real names and low ones for invented ones; the loss."""
    loss = loss_of(discriminator(real), 1) + loss_of(discriminator(invented), 0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train_generator(discriminator, optimizer, invented):
    """One step of the generator towards high scores for what it invented; the loss."""
    discriminator.requires_grad_(False)  # no gradients for its weights: nobody would use them
    loss = loss_of(discriminator(invented), 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    discriminator.requires_grad_(True)
    return loss.item()


def loss_of(scores, truth):
    """Binary cross-entropy of scores that should all say the same."""
    return F.binary_cross_entropy_with_logits(scores, fastnn.full_like(scores, truth))


if __name__ == "__main__":
    sys.exit(main())
