"""Activations at their kinks and far out, in place, and those that are random; dropout."""

import math

import mpmath as mp
import numpy as np
import pytest

import fastnn
from fastnn.nn import functional as F

INFINITY = math.inf
SMOOTH = {  # name: (settings, kinks, limits at -inf and inf of value and slope)
    "relu": ({}, (0,), (0, INFINITY), (0, 1)),
    "relu6": ({}, (0, 6), (0, 6), (0, 0)),
    "leaky_relu": ({"negative_slope": 0.25}, (0,), (-INFINITY, INFINITY), (0.25, 1)),
    "elu": ({"alpha": 0.75}, (0,), (-0.75, INFINITY), (0, 1)),
    "celu": ({"alpha": 0.75}, (0,), (-0.75, INFINITY), (0, 1)),
    "selu": ({}, (0,), (-1.7580993408473766, INFINITY), (0, 1.0507009873554805)),
    "silu": ({}, (), (0, INFINITY), (0, 1)),
    "mish": ({}, (), (0, INFINITY), (0, 1)),
    "gelu": ({}, (), (0, INFINITY), (0, 1)),
    "gelu tanh": ({"approximate": "tanh"}, (), (0, INFINITY), (0, 1)),
    "hardtanh": ({"min_val": -0.5, "max_val": 2.0}, (-0.5, 2), (-0.5, 2), (0, 0)),
    "hardswish": ({}, (-3, 3), (0, INFINITY), (0, 1)),
    "hardsigmoid": ({}, (-3, 3), (0, 1), (0, 0)),
    "softplus": ({"beta": 2.0, "threshold": 500.0}, (), (0, INFINITY), (0, 1)),
    "softsign": ({}, (0,), (-1, 1), (0, 0)),
    "logsigmoid": ({}, (), (-INFINITY, 0), (1, 0)),
    "tanhshrink": ({}, (), (-INFINITY, INFINITY), (1, 1)),
    "softshrink": ({}, (-0.5, 0.5), (-INFINITY, INFINITY), (1, 1)),
    "hardshrink": ({}, (-0.5, 0.5), (-INFINITY, INFINITY), (1, 1)),
    "threshold": ({"threshold": -1.0, "value": 3.0}, (-1,), (3, INFINITY), (0, 1)),
    "sigmoid": ({}, (), (0, 1), (0, 0)),
    "tanh": ({}, (), (-1, 1), (0, 0)),
}
each_function = pytest.mark.parametrize("name", SMOOTH)
each_type = pytest.mark.parametrize("dtype", ["float32", "float64"])
EXACT_TAILS = {"silu", "mish", "softplus", "logsigmoid", "sigmoid", "elu", "celu", "selu"}


def grid(dtype):
    """Numbers of every size and sign, the smallest and the largest among them."""
    info = np.finfo(dtype)
    sizes = [0.0, info.smallest_subnormal, info.tiny, 1e-20, 1e-3, 0.1, 0.5, 0.9, 1.0, 2.0, 3.0,
             5.0, 6.0, 10.0, 16.0, 20.0, 30.0, 38.0, 80.0, 89.0, 104.0, 251.0, 700.0, 746.0, 1e4,
             1e15, 1e30, info.max / 4, info.max / 2, info.max]
    return np.array([*sizes, *(-each for each in sizes[1:])], dtype)


def of_both_orders(name, values):
    """(value, first derivative, second derivative) at each of the values."""
    settings = SMOOTH[name][0]
    x = fastnn.tensor(values, requires_grad=True)
    y = getattr(F, name.split()[0])(x, **settings)
    (first,) = fastnn.autograd.grad(y.sum(), x, create_graph=True)
    second = np.zeros_like(values)
    if first.requires_grad:
        (found,) = fastnn.autograd.grad(first.sum(), x, allow_unused=True)
        second = second if found is None else found.array
    return y.detach().array, first.detach().array, second


