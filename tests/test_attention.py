"""Attention: the kernels against plain NumPy, masks, memory, errors, and the modules."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import array_of, close, fences_memory, guarded

import fastnn
from fastnn import nn
from fastnn._kernels import attention, runtime
from fastnn._kernels.reference_attention import scaled_dot_product_attention as reference
from fastnn.testing import gradcheck

functional = nn.functional
attend = functional.scaled_dot_product_attention
TOLERANCE = {"float32": 4e-6, "float64": 1e-12}

# batch, heads, heads of keys, queries, keys, columns of q and k, columns of v
SIZES = [(2, 3, 3, 5, 7, 4, 3), (1, 2, 1, 64, 64, 32, 32), (2, 2, 2, 97, 65, 17, 33),
         (1, 1, 1, 200, 300, 64, 48), (1, 6, 2, 129, 50, 8, 1), (1, 9, 9, 33, 193, 5, 16),
         (2, 2, 2, 1, 100, 1, 70), (1, 2, 2, 100, 1, 20, 9), (1, 4, 2, 200, 200, 16, 16)]
MASKS = ["none", "causal", "allows", "allows keys", "adds", "adds rows", "allows and causal",
         "allows keys and causal", "adds and causal"]


def mask_of(kind, random, batch, heads, queries, keys, dtype):
    allows = {"allows": (batch, heads, queries, keys), "allows keys": (batch, 1, 1, keys),
              "allows and causal": (queries, keys), "allows keys and causal": (batch, 1, 1, keys)}
    adds = {"adds": (heads, queries, keys), "adds rows": (queries, 1),
            "adds and causal": (heads, queries, keys)}
    if kind in allows:
        mask = random.random(allows[kind]) < 0.7
        mask[..., 0] = True
        return mask
    return random.standard_normal(adds[kind]).astype(dtype) if kind in adds else None


def drawn(size, dtype, random):
    batch, heads, key_heads, queries, keys, depth, width = size
    shapes = ((batch, heads, queries, depth), (batch, key_heads, keys, depth),
              (batch, key_heads, keys, width), (batch, heads, queries, width))
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def reference_gradients(q, k, v, g, mask, causal):
    """By the formulas, with all scores at hand, in float64."""
    q, k, v, g = (each.astype("float64") for each in (q, k, v, g))
    times = q.shape[1] // k.shape[1]
    wide = [np.repeat(each, times, 1) for each in (k, v)]
    eye = np.broadcast_to(np.eye(k.shape[2]), (*wide[1].shape[:3], k.shape[2]))
    p = reference(q, wide[0], eye, mask, is_causal=causal)
    dp = g @ wide[1].swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
    dk, dv = ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ g

    def joined(x):
        return x.reshape(len(x), k.shape[1], times, *x.shape[2:]).sum(2)

    return ds @ wide[0], joined(dk), joined(dv)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernels_against_reference(size, kind, dtype):
    random = np.random.default_rng(sum(size))
    q, k, v, g = drawn(size, dtype, random)
    mask = mask_of(kind, random, size[0], size[1], size[3], size[4], dtype)
    causal = kind.endswith("causal")
    tensors = [fastnn.from_numpy(each).requires_grad_() for each in (q, k, v)]
    out = attend(*tensors, None if mask is None else fastnn.from_numpy(mask), is_causal=causal,
                 enable_gqa=True)
    wide = [each.astype("float64") for each in (q, k, v)]
    close(array_of(out), reference(*wide, mask, is_causal=causal, enable_gqa=True),
          TOLERANCE[dtype])
    wanted = reference_gradients(q, k, v, g, mask, causal)
    for got, one in zip(fastnn.autograd.grad(out, tensors, fastnn.from_numpy(g)), wanted,
                        strict=True):
        assert got.dtype == dtype
        close(array_of(got), one, 4 * TOLERANCE[dtype])


@fences_memory
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["none", "causal", "allows", "adds"])
def test_nothing_beyond_the_arrays_is_touched_as_in_reference(kind, dtype):
    """A masked access of the wrong kind would end the process here."""
    for size in SIZES:
        random = np.random.default_rng(1)
        q, k, v, g = map(guarded, drawn(size, dtype, random))
        mask = mask_of(kind, random, size[0], size[1], size[3], size[4], dtype)
        mask = None if mask is None else np.broadcast_to(guarded(mask), (*q.shape[:3], size[4]))
        out, dq, dk, dv = (guarded(np.full_like(each, np.nan)) for each in (g, q, k, v))
        statistics = guarded(np.empty((2, *q.shape[:3]), dtype))
        settings = mask, out, statistics, q.shape[-1] ** -0.5, kind == "causal"
        attention.forward(q, k, v, *settings)
        attention.backward(q, k, v, *settings, g, dq, dk, dv)
        wanted = reference_gradients(q, k, v, g, mask, kind == "causal")
        for got, one in zip((dq, dk, dv), wanted, strict=True):
            close(got, one, 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("size", [SIZES[2], (1, 1, 1, 700, 900, 16, 16)], ids=str)
def test_same_bits_for_any_number_of_threads(size, threads):
    q, k, v, g = drawn(size, "float32", np.random.default_rng(1))
    runs = []
    for count in (1, 2, 3):
        threads(count)
        tensors = [fastnn.from_numpy(each).requires_grad_() for each in (q, k, v)]
        out = attend(*tensors, is_causal=True)
        runs.append([array_of(out), *map(array_of, fastnn.autograd.grad(
            out, tensors, fastnn.from_numpy(g)))])
    for run in runs[1:]:
        for one, other in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_views_of_one_projection_are_read_in_place():
    """Heads side by side in memory: no copy of q, k and v, and the output lies likewise."""
    whole = fastnn.rand(2, 50, 3, 4, 32)
    q, k, v = (whole[:, :, i].transpose(1, 2) for i in range(3))
    runtime.trim()  # else larger blocks may serve
    before = runtime.memory_stats()
    out = attend(q, k, v)
    taken = runtime.memory_stats()["used"] - before["used"]
    assert taken <= out.numel() * 4 + 4096 + 3 * 2 * 4 * 50 * 4
    assert out.transpose(1, 2).is_contiguous()
    close(array_of(out), reference(q.numpy(), k.numpy(), v.numpy()), 4e-6)


def test_memory_does_not_grow_with_the_square_of_the_length():
    program = """
