"""`backward` and `grad`: the tape's walks over several tensors."""

import numpy

from .. import tape, walk
from .._kernels import program
from ..tensor import Tensor


def zeros_like(tensor):
    """Zeros of the shape and type of a tensor."""
    return tape.from_array(program.constant(numpy.zeros_like(tensor.array)))


def _as_list(value):
    return [value] if isinstance(value, Tensor) else list(value)


def _gradients(given, count):
    if given is None:
        return [None] * count
    return [given] if isinstance(given, Tensor) else list(given)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, *, inputs=None):
    """Accumulate the gradients of several tensors in their leaves; see ``Tensor.backward``."""
    tensors = _as_list(tensors)
    inputs = None if inputs is None else _as_list(inputs)
    walk.backward(tensors, _gradients(grad_tensors, len(tensors)), retain_graph, create_graph,
                  inputs)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False,
         only_inputs=True, allow_unused=None, is_grads_batched=False, materialize_grads=False):
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple.

    ``.grad`` is not touched, and only what lies between both is computed. With ``create_graph`` the
    gradients can be differentiated again. An input that was not used is an error, or None with
    ``allow_unused``, or zeros with ``materialize_grads``. Batches of gradients are not offered.

    >>> import fastnn
    >>> x = fastnn.tensor(3.0, requires_grad=True)
    >>> first, = fastnn.autograd.grad(x * x * x, x, create_graph=True)
    >>> fastnn.autograd.grad(first, x)
    (tensor(18.),)
    """
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched is not offered; call grad for each")
    if not only_inputs:
        raise ValueError("grad: only_inputs=False is not offered; use backward")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads needs allow_unused")
    outputs, inputs = _as_list(outputs), _as_list(inputs)
    gradients = walk.grad(outputs, inputs, _gradients(grad_outputs, len(outputs)), retain_graph,
                          create_graph, bool(allow_unused) or materialize_grads)
    if not materialize_grads:
        return gradients
    return tuple(zeros_like(each) if gradient is None else gradient
                 for each, gradient in zip(inputs, gradients, strict=True))
