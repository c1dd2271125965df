"""`Fused`: optimizers whose step is one launch of a kernel over all tensors of a group."""

from collections import defaultdict

import numpy

from .. import tape
from .._kernels import memory
from ..tensor import is_number
from .optimizer import Optimizer
from .rows import step_group, update_rows


class Fused(Optimizer):
    """The base of the optimizers that update by a kernel.

    A subclass says which states a parameter has (`_states`), which kernel updates them
    (`_kernel`) and which numbers that kernel is given (`_numbers`). Every update is fused, whatever
    ``foreach`` and ``fused`` say.
    """

    def _states(self, group):
        """The states that are tensors, in the kernel's order, and what each is filled with."""
        raise NotImplementedError

    def _kernel(self, group):
        raise NotImplementedError

    def _numbers(self, group, position):
        """The settings as the kernel reads them, for parameters at that `_position`."""
        raise NotImplementedError

    def _position(self, group, state, fresh):
        """Go on by a step in a parameter's state: its number, and what else the numbers need."""
        state["step"] = state.get("step", 0) + 1
        return state["step"]

    def _start(self, group, state, parameter):
        """Put the tensors into a parameter's state that it has not yet."""
        for name, value in self._states(group).items():
            if state.get(name) is None:
                state[name] = filled_like(parameter, value)

    _step_group = step_group

    def _update_copies(self, kernel, rows, numbers):
        """Update several types at once, and arrays in other orders than their parameter."""
        name = type(self).__name__
        for row in rows:
            _check_row(name, *row)
        copies, by_type = [_dense(row) for row in rows], defaultdict(list)
        for copied in copies:
            by_type[copied[0].dtype].append(copied)
        for dtype, same_type in by_type.items():
            if not update_rows(kernel, same_type, numbers):
                raise RuntimeError(f"{name}: the tensors of {dtype} do not fit")
        for row, copied in zip(rows, copies, strict=True):
            for index, (array, used) in enumerate(zip(row, copied, strict=True)):
                if used is not array and index != 1:
                    numpy.copyto(array, used)


def filled_like(parameter, value):
    """A tensor of the shape, type and memory order of a parameter."""
    array = memory.empty_like(parameter.array)
    array[...] = value
    return tape.from_array(array)


def sign_of(group):
    """What the kernels multiply gradients by."""
    return -1.0 if group["maximize"] else 1.0


def decay_of(group):
    """Weight decay as the kernels read it: (factor added to the gradient, factor of the weight)."""
    decay = group["weight_decay"]
    return (0.0, 1 - group["lr"] * decay) if group["decoupled_weight_decay"] else (decay, 1.0)


def check_range(optimizer, **settings):
    """Raise for a setting that is no number, or below 0."""
    for name, value in settings.items():
        if not is_number(value):
            raise TypeError(f"{optimizer}: {name} must be a number, got {value!r}")
        if not value >= 0:
            raise ValueError(f"{optimizer}: {name} must be at least 0, got {value}")


def check_betas(optimizer, betas):
    """Raise a ValueError unless both betas lie in [0, 1)."""
    if len(betas) != 2 or not all(is_number(beta) and 0 <= beta < 1 for beta in betas):
        raise ValueError(f"{optimizer}: betas must be two numbers in [0, 1), got {betas}")


def check_absent(optimizer, **settings):
    """Refuse what this library does not offer."""
    for name, value in settings.items():
        if value:
            raise ValueError(f"{optimizer}: {name}={value!r} is not offered")


def _check_row(optimizer, parameter, gradient, *state):
    for name, array in (("gradient", gradient), *(("state", each) for each in state)):
        if array.dtype != parameter.dtype:
            raise TypeError(f"{optimizer}: a {name} is {array.dtype}, its parameter "
                            f"{parameter.dtype}")
        if array.shape != parameter.shape:
            raise ValueError(f"{optimizer}: a {name} has shape {array.shape}, its parameter "
                             f"{parameter.shape}")


def _dense(row):
    """The arrays of a row, or copies, in the memory order of the parameter, without gaps."""
    model = memory.empty_like(row[0])
    arrays = []
    for array in row:
        if array.strides != model.strides or not array.flags.behaved:
            original, array = array, memory.empty_like(model)
            numpy.copyto(array, original)
        arrays.append(array)
    return arrays
