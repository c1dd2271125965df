"""Layers that `Sequential` runs as one: the same bits as one after another, and hooks are heard."""

import numpy
import pytest
from helpers import array_of

import fastnn
from fastnn import nn
from fastnn.autograd import gradgradcheck

IMAGES = (4, 3, 9, 8)
NETS = {
    "linear": (lambda: [nn.Linear(7, 9), nn.ReLU()], (5, 7)),
    "linear, leaky": (lambda: [nn.Linear(7, 9), nn.LeakyReLU(), nn.Linear(9, 2)], (5, 7)),
    "conv2d, leaky": (lambda: [nn.Conv2d(3, 40, 4, 2, 1), nn.LeakyReLU(0.2)], IMAGES),
    "conv_transpose2d, leaky": (
        lambda: [nn.ConvTranspose2d(3, 5, 4, 2, 1), nn.LeakyReLU(0.2), nn.MaxPool2d(2)], IMAGES),
    "conv_transpose3d, leaky": (
        lambda: [nn.ConvTranspose3d(2, 3, 2), nn.LeakyReLU(0.2)], (2, 2, 3, 4, 3)),
    "linear without bias": (lambda: [nn.Linear(7, 3, bias=False), nn.ReLU(), nn.ReLU()], (2, 4, 7)),
    "conv1d": (lambda: [nn.Conv1d(3, 5, 3), nn.ReLU()], (4, 3, 9)),
    "conv2d": (lambda: [nn.Conv2d(3, 40, 3, padding="same"), nn.ReLU(inplace=True)], IMAGES),
    "reflected": (lambda: [nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()],
                  IMAGES),
    "depthwise": (lambda: [nn.Conv2d(3, 6, 3, stride=2, groups=3, bias=False), nn.ReLU()], IMAGES),
    "unbatched": (lambda: [nn.Conv2d(3, 4, (2, 3)), nn.ReLU()], IMAGES[1:]),
    "conv3d": (lambda: [nn.Conv3d(2, 3, 2), nn.ReLU()], (2, 2, 3, 4, 3)),
    "conv_transpose1d": (lambda: [nn.ConvTranspose1d(3, 2, 3), nn.ReLU()], (4, 3, 9)),
    "conv_transpose2d": (lambda: [nn.ConvTranspose2d(3, 5, 3, 2, 1, 1), nn.ReLU()], IMAGES),
    "conv_transpose3d": (lambda: [nn.ConvTranspose3d(2, 3, 2), nn.ReLU()], (2, 2, 3, 4, 3)),
    "max_pool1d": (lambda: [nn.Conv1d(3, 5, 3), nn.ReLU(), nn.MaxPool1d(2)], (4, 3, 9)),
    "max_pool2d": (lambda: [nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], IMAGES),
    "batch_norm of vectors": (lambda: [nn.BatchNorm1d(7), nn.ReLU()], (5, 7)),
    "batch_norm1d": (lambda: [nn.BatchNorm1d(3), nn.LeakyReLU(0.3)], (4, 3, 9)),
    "batch_norm2d": (lambda: [nn.BatchNorm2d(3), nn.ReLU(inplace=True)], IMAGES),
    "batch_norm2d, leaky": (lambda: [nn.BatchNorm2d(3, affine=False), nn.LeakyReLU(2.5)], IMAGES),
    "batch_norm2d, channels last": (
        lambda: [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.LeakyReLU(), nn.MaxPool2d(2)], IMAGES),
    "batch_norm3d": (lambda: [nn.BatchNorm3d(2), nn.ReLU()], (2, 2, 3, 4, 3)),
    "batch_norm, slope 0": (lambda: [nn.BatchNorm1d(3), nn.LeakyReLU(0.0)], (4, 3, 9)),
    "batch_norm, falling": (lambda: [nn.BatchNorm1d(3), nn.LeakyReLU(-0.5)], (4, 3, 9)),
    "batch_norm by running moments": (
        lambda: [nn.BatchNorm1d(3).eval(), nn.LeakyReLU(0.5)], (4, 3, 9)),
    "max_pool3d": (lambda: [nn.Tanh(), nn.ReLU(), nn.MaxPool3d(2)], (2, 2, 4, 4, 4)),
}


def one_by_one(net, x):
    for module in net:
        x = module(x)
    return x


def value_and_gradients(run, net, x):
    leaf = x.detach().clone().requires_grad_()
    net.zero_grad()
    output = run(net, leaf)
    (output * output.detach().cos()).sum().backward()
    return [array_of(each) for each in
            (output, leaf.grad, *(parameter.grad for parameter in net.parameters()))]


