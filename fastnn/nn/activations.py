"""Activation functions as modules."""

from functools import partial

from ..ops import activation, dropout, gated, piecewise, softmax
from ..ops.creation import empty
from . import init
from .from_functions import module_of
from .layers import count
from .module import Module
from .parameter import Parameter

_activation = partial(module_of, shows_all=True)

ReLU = _activation(activation.relu, "ReLU")
LeakyReLU = _activation(activation.leaky_relu, "LeakyReLU")
ELU = _activation(activation.elu, "ELU")
CELU = _activation(activation.celu, "CELU")
SELU = _activation(activation.selu, "SELU")
SiLU = _activation(activation.silu, "SiLU")
Mish = _activation(activation.mish, "Mish")
Tanh = _activation(activation.tanh, "Tanh")
Sigmoid = _activation(activation.sigmoid, "Sigmoid")
LogSigmoid = _activation(activation.logsigmoid, "LogSigmoid")
Softplus = _activation(activation.softplus, "Softplus")
Softsign = _activation(activation.softsign, "Softsign")
Tanhshrink = _activation(activation.tanhshrink, "Tanhshrink")
GELU = _activation(activation.gelu, "GELU")
GLU = _activation(gated.glu, "GLU")
Hardtanh = _activation(piecewise.hardtanh, "Hardtanh", check=piecewise.check_distinct_limits)
ReLU6 = _activation(piecewise.relu6, "ReLU6")
Hardswish = _activation(piecewise.hardswish, "Hardswish")
Hardsigmoid = _activation(piecewise.hardsigmoid, "Hardsigmoid")
Threshold = _activation(piecewise.threshold, "Threshold", settings=("threshold", "value"))
Softshrink = _activation(piecewise.softshrink, "Softshrink")
Hardshrink = _activation(piecewise.hardshrink, "Hardshrink")
Softmax = _activation(softmax.softmax, "Softmax", without=("dtype",))
Softmin = _activation(softmax.softmin, "Softmin", without=("dtype",))
LogSoftmax = _activation(softmax.log_softmax, "LogSoftmax", without=("dtype",))


class Softmax2d(Module):
    """``softmax`` over the channels of (N, C, H, W) or (C, H, W).

    >>> import fastnn
    >>> fastnn.nn.Softmax2d()(fastnn.zeros(1, 2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input):
        if input.ndim not in (3, 4):
            raise ValueError("Softmax2d: input must have 3 or 4 dimensions, got shape "
                             f"{tuple(input.shape)}")
        return softmax.softmax(input, -3)


class PReLU(Module):
    """``prelu`` with a learned slope: one, or ``num_parameters`` = one for each channel.

    >>> import fastnn
    >>> fastnn.nn.PReLU(init=0.5)(fastnn.tensor([-2.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = count("PReLU", "num_parameters", num_parameters)
        self.init = init
        self.weight = Parameter(empty(self.num_parameters, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self):
        """Start all slopes at ``init`` again."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return piecewise.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """``rrelu``: random slopes in training, their mean in evaluation.

    >>> import fastnn
    >>> fastnn.nn.RReLU(0.25, 0.75).eval()(fastnn.tensor([-2.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input):
        return dropout.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        inplace = ", inplace=True" if self.inplace else ""
        return f"lower={self.lower}, upper={self.upper}{inplace}"
