"""Operations forward and backward, one after another: the same code for fastnn and PyTorch.

Each case makes its call at three sizes: about 16 KB of input (the first-level cache), 512 KB (the
second-level cache) and 64 MB (main memory), unless the case says otherwise.
"""

import numpy as np

from .program import Program

ELEMENTS = {"L1": 1 << 12, "L2": 1 << 17, "64 MB": 1 << 24}
CASES = {}


def case(name, sizes=ELEMENTS, table=CASES):
    """Enter ``make(library, size) -> (call, inputs)`` under a name, for the given sizes."""

    def enter(make):
        table[name] = (make, sizes)
        return make

    return enter


def drawn(library, *shape, seed=0, grad=True):
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return library.tensor(values, requires_grad=grad)


def chosen(library, high, *shape):
    return library.tensor(np.random.default_rng(1).integers(0, high, shape))


def _elementwise(name, **settings):
    @case(name)
    def make(library, size):
        x = drawn(library, size)
        function = getattr(library.nn.functional, name)
        return lambda: function(x, **settings), [x]


for _name in ("relu", "leaky_relu", "elu", "celu", "selu", "silu", "mish", "gelu", "hardtanh",
              "relu6", "hardswish", "hardsigmoid", "softplus", "softsign", "logsigmoid",
              "tanhshrink", "softshrink", "hardshrink", "sigmoid", "tanh"):
    _elementwise(_name)


@case("gelu tanh")
def _gelu_tanh(library, size):
    x = drawn(library, size)
    return lambda: library.nn.functional.gelu(x, approximate="tanh"), [x]


@case("threshold")
def _threshold(library, size):
    x = drawn(library, size)
    return lambda: library.nn.functional.threshold(x, 0.1, 0.0), [x]


