"""`compile`, and the functions that it returns."""

import functools
import operator
import threading
import types

from .. import dtypes, tape
from .._kernels import program
from ..autograd.anomaly import is_anomaly_enabled
from ..nn import Module
from . import checks
from .arguments import kind_of, others_in, share_memory
from .explanation import explained
from .record import Record

MOST_RECORDS = 8  # of one kind of arguments


def _modes():
    return tape.is_grad_enabled(), dtypes.get_default_dtype()


class Compiled:
    """A function whose kernels are recorded at the second call with arguments of a kind."""

    def __init__(self, function):
        self.function = function
        self._records, self._lock, self._misses = {}, threading.RLock(), 0
        self._last = None, None  # the recording that tensors alone were given to, and the modes
        if not isinstance(function, Module):
            functools.update_wrapper(self, function)

    def __get__(self, instance, owner=None):
        return self if instance is None else types.MethodType(self, instance)

    def __getattr__(self, name):
        return getattr(self.__dict__["function"], name)

    def __repr__(self):
        return f"<compiled {self.function!r}>"

    def __call__(self, *arguments, **keywords):
        if program.noting() is not None or is_anomaly_enabled():
            return self.function(*arguments, **keywords)
        with self._lock:
            return self._call(arguments, keywords)

    def _call(self, arguments, keywords):
        last, modes = self._last
        if (last is not None and not keywords and modes == _modes()
                and checks.are_alike(last.own, arguments) and self._fits(last, arguments)):
            return last.replay(arguments)
        kind, tensors = self._kind(arguments, keywords)
        records = self._records.get(kind)
        if records is None:
            others = others_in((arguments, keywords))
            self._records[kind] = [others]  # which keeps their identities from being used again
            return self.function(*arguments, **keywords)
        record = self._fitting(records, tensors)
        if record is not None:
            if not keywords and len(tensors) == len(arguments) and all(
                    map(operator.is_, tensors, arguments)):
                self._last = record, _modes()
            return record.replay(tensors)
        if share_memory(tensors):  # which copies of them would not
            return self.function(*arguments, **keywords)
        return self._record(records, arguments, keywords)

    def _kind(self, arguments, keywords):
        """(what tells the kind of these arguments from others, the tensors among them)."""
        tensors = []
        kind = (kind_of(arguments, tensors), kind_of(keywords, tensors) if keywords else None,
                _modes())
        return kind, tensors

    def _fitting(self, records, tensors):
        """The recording that a call can replay, or None."""
        for record in records[:0:-1]:
            if self._fits(record, tensors):
                self._misses = 0
                return record
        return None

    @staticmethod
    def _fits(record, tensors):
        return record.fits() and not (record.written and share_memory(tensors))

    def _record(self, records, arguments, keywords):
        if len(records) > MOST_RECORDS:
            del records[1]
        self._misses += 1
        if self._misses > 2 * MOST_RECORDS:
            raise RuntimeError(
                f"compile: each of the last {self._misses - 1} calls had to be recorded anew, since "
                f"{records[-1].difference()} changes from call to call")
        record = Record(self.function, arguments, keywords, records[0])
        records.append(record)
        return record.first

    def records(self):
        """All recordings."""
        return [record for records in self._records.values() for record in records[1:]]

    def explain(self, *arguments, **keywords):
        """What the recordings do, as a text: kernels, how often and how long they run, and bytes.

        With arguments the function is called with them once, and the times of its recording are
        those of this call; others are what the kernels are taken to need on one thread.
        """
        with self._lock:
            texts = [explained(record, record.program.expected_seconds())
                     for record in self.records()]
            if arguments or keywords:
                texts = [explained(*self._timed(arguments, keywords))]
        return "\n\n".join(texts) or "no kernels recorded yet, 0 bytes"

    def _timed(self, arguments, keywords):
        """(recording, the seconds of each of its entries) of a call."""
        kind, tensors = self._kind(arguments, keywords)
        for _ in range(3):
            record = self._fitting(self._records.get(kind, []), tensors)
            if record is not None:
                return record, record.timed_replay(tensors)
            self(*arguments, **keywords)
        raise RuntimeError("compile: explain: no recording fits two calls after each other")


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None,
            options=None, disable=False):
    """A function that computes what ``model``, a function or module, does, without its Python.

    The first call with arguments of a kind runs it, the second runs it and records its kernels,
    and later ones replay these: bit for bit the same results, gradients, buffers and parameters.
    It is for functions of tensors, modules under `no_grad`, and above all for whole training
    steps, with backward pass and optimizer. Each shape, type and layout of the tensors and each
    value of the other arguments is a kind of its own. ``disable`` gives the function back as it
    is; the other settings are there for PyTorch's sake and change nothing.

    What the function reads in Python, such as attributes, globals and the tensors that they hold,
    is watched; where it has changed, the call is recorded anew. What it does in Python beside
    tensors, such as printing, is done only when it is recorded. A RuntimeError names the line that
    does what cannot be replayed: reading a tensor's value, making a tensor of a NumPy array,
    changing what it reads.
    The memory of ``.grad`` is written again by the next call.

    >>> import fastnn
    >>> net = fastnn.nn.Linear(3, 1)
    >>> optimizer = fastnn.optim.SGD(net.parameters(), lr=0.1)
    >>> @fastnn.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = fastnn.nn.functional.mse_loss(net(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss.detach()
    >>> x, y = fastnn.ones(4, 3), fastnn.zeros(4, 1)
    >>> losses = [step(x, y).item() for _ in range(4)]
    >>> losses == sorted(losses, reverse=True)
    True
    """
    if model is None:
        return functools.partial(compile, disable=disable)
    if not callable(model):
        raise TypeError(f"compile: model must be a function or a module, got "
                        f"{type(model).__name__}")
    return model if disable else Compiled(model)
