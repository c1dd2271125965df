"""Pointwise operations and reductions where the registry's cases do not reach."""

import math

import numpy as np
import pytest

import fastnn

MEMORY = {
    "behind": lambda a: (a[:-1], a[1:]),
    "before": lambda a: (a[1:], a[:-1]),
    "reversed": lambda a: (a, fastnn.from_numpy(a.array[::-1])),
    "one for all": lambda a: (a, a[3:9:6].expand(10)),
    "itself": lambda a: (a, a),
    "disjoint": lambda a: (a[:5], a[5:10]),
}


@pytest.mark.parametrize("parts", MEMORY.values(), ids=MEMORY)
@pytest.mark.parametrize("method", ["add_", "copy_", "mul_", "atan2_"])
def test_operands_that_overlap_are_read_first(method, parts):
    """Those with gaps between their elements: others are refused."""
    target, other = parts(fastnn.arange(1.0, 11.0, 0.5)[::2])
    wanted, apart = target.clone(), other.clone()
    getattr(wanted, method)(apart)
    getattr(target, method)(other)
    np.testing.assert_array_equal(target.array, wanted.array)


def test_in_place_keeps_the_type_and_refuses_what_does_not_fit():
    x = fastnn.ones(3)
    x.add_(fastnn.ones(3, dtype=fastnn.float64))
    assert x.dtype == fastnn.float32 and x.tolist() == [2, 2, 2]
    x.eq_(fastnn.tensor([2.0, 0.0, 2.0]))
    assert x.dtype == fastnn.float32 and x.tolist() == [1, 0, 1]
    whole = fastnn.tensor([5, 7])
    whole //= 2
    assert whole.tolist() == [2, 3]
    whole.fill_(2.7)
    assert whole.tolist() == [2, 2]
    for change in (lambda: whole.div_(2), lambda: whole.exp_(), lambda: whole.add_(1.5),
                   lambda: (whole > 0).add_(whole), lambda: whole.clamp_(0.5)):
        with pytest.raises(TypeError, match="in place into"):
            change()
    assert whole.tolist() == [2, 2]


def test_in_place_of_leaves_and_their_views_is_refused():
    x = fastnn.ones(3, requires_grad=True)
    for change in (x.exp_, lambda: x.clamp_(0, 1), lambda: x[:2].sin_(),
                   lambda: x[:2].clamp_(0, 1)):
        with pytest.raises(RuntimeError, match="in place"):
            change()


def test_second_derivative_through_a_change_in_place():
    x = fastnn.tensor(0.4, dtype=fastnn.float64, requires_grad=True)
    y = (x * x).sin_()
    (first,) = fastnn.autograd.grad(y, x, create_graph=True)
    (second,) = fastnn.autograd.grad(first, x)
    wanted = 2 * math.cos(0.16) - 4 * 0.16 * math.sin(0.16)
    assert second.item() == pytest.approx(wanted, rel=1e-13)


ERRORS = {
    "clamp of nothing": (TypeError, lambda x: fastnn.clamp([1.0], 0), "clamp: expected a Tensor"),
    "clamp by text": (TypeError, lambda x: x.clamp("a"), "clamp: min must be a tensor or a number"),
    "clamp shapes": (ValueError, lambda x: x.clamp(x[1:]), "clamp: shapes"),
    "alpha": (TypeError, lambda x: x.add(x, alpha="a"), "add: alpha must be a number, got str"),
    "mode": (ValueError, lambda x: x.div(x, rounding_mode="up"), "div: rounding_mode must be"),
    "zero": (ZeroDivisionError, lambda x: fastnn.tensor([1]) // 0, "floor_divide: integers"),
    "bits of floats": (TypeError, lambda x: x & x, "bitwise_and: not defined for floating"),
    "negated booleans": (TypeError, lambda x: -(x > 0), "neg: not defined for boolean"),
    "closeness": (ValueError, lambda x: fastnn.isclose(x, x, rtol=-1), "isclose: rtol and atol"),
    "matmul": (ValueError, lambda x: x @ fastnn.ones(4), "matmul"),
    "matmul by a number": (TypeError, lambda x: x @ 3, "matmul"),
    "empty": (ValueError, lambda x: x[:0].amax(), r"amax: the tensor of shape \(0,\) is empty"),
    "twice": (ValueError, lambda x: fastnn.ones(2, 2).amax((0, 0)), "amax: a dimension is named"),
    "dimension": (IndexError, lambda x: x.cumsum(1), "cumsum: dimension 1 does not exist"),
    "var": (TypeError, lambda x: fastnn.tensor([1]).var(), "var: expected a floating-point tensor"),
    "both": (TypeError, lambda x: x.var(unbiased=True, correction=1), "var: unbiased and corr"),
    "norm": (ValueError, lambda x: x.norm("nuc"), "norm: p must be a number or 'fro'"),
    "decimals": (TypeError, lambda x: fastnn.tensor([1]).round(decimals=1), "round: decimals need"),
}


@pytest.mark.parametrize("kind, call, message", ERRORS.values(), ids=ERRORS)
def test_error(kind, call, message):
    with pytest.raises(kind, match=message):
        call(fastnn.ones(3))


def test_division_of_the_smallest_integer():
    for dtype in (fastnn.int8, fastnn.int32, fastnn.int64):
        x = fastnn.tensor([np.iinfo(dtype).min, -7], dtype=dtype)
        assert (x // -1)[1].item() == 7 and (x % -1).tolist() == [0, 0]
        assert fastnn.fmod(x, -1).tolist() == [0, 0]


def test_booleans_of_python():
    x = fastnn.tensor([1.0, math.nan])
    assert fastnn.equal(x[:1], x[:1]) is True and not fastnn.equal(x, x)
    assert not fastnn.equal(x, x[:1])
    assert fastnn.allclose(x, x, equal_nan=True) and not x.allclose(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_do_not_overflow(dtype):
    largest = np.finfo(dtype).max / 4
    x = fastnn.tensor([[3 * largest / 4, largest], [1.0, 2.0]], dtype=dtype)
    np.testing.assert_allclose(x.norm(dim=1)[0].item(), 1.25 * largest, rtol=1e-6)
    small = fastnn.tensor([3.0, 4.0], dtype=dtype) * float(np.finfo(dtype).tiny * 64)
    np.testing.assert_allclose(small.norm().item(), 5 * np.finfo(dtype).tiny * 64, rtol=1e-6)


def test_long_sums_keep_their_digits():
    x = fastnn.full((1 << 20,), 0.1)
    exact = float(np.float32(0.1)) * (1 << 20)
    assert x.sum().item() == pytest.approx(exact, rel=1e-6)
    assert x.cumsum(0)[-1].item() == pytest.approx(exact, rel=1e-6)
    far = fastnn.from_numpy(np.random.default_rng(0).standard_normal(100_000).astype("float32"))
    assert (far + 1e4).var().item() == pytest.approx(far.var().item(), rel=1e-3)


def test_numbers_beyond_an_integer_type_are_compared_as_they_are():
    x = fastnn.tensor([1, -3, 100], dtype=fastnn.int8)
    assert (x < 300).tolist() == [True] * 3
    assert (x == 257).tolist() == [False] * 3
    assert (x >= -129).tolist() == [True] * 3
    assert (fastnn.tensor([0, 255], dtype=fastnn.uint8) > -1).tolist() == [True] * 2
    assert (x + 300).tolist() == [45, 41, -112]
