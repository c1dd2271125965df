"""`Function`: an operation of a user's own, with the forward and the backward written in Python.

Each output has a node; all of them lead to one joint node, which has a smaller number and so is
visited after them: it calls ``backward`` once with the gradients that have come.
"""

import functools

import numpy

from .. import tape
from .._kernels import program
from ..tensor import Tensor
from .modes import no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What ``forward`` hands on to ``backward``: saved tensors, marks, and any attribute."""

    def __init__(self, needs_input_grad):
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self.to_save = ()
        self.non_differentiable = ()
        self._saved = None

    def save_for_backward(self, *tensors):
        """Keep inputs or outputs for ``backward``; a later change of them in place is an error."""
        for each in tensors:
            if each is not None and not isinstance(each, Tensor):
                raise TypeError("save_for_backward: expected Tensors or None, got "
                                f"{type(each).__name__}; other values can be attributes of ctx")
        self.to_save = tensors

    @property
    def saved_tensors(self):
        """What `save_for_backward` was given."""
        return self.to_save if self._saved is None else self._saved()

    def mark_non_differentiable(self, *tensors):
        """Say of outputs that no gradients flow through them."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value):
        """Whether ``backward`` is given zeros for the gradient that did not come, or None."""
        self.materialize_grads = bool(value)

    def mark_dirty(self, *tensors):
        """Not offered: functions that change their inputs in place."""
        raise NotImplementedError("mark_dirty: a Function that changes its inputs in place is not "
                                  "offered; return new tensors")


