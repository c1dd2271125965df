"""What the losses share: reductions, weights, and sums made in the loop of their formula."""

import numpy

from .. import dtypes
from .. import tensor as tensors
from .._kernels import losses
from ..operation import Operation, are_floating_alike
from .checks import floating

REDUCTIONS = ("mean", "sum", "none")
UNIT = dict(low=0.05, high=0.95)


def check_reduction(name, reduction, more=()):
    """Raise unless the reduction is one of those that there are."""
    if reduction not in (*REDUCTIONS, *more):
        raise ValueError(f"{name}: reduction must be one of {(*REDUCTIONS, *more)}, got "
                         f"{reduction!r}")


def reduced(values, reduction):
    """The values, their mean or their sum."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def broadcast(name, tensors_by_name):
    """The tensors, expanded to one shape, or a ValueError that names them."""
    shapes = {key: each.array.shape for key, each in tensors_by_name.items()}
    if len(set(shapes.values())) == 1:
        return tuple(tensors_by_name.values())
    try:
        shape = numpy.broadcast_shapes(*shapes.values())
    except ValueError:
        (first, size), (second, other) = list(shapes.items())[:2]
        rest = "".join(f", {key} {each}" for key, each in list(shapes.items())[2:])
        raise ValueError(f"{name}: {first} has shape {size}, {second} {other}{rest}") from None
    return tuple(each.expand(shape) for each in tensors_by_name.values())


def alike(name, reference, **others):
    """The other tensors in the floating-point type of the first, such as integer labels."""
    floating(name, **reference)
    (first,) = reference.values()
    for key, each in others.items():
        tensors.as_tensor(name, each)
        others[key] = each.to(first.dtype)
    return {**reference, **others}


def promoted(name, **given):
    """Tensors (None apart) in the type that they promote to, which is a floating-point one."""
    if are_floating_alike(*given.values()):
        return tuple(given.values())
    found = [tensors.as_tensor(name, each).array for each in given.values() if each is not None]
    dtype = dtypes.result_type(name, found, [])
    if dtype.kind != "f":
        floating(name, **given)
    return tuple(None if each is None else each.to(dtype) for each in given.values())


class Pointwise:
    """A loss that is an elementwise formula of some tensors, summed in the same loop."""

    def __init__(self, operation):
        self.operation = operation
        names = operation.formula.inputs
        self.positions = {name: position for position, name in enumerate(names)}
        self.parameters = tuple(operation.formula.parameters.values())
        self.summed = Operation(operation.name, losses.summed(operation.formula), self._rule,
                                saves=tuple(range(len(names))))

    def _rule(self, node, gradient):
        scale, parameters = node.plan
        scaled = gradient if scale == 1.0 else gradient * scale
        saved = node.saved
        return tuple([self._gradient(index, scaled, saved, parameters) if needed else None
                      for index, needed in enumerate(node.needs)])

    def _gradient(self, index, scaled, saved, parameters):
        slope, names = self.operation.derivative(index)
        if slope is None:
            return scaled.expand(saved[index].shape)
        return slope(scaled, *[saved[self.positions[name]] for name in names], *parameters)

    def values(self, *inputs, parameters=()):
        """The loss of each element."""
        return self.operation(*inputs, *(parameters or self.parameters))

    def __call__(self, name, inputs, reduction, parameters=(), weight=None):
        """Reduced over ``inputs``, which have one shape and type; ``weight`` multiplies."""
        if reduction != "mean":
            check_reduction(name, reduction)
        if weight is not None or reduction == "none":
            values = self.values(*inputs, parameters=parameters)
            return reduced(values if weight is None else values * weight, reduction)
        size = inputs[0].array.size
        mean = 1.0 / size if size else float("nan")
        return self.summed((mean if reduction == "mean" else 1.0, parameters or self.parameters),
                           *inputs)
