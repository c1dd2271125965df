"""`fastnn.compile` computes what eager mode computes, to the last bit, call after call."""

import numpy as np
import pytest
from compiled_twins import Job, assert_like_eager, bits, floats, integers

import fastnn
from fastnn import nn
from fastnn.nn import functional as F


def pointwise(x, y):
    return F.gelu(x) * y - fastnn.exp(-x * x) / (1 + y.abs())


def broadcast(x, y):
    return x.sum(0, keepdim=True) + y.unsqueeze(-1).mean(1) * 2


def products(x, y):
    return (x @ y.T).softmax(-1) @ y, fastnn.einsum("ij,kj->ik", x, y)


def reductions(x, y):
    return {"mean": x.mean(), "std": y.std(1), "max": x.max(1), "all": (x < 9).all(), "none": None}


def ordered(x, y):
    return [*x.sort(-1), y.topk(2), x.argmax(1), fastnn.cumsum(y, 1)]


def rearranged(x, y):
    swapped = y[:, [1, 0]].T[:, :4].flip(0).repeat(2, 1)
    return fastnn.cat([x.T.reshape(4, 6), swapped], 1), x[1:, ::2]


def selected(x, y):
    return fastnn.where(x > 0, x, y), x.masked_fill(y > 0, -1.0), x.long(), y > x


def views_of_temporaries(x, y):
    z = x * 2
    part = z[1:3]
    part += y[1:3]
    z.T[0] = -1
    return z, part, z.view(-1)[3:7]


def in_place(x, y):
    z = x.clone().mul_(2).add_(y, alpha=0.5).clamp_(-1, 1)
    z[0].zero_()
    z[z > 0.5] = 7.0
    z[:, 1] = y[:, 2]
    return z.relu_()


def in_place_on_arguments(x, y):
    x.add_(1).mul_(y)
    y[0] = x[1]
    return x.sum()


def constants(x, y):
    return x + fastnn.arange(4) + fastnn.tensor([0.1, 0.2, 0.3, 0.4]), fastnn.ones_like(y), 3, "a"


def sizes(x, y):
    return x.shape[0] * 2, x * x.shape[1], y.numel(), x.dim()


def number_types(x, y):
    return x.double() @ y.double().T, x.to(fastnn.int32) * 3, x.int() / 2, y.bool()


@fastnn.elementwise
def bump(x):
    return x / (1 + x * x)


def own_elementwise(x, y):
    return bump(x) + bump(y)


def derivative(x, y):
    leaf = x.detach().clone().requires_grad_()
    (slope,) = fastnn.autograd.grad((leaf.tanh() * y).sum(), leaf)
    return slope


FUNCTIONS = [
    pointwise, broadcast, products, reductions, ordered, rearranged, selected, views_of_temporaries,
    in_place, in_place_on_arguments, constants, sizes, number_types, own_elementwise, derivative]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function(function, dtype):
    assert_like_eager(lambda: Job(function, floats((6, 4), (6, 4), dtype=dtype)))


def normals(x):
    return x + fastnn.randn(3, 4), fastnn.randn_like(x).normal_(1, 2)


def uniforms(x):
    return fastnn.rand(5), fastnn.randint(0, 9, (4,)), fastnn.randperm(6), x.uniform_(-1, 1)


def choices(x):
    return fastnn.bernoulli(x.sigmoid()), fastnn.multinomial(x.softmax(-1), 2)


def dropouts(x):
    return F.dropout(x), F.dropout(x, 0.2), F.alpha_dropout(x, training=True)


@pytest.mark.parametrize("function", [normals, uniforms, choices, dropouts])
def test_random_draws(function):
    eager = assert_like_eager(lambda: Job(function, floats((3, 4))))
    assert len({each["generator"] for each in eager}) == len(eager)


def test_generator_of_its_own():
    def make():
        source = fastnn.Generator().manual_seed(3)
        return Job(lambda x: x + fastnn.rand(4, generator=source), floats((4,)), (source,))

    assert_like_eager(make)


LAYERS = [
    (lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.LayerNorm(9)), (4, 6)),
    (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2)), (2, 3, 8, 8)),
    (lambda: nn.Sequential(nn.ConvTranspose2d(3, 2, 4, 2), nn.GroupNorm(2, 2)), (2, 3, 5, 5)),
    (lambda: nn.LSTM(6, 5, num_layers=2, batch_first=True, dropout=0.3), (3, 7, 6)),
    (lambda: nn.GRU(6, 5, bidirectional=True), (4, 3, 6)),
    (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    (lambda: nn.MultiheadAttention(8, 1, batch_first=True), (2, 5, 8)),
]


