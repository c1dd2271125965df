"""Modules and functions for sequences, images and volumes: indices, sizes, errors; PyTorch's."""

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

SEQUENCES, IMAGES, VOLUMES = (2, 6, 9), (2, 6, 8, 7), (2, 4, 5, 6, 5)

# (class, arguments, settings, shape of the input)
LAYERS = [
    ("Conv1d", (6, 4, 3), {}, SEQUENCES),
    ("Conv1d", (6, 4, 4), dict(stride=2, padding=3, dilation=2, groups=2, bias=False), SEQUENCES),
    ("Conv1d", (6, 6, 4), dict(padding="same", groups=6), SEQUENCES),
    ("Conv1d", (6, 4, 4), dict(padding="same", padding_mode="circular"), SEQUENCES),
    ("Conv1d", (6, 4, 3), dict(padding=2, stride=2, padding_mode="reflect"), (6, 9)),
    ("Conv2d", (6, 4, (4, 3)), dict(padding="same", dilation=(1, 2)), IMAGES),
    ("Conv2d", (6, 6, 3), dict(padding=1, groups=6), IMAGES),
    ("Conv2d", (6, 12, 3), dict(padding="valid", groups=6), IMAGES),
    ("Conv2d", (6, 4, 3), dict(padding=(2, 1), padding_mode="reflect", stride=2), IMAGES),
    ("Conv2d", (6, 4, 3), dict(padding=(2, 1), padding_mode="replicate"), (6, 8, 7)),
    ("Conv2d", (6, 4, (4, 3)), dict(padding="same", padding_mode="circular"), IMAGES),
    ("Conv3d", (4, 6, 3), {}, VOLUMES),
    ("Conv3d", (4, 6, (3, 2, 1)), dict(stride=(2, 1, 3), padding=(1, 0, 2), dilation=(2, 3, 1),
                                       groups=2, bias=False), VOLUMES),
    ("Conv3d", (4, 4, 2), dict(padding="same", groups=4), VOLUMES[1:]),
    ("Conv3d", (4, 2, 3), dict(padding=1, padding_mode="replicate"), VOLUMES),
    ("Conv3d", (4, 2, 3), dict(padding=1, padding_mode="reflect"), VOLUMES),
    ("Conv3d", (4, 2, (2, 3, 2)), dict(padding="same", padding_mode="circular"), VOLUMES),
    ("ConvTranspose1d", (6, 4, 3), {}, SEQUENCES),
    ("ConvTranspose1d", (6, 4, 4), dict(stride=3, padding=1, output_padding=2, groups=2,
                                        dilation=2, bias=False), SEQUENCES),
    ("ConvTranspose2d", (6, 6, 3), dict(stride=2, groups=6), IMAGES[1:]),
    ("ConvTranspose3d", (4, 6, 3), {}, VOLUMES),
    ("ConvTranspose3d", (4, 2, (2, 3, 1)), dict(stride=(3, 2, 1), padding=(1, 1, 0), groups=2,
                                                output_padding=(2, 1, 0), dilation=(1, 2, 2)),
     VOLUMES[1:]),
    ("MaxPool1d", (3, 2, 1), dict(dilation=2, ceil_mode=True), SEQUENCES),
    ("MaxPool3d", ((2, 3, 2), 2, 1), dict(ceil_mode=True), VOLUMES),
    ("AvgPool1d", (3, 2, 1, True, False), {}, SEQUENCES),
    ("AvgPool2d", (3,), dict(stride=2, padding=1, ceil_mode=True, divisor_override=4), IMAGES),
    ("AvgPool3d", ((2, 3, 2),), dict(stride=2, padding=1, ceil_mode=True), VOLUMES),
    ("AvgPool3d", (3,), dict(stride=2, padding=1, ceil_mode=True, count_include_pad=False),
     VOLUMES[1:]),
    ("AvgPool3d", (2,), dict(divisor_override=3), VOLUMES),
    ("LPPool1d", (2, 3), dict(stride=2, ceil_mode=True), SEQUENCES),
    ("LPPool2d", (2.0, (3, 2)), {}, IMAGES), ("LPPool3d", (2, 2), {}, VOLUMES),
    ("AdaptiveAvgPool1d", (4,), {}, SEQUENCES), ("AdaptiveAvgPool1d", (3,), {}, SEQUENCES[1:]),
    ("AdaptiveAvgPool2d", ((None, 3),), {}, IMAGES), ("AdaptiveAvgPool2d", (1,), {}, IMAGES),
    ("AdaptiveAvgPool3d", ((2, 3, 7),), {}, VOLUMES),
    ("AdaptiveMaxPool1d", (4,), {}, SEQUENCES), ("AdaptiveMaxPool2d", ((4, None),), {}, IMAGES),
    ("AdaptiveMaxPool2d", ((3, 9),), {}, IMAGES[1:]),
    ("AdaptiveMaxPool3d", ((2, 3, 4),), {}, VOLUMES),
    ("ZeroPad1d", (2,), {}, SEQUENCES), ("ZeroPad2d", ((1, -2, 0, 3),), {}, IMAGES),
    ("ZeroPad3d", (1,), {}, VOLUMES), ("ConstantPad1d", ((1, 2), 0.5), {}, SEQUENCES),
    ("ConstantPad2d", (3, -1.0), {}, IMAGES[1:]), ("ConstantPad3d", (2, 1.5), {}, VOLUMES),
    ("ReflectionPad1d", ((8, 3),), {}, SEQUENCES), ("ReflectionPad2d", ((1, 6, 7, 0),), {}, IMAGES),
    ("ReflectionPad3d", (2,), {}, VOLUMES), ("ReplicationPad1d", (11,), {}, SEQUENCES),
    ("ReplicationPad2d", ((1, 6, 7, 0),), {}, IMAGES[1:]),
    ("ReplicationPad3d", ((1, 2, 3, 4, 5, 6),), {}, VOLUMES),
    ("CircularPad1d", ((9, 2),), {}, SEQUENCES[1:]),
    ("CircularPad2d", ((1, 6, 7, 0),), {}, IMAGES), ("CircularPad3d", (3,), {}, VOLUMES),
    ("Upsample", (), dict(scale_factor=2), IMAGES),
    ("Upsample", ((5, 11),), dict(mode="bilinear"), IMAGES),
    ("Upsample", (), dict(scale_factor=(1.3, 0.7), mode="bicubic", align_corners=True), IMAGES),
    ("Upsample", (), dict(scale_factor=1.7, mode="linear", recompute_scale_factor=True), SEQUENCES),
    ("Upsample", (7,), dict(mode="trilinear"), VOLUMES),
    ("UpsamplingNearest2d", (), dict(scale_factor=3), IMAGES),
    ("UpsamplingBilinear2d", ((5, 13),), {}, IMAGES),
    ("PixelShuffle", (2,), {}, (2, 3, 8, 3, 5)), ("PixelUnshuffle", (3,), {}, (2, 6, 9)),
    ("ChannelShuffle", (3,), {}, IMAGES),
    ("Unfold", ((2, 3),), dict(dilation=2, padding=1, stride=2), IMAGES[1:]),
    ("Fold", ((5, 5), 2), {}, (8, 16)),
]
NAMED = {f"{name} {number}": layer for number, layer in enumerate(LAYERS) for name in layer[:1]}
each_layer = pytest.mark.parametrize("layer", NAMED.values(), ids=NAMED)


