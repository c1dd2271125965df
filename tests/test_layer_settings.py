"""Settings of layers and losses: PyTorch's names, order and defaults; changes; errors."""

import inspect
import math

import numpy as np
import pytest

import fastnn
from fastnn import nn

NAMES = [name for name in nn.__all__ if inspect.isclass(getattr(nn, name)) and name not in (
    "Module", "ModuleList", "Parameter", "Sequential",
    "LearnedPositions", "SinusoidalPositions",       # which PyTorch has not
    "GRU", "LSTM", "RNN", "RNNBase", "RNNCellBase")]  # of *args: see test_recurrent_parity


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_pytorchs(torch, name):
    """Positional settings in PyTorch's order with its defaults; the historic ones are absent."""
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    ours = inspect.signature(getattr(nn, name)).parameters
    historic = ("size_average", "reduce", "device", "dtype", "args", "kwargs", "min_value",
                "max_value")
    wanted = [key for key in theirs if key not in historic]
    assert [key for key in ours if key not in historic] == wanted
    for key in wanted:
        assert _named(ours[key].default) == _named(theirs[key].default)
    if "size_average" in theirs:
        behind = wanted[list(theirs).index("size_average"):]
        assert all(ours[key].kind is inspect.Parameter.KEYWORD_ONLY for key in behind)


def _named(default):
    """A value, or the name of a function."""
    return getattr(default, "__name__", getattr(default, "name", default))


def test_functional_holds_what_the_registry_has():
    assert nn.functional.conv2d is fastnn.conv2d
    with pytest.raises(AttributeError, match="fastnn.nn.functional has no 'conv7d'"):
        nn.functional.conv7d  # noqa: B018


def test_a_setting_may_be_changed_afterwards():
    layer = nn.LeakyReLU()
    layer.negative_slope = 0.5
    assert layer(fastnn.tensor([-2.0])).item() == -1.0
    assert repr(layer) == "LeakyReLU(negative_slope=0.5)"
    layer.negative_slope = 0.01
    assert layer(fastnn.tensor([-2.0])).item() == pytest.approx(-0.02)


