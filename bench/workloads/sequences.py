"""Models of text that predict the next of 65 symbols."""

from .weights import embedding, linear, lstm, norm
from .workload import Workload

SYMBOLS = 65
STEPS = 64
UNITS = 256  # of the LSTM, which reads an embedding of
INPUTS = 64
LAYERS, WIDTH, HEADS = 4, 128, 4  # of the transformer


def _time_first(generator, batch):
    text = generator.integers(0, SYMBOLS, (STEPS + 1, batch))
    return [text[:-1].copy(), text[1:].copy()]


def _batch_first(generator, batch):
    text = generator.integers(0, SYMBOLS, (batch, STEPS + 1))
    return [text[:, :-1].copy(), text[:, 1:].copy()]


def _block():
    attention = [*norm(WIDTH), *linear(WIDTH, 3 * WIDTH), *linear(WIDTH, WIDTH)]
    dense = [*norm(WIDTH), *linear(WIDTH, 4 * WIDTH), *linear(4 * WIDTH, WIDTH)]
    return attention + dense


_BLOCKS = [weight for _ in range(LAYERS) for weight in _block()]

ALL = (
    Workload(
        "lstm",
        "65 symbols, embedding 64, LSTM 256, 64 steps of time, state carried on, Adam",
        32,
        _time_first,
        ([*embedding(SYMBOLS, INPUTS), *lstm(INPUTS, UNITS), *linear(UNITS, SYMBOLS)],),
        "Adam",
        1e-3,
        image=False,
    ),
    Workload(
        "gpt",
        "65 symbols, 64 places, 4 layers of 128 with 4 heads, norm first, GELU, AdamW",
        32,
        _batch_first,
        (
            [
                *embedding(SYMBOLS, WIDTH),
                *embedding(STEPS, WIDTH),
                *_BLOCKS,
                *norm(WIDTH),
                *linear(WIDTH, SYMBOLS),
            ],
        ),
        "AdamW",
        1e-3,
        decay=0.01,
        image=False,
    ),
)
