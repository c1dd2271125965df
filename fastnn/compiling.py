"""`compile`: record a function's kernels once, and replay them without Python."""

from . import tape
from ._kernels import program
from .tensor import Tensor


class Compiled:
    """A function whose kernels are recorded at the second call with inputs of a kind."""

    def __init__(self, function):
        self.function = function
        self.recorded, self.seen = {}, set()

    def __call__(self, *inputs):
        key = tuple((each.array.shape, each.array.dtype, each.array.strides) for each in inputs)
        record = self.recorded.get(key)
        if record is not None:
            return record.replay(inputs)
        if key not in self.seen:
            self.seen.add(key)
            return self.function(*inputs)
        record = _Record(self.function, inputs)
        self.recorded[key] = record
        return record.first


class _Record:
    def __init__(self, function, inputs):
        self.program = program.Program()
        self.inputs = [each.clone() for each in inputs]
        with self.program:
            result = function(*self.inputs)
        self.result = result
        self.first = result.detach().clone()

    def replay(self, inputs):
        for own, each in zip(self.inputs, inputs):
            own.array[...] = each.array
        self.program.replay()
        return tape.from_array(self.result.array.copy())


def compile(function):
    return Compiled(function)
