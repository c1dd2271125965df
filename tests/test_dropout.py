"""Dropout in its kinds: what is dropped, what is kept, the same mask in the backward pass."""

import numpy as np
import pytest

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

SHAPES = {"dropout1d": (60, 80, 3), "dropout2d": (60, 80, 2, 2), "dropout3d": (60, 80, 2, 1, 2),
          "feature_alpha_dropout": (60, 80, 3)}
MODULES = {"Dropout": "dropout", "Dropout1d": "dropout1d", "Dropout2d": "dropout2d",
           "Dropout3d": "dropout3d", "AlphaDropout": "alpha_dropout",
           "FeatureAlphaDropout": "feature_alpha_dropout"}
LIMIT = -1.7580993408473766  # of selu


pytestmark = pytest.mark.usefixtures("reseeded")


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_whole_channels_are_dropped(name, p):
    y = getattr(F, name)(fastnn.ones(*SHAPES[name]), p).numpy().reshape(60 * 80, -1)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, np.float32(1 / (1 - p))}
    deviation = (p * (1 - p) / len(y)) ** 0.5
    assert abs((y[:, 0] == 0).mean() - p) < 4 * deviation


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_mean_and_variance_are_kept(name, p):
    x = fastnn.randn(*((400, 500) if name == "alpha_dropout" else (400, 500, 1)))
    y = getattr(F, name)(x, p, training=True).numpy()
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02
    lowest, counts = np.unique(y, return_counts=True)
    share = counts.max() / y.size
    assert abs(share - p) < 0.01
    scale = 1 / ((1 - p) * (1 + p * LIMIT ** 2)) ** 0.5
    assert lowest[counts.argmax()] == pytest.approx(scale * LIMIT * (1 - p), rel=1e-5)


@pytest.mark.parametrize("name", MODULES.values())
def test_the_backward_pass_drops_the_same(name):
    x = fastnn.ones(*SHAPES.get(name, (60, 80)), requires_grad=True)
    y = getattr(F, name)(x, 0.4, training=True)
    (slope,) = fastnn.autograd.grad(y.sum(), x, create_graph=False)
    dropped = y.detach().numpy() == y.detach().numpy().min()
    np.testing.assert_array_equal(slope.numpy() == 0, dropped)
    assert len(np.unique(slope.numpy())) == 2


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    shape = SHAPES.get(MODULES[name], (60, 80))
    module, x = getattr(nn, name)(0.3), fastnn.ones(*shape)
    assert module.eval()(x) is x
    y = module.train()(x)
    assert y is not x and (y.numpy() != 1).any() and (x.numpy() == 1).all()
    assert repr(module) == f"{name}(p=0.3, inplace=False)"
    made = x * 1.0
    module.inplace = True
    assert module(made) is made and (made.numpy() != 1).any()


@pytest.mark.parametrize("name", MODULES.values())
def test_everything_is_dropped(name):
    x = fastnn.ones(*SHAPES.get(name, (60, 80)))
    assert not getattr(F, name)(x, 1.0, training=True).numpy().any()


@pytest.mark.parametrize("name", MODULES.values())
def test_same_bits_for_any_number_of_threads(name, threads):
    runs = []
    for count in (1, 2, 3):
        threads(count)
        fastnn.manual_seed(5)
        x = fastnn.ones(400, *SHAPES.get(name, (60, 80))[1:], requires_grad=True)
        y = getattr(F, name)(x, 0.4, training=True)
        y.sum().backward()
        runs.append((y.detach().numpy(), x.grad.numpy()))
    for run in runs[1:]:
        for one, other in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_channels_without_a_batch():
    assert F.dropout1d(fastnn.ones(50, 4)).numpy().any(1).sum() < 50
    assert F.dropout3d(fastnn.ones(50, 2, 2, 2)).numpy().any((1, 2, 3)).sum() < 50
    images = F.dropout2d(fastnn.ones(20, 30, 4)).numpy()  # as (N, C, L)
    assert (images == images[:, :, :1]).all() and (images == 0).any()


@pytest.mark.parametrize("inplace", [False, True])
def test_random_slopes(inplace):
    leaf = fastnn.linspace(-2, 2, 20_000, dtype=fastnn.float64, requires_grad=True)
    x = leaf * 1.0
    y = F.rrelu(x, 0.25, 0.75, training=True, inplace=inplace)
    assert (y is x) == inplace
    (slopes,) = fastnn.autograd.grad(y.sum(), leaf)
    slopes, values = slopes.numpy(), leaf.detach().numpy()
    np.testing.assert_allclose(y.detach().numpy(), slopes * values, 1e-15)
    assert (slopes[values > 0] == 1).all()
    below = slopes[values <= 0]
    assert below.min() >= 0.25 and below.max() < 0.75
    assert abs(below.mean() - 0.5) < 0.01 and abs(below.std() - 0.5 / 12 ** 0.5) < 0.01


def test_random_slopes_of_a_module():
    module, x = nn.RReLU(0.25, 0.75), fastnn.full((1000,), -1.0)
    assert len(np.unique(module(x).numpy())) > 900
    assert (module.eval()(x).numpy() == -0.5).all()


def test_gumbel_softmax_chooses_by_probability():
    shares = fastnn.tensor([0.5, 0.3, 0.2], requires_grad=True)
    drawn = F.gumbel_softmax(shares.log().expand(20_000, 3), tau=0.7, hard=True)
    assert (np.sort(drawn.detach().numpy(), 1) == [0, 0, 1]).all()
    np.testing.assert_allclose(drawn.detach().numpy().mean(0), [0.5, 0.3, 0.2], atol=0.015)
    (drawn * fastnn.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert np.isfinite(shares.grad.numpy()).all() and shares.grad.numpy().any()
    soft = F.gumbel_softmax(fastnn.zeros(50, 4), dim=0).numpy()
    np.testing.assert_allclose(soft.sum(0), 1, 1e-5)


def test_prelu_as_pytorch(torch):
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    results = []
    for library, owner in ((fastnn, nn), (torch, torch.nn)):
        module = owner.PReLU(4, init=0.3, dtype=library.float64)
        leaf = library.tensor(x, requires_grad=True)
        y = module(leaf)
        (y * y).sum().backward()
        results.append([each.detach().numpy() for each in (y, leaf.grad, module.weight.grad)])
        assert repr(module) == "PReLU(num_parameters=4)" and list(module.state_dict()) == ["weight"]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, 1e-12)
