"""A recording of one call: its kernels, what they rely on, and where results and gradients lie."""

import inspect
import os
import traceback

import numpy
from numpy.lib.array_utils import byte_bounds

from .. import tape
from .._kernels import recording, runtime
from ..tensor import Tensor
from . import checks
from .arguments import mapped, room_for
from .code import LIBRARY, PACKAGES, place_of_code
from .placement import extent, places_of
from .replay import Replay, copied
from .watch import Watch

WORTH_ANOTHER = 1 << 20  # bytes saved by places, for which a call is recorded once more
MOST_PLACED = 2000       # arrays: the time to find their places grows with the square


def place_of(error, otherwise):
    """File and line of the innermost call that is the user's, or what is given in its place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not frame.filename.startswith((LIBRARY + os.sep, *PACKAGES))
              and not frame.filename.endswith(".pyx")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else otherwise


def place_of_function(function):
    """File and first line of a function, or of a module's forward."""
    kind = type(function)
    for each in (inspect.unwrap(function), getattr(function, "__func__", None),
                 getattr(kind, "forward", None), vars(kind).get("__call__")):
        if hasattr(each, "__code__"):
            return place_of_code(each.__code__)
    return repr(function)


class Record(Replay):
    """What a call of a function did, recorded while it did it.

    ``first`` is the result of that call. `fits` tells whether a replay would do what the function
    itself would do now, and `replay` does it. When the arrays live is known only now:
    ``better_places``, where there are any, are for a recording that takes the place of this one.
    """

    def __init__(self, function, arguments, keywords, others, places=None):
        runtime.trim()  # what calls without a recording have used
        self.program = recording.Program(checks.bind_gradients, tape.next_number(), places)
        self.versions = self.program.versions
        self.place = place_of_function(function)
        self.own, self.written, given = [], [], []
        taken = mapped((arguments, keywords), lambda leaf: self._take(leaf, given))
        self.watch = Watch((function, *others))
        try:
            result = self._run(function, *taken)
        finally:
            self.written = [index for index, own in enumerate(self.own) if own._version]
            self.write_back(given)
        self._keep_state()
        self.watch.check_unchanged(self.place)
        if self.meets_outside(given):
            self._refuse("an argument shares memory with a tensor that the function uses")
        mapped(result, self._check)
        self.template = result
        self.first = mapped(result, copied)
        self.better_places = self._better_places() if places is None else None
        runtime.trim()  # what the recording has used that this one replaces

    def _better_places(self):
        if len(self.program.lifetimes) > MOST_PLACED:
            return None
        places = places_of(self.program.lifetimes)
        return places if self.program.bytes - extent(places) >= WORTH_ANOTHER else None

    def _refuse(self, what, place=None):
        raise RuntimeError(f"compile: {place or self.place}: {what}") from None

    def _take(self, leaf, given):
        """A tensor of our own in the place of an argument."""
        if not isinstance(leaf, Tensor):
            return leaf
        for index, other in enumerate(given):
            if other is leaf:
                return self.own[index]
        if leaf.requires_grad:
            self._refuse("an argument requires gradients; detach() it")
        array = room_for(leaf.array)
        numpy.copyto(array, leaf.array)
        self.program.admit(array)
        own = tape.from_array(array)
        vars(own).update(vars(leaf))
        self.own.append(own)
        given.append(leaf)
        return own

    def write_back(self, given):
        """Give the caller's tensors the values of those that were changed in place."""
        for index in self.written:
            numpy.copyto(given[index].array, self.own[index].array)
            given[index]._bump_version()

    def _run(self, function, arguments, keywords):
        try:
            with self.program:
                result = function(*arguments, **keywords)
                self.program.flush()
        except recording.NotReplayable as error:
            self._refuse(error, place_of(error, self.place))
        if self.program.refusal is not None:
            self._refuse(self.program.refusal, place_of(self.program.refusal, self.place))
        return result

    def _keep_state(self):
        """Note the tensors from outside, their arrays, and the gradients that they started with."""
        kept = dict(self.program.witnesses)
        kept.update((id(each), (each, each.array)) for each in self.watch.tensors)
        self.tensors = [tensor for tensor, _ in kept.values()]
        self.arrays = [array for _, array in kept.values()]
        self.needs = [tensor.requires_grad and tensor.is_leaf for tensor in self.tensors]
        self.hooks = [checks.hooks_of(tensor) for tensor in self.tensors]
        self.ends = numpy.array([byte_bounds(array) for array in self.arrays],
                                numpy.uintp).reshape(-1, 2)
        started = [(leaf, gradient) for leaf, gradient in self.program.first_gradients.items()
                   if gradient is not recording.ANY and not self.program.made(leaf, leaf.array)]
        self.leaves = [leaf for leaf, _ in started]
        self.gradients = [gradient for _, gradient in started]

    def _check(self, leaf):
        if not isinstance(leaf, Tensor):
            self._refuse(f"a result of type {type(leaf).__name__} cannot be made anew; return "
                         "tensors and numbers, in tuples, lists or dicts")
        if leaf.requires_grad:
            self._refuse("a result is still on the tape; detach() it, compile the whole training "
                         "step, or call under no_grad()")

    def difference(self):
        """What is not as it was, in words."""
        if not checks.are_still(self.tensors, self.arrays, self.needs, self.hooks):
            return "the memory of a tensor, its hooks, or whether it requires gradients,"
        if not checks.have_gradients(self.leaves, self.gradients):
            return "which parameters have a gradient"
        return self.watch.difference() or "nothing"