class Function:
    """The base of operations with a forward and a backward of their own.

    ``forward(ctx, *args)`` computes one output or a tuple of them, and is not recorded; or
    ``forward(*args)`` does, and ``setup_context(ctx, inputs, output)`` saves what is needed.
    ``backward(ctx, *grad_outputs)`` returns a gradient, or None, for each argument; where it is
    written with operations, gradients of gradients exist. All are static methods.

    >>> import fastnn
    >>> class Cube(fastnn.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         x, = ctx.saved_tensors
    ...         return gradient * 3 * x * x
    >>> x = fastnn.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    def __init__(self):
        name = type(self).__name__
        raise RuntimeError(f"{name}: a Function has no instances; call {name}.apply")

    @staticmethod
    def forward(*args):
        """Compute the outputs; subclasses write it."""
        raise NotImplementedError("Function: a subclass defines forward")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Save what ``backward`` needs, where ``forward`` takes no ``ctx``."""
        raise NotImplementedError("Function: setup_context is not defined")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of the inputs; subclasses write it."""
        raise NotImplementedError("Function: a subclass defines backward")

    @classmethod
    def apply(cls, *args):
        """Compute, and record for backward where an argument requires gradients."""
        needs = tuple(_requires_grad(each) for each in args)
        ctx = FunctionCtx(needs)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        for each in outputs:
            if not isinstance(each, Tensor):
                raise TypeError(f"{cls.__name__}.forward: expected Tensors as outputs, got "
                                f"{type(each).__name__}")
        if tape.is_grad_enabled() and any(needs):
            outputs = _Call(cls, ctx, args, outputs).record(args, outputs)
        return outputs if isinstance(result, tuple) else outputs[0]


def _requires_grad(value):
    return isinstance(value, Tensor) and value.requires_grad


class _Output:
    """The operation of an output's node: it hands the gradient to the call that it belongs to.

    What flows on to the joint node is a vector with a 1 at the place of the output. So the sum
    tells that node how many gradients came in this walk for each output.
    """

    def __init__(self, call, place):
        self.call, self.place, self.name = call, place, call.name

    def vjp(self, node, gradient):
        self.call.arrived[self.place].append(gradient)
        mark = numpy.zeros(len(self.call.arrived))
        mark[self.place] = 1
        return tape.from_array(program.constant(mark))


class _Call:
    """One call of a `Function`: the operation of its joint node."""

    def __init__(self, function, ctx, args, outputs):
        self.function, self.ctx = function, ctx
        self.name = f"{function.__name__}Backward"
        self.inputs = [(each.array.shape, each.dtype) if isinstance(each, Tensor) else None
                       for each in args]
        self.outputs = [(each.array.shape, each.dtype) for each in outputs]
        self.arrived = [[] for _ in outputs]

    def record(self, args, outputs):
        """The outputs, with a node where gradients flow through them."""
        without = {id(each) for each in self.ctx.non_differentiable}
        places = {id(each): place for place, each in enumerate(outputs)
                  if id(each) not in without and each.is_floating_point()}
        known = {id(each) for each in args}
        # An output that is saved is kept without its node, which would keep this call alive.
        self.own = [places.get(id(each)) if id(each) not in known else None
                    for each in self.ctx.to_save]
        kept = tuple(each if place is None else each.detach()
                     for each, place in zip(self.ctx.to_save, self.own, strict=True))
        self.ctx.to_save = ()
        holder = tape.from_array(program.constant(numpy.zeros(0)))
        tape.record_operation(holder, self, None, args, kept, False)
        return tuple(self.attached(each, place, holder.grad_fn) if id(each) in places
                     else each.detach() for place, each in enumerate(outputs))

    def attached(self, output, place, joint):
        """The output's memory as a tensor whose node leads to the joint one."""
        result = output.detach()
        tape.record_operation(result, _Output(self, place), None, (joint,), (), False)
        return result

    def saved_name(self, node, index):
        """What the tensor is that was saved at ``index``, for messages."""
        return f"tensor {index} of save_for_backward"

    def vjp(self, node, mark):
        """Call ``backward`` with what came, and check what it returns."""
        ctx = self.ctx
        ctx.needs_input_grad = node.needs
        ctx._saved = lambda: self.saved(node)
        try:
            result = self.function.backward(ctx, *self.gradients(mark))
        finally:
            ctx._saved = None
            self.arrived = [[] for _ in self.outputs]
        return self.checked(result if isinstance(result, tuple) else (result,))

    def saved(self, node):
        return tuple(each if place is None else self.attached(each, place, node)
                     for each, place in zip(node.saved, self.own, strict=True))

    def gradients(self, mark):
        """The gradient of each output: of those that came, the last are of this walk."""
        for count, came, (shape, dtype) in zip(mark.array, self.arrived, self.outputs,
                                               strict=True):
            if count:
                latest = came[len(came) - int(count):]
                yield functools.reduce(lambda a, b: a + b, latest)
            elif self.ctx.materialize_grads:
                yield tape.from_array(program.constant(numpy.zeros(shape, dtype)))
            else:
                yield None

    def checked(self, gradients):
        name, count = f"{self.function.__name__}.backward", len(self.inputs)
        if len(gradients) < count or any(each is not None for each in gradients[count:]):
            raise RuntimeError(f"{name}: returned {len(gradients)} gradients, expected {count}, "
                               "one for each argument of forward")
        return tuple(self.fitting(name, place, gradient)
                     for place, gradient in enumerate(gradients[:count]))

    def fitting(self, name, place, gradient):
        if gradient is None or self.inputs[place] is None:
            return None
        if not isinstance(gradient, Tensor):
            raise TypeError(f"{name}: gradient {place} must be a Tensor or None, got "
                            f"{type(gradient).__name__}")
        shape, dtype = self.inputs[place]
        if gradient.array.shape != shape:
            raise RuntimeError(f"{name}: gradient {place} has shape {tuple(gradient.shape)}, its "
                               f"input {shape}")
        return gradient.to(dtype)


class _Refusal:
    """The operation of gradients that cannot be differentiated again."""

    def __init__(self, name):
        self.name = name

    def vjp(self, node, gradient):
        raise RuntimeError(f"{self.name}: this backward is marked with once_differentiable, its "
                           "gradients cannot be differentiated again")


def once_differentiable(backward):
    """Decorator of a ``backward`` that is not written with operations, such as one over arrays."""

    @functools.wraps(backward)
    def wrapped(ctx, *gradients):
        with no_grad():
            result = backward(ctx, *gradients)
        sources = [each for each in (*gradients, *ctx.saved_tensors) if _requires_grad(each)]
        if not tape.is_grad_enabled() or not sources:
            return result
        several = isinstance(result, tuple)
        marked = []
        for each in result if several else (result,):
            if each is not None:
                each = each.detach()
                tape.record_operation(each, _Refusal(backward.__qualname__), None, tuple(sources),
                                      (), False)
            marked.append(each)
        return tuple(marked) if several else marked[0]

    return wrapped
