"""Switches of the tape: whether this thread records operations."""

import functools
import inspect

from .. import tape


class _Mode:
    """A context and decorator, of functions and generators, that records or does not."""

    recording = True

    def __new__(cls, orig_func=None):
        mode = super().__new__(cls)
        if orig_func is None:
            return mode
        mode.__init__()
        return mode(orig_func)

    def __init__(self):
        self._before = []

    def __enter__(self):
        self._before.append(tape.exchange_grad_enabled(self.recording))

    def __exit__(self, *error):
        tape.exchange_grad_enabled(self._before.pop())

    def _again(self):
        """A context like this one, for a call of a decorated function."""
        return type(self)()

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._of_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self._again():
                return function(*args, **kwargs)

        return wrapped

    def _of_generator(self, function):
        """The mode holds while the generator runs, not while its user does."""

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            generator, sent = function(*args, **kwargs), None
            try:
                while True:
                    with self._again():
                        try:
                            value = generator.send(sent)
                        except StopIteration as end:
                            return end.value
                    sent = yield value
            finally:
                generator.close()

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


class set_grad_enabled(_Mode):
    """Switch recording on or off on this thread: as a call, or for the time of a ``with``.

    As a decorator it switches within the function alone.
    """

    def __new__(cls, mode):
        return object.__new__(cls)

    def __init__(self, mode):
        super().__init__()
        self.recording = bool(mode)
        self._outside = tape.exchange_grad_enabled(self.recording)

    def __enter__(self):
        tape.exchange_grad_enabled(self.recording)

    def __exit__(self, *error):
        tape.exchange_grad_enabled(self._outside)

    def _again(self):
        return set_grad_enabled(self.recording)

    def __call__(self, function):
        tape.exchange_grad_enabled(self._outside)
        return super().__call__(function)


class inference_mode(_Mode):
    """Do not record operations, as `no_grad`; ``inference_mode(False)`` records.

    Its tensors are like any others: unlike PyTorch's they may be used in recorded operations.
    """

    _enabled = False

    def __new__(cls, mode=True):
        return super().__new__(cls, mode if callable(mode) else None)

    def __init__(self, mode=True):
        super().__init__()
        self.mode = bool(mode)
        self.recording = not self.mode

    def __enter__(self):
        super().__enter__()
        self._before.append(inference_mode._enabled)
        inference_mode._enabled = self.mode

    def __exit__(self, *error):
        inference_mode._enabled = self._before.pop()
        super().__exit__(*error)

    def _again(self):
        return inference_mode(self.mode)


def is_inference_mode_enabled():
    """Whether `inference_mode` is on."""
    return inference_mode._enabled
