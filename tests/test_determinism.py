"""The same seed gives the same bits, for whole training steps and any number of threads."""

import numpy as np
import pytest

import fastnn
from fastnn import nn
from fastnn.nn import functional as F


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 10))


def normalized():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.BatchNorm2d(16), nn.GELU(),
        nn.ConvTranspose2d(16, 8, 4, 2), nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.AvgPool2d(4),
        nn.Flatten(), nn.Linear(392, 10))


def dropped():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.SiLU(), nn.Dropout(0.25), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(2704, 10))


OPTIMIZERS = {
    mlp: lambda parameters: fastnn.optim.Adam(parameters, amsgrad=True),
    lenet: lambda parameters: fastnn.optim.SGD(parameters, 0.05, momentum=0.9),
    normalized: lambda parameters: fastnn.optim.AdamW(parameters),
    dropped: lambda parameters: fastnn.optim.SGD(parameters, 0.05),
}


def train(network, seed=0, steps=3, batch=64):
    """Everything that training has changed: parameters, buffers, losses."""
    fastnn.manual_seed(seed)
    net = network()
    optimizer = OPTIMIZERS[network](net.parameters())
    losses = []
    for _ in range(steps):
        x, labels = fastnn.randn(batch, 1, 28, 28), fastnn.randint(0, 10, (batch,))
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [*(value.array for value in net.state_dict().values()), np.array(losses)]


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("network", OPTIMIZERS, ids=lambda network: network.__name__)
def test_training_for_any_number_of_threads(network, threads, reseeded):
    runs = []
    for count in (1, 2, 3):
        threads(count)
        runs.append(train(network))
    assert np.isfinite(runs[0][-1]).all()
    assert_same_bits(runs[0], runs[1])
    assert_same_bits(runs[0], runs[2])


def test_same_seed_same_bits_other_seed_other_bits(reseeded):
    first, second, other = train(dropped, 1), train(dropped, 1), train(dropped, 2)
    assert_same_bits(first, second)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_last_batch_of_odd_size(threads, reseeded):
    threads(1)
    one = train(lenet, batch=17)
    threads(3)
    assert_same_bits(one, train(lenet, batch=17))


DRAWS = {
    "rand": lambda: fastnn.rand(1000, 211), "randn": lambda: fastnn.randn(1000, 211),
    "double": lambda: fastnn.randn(1000, 11, dtype=fastnn.float64),
    "randint": lambda: fastnn.randint(-5, 90, (1000, 211)),
    "randperm": lambda: fastnn.randperm(999),
    "bernoulli": lambda: fastnn.bernoulli(fastnn.full((1000, 211), 0.3)),
    "uniform_": lambda: fastnn.empty(1000, 211).uniform_(2, 3),
    "normal_": lambda: fastnn.empty(1000, 211).normal_(2, 3),
    "rand_like": lambda: fastnn.rand_like(fastnn.ones(1000, 211)),
    "randn_like": lambda: fastnn.randn_like(fastnn.ones(1000, 211)),
    "dropout": lambda: F.dropout(fastnn.ones(1000, 211)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws(name, threads, reseeded):
    """The same for one seed and any number of threads; another seed, and the next call, differ."""
    found = []
    for count, seed in ((1, 5), (3, 5), (3, 6)):
        threads(count)
        fastnn.manual_seed(seed)
        found.append(DRAWS[name]().array)
    following = DRAWS[name]().array
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[1] != found[2]).any() and (found[2] != following).any()


MOMENTS = {  # (mean, deviation, smallest, largest)
    "rand": (0.5, 12 ** -0.5, 0.0, 1.0), "randn": (0.0, 1.0, -7, 7), "double": (0.0, 1.0, -7, 7),
    "randint": (42.0, 95 / 12 ** 0.5, -5, 90), "bernoulli": (0.3, 0.21 ** 0.5, 0.0, 1.01),
    "uniform_": (2.5, 12 ** -0.5, 2.0, 3.0), "normal_": (2.0, 3.0, -20, 24),
    "rand_like": (0.5, 12 ** -0.5, 0.0, 1.0), "randn_like": (0.0, 1.0, -7, 7),
    "dropout": (1.0, 1.0, 0.0, 2.01),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_distributions(name):
    mean, deviation, low, high = MOMENTS[name]
    values = DRAWS[name]().array.astype(np.float64)
    error = deviation / values.size ** 0.5
    assert abs(values.mean() - mean) < 5 * error
    assert abs(values.std() / deviation - 1) < 5 / values.size ** 0.5
    assert values.min() >= low and values.max() < high


def test_randperm_is_a_permutation():
    assert sorted(fastnn.randperm(100).tolist()) == list(range(100))


def test_neighbours_are_independent():
    values = fastnn.randn(400_000).array.astype(np.float64)
    for lag in (1, 2, 4, 8):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 5 / len(values) ** 0.5


def test_generator_of_ones_own(reseeded):
    generator = fastnn.Generator().manual_seed(3)
    outside = fastnn.get_rng_state()
    first = fastnn.rand(5, generator=generator)
    assert fastnn.get_rng_state() == outside and generator.initial_seed() == 3
    state = generator.get_state()
    second = fastnn.rand(5, generator=generator)
    generator.set_state(state)
    assert (fastnn.rand(5, generator=generator) == second).all() and (first != second).any()


def test_state_of_the_default_generator(reseeded):
    fastnn.manual_seed(-5)
    assert fastnn.initial_seed() == -5
    state = fastnn.get_rng_state()
    first = fastnn.randn(7)
    fastnn.set_rng_state(state)
    assert (fastnn.randn(7) == first).all()


def test_bits_of_the_generator():
    """Philox of the counter and the key, as the reference has it."""
    from fastnn._kernels import reference

    known = reference.philox((0, 0, 0, 0), (0, 0))
    assert known == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)  # Salmon et al., Random123
