"""Find the operation whose gradient is the first to be NaN, and where it was called."""

import sys
from pathlib import Path

import numpy

from .. import tape, walk
from ..tensor import Tensor

LIBRARY = str(Path(__file__).parents[1])


class _Settings:
    enabled = False
    check_nan = True


def is_anomaly_enabled():
    """Whether `detect_anomaly` or `set_detect_anomaly` is on."""
    return _Settings.enabled


def _switch(enabled, check_nan):
    _Settings.enabled, _Settings.check_nan = bool(enabled), bool(check_nan)
    looks = enabled and check_nan
    tape.note_places(_place_of_call if enabled else None)
    walk.inspect_with(_inspect if looks else None)


class set_detect_anomaly:
    """Switch the search for anomalies on or off: as a call, or for the time of a ``with``.

    While it is on, every operation notes where it was called, and a backward pass raises a
    RuntimeError with that place as soon as the gradient of an operation is NaN. That is slow.
    """

    def __init__(self, mode, check_nan=True):
        self._before = _Settings.enabled, _Settings.check_nan
        _switch(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *error):
        _switch(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Search for anomalies within a ``with``; see `set_detect_anomaly`.

    >>> import fastnn
    >>> x = fastnn.tensor(0.0, requires_grad=True)
    >>> with fastnn.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).backward()
    Traceback (most recent call last):
    ...
    RuntimeError: backward: 'sqrt' returned nan values in its 0th output; its forward call was ...
    """

    def __init__(self, check_nan=True):
        self._check_nan = check_nan

    def __enter__(self):
        super().__init__(True, self._check_nan)


def _place_of_call():
    """File, line and function of the innermost frame that is not the library's."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


def _inspect(node, place, gradients):
    for index, gradient in enumerate(gradients):
        if isinstance(gradient, Tensor) and numpy.isnan(gradient.array).any():
            where = "made before anomalies were looked for" if place is None else \
                'File "{}", line {}, in {}'.format(*place)
            raise RuntimeError(f"backward: {node.name()!r} returned nan values in its {index}th "
                               f"output; its forward call was {where}")