@pytest.mark.parametrize("dtype", [fastnn.float32, fastnn.float64])
@pytest.mark.parametrize("name", NETS)
def test_same_bits(name, dtype):
    layers, shape = NETS[name]
    fastnn.manual_seed(0)
    net = nn.Sequential(*layers()).to(dtype)
    x = fastnn.randn(shape, dtype=dtype)
    joined = value_and_gradients(lambda net, x: net(x), net, x)
    apart = value_and_gradients(one_by_one, net, x)
    assert any(array.any() for array in apart)
    for one, other in zip(joined, apart, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("name", ["linear", "conv2d", "conv_transpose2d", "max_pool2d",
                                  "linear, leaky", "conv2d, leaky", "conv_transpose2d, leaky",
                                  "batch_norm2d", "batch_norm1d"])
def test_second_gradients(name):
    layers, shape = NETS[name]
    fastnn.manual_seed(0)
    net = nn.Sequential(*layers(), nn.Tanh()).double()
    x = fastnn.randn(shape, dtype=fastnn.float64, requires_grad=True)
    assert gradgradcheck(lambda x, *parameters: net(x), (x, *net.parameters()), fast_mode=True)


def operations(tensor):
    """Names of the nodes behind a tensor, the last first."""
    node, names = tensor.grad_fn, []
    while node is not None and node.next_functions:
        names.append(node.name())
        node = node.next_functions[0][0]
    return names


def test_which_are_joined():
    relu, pool = nn.ReLU(), nn.MaxPool2d(2)
    convolution = nn.Conv2d(1, 2, 3)
    image = fastnn.ones(1, 1, 8, 8)
    assert operations(nn.Sequential(convolution, relu)(image)) == ["convolution_rectified"]
    assert operations(nn.Sequential(convolution, relu, pool)(image)) == [
        "relu", "max_pool2d", "convolution"]
    assert operations(nn.Sequential(convolution, nn.LeakyReLU(), pool)(image)) == [
        "max_pool2d", "convolution_rectified"]
    assert operations(nn.Sequential(convolution, nn.LeakyReLU(-0.1))(image)) == [
        "leaky_relu", "convolution"]
    for rectifier in (relu, nn.LeakyReLU(0.2)):
        net = nn.Sequential(convolution, nn.BatchNorm2d(2), rectifier, pool)
        assert operations(net(image)) == ["max_pool2d", "channel_norm_rectified", "convolution"]
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), relu, relu)(image)
    assert operations(flat) == ["relu", "linear_rectified"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_hooks_are_heard(place):
    """A layer with a hook runs alone and shows its own output."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    image, seen = fastnn.randn(1, 1, 8, 8), []
    handle = net[place].register_forward_hook(lambda module, inputs, output: seen.append(output))
    result = net(image)
    wanted = image
    for module in list(net)[:place + 1]:
        wanted = module.forward(wanted)
    assert len(seen) == 1 and (seen[0] == wanted).all()
    handle.remove()
    assert (net(image) == result).all() and len(seen) == 1


def test_other_forwards_are_called():
    class Halved(nn.ReLU):
        def forward(self, input):
            return super().forward(input) / 2

    linear, x = nn.Linear(3, 4), fastnn.randn(2, 3)
    assert (nn.Sequential(linear, Halved())(x) == linear(x).relu() / 2).all()
    wanted = linear(x) + 1
    plain = linear.forward
    linear.forward = lambda input: plain(input) + 1
    assert (nn.Sequential(linear, nn.ReLU())(x) == wanted.relu()).all()


def test_maxima_with_places_stay_behind_the_relu():
    net = nn.Sequential(nn.ReLU(), nn.MaxPool1d(2, return_indices=True))
    values, places = net(fastnn.tensor([[-1.0, -2.0, 3.0, 4.0]]))
    assert values.tolist() == [[0, 4]] and places.tolist() == [[0, 3]]


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.LeakyReLU(0.1)])
def test_second_gradients_where_a_channel_is_constant(rectifier):
    """The forward pass's values tell the side, whatever the rule of the rule computes."""
    norm = nn.BatchNorm2d(1)
    x = fastnn.full((3, 1, 5, 7), 0.1, requires_grad=True)
    weights = fastnn.arange(105.0).reshape(3, 1, 5, 7)
    joined, apart = (fastnn.autograd.grad(run(x), x, weights, create_graph=True)[0].detach()
                     for run in (nn.Sequential(norm, rectifier), lambda x: rectifier(norm(x))))
    assert (joined == apart).all()


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.LeakyReLU(0.1), nn.LeakyReLU(2.0)])
def test_gradients_where_a_value_is_not_a_number(rectifier):
    net = nn.Sequential(nn.BatchNorm1d(2), rectifier)
    x = fastnn.tensor([[1.0, 2.0], [float("nan"), 3.0], [4.0, 5.0]])
    joined = value_and_gradients(lambda net, x: net(x), net, x)
    apart = value_and_gradients(one_by_one, net, x)
    for one, other in zip(joined, apart, strict=True):
        numpy.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("slope", [0.0, 1.0, 1e-50, -0.1, float("nan"), True, "a", None])
def test_slopes_that_are_left_alone(slope):
    net = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU())
    net[1].negative_slope = slope
    try:
        wanted = one_by_one(net, fastnn.ones(2, 3)).tolist()
    except TypeError as error:
        with pytest.raises(TypeError, match=str(error)):
            net(fastnn.ones(2, 3))
    else:
        assert str(net(fastnn.ones(2, 3)).tolist()) == str(wanted)
        assert operations(net(fastnn.ones(2, 3)))[-1] == "linear"


def test_a_change_of_the_output_is_noticed():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    output = net(fastnn.randn(5, 2))
    with fastnn.no_grad():
        output.mul_(2)
    with pytest.raises(RuntimeError, match="changed"):
        output.sum().backward()


def test_not_a_number_comes_through():
    for layers in ([nn.Linear(1, 1)], [nn.Linear(1, 1), nn.ReLU(), nn.MaxPool1d(1)]):
        net = nn.Sequential(*layers, nn.ReLU())
        assert net(fastnn.full((1, 1), float("nan"))).isnan().all()
