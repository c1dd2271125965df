"""Gradients against finite differences, as PyTorch's ``gradcheck`` and ``gradgradcheck``."""

import warnings
from contextlib import contextmanager

import numpy

from .. import dtypes, tape
from ..tensor import Tensor
from .modes import enable_grad
from .walks import grad

# f'(x) from f at four points around x; the error falls with the fourth power of the step.
STENCIL = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))


class GradcheckError(RuntimeError):
    """A gradient differs from the finite differences, or from itself in a second run."""


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True,
              nondet_tol=0.0, fast_mode=False):
    """Check the gradients of ``func`` at ``inputs`` against finite differences.

    ``inputs`` is a tensor or a sequence of arguments; those that require gradients are moved by
    ``eps`` and must be float64 for the differences to mean something (float32 is a warning).
    Every floating-point tensor that ``func`` returns counts. The whole Jacobian is compared,
    ``abs(analytical - numerical) <= atol + rtol * abs(numerical)``; with ``fast_mode`` only its
    product with one random direction of the inputs and one of the outputs, the same ones at each
    call, at a cost that does not grow with the sizes. Two backward passes may differ by
    ``nondet_tol``.

    Returns True, or raises GradcheckError (with ``raise_exception=False`` returns False). A
    ValueError if no input requires gradients.

    >>> import fastnn
    >>> x = fastnn.tensor([0.5, -1.0], dtype=fastnn.float64, requires_grad=True)
    >>> fastnn.autograd.gradcheck(lambda x: x.sin() * x, x)
    True
    """
    inputs = _as_tuple(inputs)
    leaves = _leaves("gradcheck", inputs)
    check = _check_directions if fast_mode else _check_jacobians
    try:
        with enable_grad():
            _check_repeats(func, inputs, leaves, nondet_tol)
            check(func, inputs, leaves, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3,
                  raise_exception=True, nondet_tol=0.0, fast_mode=False):
    """Check the gradients of the gradients of ``func``, as ``gradcheck`` does those of ``func``.

    ``grad_outputs`` are the gradients to start from, one for each output; random ones by default.

    >>> import fastnn
    >>> x = fastnn.tensor([0.5, -1.0], dtype=fastnn.float64, requires_grad=True)
    >>> fastnn.autograd.gradgradcheck(lambda x: x.sin() * x, x)
    True
    """
    inputs = _as_tuple(inputs)
    leaves = _leaves("gradgradcheck", inputs)
    with enable_grad():
        outputs = _outputs(func, inputs)
    if grad_outputs is None:
        random = numpy.random.default_rng(1)
        grad_outputs = [_constant(random.standard_normal(output.shape), output.dtype)
                        for output in outputs]
    upstream = [each.detach().requires_grad_() for each in _as_tuple(grad_outputs)]

    def first_gradients(*arguments):
        outputs = _outputs(func, arguments[:len(inputs)])
        found = grad(outputs, leaves, arguments[len(inputs):], create_graph=True,
                              allow_unused=True)
        # 0 * leaf keeps a gradient on the tape that does not depend on the inputs any more.
        return tuple(each if each.requires_grad else each + 0 * leaf
                     for each, leaf in zip(found, leaves, strict=True) if each is not None)

    return gradcheck(first_gradients, (*inputs, *upstream), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, nondet_tol=nondet_tol, fast_mode=fast_mode)


def _as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _leaves(name, inputs):
    """The inputs that require gradients."""
    leaves = [each for each in inputs if isinstance(each, Tensor) and each.requires_grad]
    if not leaves:
        raise ValueError(f"{name}: no input is a tensor that requires gradients")
    if any(leaf.dtype != dtypes.float64 for leaf in leaves):
        warnings.warn(f"{name}: an input is {dtypes.float32}; differences need {dtypes.float64}",
                      stacklevel=3)
    return leaves


def _constant(array, dtype):
    return tape.from_array(numpy.asarray(array, dtype))


def _outputs(func, arguments):
    """What ``func`` returns, as far as it is floating-point tensors on the tape."""
    outputs = [each for each in _as_tuple(func(*arguments))
               if isinstance(each, Tensor) and each.requires_grad]
    if not outputs:
        raise ValueError("gradcheck: func returned no tensor that requires gradients")
    return outputs


def _gradients(outputs, leaves, upstream):
    """The gradients as arrays, zeros for a leaf that was not used."""
    found = grad(outputs, leaves, upstream, retain_graph=True, allow_unused=True)
    return [numpy.zeros(leaf.shape) if each is None else each.detach().array
            for each, leaf in zip(found, leaves, strict=True)]


