"""Layers and losses, each from a line of a table: alone, and with PyTorch's as the oracle."""

import copy

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn

IMAGES = (4, 6, 8, 8)

# name: (arguments, settings, shape of the input, number of parameters)
LAYERS = {
    "Linear": ((6, 5), {}, (4, 6), 35),
    "Linear without bias": ((6, 5), dict(bias=False), (4, 2, 6), 30),
    "Conv2d": ((6, 4, 3), {}, IMAGES, 220),
    "Conv2d strided": ((6, 4, (3, 2)), dict(stride=2, padding=1, dilation=2, groups=2, bias=False),
                       IMAGES, 72),
    "Conv2d same": ((6, 4, 3), dict(padding="same"), IMAGES, 220),
    "ConvTranspose2d": ((6, 4, 3), {}, IMAGES, 220),
    "ConvTranspose2d strided": ((6, 4, 4), dict(stride=2, padding=1, output_padding=1, groups=2),
                                IMAGES, 196),
    "BatchNorm1d": ((6,), {}, (4, 6), 12),
    "BatchNorm1d of rows": ((6,), dict(momentum=None), (4, 6, 3), 12),
    "BatchNorm2d": ((6,), {}, IMAGES, 12),
    "BatchNorm2d plain": ((6,), dict(affine=False, eps=1e-3, momentum=0.3), IMAGES, 0),
    "BatchNorm2d untracked": ((6,), dict(track_running_stats=False), IMAGES, 12),
    "BatchNorm3d": ((6,), {}, (3, 6, 2, 4, 3), 12),
    "BatchNorm2d without shift": ((6,), dict(bias=False), IMAGES, 6),
    "InstanceNorm1d": ((6,), {}, (4, 6, 5), 0),
    "InstanceNorm1d of one": ((6,), dict(affine=True), (6, 5), 12),
    "InstanceNorm2d": ((6,), dict(affine=True, track_running_stats=True, eps=1e-3), IMAGES, 12),
    "InstanceNorm2d without shift": ((6,), dict(affine=True, bias=False), IMAGES, 6),
    "InstanceNorm3d": ((6,), dict(track_running_stats=True, momentum=0.3), (3, 6, 2, 4, 3), 0),
    "LayerNorm": ((6,), {}, (4, 6), 12),
    "LayerNorm of images": (((6, 8, 8),), dict(eps=1e-3, bias=False), IMAGES, 384),
    "LayerNorm plain": (((8,),), dict(elementwise_affine=False), IMAGES, 0),
    "RMSNorm": ((6,), {}, (4, 6), 6),
    "RMSNorm plain": (((8, 8),), dict(eps=1e-3, elementwise_affine=False), IMAGES, 0),
    "GroupNorm": ((3, 6), {}, IMAGES, 12),
    "GroupNorm plain": ((2, 6), dict(affine=False, eps=1e-3), (4, 6), 0),
    "GroupNorm without shift": ((1, 6), dict(bias=False), (4, 6, 5), 6),
    "LocalResponseNorm": ((3,), dict(alpha=0.1, beta=0.6, k=2.0), IMAGES, 0),
    "ReLU": ((), {}, (4, 6), 0),
    "ReLU in place": ((), dict(inplace=True), (4, 6), 0),
    "LeakyReLU": ((0.2,), {}, (4, 6), 0),
    "ELU": ((0.7,), {}, (4, 6), 0),
    "SELU": ((), {}, (4, 6), 0),
    "SiLU": ((), {}, (4, 6), 0),
    "Tanh": ((), {}, (4, 6), 0),
    "Sigmoid": ((), {}, (4, 6), 0),
    "Softplus": ((2.0, 1.0), {}, (4, 6), 0),
    "Softsign": ((), {}, (4, 6), 0),
    "GELU": ((), dict(approximate="tanh"), (4, 6), 0),
    "Softmax": ((1,), {}, (4, 6), 0),
    "LogSoftmax": ((), dict(dim=-1), (4, 6), 0),
    "MaxPool2d": ((2,), {}, IMAGES, 0),
    "MaxPool2d strided": ((3, 2, 1), dict(ceil_mode=True), IMAGES, 0),
    "AvgPool2d": ((2,), dict(stride=1, padding=1, count_include_pad=False), IMAGES, 0),
    "Unfold": ((3,), dict(stride=2), IMAGES, 0),
    "Fold": (((5, 5), 2), {}, (2, 8, 16), 0),
    "Flatten": ((), {}, IMAGES, 0),
    "Unflatten": ((1, (2, 3)), {}, (4, 6), 0),
    "Identity": ((), {}, (4, 6), 0),
    "Dropout": ((0.0,), {}, (4, 6), 0),
}
LOSSES = {
    "MSELoss": ({}, "values"), "MSELoss summed": (dict(reduction="sum"), "values"),
    "L1Loss": (dict(reduction="none"), "values"), "BCELoss": ({}, "probabilities"),
    "BCEWithLogitsLoss": ({}, "values"), "CrossEntropyLoss": (dict(label_smoothing=0.1), "labels"),
    "CrossEntropyLoss weighted": (dict(weight=[1.0, 2.0, 0.5]), "labels"),
    "NLLLoss": (dict(ignore_index=1), "labels"),
    "BCEWithLogitsLoss weighted": (dict(pos_weight=[1.0, 2.0, 0.5]), "values"),
}


def build(name, library=nn):
    arguments, settings, *_ = LAYERS[name]
    return getattr(library, name.split()[0])(*arguments, **settings)


