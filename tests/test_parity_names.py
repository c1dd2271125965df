"""Beside PyTorch over all types, and for empty, single and odd input: the same, or both refuse."""

import itertools

import numpy as np
import pytest
from helpers import close, import_torch

import fastnn

torch = import_torch()
pytestmark = [pytest.mark.filterwarnings("ignore:index_reduce.. is in beta"),
              pytest.mark.filterwarnings("ignore:torch.range is deprecated"),
              pytest.mark.filterwarnings("ignore:Tensor.mT is deprecated")]
DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
REFUSALS = (RuntimeError, TypeError, ValueError, IndexError, ArithmeticError)


def outcome(function, library, *arrays):
    """(type, values) of each result, or the fact that there is none."""
    try:
        found = function(library, *[library.from_numpy(each.copy()) for each in arrays])
    except REFUSALS:
        return "an error"
    found = found if isinstance(found, (tuple, list)) else (found,)
    return [(str(each.dtype).removeprefix("torch."), each.detach().numpy()) for each in found]


def compare(function, *arrays):
    ours, theirs = (outcome(function, library, *arrays) for library in (fastnn, torch))
    if "an error" in (ours, theirs):
        assert ours == theirs
        return
    for (dtype, values), (wanted_dtype, wanted) in zip(ours, theirs, strict=True):
        assert dtype == wanted_dtype
        close(values, wanted, 3e-6 if dtype == "float32" else 1e-10)


AT = np.array([[0, 1, 1], [1, 0, 1]])
ROW = np.array([1, 0])


def scattered(reduce, **keywords):
    return lambda f, x, y: f.scatter_reduce(x, 0, f.from_numpy(AT), y, reduce, **keywords)


def reduced(reduce, **keywords):
    return lambda f, x, y: f.index_reduce(x, 0, f.from_numpy(ROW), y, reduce, **keywords)


BINARY = {
    "left shift": lambda f, x, y: f.bitwise_left_shift(x, y), "operator": lambda f, x, y: x >> y,
    "float_power": lambda f, x, y: f.float_power(x, y), "isin": lambda f, x, y: f.isin(x, y[0]),
    "logaddexp2": lambda f, x, y: f.logaddexp2(x, y), "dist": lambda f, x, y: f.dist(x, y),
    "put": lambda f, x, y: f.put(x, f.from_numpy(ROW), y[0, :2]),
    "put added": lambda f, x, y: x.put(f.from_numpy(np.zeros(2, np.int64)), y[0, :2], True),
    "joined": lambda f, x, y: f.diff(x, prepend=y, append=y),
    "blocks": lambda f, x, y: f.block_diag(x, y[0], y[0, 0]),
    "fill": lambda f, x, y: f.fill(x, y[0, 0]),
    "scatter_": lambda f, x, y: x.scatter_reduce_(0, f.from_numpy(AT), y, "amax"),
    **{f"{name} {reduce} {included}": made(reduce, include_self=included)
       for name, made in (("scatter_reduce", scattered), ("index_reduce", reduced))
       for reduce in ("sum", "prod", "mean", "amax", "amin") for included in (True, False)},
}
UNARY = {
    "shift by one": lambda f, x: x << 1, "shifted": lambda f, x: 1 << x, "plus": lambda f, x: +x,
    "float_power": lambda f, x: x.float_power(2), "power of two": lambda f, x: f.float_power(2, x),
    "isneginf": lambda f, x: x.isneginf(), "isposinf": lambda f, x: f.isposinf(x),
    "isin": lambda f, x: f.isin(x, 2), "logcumsumexp": lambda f, x: x.logcumsumexp(-1),
    "renorm": lambda f, x: x.renorm(2, -1, 1.5), "diff": lambda f, x: x.diff(dim=-2),
    "diff twice": lambda f, x: f.diff(x, 2), "diff of many": lambda f, x: x.diff(9),
    "no diff": lambda f, x: x.diff(0), "diagflat": lambda f, x: x.diagflat(-1),
    "fill": lambda f, x: f.fill(x, 1.5), "fill_": lambda f, x: f.fill_(x, 2.5),
    "zero_": lambda f, x: f.zero_(x), "select": lambda f, x: x.select(-1, -2),
    "select beyond": lambda f, x: f.select(x, 0, 2),
    "gradient": lambda f, x: f.gradient(x), "gradient by steps": lambda f, x: f.gradient(
        x, spacing=[2, 0.5], edge_order=1), "gradient of rows": lambda f, x: f.gradient(x, dim=-1,
                                                                                       edge_order=2),
    "nonzero_static": lambda f, x: x.nonzero_static(size=4, fill_value=9),
    "unravel_index": lambda f, x: f.unravel_index(x, (2, 3)),
    "norm": lambda f, x: f.linalg.norm(x), "norm of rows": lambda f, x: f.linalg.norm(
        x, float("inf"), (-1, 0)), "norm of columns": lambda f, x: f.linalg.norm(x, -1),
    "norm along": lambda f, x: f.linalg.norm(x, 1, -1, keepdim=True),
    "byte": lambda f, x: x.byte(), "char": lambda f, x: x.char(), "short": lambda f, x: x.short(),
    "bernoulli": lambda f, x: x.bernoulli(1.0), "bernoulli_": lambda f, x: x.bernoulli_(1),
    "fill_diagonal_": lambda f, x: x.fill_diagonal_(3, True), "tril_": lambda f, x: x.tril_(),
    "exp_": lambda f, x: f.exp_(x), "neg_": lambda f, x: f.neg_(x), "clamp_": lambda f, x: f.clamp_(
        x, 1, 2), "is_signed": lambda f, x: f.tensor(x.is_signed()),
    "sort": lambda f, x: f.sort(x, stable=True), "sort down": lambda f, x: f.sort(
        x, dim=0, descending=True, stable=True),
    "unique": lambda f, x: f.unique(x, return_counts=True),
    "kthvalue": lambda f, x: f.kthvalue(x, 2).values, "median": lambda f, x: f.median(x),
    "topk": lambda f, x: f.topk(x, 2).values,
    "matrix_exp": lambda f, x: f.matrix_exp(x @ x.mT),
}
DELIBERATE = {  # what PyTorch refuses for no reason of the function's
    ("kthvalue", "bool"), ("topk", "bool"), ("median", "bool"),
    *((f"index_reduce {way} False", "bool") for way in ("prod", "amax", "amin"))}