@contextmanager
def _moved(leaves, directions, step):
    """The leaves hold other arrays for a while: their own ones moved along ``directions``."""
    before = [leaf.array for leaf in leaves]
    try:
        for leaf, array, direction in zip(leaves, before, directions, strict=True):
            leaf._set_array(numpy.asarray(array + step * direction, array.dtype))
        yield
    finally:
        for leaf, array in zip(leaves, before, strict=True):
            leaf._set_array(array)


def _difference(func, inputs, leaves, directions, eps):
    """The derivative of each output along the directions, by four differences."""
    total = None
    for place, weight in STENCIL:
        with _moved(leaves, directions, place * eps):
            values = [weight / eps * output.detach().array.astype(numpy.float64)
                      for output in _outputs(func, inputs)]
        total = values if total is None else [a + b for a, b in zip(total, values, strict=True)]
    return total


def _check_repeats(func, inputs, leaves, tolerance):
    """Two backward passes must agree, and give each leaf a gradient of its shape and type."""
    outputs = _outputs(func, inputs)
    random = numpy.random.default_rng(2)
    upstream = [_constant(random.standard_normal(output.shape), output.dtype)
                for output in outputs]
    found = grad(outputs, leaves, upstream, retain_graph=True, allow_unused=True)
    for number, (leaf, gradient) in enumerate(zip(leaves, found, strict=True)):
        if gradient is not None and (gradient.shape, gradient.dtype) != (leaf.shape, leaf.dtype):
            raise GradcheckError(
                f"gradcheck: the gradient of input {number} is {gradient.dtype} of shape "
                f"{tuple(gradient.shape)}, the input {leaf.dtype} of shape {tuple(leaf.shape)}")
    again = _gradients(outputs, leaves, upstream)
    for number, (one, other) in enumerate(zip(found, again, strict=True)):
        if one is not None and not numpy.allclose(one.detach().array, other, 0, tolerance, True):
            raise GradcheckError(
                f"gradcheck: two backward passes differ in the gradient of input {number}")


def _unit(random, shape):
    direction = random.standard_normal(shape)
    return direction / max(numpy.sqrt(numpy.sum(direction * direction)), 1e-30)


def _check_directions(func, inputs, leaves, eps, atol, rtol):
    """For each leaf by itself: v' J u from the tape and from differences."""
    random = numpy.random.default_rng(3)
    outputs = _outputs(func, inputs)
    upstream = [random.standard_normal(output.shape) for output in outputs]
    analytical = _gradients(outputs, leaves, [
        _constant(v, output.dtype) for v, output in zip(upstream, outputs, strict=True)])
    for number, (leaf, gradient) in enumerate(zip(leaves, analytical, strict=True)):
        direction = _unit(random, leaf.shape)
        moves = _difference(func, inputs, [leaf], [direction], eps)
        numerical = sum(numpy.sum(v * move) for v, move in zip(upstream, moves, strict=True))
        _compare(f"input {number} along one direction", numpy.sum(gradient * direction),
                 numerical, atol, rtol)


def _check_jacobians(func, inputs, leaves, eps, atol, rtol):
    """Every derivative of every output by every element of every leaf."""
    outputs = _outputs(func, inputs)
    analytical = [_analytical_rows(outputs, place, leaves) for place in range(len(outputs))]
    for number, leaf in enumerate(leaves):
        for index in numpy.ndindex(*leaf.shape):
            direction = numpy.zeros(leaf.shape)
            direction[index] = 1
            moves = _difference(func, inputs, [leaf], [direction], eps)
            for place, move in enumerate(moves):
                _compare(f"output {place} by input {number} at {list(index)}",
                         analytical[place][number][:, *index], move.reshape(-1), atol, rtol)


def _analytical_rows(outputs, place, leaves):
    """For each leaf an array (elements of the output, shape of the leaf)."""
    output = outputs[place]
    rows = [numpy.zeros((output.numel(), *leaf.shape)) for leaf in leaves]
    for element in range(output.numel()):
        upstream = numpy.zeros(output.numel(), output.dtype)
        upstream[element] = 1
        found = _gradients([output], leaves, [_constant(upstream.reshape(output.shape),
                                                        output.dtype)])
        for row, gradient in zip(rows, found, strict=True):
            row[element] = gradient
    return rows


def _compare(where, analytical, numerical, atol, rtol):
    if not numpy.allclose(analytical, numerical, rtol, atol):
        raise GradcheckError(
            f"gradcheck: derivative of {where}: the tape gives {analytical}, "
            f"finite differences {numerical}")
