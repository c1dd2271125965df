"""The radix sort: stable, NaN last, for all types, sizes, layouts and numbers of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn._kernels import selecting, sorting

DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
SHAPES = [(1, 1), (0, 5), (5, 0), (1, 48), (1, 49), (70, 60), (3, 20000), (200, 7)]


def wanted(x, descending):
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    turned = np.argsort(x[:, ::-1], axis=-1, kind="stable")
    return (x.shape[1] - 1 - turned)[:, ::-1]


def special(shape, dtype, random):
    x = (random.standard_normal(shape) * 40).astype(dtype)
    if x.dtype.kind == "f":
        x = np.round(x)
        for step, value in ((7, np.nan), (9, -0.0), (10, 0.0), (11, np.inf), (12, -np.inf),
                            (13, -np.nan), (5, np.finfo(dtype).smallest_subnormal)):
            x.flat[step::31] = value
    return x


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_order(dtype, shape, descending):
    x = special(shape, dtype, np.random.default_rng(0))
    assert (sorting.order(x, descending) == wanted(x, descending)).all()


CLUSTERS = {
    "equal": np.ones((2, 900)), "close": 1 + 1e-15 * np.arange(900.0)[None, ::-1] % 7e-13,
    "reversed": 1 + 2e-16 * np.arange(5000.0)[None, ::-1],
    "wide integers": np.random.default_rng(1).integers(-2**62, 2**62, (2, 900)),
    "limits": np.array([[2**63 - 1, -2**63, 0, -1] * 50]),
    "two clusters": np.random.default_rng(1).integers(0, 50, (1, 900)) + 2**60 * (
        np.arange(900) % 2)}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("x", CLUSTERS.values(), ids=CLUSTERS)
def test_clusters(x, descending):
    assert (sorting.order(x, descending) == wanted(x, descending)).all()


@given(values=st.lists(st.floats(width=64), max_size=120), copies=st.integers(1, 3),
       descending=st.booleans())
def test_any_numbers(values, copies, descending):
    x = np.array(values * copies, np.float64).reshape(1, -1)
    assert (sorting.order(x, descending) == wanted(x, descending)).all()


def test_threads(threads):
    x = np.random.default_rng(0).standard_normal((300, 3000)).astype(np.float32)
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(sorting.order(x, False))
    assert all((each == found[0]).all() for each in found)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_along_dimensions(dim, descending):
    x = fastnn.randn(5, 4, 3).permute(2, 0, 1).requires_grad_()
    values, indices = fastnn.sort(x, dim, descending)
    order = np.argsort(-x.detach().array if descending else x.detach().array, dim, kind="stable")
    assert (indices.array == order).all()
    assert (values.detach().array == np.take_along_axis(x.detach().array, order, dim)).all()
    weights = fastnn.randn(*values.shape)
    gradient, = fastnn.autograd.grad((values * weights).sum(), [x])
    assert (np.take_along_axis(gradient.array, order, dim) == weights.array).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_distinct_values(dtype):
    x = special((40, 50), dtype, np.random.default_rng(0))
    found = fastnn.unique(fastnn.tensor(x), return_inverse=True, return_counts=True)
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True,
                                        equal_nan=False)
    np.testing.assert_array_equal(found[0].array, values)
    np.testing.assert_array_equal(found[2].array, counts)
    if x.dtype.kind != "f":
        np.testing.assert_array_equal(found[1].array, inverse.reshape(x.shape))
    np.testing.assert_array_equal(found[0].array[found[1].array], x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(300, 3), (4, 60), (20, 5, 2), (1, 3), (0, 2)])
def test_distinct_slices(shape, dtype):
    x = np.random.default_rng(0).integers(0, 3, shape).astype(dtype)
    for dim in range(len(shape)):
        if 0 in shape[:dim] + shape[dim + 1:]:
            continue
        found = fastnn.unique(fastnn.tensor(x), return_inverse=True, return_counts=True, dim=dim)
        wanted = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
        for each, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(each.array, other)


def test_distinct_slices_with_nan():
    x = fastnn.tensor([[1.0, np.nan], [1.0, 2.0], [1.0, np.nan], [-0.0, 3.0], [0.0, 3.0]])
    values, inverse = fastnn.unique(x, return_inverse=True, dim=0)
    np.testing.assert_array_equal(values.array, [[0, 3], [1, 2], [1, np.nan], [1, np.nan]])
    assert inverse.tolist() == [2, 1, 3, 0, 0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_search(side):
    random = np.random.default_rng(0)
    rows = np.sort(special((3, 60), "float64", random), 1)
    x = special((3, 40), "float64", random)
    found = fastnn.searchsorted(fastnn.tensor(rows), fastnn.tensor(x), side=side)
    for row, values, places in zip(rows, x, found.array, strict=True):
        assert (places == np.searchsorted(row, values, side)).all()
    assert fastnn.searchsorted(fastnn.tensor([]), fastnn.tensor([1.0, 2.0])).tolist() == [0, 0]


def test_is_in():
    x = fastnn.tensor([[1.0, np.nan], [2.5, 3.0]])
    assert fastnn.isin(x, fastnn.tensor([3, 1])).tolist() == [[True, False], [False, True]]
    assert fastnn.isin(x, x, invert=True).tolist() == [[False, True], [False, False]]
    assert fastnn.isin(2, fastnn.tensor([2])).item() is True
    assert not fastnn.isin(x, fastnn.tensor([])).any()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (0, 5), (70, 60), (3, 5000), (200, 7)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_selection(dtype, shape, descending):
    x = special(shape, dtype, np.random.default_rng(0))
    order = wanted(x, descending)
    for k in {1, (shape[1] + 1) // 2, shape[1]}:
        assert (selecting.first_in_order(x, k, descending) == order[:, :k]).all()
        assert (selecting.kth_positions(x, k, descending) == order[:, k - 1]).all()


@pytest.mark.parametrize("x", CLUSTERS.values(), ids=CLUSTERS)
def test_selection_from_clusters(x):
    for k in (1, 7, x.shape[1] // 2, x.shape[1]):
        assert (selecting.first_in_order(x, k, False) == wanted(x, False)[:, :k]).all()


def test_top_of_many():
    x = fastnn.randn(3, 2000, 2, requires_grad=True)
    values, indices = x.topk(100, 1)
    assert (indices.array == np.argsort(-x.detach().array, 1, kind="stable")[:, :100]).all()
    values.sum().backward()
    assert x.grad.sum().item() == 600
