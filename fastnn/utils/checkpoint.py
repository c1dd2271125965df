"""Checkpoints: parts of a network whose inner results are computed again in the backward pass."""

import contextlib
import warnings

import numpy

from .. import tape, walk
from .._kernels import program
from ..autograd.modes import enable_grad, no_grad
from ..generator import default_generator
from ..tensor import Tensor

__all__ = ["checkpoint", "checkpoint_sequential"]


def _no_contexts():
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(function, *args, use_reentrant=None, context_fn=_no_contexts,
               determinism_check="default", debug=False, early_stop=True, preserve_rng_state=True,
               **kwargs):
    """``function(*args, **kwargs)``, without keeping what its backward pass needs until then.

    The function is called again in the backward pass; with ``preserve_rng_state`` random numbers
    are then those of the first call. It may return a tensor, or tuples, lists and dicts of them.
    With ``use_reentrant=True`` gradients flow only where an argument requires them, and there are
    no ``kwargs``, as in PyTorch; otherwise also to parameters alone. ``context_fn`` gives the
    contexts of the first and of the second call. While it runs, the function keeps what any other
    call would: the most memory is that of one part, not of the sum of all.

    >>> import fastnn
    >>> x = fastnn.tensor(2.0, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().square(), x, use_reentrant=False).backward()
    >>> bool(x.grad == 2 * (2 * x).exp())
    True
    """
    if use_reentrant and kwargs:
        raise ValueError(f"checkpoint: unexpected arguments {', '.join(kwargs)}; "
                         "use_reentrant=False accepts them")
    if use_reentrant and context_fn is not _no_contexts:
        raise ValueError("checkpoint: context_fn needs use_reentrant=False")
    if not tape.is_grad_enabled():
        return function(*args, **kwargs)
    if use_reentrant and not any(_requires_grad(each) for each in args):
        warnings.warn("checkpoint: no argument requires gradients, there will be none",
                      stacklevel=2)
        with no_grad():
            return function(*args)
    return _Part(function, args, kwargs, context_fn, preserve_rng_state).run()


def _requires_grad(value):
    return isinstance(value, Tensor) and value.requires_grad


class _Part:
    """A call that is made again in the backward pass: the operation of its joint node.

    Each output has a node, all of which lead to the joint one; see ``autograd.function``.
    """

    name = "checkpoint"

    def __init__(self, function, args, kwargs, context_fn, preserve_rng_state):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.first_context, self.second_context = context_fn()
        self.random_state = default_generator.get_state() if preserve_rng_state else None
        self.arrived = {}

    def run(self):
        first = tape.next_number()
        with self.first_context:
            result = self.function(*self.args, **self.kwargs)
        outputs = _tensors(result)
        places = [place for place, each in enumerate(outputs) if each.requires_grad]
        if not places:
            return result
        self.ends = _ends([outputs[place] for place in places], first)
        self.shapes = [(each.array.shape, each.dtype) for each in outputs]
        holder = tape.from_array(program.constant(numpy.zeros(0)))
        tape.record_operation(holder, self, None, self.ends, (), False)
        replaced = [self.attached(each, place, holder.grad_fn) if place in places else each
                    for place, each in enumerate(outputs)]
        return _with_tensors(result, iter(replaced))

    def attached(self, output, place, joint):
        result = output.detach()
        tape.record_operation(result, _Output(self, place), None, (joint,), (), False)
        return result

    def vjp(self, node, mark):
        """Compute again, and walk back from the outputs whose gradients came."""
        outputs = self.again(*node.saved)
        came = [place for place, count in enumerate(mark.array) if count]
        gradients = [self.arrived[place] for place in came]
        self.arrived = {}
        return walk.gradients_at([outputs[place] for place in came], gradients, list(self.ends),
                                 tape.is_grad_enabled())

    def again(self):
        """The outputs once more, with the random numbers of the first call."""
        present = default_generator.get_state()
        if self.random_state is not None:
            default_generator.set_state(self.random_state)
        try:
            with enable_grad(), self.second_context:
                outputs = _tensors(self.function(*self.args, **self.kwargs))
        finally:
            if self.random_state is not None:
                default_generator.set_state(present)
        shapes = [(each.array.shape, each.dtype) for each in outputs]
        if shapes != self.shapes:
            raise RuntimeError(f"checkpoint: the second call gave {shapes}, the first "
                               f"{self.shapes}")
        return outputs


def _ends(tensors, first):
    """Leaves, and nodes recorded before number ``first``, on which tensors depend."""
    ends, seen, stack = {}, set(), [each.grad_fn or each for each in tensors]
    while stack:
        target = stack.pop()
        if target in seen:
            continue
        seen.add(target)
        if isinstance(target, tape.Node) and target.number >= first:
            stack.extend(edge for edge in target.edges if edge is not None)
        else:
            ends[target] = None
    return tuple(ends)


class _Output:
    """The operation of an output's node: it marks which gradients came."""

    name = "checkpoint"

    def __init__(self, part, place):
        self.part, self.place = part, place

    def vjp(self, node, gradient):
        self.part.arrived[self.place] = gradient
        mark = numpy.zeros(len(self.part.shapes))
        mark[self.place] = 1
        return tape.from_array(program.constant(mark))


def _tensors(value):
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for each in value for tensor in _tensors(each)]


def _with_tensors(value, tensors):
    """The same nesting with other tensors."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, dict):
        return {key: _with_tensors(each, tensors) for key, each in value.items()}
    if not isinstance(value, (tuple, list)):
        return value
    parts = [_with_tensors(each, tensors) for each in value]
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Run modules one after the other, in ``segments`` parts of which all but the last are
    checkpoints.

    >>> import fastnn
    >>> net = fastnn.nn.Sequential(fastnn.nn.Linear(2, 2), fastnn.nn.ReLU(), fastnn.nn.Linear(2, 1))
    >>> checkpoint_sequential(net, 2, fastnn.ones(3, 2), use_reentrant=False).shape
    fastnn.Size([3, 1])
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"checkpoint_sequential: unexpected arguments {', '.join(kwargs)}")
    functions = list(functions)
    if not 1 <= segments <= len(functions):
        raise ValueError(f"checkpoint_sequential: segments is {segments}, expected 1 to "
                         f"{len(functions)}")
    size = len(functions) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(_in_turn(functions[start:start + size]), input,
                           use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return _in_turn(functions[size * (segments - 1):])(input)


def _in_turn(functions):
    def run(input):
        for each in functions:
            input = each(input)
        return input

    return run
