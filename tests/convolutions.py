"""Convolutions by sizes and parameters, their plain NumPy reference, and the kernels' results."""

import numpy as np

from fastnn._kernels import conv

TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


class Case:
    """Sizes and parameters of one convolution; the output's size follows from them."""

    def __init__(self, n, c, h, w, o, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1),
                 groups=1, extra=(0, 0)):
        self.x_shape = (n, h, w, c)
        self.weight_shape = (o, c // groups, *kernel)
        self.parameters = (stride, padding, dilation, groups)
        self.groups = groups
        out = [
            (size + 2 * p - d * (k - 1) - 1) // s + 1 + e
            for size, k, s, p, d, e in zip((h, w), kernel, stride, padding, dilation, extra,
                                           strict=True)
        ]
        self.y_shape = (n, *out, o)

    def __repr__(self):
        return f"{self.x_shape}-{self.weight_shape}-{self.parameters}"

    def arrays(self, dtype, seed=0):
        random = np.random.default_rng(seed)
        return [random.standard_normal(shape).astype(dtype)
                for shape in (self.x_shape, self.weight_shape, self.y_shape)]

    def taps(self):
        """Each tap (i, j) with the slices of x and y that it joins, as (row, column) pairs."""
        (sh, sw), (ph, pw), (dh, dw), _ = self.parameters
        for i in range(self.weight_shape[2]):
            rows = _reach(self.x_shape[1], self.y_shape[1], i * dh - ph, sh)
            for j in range(self.weight_shape[3]):
                cols = _reach(self.x_shape[2], self.y_shape[2], j * dw - pw, sw)
                if rows and cols:
                    yield i, j, (rows[0], cols[0]), (rows[1], cols[1])


def _reach(size, out_size, shift, stride):
    """Slices of the input and of the output where input = output * stride + shift is inside."""
    outputs = [y for y in range(out_size) if 0 <= y * stride + shift < size]
    if not outputs:
        return None
    first = outputs[0] * stride + shift
    return (slice(first, outputs[-1] * stride + shift + 1, stride),
            slice(outputs[0], outputs[-1] + 1))


def _grouped(image, groups):
    """(N, H, W, C) as (N, H, W, groups, C/groups)."""
    return image.reshape(*image.shape[:3], groups, image.shape[3] // groups)


def reference(case, x, weight, y):
    """Output, gradient of x for upstream gradient y, and gradients of weight and bias."""
    x, weight, y = (array.astype(np.float64) for array in (x, weight, y))
    kernels = weight.reshape(case.groups, -1, *weight.shape[1:])
    out, gx, gw = np.zeros(y.shape), np.zeros(x.shape), np.zeros(kernels.shape)
    x_groups, y_groups = _grouped(x, case.groups), _grouped(y, case.groups)
    out_groups, gx_groups = _grouped(out, case.groups), _grouped(gx, case.groups)
    for i, j, (xr, xc), (yr, yc) in case.taps():
        tap = kernels[..., i, j]
        out_groups[:, yr, yc] += np.einsum("nhwgc,goc->nhwgo", x_groups[:, xr, xc], tap)
        gx_groups[:, xr, xc] += np.einsum("nhwgo,goc->nhwgc", y_groups[:, yr, yc], tap)
        gw[..., i, j] = np.einsum("nhwgo,nhwgc->goc", y_groups[:, yr, yc], x_groups[:, xr, xc])
    return out, gx, gw.reshape(weight.shape), y.sum(axis=(0, 1, 2))


def blank(shape, dtype):
    return np.full(shape, np.nan, dtype)


def run(case, x, weight, y):
    """The same four from the kernels, into outputs that hold NaN beforehand."""
    out = conv.forward(x, weight, None, blank(y.shape, y.dtype), *case.parameters)
    gx = conv.data_gradient(y, weight, None, blank(x.shape, x.dtype), *case.parameters)
    gbias = blank(weight.shape[:1], weight.dtype)
    gw = conv.weight_gradient(x, y, blank(weight.shape, weight.dtype), gbias, *case.parameters)
    return out, gx, gw, gbias


def assert_close(got, wanted, dtype):
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == dtype
        scale = max(1.0, np.abs(other).max(initial=0))
        np.testing.assert_allclose(one, other, rtol=0, atol=scale * TOLERANCE[dtype])
