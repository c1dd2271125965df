"""Layers at sizes beside those of the training steps: single samples, odd numbers, few channels.

Nothing is to be fast at the sizes of the steps alone. Each case is one layer, forward and backward.
"""

from functools import partial

from .operations import case, chosen, drawn

CASES = {}
near = partial(case, table=CASES)


def sizes(*each):
    """Sizes by their names: the numbers with x between them."""
    return {"x".join(map(str, size)): size for size in each}


@near("linear: batch, in, out", sizes(
    (1, 784, 512), (3, 784, 512), (16, 512, 512), (100, 300, 257), (257, 33, 65), (512, 784, 512),
    (128, 512, 10), (512, 1, 257), (127, 257, 1), (2048, 129, 385)))
def _linear(library, size):
    batch, inputs, outputs = size
    tensors = [drawn(library, batch, inputs), drawn(library, outputs, inputs, seed=1),
               drawn(library, outputs, seed=2)]
    return lambda: library.nn.functional.linear(*tensors), tensors


def _convolution(name, kernel, stride, padding, transposed, *each):
    @near(f"{name}: images, in, out, side", sizes(*each))
    def make(library, size):
        images, inputs, outputs, side = size
        channels = (inputs, outputs) if transposed else (outputs, inputs)
        tensors = [drawn(library, images, inputs, side, side),
                   drawn(library, *channels, kernel, kernel, seed=1),
                   drawn(library, outputs, seed=2)]
        run = library.nn.functional.conv_transpose2d if transposed else \
            library.nn.functional.conv2d
        return lambda: run(*tensors, stride=stride, padding=padding), tensors


_convolution("convolution 3x3", 3, 1, 1, False,
             (1, 1, 32, 28), (1, 32, 64, 26), (64, 1, 32, 28), (3, 3, 17, 31), (16, 31, 33, 15),
             (7, 65, 63, 13), (64, 257, 129, 7), (128, 6, 16, 14), (2, 128, 128, 28),
             (512, 16, 16, 7), (1, 3, 64, 64), (5, 2, 1, 100))
_convolution("convolution 5x5", 5, 1, 2, False,
             (1, 1, 6, 28), (128, 6, 16, 14), (512, 1, 6, 28), (33, 5, 13, 17), (16, 64, 64, 9))
_convolution("convolution 1x1", 1, 1, 0, False,
             (1, 64, 128, 14), (16, 16, 11, 64), (5, 257, 33, 9), (64, 3, 1, 32))
_convolution("convolution 4x4, stride 2", 4, 2, 1, False,
             (1, 1, 64, 28), (128, 1, 64, 28), (1, 64, 128, 14), (37, 33, 65, 15),
             (512, 16, 32, 14))
_convolution("transposed 4x4, stride 2", 4, 2, 1, True,
             (1, 128, 64, 7), (128, 64, 1, 14), (37, 65, 33, 9), (512, 32, 16, 7))
_convolution("transposed 2x2, stride 2", 2, 2, 0, True,
             (1, 128, 64, 8), (16, 32, 16, 32), (5, 33, 17, 11))


@near("batch_norm: images, channels, side", sizes(
    (2, 1, 28), (64, 3, 27), (16, 64, 32), (513, 17, 5), (7, 257, 9)))
def _batch_norm(library, size):
    images, channels, side = size
    tensors = [drawn(library, images, channels, side, side),
               *(drawn(library, channels, seed=seed) for seed in (1, 2))]
    x, weight, bias = tensors
    run = library.nn.functional.batch_norm
    return lambda: run(x, None, None, weight, bias, True), tensors


@near("max_pool2d: images, channels, side", sizes(
    (1, 6, 28), (64, 17, 27), (16, 64, 64), (512, 1, 10), (3, 257, 15)))
def _max_pool(library, size):
    images, channels, side = size
    x = drawn(library, images, channels, side, side)
    return lambda: library.nn.functional.max_pool2d(x, 2), [x]


@near("layer_norm: rows, columns", sizes((1, 128), (2048, 128), (513, 257), (100, 33), (5, 4097)))
def _layer_norm(library, size):
    rows, columns = size
    tensors = [drawn(library, rows, columns),
               *(drawn(library, columns, seed=seed) for seed in (1, 2))]
    x, weight, bias = tensors
    return lambda: library.nn.functional.layer_norm(x, (columns,), weight, bias), tensors


def _recurrent(kind):
    @near(f"{kind}: steps, batch, in, hidden", sizes(
        (64, 1, 65, 256), (17, 3, 33, 65), (16, 128, 64, 128), (5, 512, 10, 32),
        (100, 8, 257, 257), (1, 32, 64, 64)))
    def make(library, size):
        steps, batch, inputs, hidden = size
        net = getattr(library.nn, kind)(inputs, hidden)
        parameters = list(net.parameters())
        with library.no_grad():
            for seed, parameter in enumerate(parameters):
                parameter.copy_(drawn(library, *parameter.shape, seed=seed, grad=False) * 0.1)
        x = drawn(library, steps, batch, inputs)
        return lambda: net(x)[0], [x, *parameters]


_recurrent("LSTM")
_recurrent("GRU")


@near("attention: batch, heads, length, width", sizes(
    (1, 1, 1, 16), (32, 4, 63, 32), (2, 3, 33, 17), (1, 8, 257, 64), (64, 2, 10, 8),
    (512, 1, 16, 16)))
def _attention(library, size):
    tensors = [drawn(library, *size, seed=seed) for seed in range(3)]
    return lambda: library.nn.functional.scaled_dot_product_attention(*tensors), tensors


@near("cross_entropy: rows, classes", sizes(
    (1, 10), (128, 10), (513, 257), (2048, 65), (65536, 11)))
def _cross_entropy(library, size):
    rows, classes = size
    x, labels = drawn(library, rows, classes), chosen(library, classes, rows)
    return lambda: library.nn.functional.cross_entropy(x, labels), [x]


@near("embedding: numbers, rows, columns", sizes((1, 65, 64), (2048, 65, 128), (333, 10007, 33)))
def _embedding(library, size):
    count, rows, columns = size
    weight, numbers = drawn(library, rows, columns), chosen(library, rows, count)
    return lambda: library.nn.functional.embedding(numbers, weight), [weight]


@near("gelu: numbers", sizes((1,), (100,), (12345,), (1048577,)))
def _gelu(library, size):
    x = drawn(library, *size)
    return lambda: library.nn.functional.gelu(x), [x]
