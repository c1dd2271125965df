"""Jacobians, Hessians and their products with vectors, of functions of one or several tensors."""

import numpy

from .. import tape
from .._kernels import program
from ..tensor import Tensor
from .modes import enable_grad
from .walks import grad, zeros_like

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False,
             strategy="reverse-mode"):
    """The derivative of each element of ``func(*inputs)`` by each element of the inputs.

    Of shape (*output, *input); for tuples of inputs or outputs, tuples of those, the outputs
    outside. With ``strict`` an output that does not depend on an input is an error, else zeros.

    >>> import fastnn
    >>> jacobian(lambda x: x * x, fastnn.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _check_strategy("jacobian", strategy)
    with enable_grad():
        points, several_inputs = _points("jacobian", inputs, create_graph)
        outputs, several_outputs = _outputs("jacobian", func(*points), points, strict)
        rows = tuple(_single(_rows(each, points, create_graph, strict), several_inputs)
                     for each in outputs)
    return _single(_released(rows, create_graph), several_outputs)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False,
            outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a function whose value is a single number.

    >>> import fastnn
    >>> hessian(lambda x: (x ** 3).sum(), fastnn.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy)

    def slope(*points):
        points = points if isinstance(inputs, (tuple, list)) else points[0]
        return jacobian(_one_number("hessian", func), points, create_graph=True, strict=strict)

    return jacobian(slope, inputs, create_graph=create_graph, strict=strict)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """``func(*inputs)``, and the product of the vector ``v`` with its Jacobian."""
    with enable_grad():
        points, several_inputs = _points("vjp", inputs, create_graph)
        outputs, several_outputs = _outputs("vjp", func(*points), points, strict)
        product = _slope(outputs, points, _vector("vjp", v, outputs), create_graph, strict)
    return (_single(_released(outputs, create_graph), several_outputs),
            _single(_released(product, create_graph), several_inputs))


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """``func(*inputs)``, and the product of its Jacobian with the vector ``v``.

    Computed as the gradient of the product with a vector from the left, which is linear in it.
    """
    with enable_grad():
        points, _ = _points("jvp", inputs, create_graph)
        vector = _vector("jvp", v, points)
        outputs, several_outputs = _outputs("jvp", func(*points), points, strict)
        left = tuple(zeros_like(each).requires_grad_() for each in outputs)
        slope = _slope(outputs, points, left, True, strict)
        product = _slope(slope, left, vector, create_graph, strict)
    return (_single(_released(outputs, create_graph), several_outputs),
            _single(_released(product, create_graph), several_outputs))


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """``func(*inputs)``, a single number, and the product of ``v`` with its Hessian."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """``func(*inputs)``, a single number, and the product of its Hessian with ``v``.

    The Hessian is symmetric: the same as `vhp`.
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name, func, inputs, v, create_graph, strict):
    with enable_grad():
        points, several_inputs = _points(name, inputs, create_graph)
        vector = _vector(name, v, points)
        outputs, _ = _outputs(name, _one_number(name, func)(*points), points, strict)
        slope = _slope(outputs, points, (None,), True, strict)
        product = _slope(slope, points, vector, create_graph, strict)
    return (_released(outputs, create_graph)[0],
            _single(_released(product, create_graph), several_inputs))


def _check_strategy(name, strategy):
    if strategy != "reverse-mode":
        raise ValueError(f"{name}: only the reverse-mode strategy is offered, got {strategy!r}")


def _points(name, inputs, create_graph):
    """The inputs as tensors to differentiate by, and whether they came as a tuple."""
    several = isinstance(inputs, (tuple, list))
    points = []
    for each in inputs if several else (inputs,):
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}: inputs must be Tensors, got {type(each).__name__}")
        connected = create_graph and each.requires_grad
        points.append(each.view_as(each) if connected else each.detach().requires_grad_())
    return tuple(points), several


def _outputs(name, result, points, strict):
    """The function's outputs as a tuple, and whether they came as one."""
    several = isinstance(result, (tuple, list))
    outputs = tuple(result) if several else (result,)
    for number, each in enumerate(outputs):
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}: the function must return Tensors, got {type(each).__name__}")
        if strict and not each.requires_grad:
            raise RuntimeError(f"{name}: output {number} does not depend on the inputs")
    return outputs, several


def _one_number(name, func):
    """The function, with a check that it returns a single number."""

    def checked(*points):
        result = func(*points)
        if not isinstance(result, Tensor):
            raise TypeError(f"{name}: the function must return a Tensor, got "
                            f"{type(result).__name__}")
        if result.numel() != 1:
            raise RuntimeError(f"{name}: the function must return a single number, got shape "
                               f"{tuple(result.shape)}")
        return result.reshape(())

    return checked


def _vector(name, v, alike):
    """The given vector as a tuple of tensors; ones for a single number."""
    if v is None:
        if len(alike) != 1 or alike[0].numel() != 1:
            raise RuntimeError(f"{name}: v must be given but for a single number")
        return tuple(tape.from_array(program.constant(numpy.ones_like(each.array)))
                     for each in alike)
    vector = tuple(v) if isinstance(v, (tuple, list)) else (v,)
    shapes = [tuple(each.shape) for each in vector]
    wanted = [tuple(each.shape) for each in alike]
    if shapes != wanted:
        raise RuntimeError(f"{name}: v has shapes {shapes}, expected {wanted}")
    return vector


def _slope(outputs, points, vector, create_graph, strict):
    """Gradients of those outputs that have a history; zeros where nothing arrives."""
    used = [(each, weight) for each, weight in zip(outputs, vector, strict=True)
            if each.requires_grad]
    gradients = [None] * len(points)
    if used:
        tensors, weights = zip(*used, strict=True)
        gradients = grad(tensors, points, weights, retain_graph=True, create_graph=create_graph,
                         allow_unused=True)
    if strict and any(each is None for each in gradients):
        number = [each is None for each in gradients].index(True)
        raise RuntimeError(f"strict: the result does not depend on input {number}")
    return tuple(zeros_like(point) if each is None else each
                 for each, point in zip(gradients, points, strict=True))


def _rows(output, points, create_graph, strict):
    """The Jacobian of one output by each of the points."""
    from ..ops.joining import stack  # operations may import the switches of this package

    rows = []
    for number in range(output.numel()):
        chosen = numpy.zeros(output.array.shape, output.dtype)
        chosen.reshape(-1)[number] = 1
        direction = tape.from_array(program.constant(chosen))
        rows.append(_slope((output,), points, (direction,), create_graph, strict))
    if not rows:
        return tuple(tape.from_array(program.constant(
            numpy.zeros((*output.shape, *point.shape), point.dtype)))
                     for point in points)
    return tuple(stack(column).reshape((*output.shape, *point.shape))
                 for column, point in zip(zip(*rows, strict=True), points, strict=True))


def _released(value, create_graph):
    """Without a history, unless that was asked for."""
    if create_graph:
        return value
    return tuple(_released(each, False) for each in value) if isinstance(value, tuple) \
        else value.detach()


def _single(values, several):
    return values if several else values[0]
