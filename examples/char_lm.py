"""Train a model of characters on Shakespeare's plays, and let it write.

    python examples/char_lm.py --model lstm

Recurrent models read 32 streams side by side, 64 characters at a time, and carry their state from
one part to the next: truncated back-propagation through time. The transformer reads 32 windows of
64 characters from anywhere. The last tenth of the text is held out. The weights, the figures, the
curves and a text that the model wrote end up in the folder of --out.
"""

import argparse
import math
import sys
from dataclasses import dataclass

import numpy
from char_lm_report import write_report
from experiment import Parser, Problem, launch, positive

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import AdamW
from fastnn.optim.lr_scheduler import OneCycleLR
from fastnn.text.datasets import TinyShakespeare

BATCH, STEPS = 32, 64
SMOKE = 20_000  # characters of the text


class Recurrent(nn.Module):
    """Embedding, recurrent layer, and a linear layer that scores every next symbol."""

    reads = 1  # characters at a time: the state has those before

    def __init__(self, kind, symbols, embedding=64, hidden=256):
        super().__init__()
        self.embedding = nn.Embedding(symbols, embedding)
        self.recurrent = kind(embedding, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, symbols)

    def forward(self, text, state=None):
        """Scores (batch, steps, symbols) of what follows, and the state to go on with."""
        outputs, state = self.recurrent(self.embedding(text), state)
        return self.scores(outputs), state


class Transformer(nn.Module):
    """After A. Radford et al., Language Models are Unsupervised Multitask Learners (2019)."""

    reads = STEPS  # each window stands for itself

    def __init__(self, symbols, layers=4, width=128, heads=4):
        super().__init__()
        self.embedding = nn.Embedding(symbols, width)
        self.positions = nn.Embedding(STEPS, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, activation="gelu",
                                       batch_first=True, norm_first=True)
            for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, symbols)

    def forward(self, text, state=None):
        """Scores (batch, steps, symbols) of what follows, and None for a state."""
        steps = text.shape[1]
        x = self.embedding(text) + self.positions.weight[:steps]
        later = nn.Transformer.generate_square_subsequent_mask(steps)
        for layer in self.layers:
            x = layer(x, later, is_causal=True)
        return self.scores(self.norm(x)), None


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained; the learning rate rises to the given one and falls to 0."""

    network: object
    learning_rate: float


RECIPES = {
    "rnn": Recipe(lambda symbols: Recurrent(nn.RNN, symbols), 0.002),
    "lstm": Recipe(lambda symbols: Recurrent(nn.LSTM, symbols), 0.006),
    "gru": Recipe(lambda symbols: Recurrent(nn.GRU, symbols), 0.004),
    "transformer": Recipe(Transformer, 0.003),
}


def main(arguments=None):
    """Do what the command line asks for, and return the exit status."""
    parser = Parser(__doc__, out="runs/char_lm/{model}", epochs=5, smoke_epochs=2)
    parser.add_argument("--model", choices=RECIPES, default="lstm")
    parser.add_argument("--temperature", type=temperature, default=0.8,
                        help="of the text that is written: below 1 the likely gets likelier")
    parser.add_argument("--length", type=positive, default=1000, help="characters to write")
    return launch(parser, load, train, arguments)


def temperature(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def load(run):
    """The symbols of the text, and the text as numbers of them: what to train on, what to test on.
    """
    text = TinyShakespeare(run.options.data_dir, download=True).text
    if run.options.smoke:
        text = text[:SMOKE]
    codes, numbers = numpy.unique(numpy.frombuffer(text.encode(), numpy.uint8), return_inverse=True)
    held_out = len(text) // 10
    if held_out <= BATCH:
        raise Problem(f"{len(text)} characters of text are too few")
    return codes.tobytes().decode(), numbers[:-held_out], numbers[-held_out:]


def train(run, data):
    """Train, test after each epoch, let the model write, and report."""
    options, (symbols, training, test) = run.options, data
    recipe = RECIPES[options.model]
    model = recipe.network(len(symbols))
    optimizer = AdamW(model.parameters(), lr=recipe.learning_rate)
    schedule = OneCycleLR(optimizer, recipe.learning_rate, cycle_momentum=False,
                          total_steps=options.epochs * len(streams(training)))
    run.keep(model=model, optimizer=optimizer, schedule=schedule)
    for epoch in run.epochs():
        if options.model == "transformer":
            batches = windows(training, numpy.random.default_rng((options.seed, epoch)))
        else:
            batches = streams(training)
        loss = train_epoch(model, optimizer, schedule, run.progress(batches))
        test_loss = measure(model, streams(test))
        run.record(loss=loss, test_loss=test_loss, perplexity=math.exp(test_loss),
                   bits_per_character=test_loss / math.log(2))
    text = write(model, symbols, options.length, options.temperature)
    print(text)
    write_report(run, text)


def streams(numbers):
    """The text as BATCH streams, in parts of up to STEPS characters that follow one another.

    Each part is the pair of the characters (batch, steps) and of those that come after each.
    """
    length = (len(numbers) - 1) // BATCH
    inputs, targets = (numbers[start:start + BATCH * length].reshape(BATCH, length)
                       for start in (0, 1))
    return [tuple(fastnn.from_numpy(each[:, start:start + STEPS]) for each in (inputs, targets))
            for start in range(0, length, STEPS)]


def windows(numbers, random):
    """As many parts as `streams` gives, from places drawn anew for each of their rows."""
    places = random.integers(len(numbers) - STEPS, size=(len(streams(numbers)), BATCH, 1))
    return [tuple(fastnn.from_numpy(numbers[start + numpy.arange(STEPS)])
                  for start in (each, each + 1)) for each in places]


def train_epoch(model, optimizer, schedule, batches):
    """Go through the text once and return the mean loss, which is that before each step."""
    model.train()
    state, loss_sum, count = None, 0.0, 0
    for inputs, targets in batches:
        scores, state = model(inputs, detached(state))
        loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        loss_sum += loss.item() * targets.numel()
        count += targets.numel()
        batches.set_postfix_str(f"loss {loss_sum / count:.4f}", refresh=False)
    return loss_sum / count


def detached(state):
    """A state as values only: gradients go back to where the part began, and no further."""
    if isinstance(state, tuple):
        return tuple(map(detached, state))
    return None if state is None else state.detach()


def measure(model, batches):
    """The mean loss over a text: nats for each character."""
    model.eval()
    state, loss_sum, count = None, 0.0, 0
    with fastnn.no_grad():
        for inputs, targets in batches:
            scores, state = model(inputs, state)
            loss_sum += F.cross_entropy(scores.flatten(0, 1), targets.flatten(),
                                        reduction="sum").item()
            count += targets.numel()
    return loss_sum / count


def write(model, symbols, length, temperature):
    """A new text: each character is drawn by the scores, divided by the temperature."""
    model.eval()
    text, state = [symbols.index("\n")], None
    with fastnn.no_grad():
        for _ in range(length):
            scores, state = model(fastnn.tensor([text[-model.reads:]]), state)
            chances = F.softmax(scores[0, -1] / temperature, dim=0)
            text.append(fastnn.multinomial(chances, 1).item())
    return "".join(symbols[each] for each in text[1:])


if __name__ == "__main__":
    sys.exit(main())
