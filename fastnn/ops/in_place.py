"""Operations that overwrite a part of their first input: as new tensors, and in place."""

import math

import numpy

from .. import dtypes, tape
from .._kernels import memory, program
from ..operation import Operation


def overwriting(name, write, rule, saves=()):
    """An operation that gives its first input with a part of it overwritten.

    ``write(plan, target, *others)`` changes the array ``target``. The operation itself does so in
    a copy; its ``into`` in the memory of the tensor.
    """

    def forward(plan, x, *others):
        out = memory.copy(x, "K")
        write(plan, out, *others)
        return out

    return Operation(name, forward, rule, saves=saves, write=write)


def constant(value, dtype, operation="constant"):
    """A tensor without dimensions that holds a number, which must fit into the type."""
    return tape.from_array(program.constant(dtypes.one(operation, value, dtype)))


def _clear(path, gradient):
    """Zeros at the elements that a view, made by the steps of ``path``, shows."""
    shown = numpy.arange(math.prod(gradient.shape)).reshape(gradient.shape)
    for operation, plan in path:
        shown = operation.forward(plan, shown)
    out = memory.copy(gradient, "C")
    out.reshape(-1)[shown] = 0
    return out


_cleared = Operation("cleared", _clear, lambda node, gradient: _cleared(node.plan, gradient))


def _through_view_rule(node, gradient):
    shown = gradient
    for operation, plan in node.plan:
        shown = operation(plan, shown)
    return _cleared(node.plan, gradient), shown


write_through = Operation("write_through_view", None, _through_view_rule)