def values(dtype, shape=(2, 3), seed=0):
    return np.random.default_rng(seed).integers(1 if dtype != "bool" else 0, 4, shape).astype(dtype)


def over_types(calls):
    """Each call with each type, but for what is taken here and refused by PyTorch."""
    pairs = itertools.product(calls, DTYPES)
    return pytest.mark.parametrize(("name", "dtype"),
                                   [pair for pair in pairs if pair not in DELIBERATE])


@over_types(BINARY)
def test_two(name, dtype):
    compare(BINARY[name], values(dtype), values(dtype, seed=1))


@over_types(UNARY)
def test_one(name, dtype):
    compare(UNARY[name], values(dtype))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (1, 1), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_odd_shapes(name, shape):
    compare(UNARY[name], values("float64", shape))


INFINITE = np.array([[np.nan, 1, np.inf], [-np.inf, -0.0, np.nan]])


@pytest.mark.parametrize("name", ["isneginf", "isposinf", "logcumsumexp", "sort", "sort down",
                                  "topk", "gradient", "diff"])
def test_infinite(name):
    for array in (INFINITE, -INFINITE, INFINITE[:, ::-1]):
        compare(UNARY[name], array)


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
def test_reductions_of_infinite(reduce):
    for included in (True, False):
        compare(scattered(reduce, include_self=included), INFINITE, INFINITE[::-1])


@pytest.mark.parametrize("function", [
    lambda f: f.scatter_reduce(f.tensor(1.0), 0, f.tensor(0), f.tensor(2.0), "sum"),
    lambda f: f.scatter_reduce(f.tensor([1.0]), 0, f.tensor(0), f.tensor(2.0), "prod"),
    lambda f: f.index_reduce(f.tensor(1.0), 0, f.tensor(0), f.tensor(2.0), "prod"),
    lambda f: f.scatter_reduce(f.ones(2), 0, f.zeros(0, dtype=f.int64), f.ones(0), "mean"),
    lambda f: f.put(f.zeros(0), f.zeros(0, dtype=f.int64), f.zeros(0)),
    lambda f: f.range(0, 3, 0.5), lambda f: f.range(3, 0, -1, dtype=f.int64),
    lambda f: f.range(0, 3, 0), lambda f: f.block_diag(), lambda f: f.isin(1, f.tensor([1, 2])),
    lambda f: f.tensor(f.broadcast_shapes((2, 1), 3, ())), lambda f: f.broadcast_shapes((2,), (3,)),
    lambda f: f.gradient(f.tensor([1.0, 4.0, 9.0]), spacing=(f.tensor([1.0, 2.0, 4.0]),)),
    lambda f: f.gradient(f.tensor([1.0, 4.0, 9.0, 2.0]), spacing=(f.tensor([1.0, 2.0, 4.0, 5.0]),),
                         edge_order=2),
    lambda f: f.dist(f.ones(2), f.zeros(2, 2, dtype=f.float64), 0),
    lambda f: f.unravel_index(f.tensor([1, 7, -1, -7]), (2, 3)),
    lambda f: f.unravel_index(f.tensor([1]), 6), lambda f: f.index_put_(
        f.zeros(3), (f.tensor([1]),), f.tensor(5.0)),
    lambda f: f.addmv_(f.ones(2), f.ones(2, 2), f.ones(2)),
    lambda f: f.ones(1, 2).addbmm_(f.ones(2, 1, 3), f.ones(2, 3, 2)),
    lambda f: f.bitwise_left_shift(f.tensor([1, -1], dtype=f.int8), 9),
    lambda f: f.bitwise_right_shift(f.tensor([1, -1], dtype=f.int8), -9),
    lambda f: f.tensor([f.finfo(f.float32).eps, f.finfo(f.float64).resolution, f.finfo().tiny]),
    lambda f: f.tensor([f.iinfo(f.uint8).max, f.iinfo(f.int64).min, f.iinfo(f.int16).bits]),
    lambda f: f.finfo(f.int32), lambda f: f.iinfo(f.bool),
    lambda f: f.zeros(2, 2, 2).fill_diagonal_(1), lambda f: f.zeros(2, 2, 3).fill_diagonal_(1),
    lambda f: f.logit_(f.tensor([0.1, 0.5]), 0.3), lambda f: f.xlogy_(f.ones(2), 2),
    lambda f: f.layer_norm(f.tensor([[1.0, 3.0]]), [2]), lambda f: f.rms_norm(f.ones(1, 2), [2]),
    lambda f: f.group_norm(f.tensor([[1.0, 3.0]]), 1), lambda f: f.bilinear(
        f.ones(2, 3), f.ones(2, 4), f.ones(5, 3, 4)),
])
def test_single_calls(function):
    compare(lambda f: function(f))
