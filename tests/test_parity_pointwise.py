"""PyTorch as an oracle for pointwise operations and reductions: types, shapes, ties, in place."""

import itertools
import math

import numpy as np
import pytest
from helpers import import_torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from test_parity import DTYPES, assert_same_outcome, of_torch, same

import fastnn
from fastnn.ops.variants import IN_PLACE

torch = import_torch()

UNARY = """
    neg abs sign signbit square reciprocal sqrt rsqrt exp exp2 expm1 log log1p log2 log10 erf erfc
    sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sigmoid logit floor ceil trunc round
    frac deg2rad rad2deg nan_to_num isnan isinf isfinite logical_not bitwise_not
    sum mean prod amax amin nansum nanmean count_nonzero median norm var std max min argmin
""".split()
BINARY = """
    add sub mul div floor_divide remainder fmod pow atan2 xlogy copysign maximum minimum fmax fmin
    logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor eq ne lt le gt ge
    hypot logaddexp
""".split()
ALONG = "cumsum cumprod logsumexp amax amin prod nansum count_nonzero var std".split()
DELIBERATE = {
    ("argmin", "bool"): "works, where PyTorch refuses",
    ("median", "bool"): "works, where PyTorch refuses",
}


def both(array):
    return fastnn.tensor(array), of_torch(array)


@pytest.mark.parametrize("name", UNARY)
def test_types_of_one_operand(name):
    for dtype in DTYPES:
        if (name, dtype) not in DELIBERATE:
            ours, theirs = both(np.array([1, 0, 3, 1, 0]).astype(dtype))
            with np.errstate(all="ignore"):
                assert_same_outcome(
                    lambda x: getattr(fastnn if x is ours else torch, name)(x),  # noqa: B023
                    [ours], [theirs])


@pytest.mark.parametrize("name", BINARY)
def test_types_of_two_operands(name):
    values = {kind: np.array([3, 1, 2, 1]).astype(kind) for kind in DTYPES}
    for left, right in itertools.product(DTYPES, repeat=2):
        ours, theirs = zip(both(values[left]), both(values[right][::-1].copy()), strict=True)
        assert_same_outcome(
            lambda a, b: getattr(fastnn if isinstance(a, fastnn.Tensor) else torch, name)(a, b),
            ours, theirs)


@pytest.mark.parametrize("name", ALONG)
def test_types_along_a_dimension(name):
    for dtype in DTYPES:
        ours, theirs = both(np.array([[1, 0, 3], [1, 2, 2]]).astype(dtype))
        assert_same_outcome(
            lambda x: getattr(fastnn if isinstance(x, fastnn.Tensor) else torch, name)(x, 1),
            [ours], [theirs])


