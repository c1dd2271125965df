"""`fastnn.elementwise`: formulas of users, what it refuses, and the tails of the activations."""

import math

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import elementwise
from fastnn.nn import functional as F
from fastnn.testing import gradcheck, gradgradcheck

SCALE = 2.5


@elementwise
def statements(x, y):
    """Assignments, used twice."""
    product = x * y
    shifted = product + 1
    return shifted * shifted - product


@elementwise
def branches(x, low=-1.0, high=1.0):
    squared = x * x
    if x < low:
        return squared - 1
    if x > high:
        return squared * squared
    return x * squared


@elementwise
def constants(x):
    return SCALE * x + math.pi * math.exp(x / math.e)


@elementwise
def conditions(x, y):
    return x * y if x > 0 and not y < -1 or x == y else max(x, 2 * y) + min(x, 0.3)


@elementwise
def functions(x):
    smooth = math.sin(x) + math.cos(2 * x) + math.tanh(x) + math.exp(0.1 * x) + math.erf(x)
    rooted = math.sqrt(x * x + 1) + math.fabs(x) + math.log(x * x + 2) + math.log1p(x * x)
    powers = pow(x * x + 1, 0.3) + (x ** 2 + 1) ** 1.5 + x ** 3 + 1 / (2 + x ** 2)
    return smooth + rooted + powers + math.expm1(0.1 * x)


@elementwise
def chosen(keep: bool, x, y):
    return x * y if keep else -y


@elementwise
def steps(x):
    return math.floor(x) + math.ceil(x) * rint(x) + x  # noqa: F821


FORMULAS = {  # operation: (number of inputs, the same in NumPy)
    statements: (2, lambda x, y: (x * y + 1) ** 2 - x * y),
    branches: (1, lambda x: np.where(x < -1, x * x - 1, np.where(x > 1, x ** 4, x ** 3))),
    constants: (1, lambda x: 2.5 * x + np.pi * np.exp(x / np.e)),
    conditions: (2, lambda x, y: np.where(
        (x > 0) & ~(y < -1) | (x == y), x * y, np.maximum(x, 2 * y) + np.minimum(x, 0.3))),
    functions: (1, lambda x: (
        np.sin(x) + np.cos(2 * x) + np.tanh(x) + np.exp(0.1 * x) + np.vectorize(math.erf)(x)
        + np.log1p(x * x) + np.expm1(0.1 * x) + np.sqrt(x * x + 1) + abs(x) + np.log(x * x + 2)
        + (x * x + 1) ** 0.3 + (x ** 2 + 1) ** 1.5 + x ** 3 + 1 / (2 + x ** 2))),
    steps: (1, lambda x: np.floor(x) + np.ceil(x) * np.rint(x) + x),
}
each_formula = pytest.mark.parametrize("operation", FORMULAS, ids=lambda each: each.__name__)


def drawn(count, dtype="float64"):
    random = np.random.default_rng(0)
    return [fastnn.tensor(random.uniform(-2, 2, (5, 4)), dtype=dtype) for _ in range(count)]


@pytest.mark.parametrize("dtype, tolerance", [("float32", 3e-6), ("float64", 1e-13)])
@each_formula
def test_value(operation, dtype, tolerance):
    count, plain = FORMULAS[operation]
    inputs = drawn(count, dtype)
    got = operation(*inputs)
    close(got.array, plain(*(each.array.astype(np.float64) for each in inputs)), tolerance)
    assert got.dtype == np.dtype(dtype)


@each_formula
def test_derivatives_of_both_orders(operation):
    inputs = [each.requires_grad_() for each in drawn(FORMULAS[operation][0])]
    gradcheck(operation, inputs, eps=1e-5, rtol=1e-6, atol=1e-7)
    gradgradcheck(operation, inputs, eps=1e-5, rtol=1e-6, atol=1e-7, fast_mode=True)


def test_third_derivative():
    x = fastnn.tensor(0.7, dtype=fastnn.float64, requires_grad=True)
    value = fastnn.tanh(x)
    for _ in range(3):
        (value,) = fastnn.autograd.grad(value, x, create_graph=True)
    t = math.tanh(0.7)
    assert value.item() == pytest.approx(-2 * (1 - t * t) * (1 - 3 * t * t), rel=1e-12)


