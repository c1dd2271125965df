"""What a cost model is made of: the entries of recordings, and how fast the machine runs them."""

import statistics
import time
from dataclasses import dataclass
from functools import partial

import fastnn
from fastnn import nn
from fastnn._kernels import runtime
from fastnn.compiler.explanation import name_of
from fastnn.nn import functional as F

REPLAYS = 12
KINDS = {"product of matrices": "products", "recurrent": "recurrent layers",
         "attention": "attention", "convolution": "convolutions"}
WORDS = 4  # bytes of float32


@dataclass(frozen=True)
class Entry:
    """A kernel's call or a function of Python in a recording; `seconds` were measured."""

    name: str
    seconds: float
    operations: float
    bytes: float
    nanoseconds: float  # that it was taken to need on one thread

    @property
    def kind(self):
        if "(Python)" in self.name:
            return "Python"
        return next((kind for word, kind in KINDS.items() if word in self.name), "other kernels")

    @property
    def shared(self):
        """Whether threads share the work, if there are any."""
        return runtime.is_shared(self.nanoseconds)


def entries_of(compiled):
    """The entries of the last recording, each with the least time that it took."""
    record = compiled.records()[-1]
    program = record.program
    seconds = map(min, zip(*(record.timed_replay([]) for _ in range(REPLAYS)), strict=True))
    amounts = zip(program.listed(), seconds, program.multiply_adds(), program.traffic(),
                  program.expected_seconds(), strict=True)
    return [Entry(name_of(entry), each, 2 * products, moved, 1e9 * expected)
            for entry, each, products, moved, expected in amounts]


def recorded(function):
    compiled = fastnn.compile(function)
    for _ in range(4):
        compiled()
    return entries_of(compiled)


def _both_ways(module, *inputs):
    inputs = [each.requires_grad_() for each in inputs]

    def step():
        for each in (*inputs, *module.parameters()):
            each.grad = None
        found = module(*inputs)
        found = found[0] if isinstance(found, tuple) else found
        found.backward(fastnn.ones_like(found))

    return recorded(step)


class _Attention(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, is_causal=True)


def _sums(entries, kind):
    """Seconds, operations and bytes of the entries of a kind."""
    chosen = [entry for entry in entries if entry.kind == kind]
    return (sum(entry.seconds for entry in chosen), sum(entry.operations for entry in chosen),
            sum(entry.bytes for entry in chosen))


def rates():
    """Operations a second of each kind, forward and back, on operands that stay in the caches."""
    examples = {"products": (nn.Linear(640, 320), fastnn.randn(768, 640)),
                "convolutions": (nn.Conv2d(48, 64, 3), fastnn.randn(16, 48, 20, 20)),
                "recurrent layers": (nn.LSTM(96, 192), fastnn.randn(32, 24, 96)),
                "attention": (_Attention(), fastnn.randn(8, 8, 96, 48))}
    found = {}
    for kind, example in examples.items():
        seconds, operations, _ = _sums(_both_ways(*example), kind)
        found[kind] = operations / seconds
    return found


def gathering(rate):
    """Bytes a second of convolutions, beside their operations: what few channels take."""
    seconds, operations, moved = _sums(
        _both_ways(nn.Conv2d(8, 24, 3), fastnn.randn(32, 8, 24, 24)), "convolutions")
    return moved / max(1e-9, seconds - operations / rate)


def bandwidth(footprint):
    """Bytes a second of sums of arrays that take so many bytes together."""
    size = max(1024, min(footprint // (3 * WORDS), 1 << 18))
    pairs = [(fastnn.ones(size), fastnn.ones(size))
             for _ in range(max(1, round(footprint / (3 * WORDS * size))))]

    def step():
        kept = [x + y for x, y in pairs]
        kept.clear()

    found = recorded(step)
    return sum(entry.bytes for entry in found) / sum(entry.seconds for entry in found)


def least_seconds(function, repeats, before=5):
    """The least time of so many calls, after some that are not counted."""
    times = []
    for _ in range(before + repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times[before:])


def _seconds_of_sums(size, count):
    """The time of a replay of so many sums in place."""
    x = fastnn.zeros(size)

    def step():
        for _ in range(count):
            x.add_(1)

    return least_seconds(fastnn.compile(step), 200)


def dispatch():
    """Seconds of a call of a compiled function, and of each kernel in it, with nothing to do."""
    few, many = _seconds_of_sums(8, 20), _seconds_of_sums(8, 220)
    each = (many - few) / 200
    return max(0.0, few - 20 * each), each


def hand_off():
    """Seconds that it takes to share a kernel among the threads: one of the least that are."""
    threads, size = runtime.get_thread_count(), 1024
    if threads == 1:
        return 0.0
    while not recorded(partial(fastnn.zeros(size).add_, 1))[0].shared:
        size *= 2
    shared = _seconds_of_sums(size, 50)
    fastnn.set_num_threads(1)
    alone = _seconds_of_sums(size, 50)
    fastnn.set_num_threads(threads)
    return max(0.0, (shared - alone / threads) / 50)


def python(footprint):
    """Seconds of a function of Python after kernels that went through so many bytes."""
    indices, table = fastnn.zeros(1, dtype=fastnn.int64), fastnn.zeros(1, 8)
    large = fastnn.zeros(max(1, footprint // WORDS))

    def step():
        for _ in range(4):
            F.embedding(indices, table)
            large.add_(1)

    return statistics.mean(entry.seconds for entry in recorded(step) if entry.kind == "Python")