EXPRESSIONS = {
    "alpha": lambda x, t: (t.add(x, x, alpha=2), t.sub(x, 3, alpha=2), x.add(x, alpha=3)),
    "whole alpha": lambda x, t: t.add(x, x, alpha=1.5),
    "floor by": lambda x, t: (x // 2, 7 // (x + 10), x // -2, x % 3, 7 % (x + 10), x % -3),
    "bits": lambda x, t: (x & 3, x | 5, x ^ 6, ~x, 3 & x, 5 | x, 6 ^ x),
    "rounded": lambda x, t: (t.div(x, 2, rounding_mode="trunc"),
                             t.div(x, -2, rounding_mode="floor")),
    "limits": lambda x, t: (x.clamp(1, 3), x.clamp(min=2), x.clamp(max=2), t.clip(x, 3, 1)),
    "limit tensors": lambda x, t: (x.clamp(x * 0, x * 0 + 2), x.clamp(max=x * 0 + 1)),
    "halves": lambda x, t: x.clamp(0.5, 1.5),
    "choice": lambda x, t: (*t.where(x > 1), t.where(x > 1, x, 0), x.where(x > 1, x * 2)),
    "close": lambda x, t: t.isclose(x, x + 1, rtol=0.3),
    "powers": lambda x, t: (x ** 2, 2 ** x.abs(), x.pow(3), t.pow(2.5, x)),
    "mixed": lambda x, t: (t.lerp(x, x * 2, 0.25), t.addcmul(x, x, x), t.addcdiv(x, x, x + 20)),
    "named": lambda x, t: (t.max(x, 0).values, t.min(x, 0).indices, t.aminmax(x).max,
                           t.cummax(x, 0).indices, t.cummin(x, 0).values, t.median(x, 0).indices),
    "two": lambda x, t: (t.max(x, x * 0 + 2), x.min(x * 0 + 2)),
    "empty": lambda x, t: (x[:0].sum(), x[:0].prod(), x[:0].cumsum(0), x[:0].any(), x[:0].all()),
    "norms": lambda x, t: (x.norm(), x.norm(1), x.norm(math.inf), t.linalg.vector_norm(x, 0)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_expression(name, dtype):
    ours, theirs = both(np.array([1, -4, 3, 3, 0, -4, 5]).astype(dtype))
    evaluate = EXPRESSIONS[name]
    try:
        wanted = evaluate(theirs, torch)
    except (RuntimeError, TypeError):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            evaluate(ours, fastnn)
        return
    got = evaluate(ours, fastnn)
    if not isinstance(got, tuple):
        got, wanted = (got,), (wanted,)
    for one, other in zip(got, wanted, strict=True):
        same(one, other, 1e-6)


TIES = {
    "amax": lambda x, t: x.amax(1), "amin": lambda x, t: x.amin((0, 1)),
    "max": lambda x, t: x.max(),
    "max of dim": lambda x, t: x.max(1).values, "fmax": lambda x, t: t.fmax(x, x.detach() * 1),
    "maximum": lambda x, t: t.maximum(x, x.detach() * 1), "prod": lambda x, t: x.prod(1),
    "prod of all": lambda x, t: x.prod(), "cumprod": lambda x, t: x.cumprod(1),
    "cummax": lambda x, t: t.cummax(x, 1).values, "norm": lambda x, t: (x * 0).norm(),
    "std": lambda x, t: (x * 0).std(1), "clamp": lambda x, t: x.clamp(0, 2),
    "inf norm": lambda x, t: x.norm(math.inf), "median": lambda x, t: x.median(1).values,
    "abs": lambda x, t: x.abs(), "sign": lambda x, t: x.sign(),
    "xlogy": lambda x, t: t.xlogy(x, x.detach()),
    "copysign": lambda x, t: t.copysign(x, -x.detach()),
}


@pytest.mark.parametrize("name", TIES)
def test_gradient_at_ties_and_zeros(name):
    array = np.array([[2.0, 0.0, 2.0, 0.0], [1.0, 3.0, 3.0, 0.0], [2.0, 1.0, 4.0, 5.0]])
    (ours, theirs) = both(array)
    ours.requires_grad_()
    theirs.requires_grad_()
    got, wanted = TIES[name](ours, fastnn), TIES[name](theirs, torch)
    same(got, wanted)
    (one,) = fastnn.autograd.grad((got * got).sum(), ours, create_graph=True)
    (other,) = torch.autograd.grad((wanted * wanted).sum(), theirs, create_graph=True)
    same(one, other)
    if "prod" in name:
        (one,) = fastnn.autograd.grad(one.sum(), ours)
        (other,) = torch.autograd.grad(other.sum(), theirs)
        same(one, other)


ARGUMENTS = {
    **dict.fromkeys("""add sub mul div floor_divide remainder fmod copysign heaviside hypot pow
        xlogy atan2 eq ne lt le gt ge logical_and logical_or logical_xor subtract multiply divide
        true_divide arctan2 greater greater_equal less less_equal not_equal
        float_power""".split(), 1),
    "lerp": 2, "addcmul": 2, "addcdiv": 2}
NUMBERS = {"clamp": (0.4, 0.7), "clip": (0.4, 0.7), "clamp_min": (0.5,), "clamp_max": (0.5,),
           "cumsum": (0,), "cumprod": (0,)}


@pytest.mark.parametrize("name", [each for each in IN_PLACE if not each.startswith("bitwise")])
def test_in_place(name):
    """Values, the version, and the gradient through a tensor that was changed in place."""
    random = np.random.default_rng(0)
    arrays = [random.uniform(0.2, 0.9, 5) for _ in range(3)]
    if name in ("acosh", "arccosh"):
        arrays[0] += 1
    results = []
    for tensor in (fastnn.tensor, of_torch):
        x = tensor(arrays[0]).requires_grad_()
        y = x * 1
        others = [tensor(each) for each in arrays[1:1 + ARGUMENTS.get(name, 0)]]
        if name == "lerp":
            others[1] = 0.3
        returned = getattr(y, f"{name}_")(*others, *NUMBERS.get(name, ()))
        assert returned is y
        if y.requires_grad and not name.startswith("logical"):  # through which PyTorch's passes
            try:
                (y * y).sum().backward()
            except (RuntimeError, NotImplementedError):
                assert tensor is of_torch  # which does not differentiate it
        results.append((y, x.grad))
    (ours, our_gradient), (theirs, their_gradient) = results
    same(ours, theirs)
    if their_gradient is not None:
        same(fastnn.zeros(5, dtype=fastnn.float64) if our_gradient is None else our_gradient,
             their_gradient)


shapes = st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
REDUCTIONS = ("sum", "mean", "amax", "amin", "var", "std", "logsumexp", "nansum", "any", "all")


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@given(name=st.sampled_from(REDUCTIONS), shape=shapes, keepdim=st.booleans(), data=st.data())
def test_reduction_over_drawn_dims(name, shape, keepdim, data):
    dims = data.draw(st.lists(st.integers(0, max(0, len(shape) - 1)), unique=True,
                              min_size=1).map(lambda dims: tuple(
                                  d - data.draw(st.sampled_from([0, max(1, len(shape))]))
                                  for d in dims)))
    array = np.random.default_rng(len(shape)).standard_normal(shape)
    ours, theirs = both(np.asarray(array))
    assert_same_outcome(
        lambda x: getattr(fastnn if isinstance(x, fastnn.Tensor) else torch, name)(
            x, dims, keepdim=keepdim), [ours], [theirs])


@given(name=st.sampled_from(("prod", "cumsum", "cumprod", "cummax", "argmax", "max", "median")),
       shape=shapes, data=st.data())
def test_reduction_along_a_drawn_dim(name, shape, data):
    size = max(1, len(shape))
    dim = data.draw(st.integers(-size, size - 1))
    ours, theirs = both(np.asarray(np.random.default_rng(1).standard_normal(shape)))

    def run(x):
        result = getattr(fastnn if isinstance(x, fastnn.Tensor) else torch, name)(x, dim)
        return result[0] if isinstance(result, tuple) else result

    try:
        wanted = run(theirs)
    except IndexError:
        with pytest.raises((IndexError, ValueError)):
            run(ours)
        return
    same(run(ours), wanted)
