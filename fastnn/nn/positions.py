"""Positions for what does not know the order of its steps, such as attention: fixed or learned."""

import numpy

from .. import dtypes, tape
from ..device import check_device
from ..ops.creation import empty
from . import init
from .layers import count
from .module import Module
from .parameter import Parameter

WAVELENGTH = 10_000.0  # the longest sinusoid has about this many steps over 2 pi
STD = 0.02             # of learned positions at the start


def _sinusoids(max_len, d_model, dtype):
    """sin and cos of position / WAVELENGTH ** (2 i / d_model) in the columns 2 i and 2 i + 1."""
    columns = numpy.arange(d_model)
    angles = numpy.arange(max_len)[:, None] / WAVELENGTH ** (columns // 2 * 2 / d_model)
    table = numpy.where(columns % 2, numpy.cos(angles), numpy.sin(angles))
    return tape.from_array(table.astype(dtype))


class _Positions(Module):
    """Adds to each step the row of ``weight`` for its position."""

    def __init__(self, d_model, max_len, batch_first, device):
        super().__init__()
        name = type(self).__name__
        self.d_model = count(name, "d_model", d_model)
        self.max_len = count(name, "max_len", max_len)
        self.batch_first = batch_first
        check_device(device)

    def forward(self, input, start=0):
        if input.ndim not in (2, 3) or input.shape[-1] != self.d_model:
            raise ValueError(f"{type(self).__name__}: input must have 2 or 3 dimensions, the last "
                             f"of size {self.d_model}, got shape {tuple(input.shape)}")
        by_step = input.ndim == 3 and not self.batch_first
        stop = start + input.shape[0 if by_step else -2]
        if not 0 <= start <= stop <= self.max_len:
            raise ValueError(f"{type(self).__name__}: positions {start} to {stop} lie outside of "
                             f"the {self.max_len} there are")
        rows = self.weight[start:stop]
        return input + (rows.unsqueeze(1) if by_step else rows)

    def extra_repr(self):
        return f"{self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


class SinusoidalPositions(_Positions):
    """``input`` plus sinusoids of the positions: (T, D), (T, N, D) or, batch first, (N, T, D).

    Column 2 i of position p is ``sin(p / 10000 ** (2 i / D))``, column 2 i + 1 the cosine (Vaswani
    et al., Attention Is All You Need, 2017). ``forward(input, start)`` counts from ``start`` on.
    More than ``max_len`` positions are a ValueError. Nothing is learned or saved.

    >>> import fastnn
    >>> fastnn.nn.SinusoidalPositions(2)(fastnn.zeros(2, 2))
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """

    def __init__(self, d_model, max_len=5000, batch_first=False, device=None, dtype=None):
        super().__init__(d_model, max_len, batch_first, device)
        dtype = (dtypes.get_default_dtype() if dtype is None
                 else dtypes.check(type(self).__name__, dtype))
        self.register_buffer("weight", _sinusoids(self.max_len, self.d_model, dtype),
                             persistent=False)


class LearnedPositions(_Positions):
    """``input`` plus a learned row for each position: (T, D), (T, N, D) or, batch first, (N, T, D).

    The rows, ``weight`` of shape (``max_len``, D), start normally distributed with a deviation of
    0.02. ``forward(input, start)`` counts from ``start`` on; more than ``max_len`` positions are a
    ValueError.

    >>> import fastnn
    >>> fastnn.nn.LearnedPositions(4, max_len=8)(fastnn.zeros(3, 5, 4)).shape
    fastnn.Size([3, 5, 4])
    """

    def __init__(self, d_model, max_len, batch_first=False, device=None, dtype=None):
        super().__init__(d_model, max_len, batch_first, device)
        self.weight = Parameter(empty(self.max_len, self.d_model, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new rows."""
        init.normal_(self.weight, std=STD)
