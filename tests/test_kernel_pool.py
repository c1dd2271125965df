"""Pooling and transposition kernels against plain NumPy."""

import numpy as np
import pytest

from fastnn._kernels import layout, pool, runtime

# shape (N, H, W, C), kernel, stride, padding, dilation, whether the size is rounded up
CASES = [
    ((2, 8, 8, 16), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 9, 7, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 9, 7, 5), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((2, 10, 11, 33), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((2, 10, 11, 17), (3, 2), (1, 1), (1, 1), (1, 1), True),
    ((1, 12, 13, 40), (3, 3), (2, 3), (1, 1), (2, 3), False),
    ((2, 7, 9, 1), (2, 3), (4, 5), (0, 1), (1, 1), True),
    ((1, 20, 20, 20), (17, 17), (2, 2), (8, 8), (1, 1), False),
    ((1, 3, 3, 70), (3, 3), (3, 3), (0, 0), (1, 1), False),
    ((0, 4, 4, 3), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 4, 4, 0), (2, 2), (2, 2), (0, 0), (1, 1), False),
]
DTYPES = [np.float32, np.float64]


def output_size(size, kernel, stride, padding, dilation, up):
    """PyTorch's rule: with rounding up, the last window still starts inside the left padding
    or the image."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (span + (stride - 1 if up else 0)) // stride + 1
    if up and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def output_shape(shape, kernel, stride, padding, dilation, up):
    rest = zip(shape[1:3], kernel, stride, padding, dilation, strict=True)
    return (shape[0], *(output_size(*one, up) for one in rest), shape[3])


def windows(x_shape, y_shape, kernel, stride, padding, dilation):
    """For each output (i, j): its list of (place, row, column) inside the image."""
    for i in range(y_shape[1]):
        for j in range(y_shape[2]):
            places = []
            for a in range(kernel[0]):
                for b in range(kernel[1]):
                    row = i * stride[0] - padding[0] + a * dilation[0]
                    col = j * stride[1] - padding[1] + b * dilation[1]
                    if 0 <= row < x_shape[1] and 0 <= col < x_shape[2]:
                        places.append((a * kernel[1] + b, row, col))
            yield i, j, places


def max_reference(x, gy, geometry):
    y, index = np.full(gy.shape, np.nan), np.full(gy.shape, -1)
    gx = np.zeros(x.shape)
    for i, j, places in windows(x.shape, gy.shape, *geometry):
        values = np.stack([x[:, row, col] for _, row, col in places], axis=-1)
        values = np.where(np.isnan(values), np.inf, values)
        chosen = values.argmax(axis=-1)
        index[:, i, j] = np.array([place for place, _, _ in places])[chosen]
        for k, (_, row, col) in enumerate(places):
            hit = chosen == k
            y[:, i, j][hit] = x[:, row, col][hit]
            gx[:, row, col] += np.where(hit, gy[:, i, j], 0)
    return y, index, gx


def average_reference(x, gy, geometry, count_include_pad, divisor):
    y, gx = np.zeros(gy.shape), np.zeros(x.shape)
    kernel, stride, padding, _ = geometry
    for i, j, places in windows(x.shape, gy.shape, *geometry):
        count = len(places)
        if count_include_pad:
            starts = (i * stride[0] - padding[0], j * stride[1] - padding[1])
            count = np.prod([min(k, size + p - start) for k, size, p, start
                             in zip(kernel, x.shape[1:3], padding, starts, strict=True)])
        for _, row, col in places:
            y[:, i, j] += x[:, row, col] / (divisor or count)
            gx[:, row, col] += gy[:, i, j] / (divisor or count)
    return y, gx


def draw(case, dtype):
    shape, *geometry, up = case
    random = np.random.default_rng(3)
    gy_shape = output_shape(shape, *geometry, up)
    return (random.standard_normal(shape).astype(dtype),
            random.standard_normal(gy_shape).astype(dtype), tuple(geometry))


def blank(shape, dtype):
    return np.full(shape, np.nan, dtype)


def run_max(x, gy, geometry):
    index = np.full(gy.shape, 99, pool.index_dtype(geometry[0]))
    y = pool.max_forward(x, blank(gy.shape, x.dtype), index, *geometry)
    gx = pool.max_backward(gy, index, blank(x.shape, x.dtype), *geometry)
    return y, index, gx


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_max_against_reference(case, dtype):
    x, gy, geometry = draw(case, dtype)
    x.flags.writeable = gy.flags.writeable = False
    y, index, gx = run_max(x, gy, geometry)
    wanted, places, gradient = max_reference(x, gy, geometry)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(index, places)
    np.testing.assert_allclose(gx, gradient, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-13)
    no_index = pool.max_forward(x, blank(gy.shape, dtype), None, *geometry)
    np.testing.assert_array_equal(no_index, y)
    again = pool.max_gather(x, index, blank(gy.shape, dtype), *geometry)
    np.testing.assert_array_equal(again, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("include", "divisor"), [(True, 0), (False, 0), (True, 5)])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_average_against_reference(case, include, divisor, dtype):
    case = (*case[:4], (1, 1), case[5])
    x, gy, geometry = draw(case, dtype)
    wanted, gradient = average_reference(x, gy, geometry, include, divisor)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    y = pool.average_forward(x, blank(gy.shape, dtype), *geometry[:3], include, divisor)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=tolerance)
    gx = pool.average_backward(gy, blank(x.shape, dtype), *geometry[:3], include, divisor)
    np.testing.assert_allclose(gx, gradient, rtol=0, atol=tolerance)


@pytest.mark.parametrize("channels", [3, 16, 19])
def test_nan_is_the_maximum(channels):
    x = np.ones((1, 4, 4, channels), np.float32)
    x[0, 0, 1], x[0, 3, 3, -1], x[0, 2:, :2] = np.nan, np.nan, -np.inf
    x[0, 0, 0] = np.inf
    gy = np.ones((1, 2, 2, channels), np.float32)
    y, index, gx = run_max(x, gy, ((2, 2), (2, 2), (0, 0), (1, 1)))
    assert np.isnan(y[0, 0, 0]).all()
    assert (index[0, 0, 0] == 1).all()
    assert (y[0, 1, 0] == -np.inf).all()
    assert (index[0, 1, 0] == 0).all()
    assert np.isnan(y[0, 1, 1]).sum() == 1
    assert gx.sum() == 4 * channels


@pytest.mark.parametrize("shape", [(9, 24, 24, 20), (1, 30, 30, 70)])
def test_same_bits_for_any_number_of_threads(shape, threads):
    geometry = ((3, 3), (2, 2), (1, 1), (1, 1))
    x, gy, _ = draw((shape, *geometry, False), np.float32)
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append((*run_max(x, gy, geometry),
                        pool.average_forward(x, blank(gy.shape, "f4"), *geometry[:3]),
                        pool.average_backward(gy, blank(x.shape, "f4"), *geometry[:3])))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"x": np.zeros((2, 8, 8, 3), "i4")}, TypeError, "x has dtype int32"),
    ({"out": np.zeros((2, 4, 4, 2), "f4")}, ValueError, "out has 2 channels, wanted 3"),
    ({"index": np.zeros((2, 4, 4, 3), "i4")}, TypeError, "index has dtype int32, wanted uint8"),
    ({"index": np.zeros((2, 4, 5, 3), "u1")}, ValueError, "index has 5 columns, wanted 4"),
    ({"kernel": (0, 2)}, ValueError, "kernel is 0"),
    ({"stride": (2, 2, 2)}, ValueError, "stride"),
])
def test_errors(change, error, message):
    arguments = {
        "x": np.zeros((2, 8, 8, 3), "f4"), "out": np.zeros((2, 4, 4, 3), "f4"), "index": None,
        "kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}
    with pytest.raises(error, match=message):
        pool.max_forward(**(arguments | change))


def test_a_wrong_index_reads_and_writes_nothing_outside():
    geometry = ((2, 2), (2, 2), (0, 0), (1, 1))
    x, gy = np.ones((1, 4, 4, 3), "f4"), np.ones((1, 2, 2, 3), "f4")
    index = np.full(gy.shape, 200, np.uint8)
    assert pool.max_backward(gy, index, blank(x.shape, "f4"), *geometry).sum() == 0
    assert pool.max_gather(x, index, blank(gy.shape, "f4"), *geometry).sum() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 49, 16), (5, 1, 7), (1, 200, 3), (1, 8, 130),
                                   (2, 131, 77), (0, 3, 4), (2, 0, 4)])
def test_transpose_copy(shape, dtype):
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    x.flags.writeable = False
    out = np.full((shape[0], shape[2], shape[1]), 7, dtype)
    np.testing.assert_array_equal(layout.transpose_copy(x, out), x.transpose(0, 2, 1))


def test_transpose_copy_errors():
    x = np.zeros((2, 3, 4), "f4")
    with pytest.raises(ValueError, match="out has 3 rows, wanted 4"):
        layout.transpose_copy(x, np.zeros((2, 3, 4), "f4"))
    with pytest.raises(TypeError, match="dtype object"):
        layout.transpose_copy(x.astype(object), x)
    with pytest.raises(TypeError, match="out has dtype float64"):
        layout.transpose_copy(x, np.zeros((2, 4, 3)))


def drawn_views(random, shape):
    """Two arrays of a shape in two memory orders, with gaps or reversed axes."""
    def view(fill):
        order = random.permutation(len(shape))
        room = fill(tuple(int(shape[axis]) + int(random.integers(0, 3)) for axis in order))
        array = room.transpose(np.argsort(order))[tuple(slice(0, size) for size in shape)]
        return array[tuple(slice(None, None, int(random.choice([-1, 1]))) for _ in shape)], room

    to, room = view(lambda sizes: np.full(sizes, 7, np.float32))
    source, _ = view(lambda sizes: random.standard_normal(sizes).astype(np.float32))
    return to, source, room


@pytest.mark.parametrize("threads", [1, 3])
def test_copy_values(threads):
    random, before = np.random.default_rng(0), runtime.get_thread_count()
    runtime.set_thread_count(threads)
    try:
        for _ in range(400):
            shape = tuple(random.integers(0, 40, random.integers(1, 5)))
            to, source, room = drawn_views(random, shape)
            untouched = (room == 7).sum() - to.size
            layout.copy_values(to, source)
            np.testing.assert_array_equal(to, source)
            assert (room == 7).sum() == untouched
    finally:
        runtime.set_thread_count(before)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["f4", "i8", "?", "c16"])
def test_large_copies(dtype, threads):
    """Of more than one piece of work, joined to one run and not."""
    source = (np.arange(600_000).reshape(300, 40, 50) % 97).astype(dtype)
    before = runtime.get_thread_count()
    runtime.set_thread_count(threads)
    try:
        for view in (source, source[::2], source[:, 3:31], source.transpose(1, 0, 2)):
            to = np.zeros(view.shape, dtype)
            layout.copy_values(to, view)
            np.testing.assert_array_equal(to, view)
        np.testing.assert_array_equal(layout.clear(source), np.zeros_like(source))
    finally:
        runtime.set_thread_count(before)


def test_clear_errors():
    with pytest.raises(ValueError, match="clear: out must be C-contiguous numbers"):
        layout.clear(np.ones((3, 4)).T)
    with pytest.raises(ValueError, match="clear: out is read-only"):
        layout.clear(np.broadcast_to(np.ones(1), (1,)))
