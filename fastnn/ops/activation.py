"""Activation functions that are smooth, or smooth on both sides of 0.

Each is exact for every finite number: what would overflow within a formula is cut off where the
result no longer depends on it.
"""

import math
from functools import partial

from ..elementwise import elementwise
from ..op import chained
from ..operation import Operation
from ..registry import case, floats, public

WIDE = [case(floats(3, 4, low=-6, high=6, kinks=(0,)))]


def with_in_place(*places):
    """Enter ``name_``, which computes in place, beside an operation that takes ``inplace``."""

    def enter(operation):
        run = getattr(operation, "into", None) or partial(operation, inplace=True)

        def function(input, *args, **kwargs):
            return run(input, *args, **kwargs)

        function.__name__ = function.__qualname__ = f"{operation.__name__}_"
        function.__doc__ = f"``{operation.__name__}`` in place."
        public(*places)(function)
        return operation

    return enter


@with_in_place("fastnn", "functional", "method")
@public("fastnn", "functional", "method", cases=WIDE)
@elementwise(inplace=True)
def relu(input):
    """``input`` where it is positive, else 0; the derivative at 0 is 0, NaN stays NaN."""
    return 0 if input <= 0 else input


@relu.written_derivative()
def _relu_slope(output):
    return 0 if output <= 0 else 1


def _leaky(input, negative_slope=0.01):
    return input if input > 0 else negative_slope * input


_leaky_relu = elementwise(_leaky, name="leaky_relu", inplace=True)
# With a positive slope the output tells the side, so that the input need not be kept.
_rising_leaky_relu = elementwise(_leaky, name="leaky_relu", inplace=True)


@_rising_leaky_relu.written_derivative()
def _rising_leaky_slope(output, negative_slope):
    return 1 if output > 0 else negative_slope


@with_in_place("functional")
@public("functional", cases=[*WIDE, case(floats(3, 4, kinks=(0,)), negative_slope=0.3),
                             case(floats(5, kinks=(0,)), negative_slope=2.0),
                             case(floats(5, kinks=(0,)), negative_slope=-0.5)])
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """``input`` where it is positive, else ``negative_slope * input``; at 0 the lower slope."""
    rises = isinstance(negative_slope, (int, float)) and negative_slope > 0
    run = _rising_leaky_relu if rises else _leaky_relu
    return run(input, negative_slope, inplace=inplace)


def bent(input, below):
    """What is not above 0 times ``below``: ``relu`` for 0, the input itself for 1."""
    if below == 1:
        return input
    return leaky_relu(input, below) if below else relu(input)


def before_bend(node, gradient, below):
    """The gradient of what a node has `bent`, given that of its output, which is saved."""
    if below:
        return chained(node, _rising_leaky_relu.derivative(0)[0], gradient, node.output, below)
    return chained(node, relu.derivative(0)[0], gradient, node.output)


def rectified(name, forward, rule):
    """An operation on (input, weight, bias) whose result is `bent`; its plan is (plan, below).

    ``forward(plan, *arrays, below)`` does both at once; ``rule(plan, node, gradient)`` is the rule
    of what comes before.
    """
    def run(plan, *arrays):
        return forward(plan[0], *arrays, plan[1])

    def rule_of_both(node, gradient):
        plan, below = node.plan
        return rule(plan, node, before_bend(node, gradient, below))

    return Operation(name, run, rule_of_both, saves=(0, 1), saves_output=True)


@with_in_place("functional")
@public("functional", cases=[*WIDE, case(floats(3, 4, kinks=(0,)), alpha=0.7)])
@elementwise(inplace=True)
def elu(input, alpha=1.0):
    """``input`` where it is positive, else ``alpha * (exp(input) - 1)``.

    Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units, 2015.
    """
    return input if input > 0 else alpha * math.expm1(input)


@elementwise(name="celu", inplace=True)
def _celu(input, alpha=1.0):
    return input if input > 0 else alpha * math.expm1(input / alpha)


@_celu.written_derivative()
def _celu_slope(input, alpha):
    return 1 if input > 0 else math.exp(input / alpha)


@with_in_place("fastnn", "functional")
@public("fastnn", "functional", cases=[*WIDE, case(floats(3, 4, kinks=(0,)), alpha=0.5)])
def celu(input, alpha=1.0, inplace=False):
    """``input`` where it is positive, else ``alpha * (exp(input / alpha) - 1)``.

    Unlike ``elu`` it has the slope 1 on both sides of 0 for any ``alpha``, which must not be 0.
    Barron, Continuously Differentiable Exponential Linear Units, 2017.
    """
    if alpha == 0:
        raise ValueError("celu: alpha must not be 0")
    return _celu(input, alpha, inplace=inplace)


VANISHED = 1000.0  # exp(-1000) is 0 in float64 too
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@with_in_place("fastnn", "functional")
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
    """``input * sigmoid(input)``, also known as Swish.

    Elfwing et al., Sigmoid-Weighted Linear Units, 2017.
    """
    near = max(-VANISHED, input)
    return near * sigmoid(near)


