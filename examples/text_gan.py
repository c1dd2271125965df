"""Train two recurrent networks against each other until one of them invents names.

    python examples/text_gan.py

The generator draws one letter after the other; Gumbel-softmax samples let the gradient of what the
discriminator thinks of a whole name reach every letter's scores. The weights, the figures, the
curves and names that the generator invented end up in the folder of --out.
"""

import sys

import numpy
from experiment import Parser, Problem, launch, positive
from text_gan_report import compare, write_report

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from fastnn.optim import Adam
from fastnn.text.datasets import Names

END = "."  # follows a name's last letter, as often as it takes to fill the length
SYMBOLS = END + "abcdefghijklmnopqrstuvwxyz"
LENGTH = 16
NOISE = 64


class Generator(nn.Module):
    """Names from noise: each letter is drawn, and read before the next one is drawn."""

    def __init__(self, hidden=128):
        super().__init__()
        self.start = nn.Linear(NOISE, hidden)
        self.cell = nn.GRUCell(len(SYMBOLS), hidden)
        self.scores = nn.Linear(hidden, len(SYMBOLS))

    def forward(self, noise):
        """Letters (batch, LENGTH, symbols): one-hot, with the gradient of softmax."""
        state = self.start(noise).tanh()
        letter = fastnn.zeros(len(noise), len(SYMBOLS))
        letters = []
        for _ in range(LENGTH):
            state = self.cell(letter, state)
            letter = F.gumbel_softmax(self.scores(state), TEMPERATURE, hard=True)
            letters.append(letter)
        return fastnn.stack(letters, dim=1)


class Discriminator(nn.Module):
    """A score for each name: positive where it seems to be a real one."""

    def __init__(self, hidden=128):
        super().__init__()
        self.recurrent = nn.GRU(len(SYMBOLS), hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * hidden, 1)

    def forward(self, letters):
        """Scores (batch, LENGTH) from what was read up to each letter, from either side."""
        outputs, _ = self.recurrent(letters)
        return self.score(outputs).squeeze(2)