def test_parameters_and_numbers():
    x = fastnn.tensor([-3.0, 0.5, 3.0])
    assert branches(x, high=4.0).tolist() == [8.0, 0.125, 27.0]
    assert branches(x, -4.0, 4.0).tolist() == [-27.0, 0.125, 27.0]
    assert statements(x, 2).shape == (3,) and statements(2, x).shape == (3,)
    assert statements(fastnn.ones(2, 1), fastnn.ones(3)).shape == (2, 3)


def test_boolean_input():
    keep = fastnn.tensor([True, False])
    x, y = fastnn.ones(2, requires_grad=True), fastnn.full((2,), 3.0, requires_grad=True)
    got = chosen(keep, x, y)
    got.sum().backward()
    assert got.tolist() == [3, -3] and x.grad.tolist() == [3, 0] and y.grad.tolist() == [1, -1]


def test_constants_of_closures():
    def made(factor):
        @elementwise
        def scaled(x):
            return factor * x
        return scaled

    double, triple = made(2.0), made(3)
    assert double(fastnn.ones(1)).item() == 2.0 and triple(fastnn.ones(1)).item() == 3.0


def test_written_derivative_is_used():
    @elementwise
    def passed(x):
        return x * x

    @passed.written_derivative()
    def slope(output):
        return 100 * output

    x = fastnn.tensor(3.0, requires_grad=True)
    passed(x).backward()
    assert x.grad.item() == 900.0


def test_documentation_and_names():
    assert statements.__name__ == "statements" and statements.__doc__ == "Assignments, used twice."
    assert repr(statements) == "<elementwise statements>"


def unknown_name(x):
    return x * missing  # noqa: F821


def unknown_function(x):
    return math.gamma(x)


def loop(x):
    for _ in range(3):
        x = x * x
    return x


def nothing(x):
    y = x  # noqa: F841


def text(x):
    return x + "a"


def augmented(x):
    x += 1
    return x


def keywords(x, *, slope=1.0):
    return x * slope


def several(*xs):
    return xs[0]


def container(x):
    return [x]


def late_assignment(x):
    if x > 0:
        return x
    y = x * x
    return y


def arguments(x):
    return math.exp(x, x)


def too_many_inputs(a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u):  # noqa: E741
    return a


REFUSED = {
    unknown_name: "'missing' is neither an argument nor a number",
    unknown_function: "function 'gamma' is not known; there are abs",
    loop: "only assignments, 'if ...: return ...' and return are possible",
    nothing: "it returns nothing", text: "is not possible in a formula",
    augmented: "only assignments", keywords: "only plain arguments are possible",
    several: "only plain arguments are possible", container: "is not possible in a formula",
    late_assignment: "assignments must stand before the first if",
    arguments: "exp takes 1 arguments, got 2", too_many_inputs: "at most",
}


@pytest.mark.parametrize("function", REFUSED, ids=lambda each: each.__name__)
def test_refused(function):
    with pytest.raises(TypeError, match=f"elementwise {function.__name__}: .*{REFUSED[function]}"):
        elementwise(function)


def test_lambda_and_builtin_are_refused():
    with pytest.raises(TypeError, match="defined with def, got a lambda"):
        elementwise(lambda x: x)
    with pytest.raises((TypeError, AttributeError)):
        elementwise(len)


# The activations far out, at their kinks and beyond the numbers

ACTIVATIONS = {
    "relu": (0.0, np.inf), "leaky_relu": (-np.inf, np.inf), "elu": (-1.0, np.inf),
    "selu": (-1.0507009873554805 * 1.6732632423543772, np.inf), "silu": (0.0, np.inf),
    "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softplus": (0.0, np.inf), "softsign": (-1.0, 1.0),
    "gelu": (0.0, np.inf),
}  # name: limits at -inf and +inf
LIMIT_IS_NAN = {"silu", "softsign", "gelu"}  # inf * 0 or inf / inf, as in PyTorch
each_activation = pytest.mark.parametrize("name", ACTIVATIONS)
TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def far_values(dtype):
    info = np.finfo(dtype)
    sizes = [0.0, info.smallest_subnormal, info.tiny, 1e-20, 1e-3, 1.0, 10.0, 20.0, 30.0, 88.0,
             89.0, 104.0, 709.0, 746.0, 1e4, 1e15, 1e30, info.max / 4, info.max / 2]
    return np.array([*sizes, *(-each for each in sizes)], dtype)


