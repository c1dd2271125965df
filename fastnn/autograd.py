"""Gradients: `grad`, switches of the tape, and checks against finite differences."""

import functools

from . import tape
from .tensor import Tensor


def _as_list(value):
    return [value] if isinstance(value, Tensor) else list(value)


def _gradients(given, count):
    if given is None:
        return [None] * count
    return [given] if isinstance(given, Tensor) else list(given)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Accumulate the gradients of several tensors in their leaves; see ``Tensor.backward``."""
    tensors = _as_list(tensors)
    inputs = None if inputs is None else _as_list(inputs)
    tape.backward(tensors, _gradients(grad_tensors, len(tensors)), retain_graph, create_graph,
                  inputs)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False,
         allow_unused=False):
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple.

    ``.grad`` is not touched, and only what lies between both is computed. With ``create_graph`` the
    gradients can be differentiated again.

    >>> import fastnn
    >>> x = fastnn.tensor(3.0, requires_grad=True)
    >>> first, = fastnn.autograd.grad(x * x * x, x, create_graph=True)
    >>> fastnn.autograd.grad(first, x)
    (tensor(18.),)
    """
    outputs = _as_list(outputs)
    return tape.grad(outputs, _as_list(inputs), _gradients(grad_outputs, len(outputs)),
                     retain_graph, create_graph, allow_unused)


class set_grad_enabled:
    """Switch recording on or off on this thread: as a call, or for the time of a ``with``."""

    def __init__(self, mode):
        self._mode = bool(mode)
        self._before = tape.exchange_grad_enabled(self._mode)

    def __enter__(self):
        tape.exchange_grad_enabled(self._mode)
        return self

    def __exit__(self, *error):
        tape.exchange_grad_enabled(self._before)


class _Mode:
    """A context and decorator that records or does not."""

    recording = True

    def __init__(self):
        self._before = []

    def __enter__(self):
        self._before.append(tape.exchange_grad_enabled(self.recording))
        return self

    def __exit__(self, *error):
        tape.exchange_grad_enabled(self._before.pop())

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(_Mode):
    """Do not record operations: as a context ``with no_grad():`` or a decorator ``@no_grad()``.

    >>> import fastnn
    >>> x = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    recording = False


class enable_grad(_Mode):
    """Record operations, also within ``no_grad``."""


def __getattr__(name):
    """`gradcheck` and `gradgradcheck` live in ``fastnn.testing``, a layer above."""
    if name in ("gradcheck", "gradgradcheck"):
        from .testing import gradients

        return getattr(gradients, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