@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_module_without_gradients(number, mode):
    layer, shape = LAYERS[number]

    def make():
        net = layer().train(mode)
        attends = isinstance(net, nn.MultiheadAttention)
        return Job(net, floats(*[shape] * (3 if attends else 1)), (net,))

    with fastnn.no_grad():
        assert_like_eager(make)


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (300, 257)])
def test_sizes(shape):
    assert_like_eager(lambda: Job(lambda x: (x.tanh() * 2 + x).sum(0), floats(shape)))


def layouts(random):
    x = fastnn.from_numpy(random.standard_normal((6, 6)))
    return ([x, x.T, x[::2, ::2], x.view(2, 3, 6).transpose(0, 2), x[:0], x[0].expand(6, 6)]
            [random.integers(6)],)


def test_layouts():
    assert_like_eager(lambda: Job(lambda x: (x * 2 + 1, x.sum(-1)), layouts), calls=30)


def overlapping(random):
    x, y = floats((4, 4), (4, 4))(random)
    return [(x, y), (x, x), (x, x.T), (x[0], x[1:])][random.integers(4)]


def test_arguments_that_share_memory():
    def function(x, y):
        x.add_(1)
        return y * x.sum()

    assert_like_eager(lambda: Job(function, overlapping), calls=24)


def nested(random):
    x, y = floats((3,), (3,))(random)
    return [((x, y), None), ([x, y], None), ({"a": x, "b": y}, "b"), ({"b": x, "a": y}, "b"),
            ((x, (y, 2.0)), 0), ((x, (y, 3.0)), 0)][random.integers(6)],


def test_nested_arguments():
    def function(pair):
        holder, key = pair
        if key is None:
            return holder[0] - holder[1]
        return {"of": holder[key] * 2, "kind": type(holder).__name__, "key": key}

    assert_like_eager(lambda: Job(function, nested), calls=36)


NUMBERS = [1, 1.0, True, 0.0, -0.0, float("nan"), 2, -3]


def test_numbers_of_other_types_and_signs_are_other_arguments():
    def draw(random):
        return *integers(9, (4,))(random), NUMBERS[random.integers(len(NUMBERS))]

    assert_like_eager(lambda: Job(lambda x, number: (x * number, number), draw), calls=48)


def test_keyword_arguments_and_defaults():
    def function(x, *rest, scale=2.0, **others):
        return x * scale + sum(rest) + others.get("shift", 0)

    compiled = fastnn.compile(function)
    for number in range(18):
        x, y = floats((3,), (3,))(np.random.default_rng(number))
        calls = [((x,), {}), ((x, y), {"scale": 3.0}), ((x,), {"shift": y})]
        arguments, keywords = calls[number % 3]
        assert bits(compiled(*arguments, **keywords)) == bits(function(*arguments, **keywords))


def test_under_both_modes_of_gradients():
    compiled = fastnn.compile(lambda x: x.sin() * fastnn.is_grad_enabled())
    for number in range(12):
        (x,) = floats((3,))(np.random.default_rng(number))
        with fastnn.set_grad_enabled(number % 2 == 0):
            assert bits(compiled(x)) == bits(x.sin() * (number % 2 == 0))


def test_results_as_arguments():
    """The hidden state of the last call is an argument of the next."""
    cell = nn.GRUCell(4, 6)
    compiled = fastnn.compile(cell)
    with fastnn.no_grad():
        state = expected = fastnn.zeros(2, 6)
        for number in range(8):
            (x,) = floats((2, 4))(np.random.default_rng(number))
            state, expected = compiled(x, state), cell(x, expected)
            assert state.numpy().tobytes() == expected.numpy().tobytes()


def test_compiled_within_compiled():
    def inner(x):
        return x.exp() * 2

    compiled = fastnn.compile(inner)
    outer = fastnn.compile(lambda x: compiled(x) + compiled(x + 1))
    for number in range(12):
        (x,) = floats((5,))(np.random.default_rng(number))
        if number % 4 == 3:
            assert bits(compiled(x)) == bits(inner(x))
        assert bits(outer(x)) == bits(inner(x) + inner(x + 1))