@TYPES
@each_activation
def test_no_nan_from_finite_input(name, dtype):
    x = fastnn.tensor(far_values(dtype), requires_grad=True)
    y = getattr(F, name)(x)
    (first,) = fastnn.autograd.grad(y.sum(), x, create_graph=True)
    assert not np.isnan(y.detach().array).any()
    assert not np.isnan(first.detach().array).any(), x.array[np.isnan(first.detach().array)]
    if first.requires_grad:
        (second,) = fastnn.autograd.grad(first.sum(), x)
        assert not np.isnan(second.array).any(), x.array[np.isnan(second.array)]


@TYPES
@each_activation
def test_limits(name, dtype):
    low, high = getattr(F, name)(fastnn.tensor(np.array([-np.inf, np.inf], dtype))).tolist()
    for got, wanted in ((low, ACTIVATIONS[name][0]), (high, ACTIVATIONS[name][1])):
        if not (name in LIMIT_IS_NAN and math.isnan(got)):
            assert got == pytest.approx(wanted, rel=1e-6)


@TYPES
@each_activation
def test_nan_stays_nan(name, dtype):
    assert np.isnan(getattr(F, name)(fastnn.tensor(np.array([np.nan] * 9, dtype))).array).all()


@TYPES
@each_activation
def test_far_values_as_pytorch(torch, name, dtype):
    values = far_values(dtype)
    # Beyond 1e15 products overflow in another order; denormals count as 0 here alone.
    values = values[(np.abs(values) < 1e15) & ((values == 0) | (np.abs(values) > 1e-30))]
    ours, theirs = fastnn.tensor(values, requires_grad=True), torch.tensor(values,
                                                                            requires_grad=True)
    got, wanted = getattr(F, name)(ours), getattr(torch.nn.functional, name)(theirs)
    got.sum().backward()
    wanted.sum().backward()
    tolerance = 3e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got.detach().array, wanted.detach().numpy(), tolerance, tolerance)
    np.testing.assert_allclose(ours.grad.array, theirs.grad.numpy(), tolerance, tolerance)


KINKS = {  # function: (value, derivative) at the kink
    "relu": (lambda x: F.relu(x), 0.0, 0.0, 0.0),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.3), 0.0, 0.0, 0.3),
    "elu": (lambda x: F.elu(x, 0.7), 0.0, 0.0, 0.7), "abs": (lambda x: x.abs(), 0.0, 0.0, 0.0),
    "clamp below": (lambda x: x.clamp(-1, 1), -1.0, -1.0, 1.0),
    "clamp above": (lambda x: x.clamp(-1, 1), 1.0, 1.0, 1.0),
    "softsign": (lambda x: F.softsign(x), 0.0, 0.0, 1.0),
    "maximum": (lambda x: fastnn.maximum(x, 2.0), 2.0, 2.0, 0.5),
    "minimum": (lambda x: fastnn.minimum(x, 2.0), 2.0, 2.0, 0.5),
    "softplus": (lambda x: F.softplus(x), 20.0, 20.000000002061154, 0.9999999979388463),
    "sqrt": (lambda x: x.sqrt(), 0.0, 0.0, np.inf),
    "pow": (lambda x: x ** 2.0, 0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name):
    function, place, value, slope = KINKS[name]
    x = fastnn.tensor([place], dtype=fastnn.float64, requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.item() == pytest.approx(value) and x.grad.item() == pytest.approx(slope)


def test_zero_keeps_no_sign_of_a_product():
    """relu is a choice: -inf and -0.0 give 0, not NaN."""
    assert F.relu(fastnn.tensor([-np.inf, -0.0])).tolist() == [0.0, 0.0]


def test_in_place_activation():
    x = fastnn.tensor([-1.0, 2.0])
    assert F.leaky_relu(x, 0.5, inplace=True) is x and x.tolist() == [-0.5, 2.0]


@pytest.mark.parametrize("size", [*range(0, 20), 63, 64, 65, 1023, 1025])
def test_every_size_around_the_vector_width(size):
    values = np.linspace(-3, 3, size, dtype=np.float32)
    close(F.silu(fastnn.tensor(values)).array, values / (1 + np.exp(-values.astype(float))), 3e-7)