def test_inplace_activation():
    x = fastnn.tensor([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x) is x
    assert x.tolist() == [0.0, 2.0]


def test_batch_norm_counts_batches_in_training_alone():
    norm = nn.BatchNorm2d(2)
    norm(fastnn.rand(3, 2, 4, 4)), norm(fastnn.rand(3, 2, 4, 4)), norm.eval()(fastnn.rand(
        1, 2, 4, 4))
    assert norm.num_batches_tracked.item() == 2
    assert norm.num_batches_tracked.dtype == fastnn.int64
    norm.reset_parameters()
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [0, 0] and norm.running_var.tolist() == [1, 1]


def test_exact_initial_values(torch):
    tensor = fastnn.empty(2, 3)
    assert nn.init.constant_(tensor, 2.5).tolist() == [[2.5] * 3] * 2
    assert nn.init.eye_(tensor).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert nn.init.ones_(tensor).tolist() == [[1] * 3] * 2
    assert nn.init.zeros_(tensor).tolist() == [[0] * 3] * 2
    for shape in ((4, 6), (6, 2, 2)):
        matrix = nn.init.orthogonal_(fastnn.empty(*shape), gain=2).numpy().reshape(shape[0], -1)
        product = matrix @ matrix.T if shape[0] <= matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert nn.init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain(
        "leaky_relu", 0.3)


def weights_with_gradients():
    weights = [fastnn.zeros(2, requires_grad=True), fastnn.zeros(1, requires_grad=True),
               fastnn.zeros(3, requires_grad=True)]
    weights[0].grad, weights[1].grad = fastnn.tensor([2.0, -3.0]), fastnn.tensor([6.0])
    return weights


@pytest.mark.parametrize("norm_type, norm", [(2.0, 7.0), (1, 11.0), (math.inf, 6.0)])
def test_gradients_are_clipped_by_norm(norm_type, norm):
    weights = weights_with_gradients()
    assert nn.utils.clip_grad_norm_(weights, 100.0, norm_type).item() == pytest.approx(norm)
    assert weights[1].grad.tolist() == [6.0]
    nn.utils.clip_grad_norm_(weights, norm / 2, norm_type)
    np.testing.assert_allclose(weights[0].grad.numpy(), [1.0, -1.5], rtol=1e-5)


def test_gradients_are_clipped_by_value():
    weights = weights_with_gradients()
    nn.utils.clip_grad_value_(weights, 2.5)
    assert [each.grad.tolist() for each in weights[:2]] == [[2.0, -2.5], [2.5]]
    weights[0].grad = fastnn.tensor([math.nan, 0.0])
    with pytest.raises(RuntimeError, match="norm of the gradients is nan"):
        nn.utils.clip_grad_norm_(weights, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("call, error, text", [
    (lambda: nn.Linear(2.5, 3), TypeError, "Linear: in_features must be an integer, got 2.5"),
    (lambda: nn.Linear(3, -1), ValueError, "Linear: out_features must be at least 0, got -1"),
    (lambda: nn.Linear(3, 2, device="cuda"), ValueError, "fastnn is for CPUs, got 'cuda'"),
    (lambda: nn.Conv2d(3, 4, 3, device="cuda"), ValueError, "fastnn is for CPUs, got 'cuda'"),
    (lambda: nn.BatchNorm2d(3, device="cuda"), ValueError, "fastnn is for CPUs, got 'cuda'"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "3 and 4 channels do not divide into 2"),
    (lambda: nn.Conv2d(0, 4, 3), ValueError, "Conv2d: in_channels must be at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError,
     "padding_mode must be one of zeros, reflect, replicate, circular, got 'mirror'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), ValueError, "one of zeros, got"),
    (lambda: nn.Conv3d(3, 4, 3, stride=2, padding="same"), ValueError, "'same' needs stride 1"),
    (lambda: nn.ReflectionPad2d((1, 2)), ValueError, "padding must be an integer or 4 of them"),
    (lambda: nn.ConvTranspose1d(2, 2, 3, 2)(fastnn.ones(1, 2, 4), (11,)), ValueError,
     r"output_size \(11,\) is not within one stride \(2,\) from \(9,\) on"),
    (lambda: nn.Conv2d(3, 4, 3, padding="some"), TypeError, "padding must be an integer"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), TypeError, "padding must be an integer"),
    (lambda: nn.Conv2d(3, 4, 3)(fastnn.ones(1, 2, 5, 5)), ValueError,
     "conv2d: x has 2 channels, weight expects 3"),
    (lambda: nn.Linear(3, 2)(fastnn.ones(4, 5)), ValueError,
     "linear: input has 5 features, weight expects 3"),
    (lambda: nn.BatchNorm2d(3)(fastnn.ones(2, 3)), ValueError,
     r"BatchNorm2d: input must have 4 dimensions, got shape \(2, 3\)"),
    (lambda: nn.BatchNorm1d(4)(fastnn.ones(2, 3)), ValueError, "input has 3 channels"),
    (lambda: nn.Dropout(1.5), ValueError, r"Dropout: p must lie in \[0, 1\], got 1.5"),
    (lambda: nn.ReLU(False, True), TypeError, r"ReLU\(inplace=False\): too many positional"),
    (lambda: nn.MSELoss(False), TypeError, r"MSELoss\(\*, reduction='mean'\): too many"),
    (lambda: nn.MaxPool2d(), TypeError, "missing a required argument: 'kernel_size'"),
    (lambda: nn.CrossEntropyLoss(weight=[1.0, 2.0]), TypeError, "buffer weight must be a Tensor"),
    (lambda: nn.init.calculate_gain("cosine"), ValueError, "unknown 'cosine', there are conv1d"),
    (lambda: nn.init.xavier_normal_(fastnn.ones(3)), ValueError, "at least 2 dimensions, got 1"),
    (lambda: nn.init.kaiming_normal_(fastnn.ones(3, 2), mode="in"), ValueError, "mode must be"),
    (lambda: nn.init.trunc_normal_(fastnn.ones(3), a=10, b=11), ValueError, "trunc_normal_: 0 of"),
    (lambda: nn.utils.vector_to_parameters(fastnn.ones(3), nn.Linear(1, 1).parameters()),
     ValueError, r"vec has shape \(3,\), the parameters have 2 elements"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