@case("prelu")
def _prelu(library, size):
    x, weight = drawn(library, size // 1024, 16, 64), drawn(library, 16)
    return lambda: library.nn.functional.prelu(x, weight), [x, weight]


@case("glu")
def _glu(library, size):
    x = drawn(library, size // 256, 256)
    return lambda: library.nn.functional.glu(x), [x]


def _along(name, dim):
    @case(f"{name} over {dim}")
    def make(library, size):
        x = drawn(library, size // 1024, 32, 32)
        function = getattr(library, name)
        return lambda: function(x, dim), [x]


for _name in ("sum", "mean", "softmax", "log_softmax"):
    for _dim in (0, 1, 2):
        _along(_name, _dim)


@case("sum of all")
def _sum_of_all(library, size):
    x = drawn(library, size)
    return lambda: x.sum(), [x]


@case("softmax of rows of 512")
def _softmax_rows(library, size):
    x = drawn(library, size // 512, 512)
    return lambda: library.softmax(x, 1), [x]


@case("layer_norm")
def _layer_norm(library, size):
    x, weight, bias = (drawn(library, *shape, seed=i) for i, shape in
                       enumerate([(size // 512, 512), (512,), (512,)]))
    return lambda: library.nn.functional.layer_norm(x, (512,), weight, bias), [x, weight, bias]


def _images(library, size):
    return drawn(library, size // 1024, 16, 8, 8)


def _affine(library):
    return drawn(library, 16, seed=1), drawn(library, 16, seed=2)


@case("batch_norm")
def _batch_norm(library, size):
    x, (weight, bias) = _images(library, size), _affine(library)
    function = library.nn.functional.batch_norm
    return lambda: function(x, None, None, weight, bias, True), [x, weight, bias]


@case("group_norm")
def _group_norm(library, size):
    x, (weight, bias) = _images(library, size), _affine(library)
    return lambda: library.nn.functional.group_norm(x, 4, weight, bias), [x, weight, bias]


@case("max_pool2d")
def _max_pool(library, size):
    x = _images(library, size)
    return lambda: library.nn.functional.max_pool2d(x, 2), [x]


@case("embedding")
def _embedding(library, size):
    weight = drawn(library, 1000, 64)
    index = chosen(library, 1000, size // 64)
    return lambda: library.nn.functional.embedding(index, weight), [weight]


def _cross_entropy(classes):
    @case(f"cross_entropy of {classes}")
    def make(library, size):
        x = drawn(library, size // classes, classes)
        labels = chosen(library, classes, size // classes)
        return lambda: library.nn.functional.cross_entropy(x, labels), [x]


_cross_entropy(10)
_cross_entropy(1000)


SOME = {"4 K": 1 << 12, "64 K": 1 << 16, "1 M": 1 << 20}


@case("rows one by one", SOME)
def _unbind(library, size):
    x = drawn(library, size // 256, 256)
    return lambda: library.stack(x.unbind(0)), [x]


@case("topk of 5", SOME)
def _topk(library, size):
    x = drawn(library, size // 256, 256)
    return lambda: library.topk(x, 5)[0], [x]


def _scatter_reduce(way):
    @case(f"scatter_reduce {way}", SOME)
    def make(library, size):
        x, source = drawn(library, size // 16), drawn(library, size, seed=1)
        places = chosen(library, size // 16, size)
        return lambda: x.scatter_reduce(0, places, source, way), [x, source]


for _name in ("sum", "mean", "amax", "prod"):
    _scatter_reduce(_name)


def _attention(causal):
    sizes = {"T 64, D 32": (64, 32), "T 256, D 64": (256, 64), "T 1024, D 64": (1024, 64)}

    @case("attention" + " causal" * causal, sizes)
    def make(library, size):
        inputs = [drawn(library, 8, 4, *size, seed=i) for i in range(3)]
        function = library.nn.functional.scaled_dot_product_attention
        return lambda: function(*inputs, is_causal=causal), inputs


_attention(False)
_attention(True)


def _recurrent(kind):
    @case(kind, {"H 64": 64, "H 128": 128, "H 256": 256})
    def make(library, size):
        net = getattr(library.nn, kind)(size, size)
        parameters = list(net.parameters())
        with library.no_grad():
            for seed, parameter in enumerate(parameters):
                parameter.copy_(drawn(library, *parameter.shape, seed=seed, grad=False) * 0.1)
        x = drawn(library, 64, 32, size)
        return lambda: net(x)[0], [x, *parameters]


_recurrent("LSTM")
_recurrent("GRU")

IMAGES = {"1x16x16x16": (1, 16, 16), "16x32x28x28": (16, 32, 28), "64x64x32x32": (64, 64, 32)}


def _convolution(name, groups_of, times=1):
    @case(name, IMAGES)
    def make(library, size):
        images, channels, side = size
        x = drawn(library, images, channels, side, side)
        weight = drawn(library, channels * times, groups_of, 3, 3, seed=1)
        groups = channels // groups_of
        return lambda: library.nn.functional.conv2d(x, weight, None, 1, 1, 1, groups), [x, weight]


_convolution("depthwise convolution", 1)
_convolution("depthwise convolution x 2", 1, times=2)
_convolution("convolution, groups of 2", 2)
_convolution("convolution, groups of 4", 4)
_convolution("grouped convolution", 8)


@case("conv1d over audio", {"B 1": 1, "B 4": 4, "B 16": 16})
def _audio(library, size):
    x, weight = drawn(library, size, 1, 8000), drawn(library, 32, 1, 80, seed=1)
    return lambda: library.nn.functional.conv1d(x, weight, stride=4), [x, weight]


def build(library, case, size, channels_last):
    """The step of a table's case: forward, then backward with a gradient at hand; a check sum."""
    make, sizes = case
    call, inputs = make(library, sizes[size])
    if channels_last:
        inputs[0].data = inputs[0].data.contiguous(memory_format=library.channels_last)
    gradient = library.randn_like(call().detach())
    with library.no_grad():
        gradient.copy_(drawn(library, *gradient.shape, seed=9, grad=False))

    def step():
        for tensor in inputs:
            tensor.grad = None
        result = call()
        result.backward(gradient)
        return result

    result = step()
    sums = [float(each.detach().abs().mean()) for each in
            (result, *(tensor.grad for tensor in inputs))]
    return Program(step, lambda result: None, 0), sums
