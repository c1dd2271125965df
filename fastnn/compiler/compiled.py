"""`compile`, and the functions and modules that it returns."""

import functools
import operator
import types
import warnings
from collections import OrderedDict

from ..nn import Module
from .arguments import kind_of, others_in, share_memory
from .explanation import explained
from .record import Record
from .replay import Caller, modes

MOST_RECORDS = 8   # of one kind of arguments
MOST_KINDS = 64    # that are remembered
MOST_MISSES = 16   # calls of a kind one after another that had to be recorded anew


class Kind:
    """What is known of the calls with arguments of one kind."""

    def __init__(self, others):
        self.others = others  # arguments by identity, which is not to be used again
        self.records, self.misses = [], 0

    def fitting(self, tensors):
        """The recording that a call can replay, or None."""
        for record in reversed(self.records):
            if record.fits(tensors):
                self.misses = 0
                return record
        return None

    def add(self, record):
        """Keep a recording, in the place of the oldest if there are many."""
        if len(self.records) == MOST_RECORDS:
            del self.records[0]
        self.records.append(record)

    def can_record(self, tensors):
        """Whether the arguments lie apart from each other and from what the recordings use."""
        return not share_memory(tensors) and not any(
            record.meets_outside(tensors) for record in self.records)

    def drop(self, record):
        """Forget a recording, if it is one, that another is to replace; returns its places."""
        if record is None:
            return None
        self.records.remove(record)
        record.program.let_go()
        return record.better_places


class Compiled(Caller):
    """A function whose kernels are recorded at the second call with arguments of a kind.

    They are recorded once more at the third where their memory can be laid out better then.
    """

    def __init__(self, function):
        self.function = function
        self._kinds = OrderedDict()
        if not isinstance(function, Module):
            functools.update_wrapper(self, function)

    def __get__(self, instance, owner=None):
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self):
        return f"<compiled {self.function!r}>"

    def __copy__(self):
        return self  # a function

    def __deepcopy__(self, memo):
        return self

    def _replayed(self, arguments, keywords):
        """(whether the call could be replayed or recorded, its result)."""
        key, tensors = self._key(arguments, keywords)
        kind = self._kinds.get(key)
        if kind is None:
            self._kinds[key] = Kind(others_in((arguments, keywords)))
            if len(self._kinds) > MOST_KINDS:
                self._kinds.popitem(last=False)
            return False, None
        self._kinds.move_to_end(key)
        record = kind.fitting(tensors)
        if record is None or record.better_places is not None:
            if kind.can_record(tensors):
                places = kind.drop(record)
                record = None  # its memory is let go of before the next one's is taken
                return self._recorded(kind, arguments, keywords, places)
            if record is None:
                return False, None
        if not keywords and len(tensors) == len(arguments) and all(
                map(operator.is_, tensors, arguments)):
            self.remember(record)
        return True, record.replay(tensors)

    def _key(self, arguments, keywords):
        """(what tells the kind of these arguments from others, the tensors among them)."""
        tensors = []
        key = (kind_of(arguments, tensors), kind_of(keywords, tensors) if keywords else None,
               modes())
        return key, tensors

    def _recorded(self, kind, arguments, keywords, places):
        if kind.misses > MOST_MISSES:
            return False, None
        kind.misses += 1
        if kind.misses > MOST_MISSES:
            warnings.warn(
                f"compile: {self.function!r} is not recorded any more with such arguments: each of "
                f"the last {MOST_MISSES} calls had to be recorded anew, since "
                f"{kind.records[-1].difference()} changes from call to call",
                RuntimeWarning, stacklevel=3)
            return False, None
        self.remember(None)
        record = Record(self.function, arguments, keywords, kind.others, places)
        kind.add(record)
        return True, record.first

    def records(self):
        """All recordings."""
        return [record for kind in self._kinds.values() for record in kind.records]

    def explain(self, *arguments, **keywords):
        """What the recordings do, as a text: kernels, how often and how long they run, and bytes.

        With arguments the function is called with them once, and the times of its recording are
        those of this call; others are what the kernels are taken to need on one thread.
        """
        with self.lock:
            texts = [explained(record, record.program.expected_seconds())
                     for record in self.records()]
            if arguments or keywords:
                texts = [explained(*self._timed(arguments, keywords))]
        return "\n\n".join(texts) or "no kernels recorded yet, 0 bytes"

    def _timed(self, arguments, keywords):
        """(recording, the seconds of each of its entries) of a call."""
        key, tensors = self._key(arguments, keywords)
        for _ in range(3):
            record = self._kinds[key].fitting(tensors) if key in self._kinds else None
            if record is not None:
                return record, record.timed_replay(tensors)
            self(*arguments, **keywords)
        raise RuntimeError("compile: explain: no recording fits two calls after each other")


class CompiledModule(Module):
    """A module that computes what another one does by a `Compiled`; the other is ``_orig_mod``.

    Attributes that it does not have itself are the other's.
    """

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module
        self.compiled = Compiled(module)
        self.train(module.training)

    def forward(self, *arguments, **keywords):
        return self.compiled(*arguments, **keywords)

    def __getattr__(self, name):
        if name == "_orig_mod":
            raise AttributeError(name)
        return getattr(self._orig_mod, name)

    def records(self):
        """All recordings."""
        return self.compiled.records()

    def explain(self, *arguments, **keywords):
        """`Compiled.explain`."""
        return self.compiled.explain(*arguments, **keywords)


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None,
            options=None, disable=False):
    """A function that computes what ``model``, a function or module, does, without its Python.

    The first call with arguments of a kind runs it, the second runs it and records its kernels,
    and later ones replay these: bit for bit the same results, gradients, buffers and parameters.
    Where the arrays' lifetimes, known by then, let a megabyte or more of memory be saved, the third
    call is recorded too.
    It is for functions of tensors, modules under `no_grad`, and above all for whole training
    steps, with backward pass and optimizer. Each shape, type and layout of the tensors and each
    value of the other arguments is a kind of its own. ``disable`` gives the function back as it
    is; the other settings are there for PyTorch's sake and change nothing.

    What the function reads in Python, such as attributes, globals and the tensors that they hold,
    is watched; where it has changed, the call is recorded anew. What it does in Python beside
    tensors, such as printing, is done only when it is recorded. A RuntimeError names the line that
    does what cannot be replayed: reading a tensor's value, making a tensor of a NumPy array,
    changing what it reads, an optimizer's step with a closure.

    Not seen are threads that the function starts, attributes looked up by other means than names,
    and elements of lists and arrays beyond the thousandth. Errors that operations raise in a replay
    reach the caller. The memory of ``.grad`` is written again by the next call.

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
    if disable:
        return model
    return CompiledModule(model) if isinstance(model, Module) else Compiled(model)