def run(library, as_tensor, module, array):
    """Output, gradients of the input and of the parameters for a fixed upstream gradient."""
    x = as_tensor(array)
    x.requires_grad = True
    y = module(x * 1.0)
    upstream = as_tensor(np.random.default_rng(1).standard_normal(tuple(y.shape)))
    (y * upstream).sum().backward()
    found = (y, x.grad, *(parameter.grad for parameter in module.parameters()))
    return [each.detach().numpy() for each in found]


@each_layer
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_layer_is_pytorchs(layer, torch):
    name, arguments, settings, shape = layer
    array = np.random.default_rng(0).standard_normal(shape)
    if name.startswith("LP"):
        array = np.abs(array) + 0.1
    ours = getattr(nn, name)(*arguments, **settings).double()
    theirs = getattr(torch.nn, name)(*arguments, **settings).double()
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == {
        key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    theirs.load_state_dict({key: torch.tensor(value.numpy())
                            for key, value in ours.state_dict().items()})
    for train in (True, False):
        ours.train(train), theirs.train(train)
        for module in (ours, theirs):
            module.zero_grad()
        got = run(fastnn, fastnn.tensor, ours, array)
        wanted = run(torch, torch.tensor, theirs, array)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == other.dtype
            close(one, other, 1e-9)


@each_layer
def test_layer_in_float32_of_any_layout(layer):
    name, arguments, settings, shape = layer
    module = getattr(nn, name)(*arguments, **settings)
    assert repr(module).startswith(f"{name}(")
    array = np.random.default_rng(0).uniform(0.1, 1, shape).astype(np.float32)
    turned = np.asfortranarray(array)
    wide = np.repeat(array, 2, -1)[..., ::2]
    wanted = module(fastnn.tensor(array))
    assert wanted.dtype == fastnn.float32
    for other in (turned, wide):
        close(array_of(module(fastnn.from_numpy(other))), array_of(wanted), 1e-5)


@pytest.mark.parametrize("name", [name for name in NAMED if "Pool" not in name
                                  and not name.startswith("Fold")])
def test_repr_is_pytorchs(name, torch):
    """Pools show the settings that are not at their defaults, where PyTorch shows some of all."""
    kind, arguments, settings, _ = NAMED[name]
    assert repr(getattr(nn, kind)(*arguments, **settings)) == repr(
        getattr(torch.nn, kind)(*arguments, **settings))


@pytest.mark.parametrize("name, arguments, shape", [
    ("max_pool1d", (3, 2, 1), SEQUENCES), ("max_pool1d", (2,), SEQUENCES[1:]),
    ("max_pool2d", (3, 2, 1), IMAGES), ("max_pool3d", (3, 2, 1), VOLUMES),
    ("max_pool3d", ((2, 3, 1), (1, 2, 2), 0, (2, 1, 3), True), VOLUMES[1:]),
    ("adaptive_max_pool1d", (4,), SEQUENCES), ("adaptive_max_pool1d", (3,), SEQUENCES[1:]),
    ("adaptive_max_pool2d", ((3, 5),), IMAGES), ("adaptive_max_pool2d", ((4, 7),), IMAGES),
    ("adaptive_max_pool3d", ((2, 3, 4),), VOLUMES), ("adaptive_max_pool3d", (5,), VOLUMES[1:])])
@pytest.mark.parametrize("kind", ["distinct", "equal", "nan"])
def test_indices_of_maxima(name, arguments, shape, kind, torch):
    """Also of equal maxima, the first, and of NaN, the last."""
    array = np.random.default_rng(0).standard_normal(shape)
    if kind != "distinct":
        array = np.round(array)
    if kind == "nan":
        array[array == 1] = np.nan
    got = getattr(F, name)(fastnn.tensor(array), *arguments, return_indices=True)
    wanted = getattr(torch.nn.functional, name)(
        torch.tensor(array), *arguments, return_indices=True)
    for one, other in zip(got, wanted, strict=True):
        assert str(one.dtype) == str(other.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("rank, shape", [(1, (2, 3, 9)), (2, (2, 3, 7, 9)), (3, (2, 3, 4, 5, 7)),
                                         (2, (3, 6, 7))])
def test_unpooling(rank, shape, torch):
    """Through modules that share settings; with and without the size wanted."""
    array = np.random.default_rng(0).standard_normal(shape)
    results = []
    for library, tensor in ((fastnn, fastnn.tensor), (torch, torch.tensor)):
        x = tensor(array, requires_grad=True)
        pool = getattr(library.nn, f"MaxPool{rank}d")(2, return_indices=True)
        unpool = getattr(library.nn, f"MaxUnpool{rank}d")(2)
        y = unpool(*pool(x), output_size=x.shape if len(shape) == rank + 2 else shape[1:])
        plain = unpool(*pool(x[(..., *(slice(0, size // 2 * 2) for size in shape[-rank:]))]))
        ((y * y).sum() + (plain * plain * plain).sum()).backward()
        results.append([y.detach().numpy(), plain.detach().numpy(), x.grad.numpy()])
    for one, other in zip(*results, strict=True):
        close(one, other, 1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_to_a_size(rank, torch):
    shape = (2, 3, *(4, 5, 3)[:rank])
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    ours = getattr(nn, f"ConvTranspose{rank}d")(3, 2, 3, stride=3, padding=1)
    theirs = getattr(torch.nn, f"ConvTranspose{rank}d")(3, 2, 3, stride=3, padding=1)
    theirs.load_state_dict({key: torch.tensor(value.numpy())
                            for key, value in ours.state_dict().items()})
    wanted = tuple((size - 1) * 3 + 1 + (axis + 1) % 3 for axis, size in enumerate(shape[2:]))
    got = ours(fastnn.tensor(array), wanted)
    assert tuple(got.shape[2:]) == wanted
    close(array_of(got), theirs(torch.tensor(array), wanted).detach().numpy(), 1e-5)


def test_padding_of_integers(torch):
    for dtype in ("int64", "uint8", "bool", "int32"):
        array = (np.arange(12).reshape(1, 3, 4) % 3).astype(dtype)
        for mode, rims in (("constant", (1, 2, -1, 1)), ("circular", (1, 2))):
            got = F.pad(fastnn.tensor(array), rims, mode)
            wanted = torch.nn.functional.pad(torch.tensor(array), rims, mode)
            assert str(got.dtype) == str(wanted.dtype).removeprefix("torch.")
            np.testing.assert_array_equal(got.numpy(), wanted.numpy())


@pytest.mark.parametrize("shape", [(2, 5, 9), (2, 5, 4, 3), (2, 5, 3, 4, 2), (0, 5, 9)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_copies_of_channels_last_memory(shape, dtype):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    last = np.moveaxis(np.moveaxis(array, 1, -1).copy(), -1, 1)
    copied = fastnn.from_numpy(last).contiguous()
    assert copied.is_contiguous()
    np.testing.assert_array_equal(copied.numpy(), array)


def test_results_own_their_memory():
    """Even where nothing changes, a result is no view of the input."""
    x = fastnn.ones(1, 4, 2, 2)
    for result in (F.pad(x, (0, 0, 0, 0), "reflect"), F.pad(x, (0, 0)), F.interpolate(x, (2, 2)),
                   F.pixel_shuffle(x, 1), F.channel_shuffle(x, 1), F.adaptive_avg_pool2d(x, 2)):
        assert not np.shares_memory(result.array, x.array)


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [True, False])
def test_nearest_of_a_grid(padding_mode, align, torch):
    """Points that are not finite are outside; PyTorch's bilinear mode makes them NaN."""
    random = np.random.default_rng(0)
    image, grid = random.standard_normal((2, 3, 4, 5)), random.uniform(-2, 2, (2, 3, 6, 2))
    for mode in ("bilinear", "nearest"):
        results = []
        for library, tensor in ((fastnn, fastnn.tensor), (torch, torch.tensor)):
            x = tensor(image, requires_grad=True)
            y = library.nn.functional.grid_sample(x, tensor(grid), mode, padding_mode, align)
            (y * y).sum().backward()
            results.append([y.detach().numpy(), x.grad.numpy()])
        for one, other in zip(*results, strict=True):
            close(one, other, 1e-12)
        if padding_mode == "zeros":
            grid[0, 0, :4, 0] = np.nan, np.inf, -np.inf, 1e30
            y = F.grid_sample(fastnn.tensor(image), fastnn.tensor(grid), mode, align_corners=align)
            assert not y.numpy()[0, :, 0, :4].any()


def test_no_gradient_of_an_empty_power_mean():
    x = fastnn.zeros(1, 1, 4, requires_grad=True)
    F.lp_pool1d(x, 2, 2).sum().backward()
    assert x.grad.tolist() == [[[0, 0, 0, 0]]]


def test_empty_batches():
    for module, shape in ((nn.Conv1d(2, 3, 3), (0, 2, 5)), (nn.Conv3d(2, 3, 3), (0, 2, 5, 5, 5)),
                          (nn.MaxPool1d(2), (0, 2, 4)), (nn.AvgPool3d(2), (0, 2, 4, 4, 4)),
                          (nn.AdaptiveMaxPool2d(3), (0, 2, 4, 4)), (nn.Upsample(5), (0, 2, 4)),
                          (nn.AdaptiveAvgPool2d(3), (0, 2, 4, 4)),
                          (nn.ReflectionPad1d(1), (0, 2, 4)),
                          (nn.ConvTranspose3d(2, 3, 3), (0, 2, 2, 2, 2))):
        x = fastnn.empty(*shape, requires_grad=True)
        y = module(x)
        assert y.shape[0] == 0
        y.sum().backward()
        assert tuple(x.grad.shape) == shape


def ones(*shape):
    return fastnn.ones(*shape)


ERRORS = [
    (lambda: F.conv1d(ones(1, 3, 8), ones(2, 4, 3)), ValueError,
     "conv1d: x has 3 channels, weight expects 4"),
    (lambda: F.conv1d(ones(1, 1, 8), ones(1, 1, 3), stride=(1, 2)), ValueError,
     r"conv1d: stride must be an integer, got \(1, 2\)"),
    (lambda: F.conv3d(ones(1, 1, 8, 8), ones(1, 1, 3, 3)), ValueError,
     "conv3d: weight must have 5 dimensions"),
    (lambda: F.conv3d(ones(1, 1, 2, 4, 4), ones(1, 1, 3, 3, 3)), ValueError,
     "conv3d: kernel of 3 .* larger than its input of 2"),
    (lambda: F.conv_transpose3d(ones(1, 1, 2, 2, 2), ones(1, 1, 1, 1, 1), padding=1), ValueError,
     r"conv_transpose3d: the result would have size \(0, 0, 0\)"),
    (lambda: F.max_pool1d(ones(4), 2), ValueError, "max_pool1d: input must have 2 or 3 dimensions"),
    (lambda: F.avg_pool2d(ones(1, 1, 4, 4), 2, divisor_override=2 ** 40), ValueError,
     "avg_pool2d: divisor_override must lie between 1 and 2147483647, got 1099511627776"),
    (lambda: F.avg_pool3d(ones(1, 1, 4, 4, 4), 2, divisor_override=0.5), TypeError,
     "avg_pool3d: divisor_override must be an integer, got 0.5"),
    (lambda: F.lp_pool1d(ones(1, 1, 4), 0, 2), ValueError, "lp_pool1d: norm_type must be positive"),
    (lambda: F.adaptive_avg_pool2d(ones(1, 1, 4, 4), (2, 2, 2)), ValueError,
     "adaptive_avg_pool2d: output_size must be an integer or a pair"),
    (lambda: F.adaptive_max_pool1d(ones(1, 1, 4), -1), ValueError, "must lie between 0 and .* got"),
    (lambda: F.max_unpool1d(ones(1, 1, 2), fastnn.tensor([[[0, 9]]]), 2), IndexError,
     r"max_unpool1d: indices must lie in \[0, 4\) for an output of \(4,\), got 0 to 9"),
    (lambda: F.max_unpool1d(ones(1, 1, 2), ones(1, 1, 2), 2), TypeError,
     "max_unpool1d: indices must be int64, got float32"),
    (lambda: F.max_unpool1d(ones(1, 1, 2), fastnn.tensor([[[0, 2]]]), 2, output_size=(9,)),
     ValueError, r"max_unpool1d: output_size \(9,\) must lie within one stride \(2,\) of \(4,\)"),
    (lambda: F.pad(ones(2, 3), (1,)), ValueError, "pad: 1 numbers given, wanted two for each"),
    (lambda: F.pad(ones(2, 3), (1, 1, 1, 1, 1, 1)), ValueError, "pad: 6 numbers given"),
    (lambda: F.pad(ones(2, 3), (1, 1.5)), TypeError, "pad: pad must be a sequence of integers"),
    (lambda: F.pad(ones(2, 3), (-2, -2)), ValueError, r"pad: a dimension of 3 cannot be padded by"),
    (lambda: F.pad(ones(2, 3), (3, 0), "reflect"), ValueError,
     r"pad: mode 'reflect' cannot pad a dimension of 3 by \(3, 0\)"),
    (lambda: F.pad(ones(2, 3), (4, 0), "circular"), ValueError, "pad: mode 'circular' cannot pad"),
    (lambda: F.pad(ones(3), (1, 0), "reflect"), ValueError, "pad: mode 'reflect' pads the last"),
    (lambda: F.pad(ones(2, 3), (1, 0), "mirror"), ValueError, "mode must be constant, reflect"),
    (lambda: F.pad(ones(2, 3), (1, 0), "reflect", 1.0), ValueError, "'reflect' takes no value"),
    (lambda: F.interpolate(ones(1, 1, 4)), ValueError, "interpolate: give either size or scale"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, 2.0), ValueError, "interpolate: give either size or"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, mode="bilinear"), ValueError,
     "interpolate: mode 'bilinear' wants an input of 4 dimensions, got shape"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, mode="best"), ValueError, "mode must be one of"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, align_corners=True), ValueError,
     "interpolate: align_corners has no meaning for mode 'nearest'"),
    (lambda: F.interpolate(ones(1, 1, 4), scale_factor=0.1), ValueError, r"makes sizes \(0,\)"),
    (lambda: F.interpolate(ones(1, 1, 4), scale_factor=1e9), ValueError, "makes sizes"),
    (lambda: F.interpolate(ones(1, 1, 4), scale_factor=-1.0), ValueError, "must be positive"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, antialias=True), ValueError, "antialias is for"),
    (lambda: F.pixel_shuffle(ones(1, 3, 2, 2), 2), ValueError, "shuffle: input has 3 channels"),
    (lambda: F.pixel_unshuffle(ones(1, 3, 3, 2), 2), ValueError, "2 does not divide images"),
    (lambda: F.channel_shuffle(ones(1, 3, 3), 2), ValueError, "shuffle: input has 3 channels"),
    (lambda: F.grid_sample(ones(1, 1, 2, 2), ones(1, 1, 1, 3)), ValueError,
     r"grid_sample: grid has shape \(1, 1, 1, 3\), wanted \(1, ..., 2\) of 4 dimensions"),
    (lambda: F.grid_sample(ones(1, 1, 2, 2), ones(1, 1, 1, 2), "cubic"), ValueError,
     "grid_sample: mode must be bilinear or nearest"),
    (lambda: F.affine_grid(ones(1, 2, 2), (1, 1, 2, 2)), ValueError,
     r"affine_grid: theta has shape \(1, 2, 2\), wanted \(1, 2, 3\)"),
    (lambda: F.interpolate(fastnn.tensor([[[1, 2]]]), 2), TypeError, "must be float32 or float64"),
]


@pytest.mark.parametrize("call, error, text", ERRORS)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pooling_to_nothing(rank):
    x = fastnn.zeros(2, 3, *[4] * rank, requires_grad=True)
    sizes = (0, *[2] * (rank - 1))
    for name in ("adaptive_avg_pool", "adaptive_max_pool"):
        y = getattr(F, f"{name}{rank}d")(x, sizes)
        assert y.shape == (2, 3, *sizes)
        assert fastnn.autograd.grad(y.sum(), x)[0].shape == x.shape
    y, indices = getattr(F, f"adaptive_max_pool{rank}d")(x[0], sizes, return_indices=True)
    assert y.shape == indices.shape == (3, *sizes) and indices.dtype == fastnn.int64


def test_a_grid_of_nearest_pixels_has_a_gradient_of_0():
    grid = fastnn.rand(2, 2, 2, 2, requires_grad=True)
    F.grid_sample(fastnn.rand(2, 1, 3, 3), grid, mode="nearest").sum().backward()
    assert grid.grad.tolist() == fastnn.zeros(2, 2, 2, 2).tolist()


def test_grids_of_an_empty_batch():
    x = fastnn.zeros(0, 3, 2, 2, requires_grad=True)
    y = F.grid_sample(x, fastnn.zeros(0, 4, 5, 2))
    assert y.shape == (0, 3, 4, 5) and fastnn.autograd.grad(y.sum(), x)[0].shape == x.shape
