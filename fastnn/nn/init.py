"""Initial values of parameters. Each function fills a tensor in place and returns it."""

import math
import statistics

import numpy

from ..autograd import no_grad
from ..dtypes import float64
from ..ops.random import normal_array, uniform_array

LINEAR = ("linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)))
GAINS = {**dict.fromkeys(LINEAR, 1.0), "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2),
         "selu": 3 / 4}


def calculate_gain(nonlinearity, param=None):
    """The factor by which an activation wants its inputs' spread enlarged; else a ValueError.

    >>> import fastnn
    >>> fastnn.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope ** 2))
    if nonlinearity not in GAINS:
        known = ", ".join(sorted([*GAINS, "leaky_relu"]))
        raise ValueError(f"calculate_gain: unknown {nonlinearity!r}, there are {known}")
    return GAINS[nonlinearity]


def fans(tensor):
    """(fan in, fan out): the inputs of a unit and the units that one input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need at least 2 dimensions, got {tensor.ndim}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normally distributed."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normally distributed, drawn again where outside [a, b].

    A ValueError if less than a thousandth of the distribution lies in [a, b].
    """
    inside = statistics.NormalDist(mean, std) if std > 0 else None
    share = inside.cdf(b) - inside.cdf(a) if inside else 0.0
    if not share >= 1e-3:
        raise ValueError(f"trunc_normal_: {share:.2g} of the distribution of mean {mean} and "
                         f"deviation {std} lie in [{a}, {b}], at least 0.001 are needed")
    values = normal_array(tensor.array.shape, tensor.dtype, mean, std, generator)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = normal_array((int(outside.sum()),), tensor.dtype, mean, std, generator)
    tensor.array[...] = values
    tensor._bump_version()
    return tensor


@no_grad()
def constant_(tensor, val):
    """One value."""
    return tensor.fill_(val)


def ones_(tensor):
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor):
    """Zeros."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor):
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got shape {tuple(tensor.shape)}")
    tensor.array[...] = numpy.eye(*tensor.shape)
    tensor._bump_version()
    return tensor


@no_grad()
def dirac_(tensor, groups=1):
    """Convolution weights that pass on as many channels as they can, in each group of outputs.

    >>> import fastnn
    >>> fastnn.nn.init.dirac_(fastnn.empty(2, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected 3, 4 or 5 dimensions, got shape {tuple(tensor.shape)}")
    outputs, inputs, *kernel = tensor.shape
    if groups < 1 or outputs % groups:
        raise ValueError(f"dirac_: {outputs} outputs do not divide into groups={groups}")
    each = outputs // groups
    channel = numpy.arange(min(each, inputs))
    tensor.array[...] = 0
    for group in range(groups):
        tensor.array[(group * each + channel, channel, *(size // 2 for size in kernel))] = 1
    tensor._bump_version()
    return tensor


@no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """A matrix of normally distributed values, in each column of which a part is zero.

    That part is ``sparsity``, rounded up. Martens, Deep Learning via Hessian-free Optimization,
    2010.
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: expected a matrix, got shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must lie in [0, 1], got {sparsity}")
    rows, columns = tensor.shape
    normal_(tensor, 0.0, std, generator)
    order = uniform_array((rows, columns), float64, generator=generator).argsort(axis=0)
    zeros = order[:math.ceil(sparsity * rows)]
    numpy.put_along_axis(tensor.array, zeros, 0, axis=0)
    tensor._bump_version()
    return tensor


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform with variance ``2 gain^2 / (fan in + fan out)``. Glorot and Bengio, 2010."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with variance ``2 gain^2 / (fan in + fan out)``. Glorot and Bengio, 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def _kaiming_deviation(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform with variance ``gain^2 / fan``. He et al., Delving Deep into Rectifiers, 2015."""
    bound = math.sqrt(3) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with variance ``gain^2 / fan``. He et al., Delving Deep into Rectifiers, 2015.

    >>> import fastnn
    >>> weight = fastnn.nn.init.kaiming_normal_(fastnn.empty(400, 200), nonlinearity="relu")
    >>> round(float(weight.numpy().std()), 2)
    0.1
    """
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity), generator)


@no_grad()
def orthogonal_(tensor, gain=1, generator=None):
    """Orthogonal rows or columns. Saxe et al., Exact solutions to nonlinear dynamics, 2013.

    The decomposition is NumPy's: it runs once for a parameter, and nothing is differentiated.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected at least 2 dimensions, got {tensor.ndim}")
    rows = tensor.shape[0]
    columns = tensor.numel() // max(1, rows)
    drawn = normal_array((max(rows, columns), min(rows, columns)), tensor.dtype,
                         generator=generator)
    q, r = numpy.linalg.qr(drawn)
    q = q * numpy.where(numpy.diag(r) < 0, -1, 1)
    tensor.array[...] = gain * (q if rows >= columns else q.T).reshape(tensor.array.shape)
    tensor._bump_version()
    return tensor
