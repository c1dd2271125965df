"""Normalisations: running moments, layouts, sizes of several pieces, exactness, errors."""

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn._kernels import reference
from fastnn.nn import functional as F


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def turned(array):
    """The same values with the channels last in memory."""
    order = (0, *range(2, array.ndim), 1)
    return np.moveaxis(array.transpose(order).copy(), -1, 1)


NORMS = {
    "batch": (lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True)),
    "group": (lambda f, x, w, b: f.group_norm(x, 4, w, b)),
    "instance": (lambda f, x, w, b: f.instance_norm(x, None, None, w, b)),
}
SIZES = {  # more rows than a piece has, channels that do and do not fill a vector, many and few
    "many rows": (2, 8, 61, 70), "prime rows": (3, 12, 37), "one sample": (1, 4, 20_011),
    "many channels": (3, 1200, 5), "many samples": (700, 4, 6), "volumes": (2, 4, 3, 5, 7),
}


@pytest.mark.parametrize("layout", [np.copy, turned], ids=["first", "last"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NORMS)
def test_sizes(name, size, layout):
    """Values against the reference, and each gradient against that of the composition."""
    shape = SIZES[size]
    arrays = drawn(*shape) + 3, drawn(shape[1], seed=1), drawn(shape[1], seed=2)
    tensors = [fastnn.from_numpy(each).requires_grad_()
               for each in (layout(arrays[0]), *arrays[1:])]
    output = NORMS[name](F, *tensors)
    close(array_of(output), NORMS[name](reference, *arrays), 1e-11)
    assert output.array.strides == tensors[0].array.strides
    upstream = fastnn.from_numpy(layout(drawn(*shape, seed=3)))
    fused = fastnn.autograd.grad([output], tensors, [upstream], retain_graph=True)
    composed = fastnn.autograd.grad([output], tensors, [upstream], create_graph=True)
    for one, other in zip(fused, composed, strict=True):
        close(array_of(one), array_of(other), 1e-9)


@pytest.mark.parametrize("rows, size", [(5, 3000), (3000, 5), (1, 1), (200, 130), (0, 4)])
def test_row_sizes(rows, size):
    x, w, b = drawn(rows, size), drawn(size, seed=1), drawn(size, seed=2)
    shape = size,
    for function, wanted in (
            (lambda x, w, b: F.layer_norm(x, shape, w, b), reference.layer_norm(x, shape, w, b)),
            (lambda x, w, b: F.rms_norm(x, shape, w), reference.rms_norm(x, shape, w))):
        tensors = [fastnn.from_numpy(each).requires_grad_() for each in (x, w, b)]
        output = function(*tensors)
        close(array_of(output), wanted, 1e-10)
        upstream = fastnn.from_numpy(drawn(rows, size, seed=3))
        found = [fastnn.autograd.grad([output], tensors, [upstream], retain_graph=True,
                                      create_graph=graph, allow_unused=True)
                 for graph in ((False, True) if rows else (False,))]
        for one, other in zip(*found, strict=True) if rows else ():
            if one is not None:
                close(array_of(one), array_of(other), 1e-9)


def test_shift_alone():
    x = fastnn.tensor([[1.0, 3.0], [10.0, 30.0]])
    bias = fastnn.tensor([5.0, 7.0], requires_grad=True)
    got = F.layer_norm(x, [2], None, bias, eps=0)
    assert got.tolist() == [[4, 8], [4, 8]]
    got.sum().backward()
    assert bias.grad.tolist() == [2, 2]


@pytest.mark.parametrize("value", [0.1, 1e4, -123456.7])
def test_of_equal_values_is_zero(value):
    """Whatever the rounding of their mean, times 1 / sqrt(eps)."""
    x = fastnn.full((4, 8, 77), value)
    for got in (F.batch_norm(x, None, None, training=True), F.group_norm(x, 2),
                F.instance_norm(x), F.layer_norm(x, (77,))):
        assert not got.array.any()


def test_of_values_far_from_zero():
    x = (drawn(64, 3, 50) + 1000).astype(np.float32)
    wanted = reference.batch_norm(x.astype(np.float64), None, None, training=True)
    for array in (x, turned(x)):
        got = F.batch_norm(fastnn.from_numpy(array), None, None, training=True)
        assert abs(got.array - wanted).max() < 1e-4


def test_running_moments_of_instances():
    x = drawn(3, 2, 50)
    mean, variance = fastnn.zeros(2).double(), fastnn.ones(2).double()
    F.instance_norm(fastnn.from_numpy(x), mean, variance, momentum=0.25)
    close(mean.array, 0.25 * x.mean((0, 2)), 1e-12)
    close(variance.array, 0.75 + 0.25 * x.var(2, ddof=1).mean(0), 1e-12)


def test_cumulative_average():
    norm, batches = nn.BatchNorm1d(3, momentum=None).double(), drawn(4, 10, 3)
    for batch in batches:
        norm(fastnn.from_numpy(batch))
    close(norm.running_mean.array, batches.mean((0, 1)), 1e-12)
    close(norm.running_var.array, batches.var(1, ddof=1).mean(0), 1e-12)
    assert norm.num_batches_tracked.item() == 4


def test_evaluation_without_running_moments_uses_the_batch():
    norm, x = nn.BatchNorm2d(2, track_running_stats=False), fastnn.rand(3, 2, 4, 4)
    assert (norm(x) == norm.eval()(x)).all()
    assert list(norm.state_dict()) == ["weight", "bias"]


def test_running_moments_of_any_layout():
    wide = np.zeros(6, np.float32)
    mean = fastnn.from_numpy(wide[::2])
    F.batch_norm(fastnn.tensor([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]), mean, None, training=True,
                 momentum=1.0)
    assert wide.tolist() == [2, 0, 3, 0, 4, 0]


def test_moved_moments_are_changed_in_place():
    moments, factor = [fastnn.zeros(2), fastnn.ones(2)], fastnn.ones(2, requires_grad=True)
    results = [(factor * moment).sum() for moment in moments]
    F.batch_norm(fastnn.rand(4, 2), *moments, training=True)
    for result in results:
        with pytest.raises(RuntimeError, match="changed in place"):
            result.backward()


def test_gradients_of_running_moments():
    """They are inputs like others in evaluation."""
    x, mean = fastnn.rand(3, 2).double(), fastnn.zeros(2).double().requires_grad_()
    F.batch_norm(x, mean, fastnn.ones(2).double(), eps=0).sum().backward()
    close(mean.grad.array, np.full(2, -3.0), 1e-12)


def test_running_moments_that_cannot_be_written():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    moments = fastnn.from_numpy(array)
    for function, x in ((F.batch_norm, fastnn.rand(4, 3)), (F.instance_norm, fastnn.rand(4, 3, 2))):
        for given, name in (((moments, None), "running_mean"), ((None, moments), "running_var")):
            with pytest.raises(ValueError, match=f"{name} is read-only memory, and training has"):
                function(x, *given, **({"training": True} if x.ndim == 2 else {}))
    assert not array.any()


X = np.ones((2, 6, 4), np.float32)


@pytest.mark.parametrize("call, error, text", [
    (lambda x: F.group_norm(x, 4), ValueError, "6 channels do not divide into num_groups=4"),
    (lambda x: F.group_norm(x, 0), ValueError, "do not divide into num_groups=0"),
    (lambda x: F.group_norm(x[:1, :2, :1], 2), ValueError, "more than one value for each group"),
    (lambda x: F.group_norm(x, 2, x[0, :3, 0]), ValueError, r"6 channels, weight has shape \(3,\)"),
    (lambda x: F.group_norm(x[0, 0], 1), ValueError, r"must have shape \(N, C, ...\), got \(4,\)"),
    (lambda x: F.instance_norm(x[:, :, :1]), ValueError, "more than one value for each channel of"),
    (lambda x: F.instance_norm(x, use_input_stats=False), ValueError, "running_mean and running_"),
    (lambda x: F.layer_norm(x, (5,)), ValueError, r"shape \(2, 6, 4\) does not end with .* \(5,\)"),
    (lambda x: F.layer_norm(x, 4), TypeError, "normalized_shape must be a list of integers, got 4"),
    (lambda x: F.layer_norm(x, ()), ValueError, "does not end with normalized_shape"),
    (lambda x: F.layer_norm(x, (4,), x[0]), ValueError, r"weight has shape \(6, 4\), expected the"),
    (lambda x: F.layer_norm(x, (4,), x[0, 0].double()), TypeError, "input is float32, weight is"),
    (lambda x: F.rms_norm(x.array, (4,)), TypeError, "rms_norm: expected a Tensor, got ndarray"),
    (lambda x: F.rms_norm(x, (4, 4)), ValueError, "rms_norm: input of shape"),
    (lambda x: F.local_response_norm(x[0], 3), ValueError, "must have 3 or more dimensions"),
    (lambda x: F.local_response_norm(x, 0), ValueError, "size must be at least 1, got 0"),
    (lambda x: F.layer_norm(x.long(), (4,)) if hasattr(x, "long") else
     F.layer_norm(x.to(fastnn.int64), (4,)), TypeError, "must be float32 or float64, got int64"),
    (lambda x: nn.GroupNorm(4, 6), ValueError, "num_channels=6 does not divide into num_groups=4"),
    (lambda x: nn.InstanceNorm1d(5, affine=True)(x), ValueError, "6 channels, num_features is 5"),
    (lambda x: nn.InstanceNorm2d(6)(x[0]), ValueError, "must have 3 or 4 dimensions, got shape"),
    (lambda x: nn.BatchNorm3d(6)(x), ValueError, "BatchNorm3d: input must have 5 dimensions"),
    (lambda x: nn.LayerNorm(2.5), TypeError, "float"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(fastnn.from_numpy(X.copy()))


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0)])
@pytest.mark.parametrize("norm", [
    lambda x: F.batch_norm(x, fastnn.zeros(3), fastnn.ones(3), training=True),
    lambda x: F.instance_norm(x), lambda x: F.group_norm(x, 3),
    lambda x: F.layer_norm(x, x.shape[1:]), lambda x: F.rms_norm(x, x.shape[1:])])
def test_empty_images(norm, shape):
    x = fastnn.zeros(shape, requires_grad=True)
    y = norm(x)
    assert y.shape == shape
    slope, = fastnn.autograd.grad(y.sum(), x, create_graph=True)
    assert slope.shape == shape


@pytest.mark.parametrize("make", [nn.BatchNorm1d, lambda n: nn.InstanceNorm1d(
    n, track_running_stats=True)])
def test_an_empty_batch_moves_no_running_moments(make):
    norm = make(3)
    norm(fastnn.zeros(0, 3, 2))
    norm(fastnn.zeros(2, 3, 0))
    assert norm.running_mean.tolist() == [0, 0, 0] and norm.running_var.tolist() == [1, 1, 1]


def test_batch_norm_wants_a_positive_eps():
    x, moments = fastnn.rand(3, 2), (fastnn.zeros(2), fastnn.ones(2))
    for eps, training in ((0.0, True), (-1e-5, True), (-1e-5, False)):
        with pytest.raises(ValueError, match="batch_norm: eps must be at least 0, and positive"):
            F.batch_norm(x, *moments, training=training, eps=eps)


def test_evaluation_is_differentiated_after_another_step_of_training():
    norm, x = nn.BatchNorm1d(2).eval(), fastnn.rand(4, 2, requires_grad=True)
    y = norm(x)
    norm.train()
    norm(x)
    y.sum().backward()
    expected = norm.weight.detach() / (1 + norm.eps) ** 0.5
    assert fastnn.allclose(x.grad, expected.expand(4, 2))
