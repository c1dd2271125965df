"""Models of text: an LSTM whose state is carried on, and a transformer."""

from ..sequences import HEADS, INPUTS, LAYERS, STEPS, SYMBOLS, UNITS, WIDTH
from .task import Task


def _recurrent(library):
    nn = library.nn

    class Recurrent(nn.Module):
        """Logits of the next symbols for (time, batch) symbols, and the state after them."""

        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(SYMBOLS, INPUTS)
            self.lstm = nn.LSTM(INPUTS, UNITS)
            self.head = nn.Linear(UNITS, SYMBOLS)

        def forward(self, symbols, state):
            y, state = self.lstm(self.embedding(symbols), state)
            return self.head(y), state

    return [Recurrent()]


def _recurrent_loss(library, workload, network):
    measure = library.nn.functional.cross_entropy

    def loss(symbols, targets, state):
        logits, state = network(symbols, state)
        return measure(logits.flatten(0, 1), targets.flatten()), state

    return [loss]


def _carried_step(library, nets, loss_functions, updates, batch):
    """Truncated back-propagation: each step begins where the last ended, without its history."""
    (loss_function,), (update,), (symbols, targets) = loss_functions, updates, batch
    state = [library.zeros(1, symbols.shape[1], UNITS) for _ in range(2)]

    def step():
        update.zero_grad()
        loss, last = loss_function(symbols, targets, tuple(state))
        loss.backward()
        update.step()
        for own, each in zip(state, last, strict=True):
            own.copy_(each.detach())  # in place: a compiled step may rebind nothing
        return loss

    return step


def _transformer(library):
    nn, functional = library.nn, library.nn.functional

    class Block(nn.Module):
        """Attention to earlier places and a dense network, each after a norm and added."""

        def __init__(self):
            super().__init__()
            self.first_norm = nn.LayerNorm(WIDTH)
            self.attention = nn.Linear(WIDTH, 3 * WIDTH)
            self.projection = nn.Linear(WIDTH, WIDTH)
            self.second_norm = nn.LayerNorm(WIDTH)
            self.dense = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
            )

        def forward(self, x):
            x = x + self.projection(self.attend(self.attention(self.first_norm(x))))
            return x + self.dense(self.second_norm(x))

        def attend(self, x):
            n, steps = x.shape[:2]
            q, k, v = (
                each.view(n, steps, HEADS, WIDTH // HEADS).transpose(1, 2)
                for each in x.split(WIDTH, dim=2)
            )
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return y.transpose(1, 2).reshape(n, steps, WIDTH)

    class Transformer(nn.Module):
        """Logits of the next symbols for (batch, time) symbols."""

        def __init__(self):
            super().__init__()
            self.symbols = nn.Embedding(SYMBOLS, WIDTH)
            self.places = nn.Embedding(STEPS, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, SYMBOLS)

        def forward(self, symbols):
            x = self.symbols(symbols) + self.places.weight
            return self.head(self.norm(self.blocks(x)))

    return [Transformer()]


def _symbol_loss(library, workload, network):
    measure = library.nn.functional.cross_entropy
    return [
        lambda symbols, targets: measure(network(symbols).flatten(0, 1), targets.flatten()),
    ]


TASKS = {
    "lstm": Task(_recurrent, _recurrent_loss, _carried_step),
    "gpt": Task(_transformer, _symbol_loss),
}