import resource, fastnn
from fastnn._kernels import runtime
for length in (1024, 4096):
    x = fastnn.rand(1, 1, length, 32).requires_grad_()
    out = fastnn.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    out.sum().backward()
    print(runtime.memory_stats()["peak"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True,
                          text=True)
    (small, rss), (large, larger_rss) = (map(int, line.split()) for line in
                                         done.stdout.splitlines())
    assert large < 4.5 * small
    assert (larger_rss - rss) * 1024 < 4096 * 4096 * 4 / 2


@pytest.mark.parametrize("needs_gradient", [False, True])
def test_queries_without_keys_give_zeros(needs_gradient):
    random = np.random.default_rng(3)
    q, k, v, g = (fastnn.from_numpy(each) for each in drawn((1, 2, 2, 4, 6, 3, 5), "float64",
                                                           random))
    allowed = random.random((4, 6)) < 0.5
    allowed[1] = False
    added = np.where(allowed, 0.0, -np.inf)
    for mask in (fastnn.from_numpy(allowed),
                 fastnn.from_numpy(added).requires_grad_(needs_gradient)):
        tensors = [each.detach().requires_grad_() for each in (q, k, v)]
        out = attend(*tensors, mask)
        assert (out.detach().numpy()[:, :, 1] == 0).all()
        close(array_of(out), reference(q.numpy(), k.numpy(), v.numpy(), allowed), 1e-12)
        gradients = fastnn.autograd.grad(out, tensors, g, create_graph=True)
        assert (array_of(gradients[0])[:, :, 1] == 0).all()
        for each in gradients:
            assert np.isfinite(array_of(each)).all()
    empty = attend(q, k[:, :, :0], v[:, :, :0])
    assert tuple(empty.shape) == (1, 2, 4, 5) and (empty.numpy() == 0).all()


def test_odd_shapes():
    for shape in ((0, 2, 3, 4), (2, 0, 3, 4), (2, 2, 0, 4), (2, 2, 3, 0)):
        x = fastnn.ones(shape, requires_grad=True)
        attend(x, x, x).sum().backward()
        assert x.grad.shape == shape
    x = fastnn.rand(2, 3, 1, 4, 2)
    assert attend(x, x, x).shape == x.shape
    batch = fastnn.rand(5, 1, 4, 2)
    out = attend(batch, fastnn.rand(3, 6, 2), fastnn.rand(1, 6, 2), fastnn.zeros(5, 1, 4, 1))
    assert tuple(out.shape) == (5, 3, 4, 2)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_extreme_scores(dtype):
    """No overflow: the largest score of each query is taken off, block by block."""
    random = np.random.default_rng(4)
    q, k, v, _ = drawn((1, 1, 1, 100, 200, 8, 8), dtype, random)
    out = attend(*map(fastnn.from_numpy, (q * 1e4, k * 1e4, v)))
    close(array_of(out), reference(*(each.astype("float64") for each in (q * 1e4, k * 1e4, v))),
          1e-3 if dtype == "float32" else 1e-9)
    rising = np.linspace(-80, 80, 200, dtype=dtype).reshape(1, 1, 200, 1)
    ones = np.ones((1, 1, 3, 1), dtype)
    out = attend(*map(fastnn.from_numpy, (ones, rising, rising)), scale=1.0)
    close(array_of(out), reference(ones.astype("float64"), rising, rising, scale=1.0),
          TOLERANCE[dtype])


def test_nan_stays_nan():
    """A query or a score of NaN or infinity, as in the formula; -infinity is a weight of 0."""
    q, k, v, _ = drawn((1, 1, 1, 70, 100, 8, 8), "float32", np.random.default_rng(5))
    q[0, 0, 3, 2] = np.nan
    k[0, 0, 90, 1] = np.inf
    out = array_of(attend(*map(fastnn.from_numpy, (q, k, v))))[0, 0]
    undefined = (q[0, 0, :, 1] > 0) | (np.arange(70) == 3)
    assert np.isnan(out[undefined]).all() and np.isfinite(out[~undefined]).all()


def test_dropout_keeps_the_mean():
    q, k = fastnn.rand(1, 1, 200, 4), fastnn.rand(1, 1, 500, 4)
    out = attend(q, k, fastnn.ones(1, 1, 500, 1), dropout_p=0.3).numpy()
    assert abs(out.mean() - 1) < 0.01 and out.std() > 0.01
    assert (attend(q, k, k, dropout_p=1.0).numpy() == 0).all()


def test_gradient_of_a_mask():
    random = np.random.default_rng(6)
    q, k, v, _ = (fastnn.from_numpy(each) for each in drawn((2, 2, 2, 3, 4, 2, 3), "float64",
                                                           random))
    mask = fastnn.from_numpy(random.standard_normal((3, 4))).requires_grad_()
    gradcheck(lambda mask: attend(q, k, v, mask, is_causal=True), [mask])


X, Y = fastnn.zeros(2, 3, 4, 5), fastnn.zeros(2, 3, 6, 5)
BAD_CALLS = [
    ((X, Y.double(), Y), {}, TypeError, "query is float32, key is float64"),
    ((X, 3, Y), {}, TypeError, "key must be a Tensor, got int"),
    ((fastnn.zeros(5), Y, Y), {}, ValueError, r"query must have at least 2 .* \(5,\)"),
    ((X, Y[..., :4], Y), {}, ValueError, "query has 5 columns, key 4"),
    ((X, Y, X), {}, ValueError, "key has 6 rows, value 4"),
    ((X, Y[:, :2], Y), {}, ValueError, "leading dimensions of .* do not broadcast"),
    ((X, Y[:, :2], Y[:, :2]), {"enable_gqa": True}, ValueError, "2 heads of key .* 3 of query"),
    ((X[0, 0], Y[0, 0], Y[0, 0]), {"enable_gqa": True}, ValueError, "needs heads"),
    ((X, Y, Y), {"dropout_p": 1.5}, ValueError, r"dropout_p must lie in \[0, 1\], got 1.5"),
    ((X, Y, Y, fastnn.zeros(6)), {}, ValueError, "attn_mask must have at least 2 dimensions"),
    ((X, Y, Y, fastnn.zeros(4, 5)), {}, ValueError, r"attn_mask of shape \(4, 5\) does not"),
    ((X, Y, Y, fastnn.zeros(7, 2, 3, 4, 6)), {}, ValueError, "attn_mask of shape .* does not"),
    ((X, Y, Y, fastnn.zeros(4, 6).double()), {}, TypeError, "attn_mask must be boolean or float32"),
    ((X, Y, Y, fastnn.zeros(4, 6).int()), {}, TypeError, "attn_mask must be boolean or float32"),
]


@pytest.mark.parametrize("arguments, keywords, kind, message", BAD_CALLS)
def test_errors(arguments, keywords, kind, message):
    with pytest.raises(kind, match="scaled_dot_product_attention: .*" + message):
        attend(*arguments, **keywords)


def test_kernels_check_for_themselves():
    x = np.zeros((1, 2, 3, 4))
    statistics = np.zeros((2, 1, 2, 3))
    with pytest.raises(ValueError, match="k has 5 columns, wanted 4"):
        attention.forward(x, np.zeros((1, 2, 3, 5)), x, None, x.copy(), statistics, 1.0, False)
    with pytest.raises(ValueError, match="statistics"):
        attention.forward(x, x, x, None, x.copy(), statistics[:1], 1.0, False)
    with pytest.raises(ValueError, match="columns side by side"):
        attention.forward(np.zeros((1, 2, 4, 3)).swapaxes(2, 3), x, x, None, x.copy(), statistics,
                          1.0, False)
    with pytest.raises(TypeError, match="mask has dtype int64"):
        attention.forward(x, x, x, np.zeros((1, 2, 3, 3), int), x.copy(), statistics, 1.0, False)
    read_only = x.copy()
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        attention.forward(x, x, x, None, read_only, statistics, 1.0, False)