@silu.written_derivative()
def _silu_slope(input):
    near = max(-VANISHED, min(VANISHED, input))
    share = sigmoid(near)
    return share + near * (share * (1 - share))


MISH_IS_INPUT = 25.0  # from here on tanh(softplus(input)) is 1, and its slope 0, in float64 too


@public("functional", cases=WIDE)
@elementwise(inplace=True)
def mish(input):
    """``input * tanh(softplus(input))``.

    With n = exp(input), tanh(log(1 + n)) is n (n + 2) / (n (n + 2) + 2). Misra, Mish: A Self
    Regularized Non-Monotonic Activation Function, 2019.
    """
    near = max(-VANISHED, input)
    power = math.exp(min(MISH_IS_INPUT, near))
    product = power * (power + 2)
    return near * (product / (product + 2))


@mish.written_derivative()
def _mish_slope(input):
    near = max(-VANISHED, min(MISH_IS_INPUT, input))
    power = math.exp(near)
    inverse = 1 / (power * (power + 2) + 2)
    rise = near * (4 * (power * inverse) * ((power + 1) * inverse))
    return power * ((power + 2) * inverse) + rise


@with_in_place("fastnn", "method")
@public("fastnn", "functional", "method", cases=WIDE)
@elementwise
def tanh(input):
    """The hyperbolic tangent."""
    return math.tanh(input)


@tanh.written_derivative()
def _tanh_slope(output):
    return 1 - output * output


@with_in_place("fastnn", "method")
@public("fastnn", "functional", "method", cases=WIDE)
@elementwise
def sigmoid(input):
    """``1 / (1 + exp(-input))``."""
    return sigmoid(input)


@sigmoid.written_derivative()
def _sigmoid_slope(output):
    return output * (1 - output)


@public("functional", cases=WIDE)
@elementwise
def logsigmoid(input):
    """The logarithm of ``sigmoid``, which does not underflow: -``softplus``(-input)."""
    return min(input, 0) - math.log1p(math.exp(-abs(input)))


@logsigmoid.written_derivative()
def _logsigmoid_slope(input):
    return sigmoid(-input)


@public("functional", cases=[*WIDE, case(floats(3, 4), beta=2.0, threshold=1.5)])
@elementwise
def softplus(input, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * input)) / beta``, and ``input`` itself above ``threshold / beta``."""
    scaled = beta * input
    smooth = max(scaled, 0) + math.log1p(math.exp(-abs(scaled)))
    return input if scaled > threshold else smooth / beta


@softplus.written_derivative()
def _softplus_slope(input, beta, threshold):
    return 1 if beta * input > threshold else sigmoid(beta * input)


SOFTSIGN_ENDS = 1e30  # from here on the result is 1 or -1, and no infinity is divided


@public("functional", cases=WIDE)
@elementwise
def softsign(input):
    """``input / (1 + abs(input))``."""
    size = abs(input)
    ends = 1 if input > 0 else -1 if input < 0 else input
    return input / (1 + size) if size < SOFTSIGN_ENDS else ends


@softsign.written_derivative()
def _softsign_slope(input):
    inverse = 1 / (1 + abs(input))
    return inverse * inverse


@public("functional", cases=WIDE)
@elementwise
def tanhshrink(input):
    """``input - tanh(input)``."""
    return input - math.tanh(input)


@tanhshrink.written_derivative()
def _tanhshrink_slope(input):
    near = math.tanh(input)
    return near * near


GELU_IS_INPUT = 39.0  # from here on erf is 1 and its slope 0, in float64 too
GELU_TANH_IS_INPUT = 10.0


@elementwise(name="gelu")
def _gelu_exact(input):
    above = max(-GELU_IS_INPUT, input)
    return above * ndtr(above)  # noqa: F821 - formulas name their functions bare


@_gelu_exact.written_derivative()
def _gelu_exact_slope(input):
    near = max(-GELU_IS_INPUT, min(GELU_IS_INPUT, input))
    density = 0.39894228040143267794 * math.exp(-0.5 * near * near)
    return ndtr(near) + near * density  # noqa: F821


@elementwise(name="gelu")
def _gelu_tanh(input):
    above = max(-GELU_TANH_IS_INPUT, input)
    near = min(GELU_TANH_IS_INPUT, above)
    inner = 0.79788456080286535588 * (near + 0.044715 * near * near * near)
    return 0.5 * above * (1 + math.tanh(inner))


@_gelu_tanh.written_derivative()
def _gelu_tanh_slope(input):
    near = max(-GELU_TANH_IS_INPUT, min(GELU_TANH_IS_INPUT, input))
    square = near * near
    rise = 0.79788456080286535588 * (1 + 0.134145 * square)
    bent = math.tanh(0.79788456080286535588 * near * (1 + 0.044715 * square))
    return 0.5 * (1 + bent) + 0.5 * near * (1 - bent * bent) * rise


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