def drawn(name, seed=0):
    return np.random.default_rng(seed).standard_normal(LAYERS[name][2]).astype(np.float32)


def run(module, array):
    """Output, gradient of the input and of the parameters for a fixed upstream gradient."""
    x = fastnn.tensor(array, requires_grad=True)
    y = module(x * 1.0)
    weights = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(np.float32)
    (y * fastnn.from_numpy(weights)).sum().backward()
    return [array_of(y), x.grad.array, *(p.grad.array for p in module.parameters())]


each_layer = pytest.mark.parametrize("name", LAYERS)


@each_layer
def test_layer(name):
    module = build(name)
    assert sum(parameter.numel() for parameter in module.parameters()) == LAYERS[name][3]
    assert repr(module).startswith(f"{name.split()[0]}(")
    assert all(np.isfinite(each).all() for each in run(module, drawn(name)))
    assert not module.eval().training and module.train().training


@each_layer
def test_state_dict_round_trip(name):
    module, other = build(name), build(name)
    run(module, drawn(name))
    assert list(other.load_state_dict(module.state_dict())) == [[], []]
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key].array, value.array)
        assert not np.shares_memory(other.state_dict()[key].array, value.array)
    module.zero_grad()
    for one, two in zip(run(module.eval(), drawn(name)), run(other.eval(), drawn(name)),
                        strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name][3]])
def test_a_step_lowers_the_loss(name):
    module, x = build(name), fastnn.from_numpy(drawn(name))
    target = fastnn.from_numpy(np.random.default_rng(2).standard_normal(
        tuple(module(x).shape)).astype(np.float32))
    optimizer = fastnn.optim.SGD(module.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        losses.append((module(x) - target).square().mean())
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < losses[0].item()


@each_layer
def test_deepcopy(name):
    module = build(name)
    copied = copy.deepcopy(module)
    for one, other in zip(run(module, drawn(name)), run(copied, drawn(name)), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(module.parameters(), copied.parameters(), strict=True):
        assert not np.shares_memory(one.array, other.array) and type(other) is nn.Parameter
    assert repr(copied) == repr(module)
    assert len(list(copied.parameters())) == len(list(module.parameters()))


# Against PyTorch


def run_torch(torch, module, array):
    x = torch.tensor(array, requires_grad=True)
    y = module(x * 1.0)
    weights = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(np.float32)
    (y * torch.from_numpy(weights)).sum().backward()
    return [each.detach().numpy() for each in (y, x.grad, *(p.grad for p in module.parameters()))]


@each_layer
def test_parity(name, torch):
    """The same weights, twice in training (the moments run) and once in evaluation."""
    ours, theirs = build(name), build(name, torch.nn)
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == {
        key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    theirs.load_state_dict({key: torch.tensor(value.array)
                            for key, value in ours.state_dict().items()})
    for mode in (True, True, False):
        for module in (ours.train(mode), theirs.train(mode)):
            module.zero_grad()
        got, wanted = run(ours, drawn(name, 3)), run_torch(torch, theirs, drawn(name, 3))
        for one, other in zip(got, wanted, strict=True):
            close(one, other, 2e-5)
        for key, value in theirs.state_dict().items():
            close(ours.state_dict()[key].array, value.numpy(), 1e-5)


SHOWS_WHAT_WAS_GIVEN = {"MaxPool2d", "AvgPool2d", "Unfold", "Fold"}  # PyTorch's: other settings


@pytest.mark.parametrize(
    "name", [name for name in LAYERS if name.split()[0] not in SHOWS_WHAT_WAS_GIVEN])
def test_repr_is_pytorchs(name, torch):
    assert repr(build(name)) == repr(build(name, torch.nn))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_parity(name, torch):
    settings, kind = LOSSES[name]
    random = np.random.default_rng(0)
    inputs = random.uniform(0.1, 0.9, (4, 3)).astype(np.float32)
    target = (random.integers(0, 3, 4) if kind == "labels"
              else random.uniform(0.1, 0.9, (4, 3)).astype(np.float32))
    results = []
    for library, tensor in ((fastnn, fastnn.tensor), (torch, torch.tensor)):
        converted = {key: tensor(value) if isinstance(value, list) else value
                     for key, value in settings.items()}
        x = tensor(inputs, requires_grad=True)
        loss = getattr(library.nn, name.split()[0])(**converted)(x, tensor(target))
        loss.sum().backward()
        results.append((loss.detach().numpy(), x.grad.numpy()))
    for one, other in zip(*results, strict=True):
        close(one, other, 1e-5)


def test_weights_pass_both_ways(torch):
    def network(library):
        return library.Sequential(library.Conv2d(1, 3, 3), library.BatchNorm2d(3), library.ReLU(),
                                  library.Flatten(), library.Linear(108, 5))

    theirs, ours = network(torch.nn), network(nn)
    ours.load_state_dict({key: fastnn.tensor(value.numpy())
                          for key, value in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    array = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    close(array_of(ours(fastnn.tensor(array))), theirs(torch.tensor(array)).detach().numpy(), 1e-5)


def test_dropout_drops_in_training_alone():
    dropout, x = nn.Dropout(0.25), fastnn.ones(10_000)
    got = dropout(x).array
    assert set(np.unique(got).round(4)) == {0, np.float32(1.3333)}
    assert abs((got == 0).mean() - 0.25) < 0.02
    assert (dropout.eval()(x) == x).all()
    assert not nn.Dropout(1.0)(x).array.any()
