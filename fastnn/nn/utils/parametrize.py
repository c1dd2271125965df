"""Parametrizations: a parameter of a module computed by other modules from tensors of their own."""

from ...autograd import no_grad
from ...tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter


class ParametrizationList(ModuleList):
    """The modules that a tensor passes, and what they start from: ``original`` or several."""

    def __init__(self, modules, original):
        super().__init__(modules)
        start = original
        with no_grad():
            for module in reversed(list(self)):
                inverse = getattr(module, "right_inverse", None)
                start = start if inverse is None else inverse(start)
        self.is_tensor = isinstance(start, Tensor)
        values = [start] if self.is_tensor else list(start)
        self.names = ["original"] if self.is_tensor else [
            f"original{i}" for i in range(len(values))]
        for name, value in zip(self.names, values, strict=True):
            if not isinstance(value, Tensor):
                raise TypeError("register_parametrization: right_inverse must return tensors, got "
                                f"{type(value).__name__}")
            self._keep(name, value, original)

    def _keep(self, name, value, original):
        if not isinstance(original, Parameter):
            self.register_buffer(name, value.detach())
        elif value is original:
            self.register_parameter(name, original)
        else:
            self.register_parameter(name, Parameter(value.detach(), original.requires_grad))

    @no_grad()
    def right_inverse(self, value):
        """Choose the tensors so that the result is ``value``."""
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrize: {type(module).__name__} has no right_inverse, so "
                                   "the tensor cannot be assigned")
            value = module.right_inverse(value)
        for name, each in zip(self.names, [value] if self.is_tensor else value, strict=True):
            getattr(self, name).copy_(each)

    def forward(self):
        first, *others = self
        result = first(*(getattr(self, name) for name in self.names))
        for module in others:
            result = module(result)
        return result


def _attribute(name):
    return property(lambda self: self.parametrizations[name](),
                    lambda self, value: self.parametrizations[name].right_inverse(value))


def _parametrized_class(kind):
    """A class as ``kind`` whose parametrized tensors are computed when they are asked for."""

    def __setattr__(self, name, value):
        if name in self.__dict__.get("parametrizations", ()):
            self.parametrizations[name].right_inverse(value)
        else:
            kind.__setattr__(self, name, value)

    return type(f"Parametrized{kind.__name__}", (kind,), {
        "__setattr__": __setattr__, "__module__": kind.__module__})


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Let ``module.tensor_name`` be computed by a module from the parameter of that name.

    The parameter moves to ``module.parametrizations.<tensor_name>.original``. If the
    parametrization has a method ``right_inverse``, its result is the start. Unless ``unsafe``, the
    shape and type of the tensor must stay.

    >>> import fastnn
    >>> class Symmetric(fastnn.nn.Module):
    ...     def forward(self, x):
    ...         return x + x.T
    >>> layer = fastnn.nn.Linear(2, 2)
    >>> layer = fastnn.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    if not isinstance(parametrization, Module):
        raise TypeError("register_parametrization: expected a Module, got "
                        f"{type(parametrization).__name__}")
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        steps = module.parametrizations[tensor_name]
        before = getattr(module, tensor_name)
        _check(module, tensor_name, before, parametrization(before), unsafe)
        steps.append(parametrization)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise ValueError(f"register_parametrization: {type(module).__name__} has no parameter or "
                         f"buffer {tensor_name!r}")
    steps = ParametrizationList([parametrization], original)
    _check(module, tensor_name, original, steps(), unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = _parametrized_class(type(module))
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _attribute(tensor_name))
    module.parametrizations.add_module(tensor_name, steps)
    return module


def _check(module, name, before, after, unsafe):
    if not unsafe and (before.shape != after.shape or before.dtype != after.dtype):
        raise ValueError(
            f"register_parametrization: {name} of {type(module).__name__} would change from "
            f"{before.dtype} of shape {tuple(before.shape)} to {after.dtype} of shape "
            f"{tuple(after.shape)}; pass unsafe=True if that is wanted")


def is_parametrized(module, tensor_name=None):
    """Whether a module has a parametrization, of one tensor or of any."""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Turn a parametrized tensor into a plain one: as computed, or else as it was stored."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: {type(module).__name__} has none for "
                         f"{tensor_name!r}")
    steps = module.parametrizations[tensor_name]
    if not leave_parametrized and not steps.is_tensor:
        raise ValueError("remove_parametrizations: there are several original tensors; use "
                         "leave_parametrized=True")
    stored = getattr(steps, steps.names[0])
    value = getattr(module, tensor_name).detach() if leave_parametrized else stored.detach()
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    if isinstance(stored, Parameter):
        module.register_parameter(tensor_name, Parameter(value, stored.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    return module