def exact_functions():
    """The functions between their kinks, in mpmath's arithmetic."""

    def celu(x, alpha=1.0, by=1.0, scale=1.0):
        return scale * (x if x > 0 else alpha * mp.expm1(x / by))

    def sigmoid(x):
        return mp.exp(min(x, 0)) / (1 + mp.exp(-abs(x)))

    def softplus(x):
        return max(x, 0) + mp.log1p(mp.exp(-abs(x)))

    def clip(x, low, high):
        return min(max(x, mp.mpf(low)), mp.mpf(high))

    bend = mp.sqrt(2 / mp.pi)
    return {
        "relu": lambda x: max(x, mp.mpf(0)), "relu6": lambda x: clip(x, 0, 6),
        "leaky_relu": lambda x: x if x > 0 else x / 4,
        "elu": lambda x: celu(x, 0.75), "celu": lambda x: celu(x, 0.75, 0.75),
        "selu": lambda x: celu(x, mp.mpf("1.6732632423543772848170429916717"), 1,
                               mp.mpf("1.0507009873554804934193349852946")),
        "silu": lambda x: x * sigmoid(x), "mish": lambda x: x * mp.tanh(softplus(x)),
        "gelu": lambda x: x * mp.ncdf(x) if abs(x) < 1000 else max(x, mp.mpf(0)),
        "gelu tanh": lambda x: x * sigmoid(2 * bend * (x + mp.mpf("0.044715") * x ** 3))
            if abs(x) < 1000 else max(x, mp.mpf(0)),
        "hardtanh": lambda x: clip(x, -0.5, 2), "hardsigmoid": lambda x: clip(x + 3, 0, 6) / 6,
        "hardswish": lambda x: x * clip(x + 3, 0, 6) / 6,
        "softplus": lambda x: softplus(2 * x) / 2 if 2 * x <= 500 else x,
        "softsign": lambda x: x / (1 + abs(x)), "logsigmoid": lambda x: -softplus(-x),
        "tanhshrink": lambda x: x - mp.tanh(x),
        "softshrink": lambda x: mp.sign(x) * max(abs(x) - mp.mpf(0.5), mp.mpf(0)),
        "hardshrink": lambda x: x if abs(x) > 0.5 else mp.mpf(0),
        "threshold": lambda x: x if x > -1 else mp.mpf(3), "sigmoid": sigmoid, "tanh": mp.tanh,
    }


def exact_orders(function, x, digits):
    """Value and derivatives by differences with a step of 2**-digits, far below the precision."""
    with mp.workprec(3 * digits + 100):
        x = mp.mpf(float(x))
        step = mp.mpf(2) ** -digits
        below, value, above = function(x - step), function(x), function(x + step)
        return value, (above - below) / (2 * step), (above - 2 * value + below) / step ** 2


@each_type
@each_function
def test_exact_over_all_sizes(name, dtype):
    values = grid(dtype)
    if 0 in SMOOTH[name][1]:  # kernels count denormals as 0
        values = values[np.abs(values) >= np.finfo(dtype).tiny]
    values = values[~np.isin(values, SMOOTH[name][1])]
    found = of_both_orders(name, values)
    digits = 1300 if SMOOTH[name][1] else 600  # no step may lead from the smallest number to 0
    with mp.workprec(3 * digits + 100):
        function = exact_functions()[name]
    epsilon, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    for place, x in enumerate(values):
        size = min(abs(float(x)), 40.0)
        for order, exact in enumerate(exact_orders(function, x, digits)):
            got = found[order][place]
            scale = size if order == 0 else max(1.0, size)
            floor = 0.0 if order == 0 and name in EXACT_TAILS else scale
            with np.errstate(over="ignore"):
                wanted = np.dtype(dtype).type(float(exact))
            allowed = 8 * epsilon * (abs(float(exact)) + floor) + 4 * tiny * (1 + size)
            assert got == wanted or abs(got - wanted) <= allowed, (float(x), order, got, wanted)


@each_type
@each_function
def test_at_infinity(name, dtype):
    value, first, second = of_both_orders(name, np.array([-np.inf, np.inf], dtype))
    np.testing.assert_allclose(value, SMOOTH[name][2], 1e-6)
    np.testing.assert_allclose(first, SMOOTH[name][3], 1e-6)
    np.testing.assert_array_equal(second, [0, 0])


@each_type
@each_function
def test_nan_stays_nan(name, dtype):
    assert np.isnan(of_both_orders(name, np.array([np.nan] * 9, dtype))[0]).all()


