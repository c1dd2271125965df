"""The layers of the networks for JAX, channels last: with XLA's convolutions, or without."""

import jax.numpy as jnp
from jax import lax


class Layers:
    """Convolutions by XLA. Channels first was slower: 34 against 26 ms on the lenet, one thread."""

    dimensions = ("NHWC", "HWIO", "NHWC")

    def linear(self, x, weight, bias=0.0):
        return x @ weight + bias

    def convolution(self, x, weight, bias=0.0, padding=0, stride=1):
        pads = [(padding, padding)] * 2
        strides = (stride, stride)
        return bias + lax.conv_general_dilated(
            x, weight, strides, pads, dimension_numbers=self.dimensions
        )

    def transposed_convolution(self, x, weight):
        """Kernel 4, stride 2, padding 1."""
        pads = [(2, 2)] * 2
        return lax.conv_transpose(
            x, weight, (2, 2), pads, dimension_numbers=self.dimensions, transpose_kernel=True
        )

    def flatten(self, x):
        return x.reshape(len(x), -1)

    def enlarge(self, x, weight, bias):
        """A transposed convolution of kernel 2 and stride 2, whose pixels do not overlap."""
        n, h, w, c = x.shape
        y = x.reshape(-1, c) @ weight.transpose(3, 0, 1, 2).reshape(c, -1)
        y = y.reshape(n, h, w, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
        return y.reshape(n, 2 * h, 2 * w, -1) + bias

    def layer_norm(self, x, scale, shift):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift

    def max_pool(self, x):
        """Windows of 2x2; `lax.reduce_window` was slower: 34 against 26 ms on the lenet."""
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    def batch_norm(self, x, scale, shift, running):
        """The normalised batch, and the running mean and variance after it."""
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        variance = jnp.maximum((x * x).mean(axes) - mean * mean, 0)
        factor = scale * lax.rsqrt(variance + 1e-5)
        size = x.size // x.shape[-1]
        unbiased = variance * (size / (size - 1))
        running = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * unbiased)
        return x * factor + (shift - mean * factor), running


class ProductLayers(Layers):
    """Convolutions as matrix products: XLA's gradients of strided ones are slow on a CPU."""

    def convolution(self, x, weight, bias=0.0, padding=0, stride=1):
        kh, kw, c, f = weight.shape
        edge = (padding, padding)
        x = jnp.pad(x, ((0, 0), edge, edge, (0, 0)))
        n, oh, ow = len(x), (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
        rows = [slice(i, i + stride * (oh - 1) + 1, stride) for i in range(kh)]
        columns = [slice(j, j + stride * (ow - 1) + 1, stride) for j in range(kw)]
        patches = jnp.concatenate([x[:, row, column] for row in rows for column in columns], -1)
        y = patches.reshape(-1, kh * kw * c) @ weight.reshape(-1, f)  # (N OH OW, F)
        return y.reshape(n, oh, ow, f) + bias

    def transposed_convolution(self, x, weight):
        """Input pixel i gives output rows 2i-1 to 2i+2: two pairs, the later one a pixel on."""
        n, h, w, c = x.shape
        f = weight.shape[2]
        y = x.reshape(-1, c) @ weight.transpose(3, 0, 1, 2).reshape(c, -1)
        y = y.reshape(n, h, w, 2, 2, 2, 2, f)  # (N, H, W, row pair, row, column pair, column, F)
        total = sum(
            jnp.pad(y[:, :, :, a, :, b], _EDGES + ((a, 1 - a), (b, 1 - b)) + _EDGES * 3)
            for a in range(2)
            for b in range(2)
        )  # (N, H + 1, W + 1, row, column, F)
        image = total.transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h + 2, 2 * w + 2, f)
        return image[:, 1:-1, 1:-1]


_EDGES = ((0, 0),)
