"""Training goes on in the same memory: the arena's bytes are exactly those of early steps."""

import gc
import tracemalloc

import pytest

import fastnn
from fastnn import nn
from fastnn._kernels import runtime
from fastnn.nn import functional as F

EARLY, LATE = 20, 80
ALLOWED = 16 << 10  # bytes that Python may hold more: caches of plans, free lists


def learning(loss, parameters):
    """A step that lowers a loss by Adam; the gradients of nothing else are computed."""
    optimizer = fastnn.optim.Adam(parameters)

    def step(*inputs):
        optimizer.zero_grad()
        found = loss(*inputs)
        found.backward(inputs=parameters)
        optimizer.step()

    return step


def convolutional():
    """Pooling, a skip connection, batch norm and dropout."""
    first = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    second = nn.Sequential(nn.MaxPool2d(2), nn.ConvTranspose2d(16, 16, 2, stride=2), nn.Dropout())
    last = nn.Conv2d(32, 3, 1)
    images, labels = fastnn.randn(4, 1, 16, 16), fastnn.randint(0, 3, (4, 16, 16))

    def loss():
        x = first(images)
        return F.cross_entropy(last(fastnn.cat([x, second(x)], 1)), labels)

    return learning(loss, [p for part in (first, second, last) for p in part.parameters()])


def recurrent():
    """State carried from step to step, without its history."""
    network, head = nn.LSTM(16, 32), nn.Linear(32, 8)
    x, labels = fastnn.randn(10, 8, 16), fastnn.randint(0, 8, (80,))
    state = [fastnn.zeros(1, 8, 32), fastnn.zeros(1, 8, 32)]

    def loss():
        y, last = network(x, tuple(state))
        state[:] = [each.detach() for each in last]
        return F.cross_entropy(head(y).flatten(0, 1), labels)

    return learning(loss, [*network.parameters(), *head.parameters()])


def attentive():
    """Parts of a projection, whose gradients share one memory."""
    project, join = nn.Linear(32, 96), nn.Linear(32, 32)
    x = fastnn.randn(4, 16, 32)

    def loss():
        q, k, v = (each.view(4, 16, 4, 8).transpose(1, 2) for each in project(x).chunk(3, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.gelu(join(y.transpose(1, 2).reshape(4, 16, 32))).square().mean()

    return learning(loss, [*project.parameters(), *join.parameters()])


def adversarial():
    """A critic with a gradient penalty, then a generator whose step leaves the critic alone."""
    generator = nn.Sequential(nn.Linear(16, 64, bias=False), nn.BatchNorm1d(64), nn.LeakyReLU(0.2),
                              nn.Linear(64, 64))
    critic = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    images, noise = fastnn.randn(32, 64), fastnn.randn(32, 16)

    def critic_loss(fakes):
        mixed = ((images + fakes) / 2).requires_grad_()
        slopes, = fastnn.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        penalty = ((slopes.norm(dim=1) - 1) ** 2).mean()
        return critic(fakes).mean() - critic(images).mean() + 10 * penalty

    judge = learning(critic_loss, list(critic.parameters()))
    deceive = learning(lambda fakes: -critic(fakes).mean(), list(generator.parameters()))

    def step():
        fakes = generator(noise)
        judge(fakes.detach())
        deceive(fakes)

    return step


def held():
    """Bytes of the arena in use, kept and at their peak; bytes that Python and NumPy hold."""
    gc.collect()
    stats = runtime.memory_stats()
    return [stats[name] for name in ("used", "kept", "peak")], tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("program", [convolutional, recurrent, attentive, adversarial])
def test_memory_is_steady(program):
    step = program()
    tracemalloc.start()
    try:
        for _ in range(EARLY):
            step()
        arena, python = held()
        for _ in range(LATE - EARLY):
            step()
        later_arena, later_python = held()
    finally:
        tracemalloc.stop()
    assert later_arena == arena
    assert later_python - python < ALLOWED