@each_type
@each_function
def test_kinks_and_between_as_pytorch(torch, name, dtype):
    settings, kinks = SMOOTH[name][:2]
    values = np.array([*kinks, *np.linspace(-7, 7, 29)], dtype)
    found = of_both_orders(name, values)
    x = torch.tensor(values, requires_grad=True)
    y = getattr(torch.nn.functional, name.split()[0])(x, **settings)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    tolerance = 1e-5 if dtype == "float32" else 1e-7 if name == "hardsigmoid" else 1e-12
    np.testing.assert_allclose(found[0], y.detach().numpy(), tolerance, tolerance)
    np.testing.assert_allclose(found[1], first.detach().numpy(), tolerance, tolerance)


IN_PLACE = {"relu_": {}, "leaky_relu_": {"negative_slope": 0.25}, "elu_": {"alpha": 0.5},
            "celu_": {"alpha": 0.5}, "selu_": {}, "hardtanh_": {"min_val": -0.5, "max_val": 0.25},
            "threshold_": {"threshold": 0.25, "value": -1.0}, "rrelu_": {}}
WITH_INPLACE = {"silu": {}, "mish": {}, "hardswish": {}, "hardsigmoid": {}, "relu6": {},
                "celu": {"alpha": 0.5}, "hardtanh": {}, "leaky_relu": {"negative_slope": -0.5}}


@pytest.mark.parametrize("name", [*IN_PLACE, *WITH_INPLACE])
def test_in_place(name):
    """The same tensor, the values and gradients of both orders of the plain call."""
    settings = IN_PLACE.get(name) or WITH_INPLACE.get(name) or {}
    settings = dict(settings, **({"inplace": True} if name in WITH_INPLACE else {}))
    plain = {key: value for key, value in settings.items() if key != "inplace"}
    leaf = fastnn.tensor(np.linspace(-2, 2, 12), requires_grad=True)
    results = []
    for function, keywords in ((getattr(F, name), settings),
                               (getattr(F, name.rstrip("_")), plain)):
        made = leaf * 1.5
        y = function(made, **keywords)
        assert (y is made) == (keywords is settings)
        (first,) = fastnn.autograd.grad((y * y).sum(), leaf, create_graph=True)
        (second,) = fastnn.autograd.grad((first * first).sum(), leaf)
        results.append([each.detach().array for each in (y, first, second)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["relu_", "tanh_", "sigmoid_"])
def test_method_in_place(name):
    x = fastnn.tensor([-1.0, 2.0])
    wanted = getattr(x, name[:-1])().tolist()
    assert getattr(x, name)() is x and x.tolist() == wanted


ERRORS = {
    "celu": (lambda x: F.celu(x, 0.0), "celu: alpha must not be 0"),
    "hardtanh": (lambda x: F.hardtanh(x, 1.0, -1.0), "hardtanh: min_val 1.0 is above max_val -1.0"),
    "softshrink": (lambda x: F.softshrink(x, -1.0), "softshrink: lambd must be at least 0, got -1"),
    "rrelu": (lambda x: F.rrelu(x, 0.5, 0.25), "rrelu: lower 0.5 is above upper 0.25"),
    "glu": (lambda x: F.glu(x), r"glu: the size of dimension -1 must be even, got shape \(2, 3\)"),
    "prelu": (lambda x: F.prelu(x, fastnn.ones(2)), "prelu: weight must hold 1 slope or one for "
              r"each of 3 channels, got shape \(2,\)"),
    "gumbel_softmax": (lambda x: F.gumbel_softmax(x, tau=0), "gumbel_softmax: tau must be"),
    "Softmax2d": (lambda x: fastnn.nn.Softmax2d()(x), "Softmax2d: input must have 3 or 4"),
    "alpha_dropout": (lambda x: F.alpha_dropout(x, 2.0), r"alpha_dropout: p must lie in \[0, 1\]"),
    "dropout1d": (lambda x: F.dropout1d(x[0]), "dropout1d: input must have 2 or 3 dimensions"),
    "dropout2d": (lambda x: F.dropout2d(x), "dropout2d: input must have 3 or 4 dimensions"),
    "Dropout3d": (lambda x: fastnn.nn.Dropout3d(-1), r"Dropout3d: p must lie in \[0, 1\], got -1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        call(fastnn.ones(2, 3))
