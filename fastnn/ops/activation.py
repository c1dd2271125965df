"""Activation functions."""

import math

from .. import dtypes
from .. import tensor as tensors
from .._kernels import memory, reductions
from ..elementwise import elementwise
from ..op import Operation
from ..registry import case, floats, public
from .checks import axis, floating
from .composed import rule_of_composition

WIDE = [case(floats(3, 4, low=-6, high=6, kinks=(0,)))]


@public("fastnn", "functional", "method", cases=WIDE)
@elementwise(inplace=True)
def relu(input):
    """``input`` where it is positive, else 0; the derivative at 0 is 0, NaN stays NaN."""
    return 0 if input <= 0 else input


@relu.written_derivative()
def _relu_slope(output):
    return 0 if output <= 0 else 1


@public("functional", cases=[*WIDE, case(floats(3, 4, kinks=(0,)), negative_slope=0.3),
                             case(floats(5, kinks=(0,)), negative_slope=2.0)])
@elementwise(inplace=True)
def leaky_relu(input, negative_slope=0.01):
    """``input`` where it is positive, else ``negative_slope * input``; at 0 the lower slope."""
    return input if input > 0 else negative_slope * input


@public("functional", cases=[*WIDE, case(floats(3, 4, kinks=(0,)), alpha=0.7)])
@elementwise(inplace=True)
def elu(input, alpha=1.0):
    """``input`` where it is positive, else ``alpha * (exp(input) - 1)``.

    Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units, 2015.
    """
    return input if input > 0 else alpha * math.expm1(input)


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@public("fastnn", "functional", cases=WIDE)
@elementwise(inplace=True)
def selu(input):
    """A scaled ``elu`` that keeps mean 0 and variance 1 from layer to layer.

    Klambauer et al., Self-Normalizing Neural Networks, 2017.
    """
    return SELU_SCALE * (input if input > 0 else SELU_ALPHA * math.expm1(input))


@public("functional", cases=WIDE)
@elementwise(inplace=True)
def silu(input):
    """``input * sigmoid(input)``, also known as Swish."""
    return input * sigmoid(input)


@public("fastnn", "functional", "method", cases=WIDE)
@elementwise
def tanh(input):
    """The hyperbolic tangent."""
    return math.tanh(input)


@tanh.written_derivative()
def _tanh_slope(output):
    return 1 - output * output


@public("fastnn", "functional", "method", cases=WIDE)
@elementwise
def sigmoid(input):
    """``1 / (1 + exp(-input))``."""
    return sigmoid(input)


@sigmoid.written_derivative()
def _sigmoid_slope(output):
    return output * (1 - output)


@public("functional", cases=[*WIDE, case(floats(3, 4), beta=2.0, threshold=1.5)])
@elementwise
def softplus(input, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * input)) / beta``, and ``input`` itself above ``threshold / beta``."""
    scaled = beta * input
    return input if scaled > threshold else math.log1p(math.exp(scaled)) / beta


@softplus.written_derivative()
def _softplus_slope(input, beta, threshold):
    return 1 if beta * input > threshold else sigmoid(beta * input)


@public("functional", cases=WIDE)
@elementwise
def softsign(input):
    """``input / (1 + abs(input))``."""
    return input / (1 + abs(input))


@softsign.written_derivative()
def _softsign_slope(input):
    below = 1 + abs(input)
    return 1 / (below * below)


@elementwise
def _gelu_exact(input):
    return 0.5 * input * (1 + math.erf(input * 0.70710678118654752440))


@elementwise
def _gelu_tanh(input):
    inner = 0.79788456080286535588 * (input + 0.044715 * input * input * input)
    return 0.5 * input * (1 + math.tanh(inner))


@public("functional", cases=[*WIDE, case(floats(3, 4), approximate="tanh")])
def gelu(input, approximate="none"):
    """``input`` times the normal distribution function at it, or its ``"tanh"`` approximation.

    Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.

    >>> import fastnn
    >>> fastnn.nn.functional.gelu(fastnn.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return _gelu_tanh(input) if approximate == "tanh" else _gelu_exact(input)


def _last(dim, x):
    """The array with ``dim`` last and contiguous."""
    return memory.contiguous(x if dim == x.ndim - 1 else x.swapaxes(dim, -1))


def _softmax_forward(dim, x):
    return reductions.rowwise(reductions.softmax_rows, _last(dim, x), options=(0,)) \
        .swapaxes(dim, -1)


def _log_softmax_forward(dim, x):
    return reductions.rowwise(reductions.softmax_rows, _last(dim, x), options=(1,)) \
        .swapaxes(dim, -1)


def _gradient_forward(function):
    def forward(dim, gradient, y):
        return reductions.rowwise(function, _last(dim, gradient), _last(dim, y)).swapaxes(dim, -1)

    return forward


def _softmax_composition(dim, gradient, y):
    return y * (gradient - (gradient * y).sum(dim, keepdim=True))


def _log_softmax_composition(dim, gradient, y):
    return gradient - y.exp() * gradient.sum(dim, keepdim=True)


_softmax_gradient = Operation(
    "softmax_gradient", _gradient_forward(reductions.softmax_gradient_rows),
    rule_of_composition(_softmax_composition), saves=(0, 1))
_log_softmax_gradient = Operation(
    "log_softmax_gradient", _gradient_forward(reductions.log_softmax_gradient_rows),
    rule_of_composition(_log_softmax_composition), saves=(0, 1))
_softmax = Operation(
    "softmax", _softmax_forward,
    lambda node, gradient: _softmax_gradient(node.plan, gradient, node.output), saves_output=True)
_log_softmax = Operation(
    "log_softmax", _log_softmax_forward,
    lambda node, gradient: _log_softmax_gradient(node.plan, gradient, node.output),
    saves_output=True)


def _along(name, operation, input, dim, dtype):
    tensors.as_tensor(name, input)
    if dtype is not None:
        input = input.to(dtype)
    floating(name, input=input)
    if dim is None:
        raise ValueError(f"{name}: dim must be given")
    if not input.ndim:
        return _along(name, operation, input.reshape(1), 0, None).reshape(())
    return operation(axis(name, dim, input.ndim), input)


SOFTMAX_CASES = [case(floats(3, 4), dim=1), case(floats(3, 4, 2), dim=1), case(floats(3, 2), dim=0),
                 case(floats(), dim=0), case(floats(2, 3), dim=1, dtype=dtypes.float64)]


@public("fastnn", "functional", "method", cases=SOFTMAX_CASES)
def softmax(input, dim=None, dtype=None):
    """``exp(input)`` divided by its sum along ``dim``, without overflow."""
    return _along("softmax", _softmax, input, dim, dtype)


@public("fastnn", "functional", "method", cases=SOFTMAX_CASES)
def log_softmax(input, dim=None, dtype=None):
    """The logarithm of ``softmax``, without loss of digits."""
    return _along("log_softmax", _log_softmax, input, dim, dtype)
