"""Weight normalisation: a weight as its length and its direction, learned apart."""

from ...ops.arithmetic import sqrt
from ..parameter import Parameter


def norm_except(tensor, dim):
    """The norms over all dimensions but ``dim``, which stay with size 1; with dim -1 over all."""
    dims = None if dim == -1 else [i for i in range(tensor.ndim) if i != dim % tensor.ndim]
    squares = tensor * tensor
    if dims == []:
        return sqrt(squares)
    return sqrt(squares.sum(dims, keepdim=dims is not None))


def joined(length, direction, dim):
    """The weight of a length and a direction."""
    return direction * (length / norm_except(direction, dim))


class WeightNorm:
    """Makes a module's weight before each forward, as a hook."""

    def __init__(self, name, dim):
        self.name, self.dim = name, -1 if dim is None else dim

    def weight(self, module):
        """The weight, on the tape."""
        return joined(getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v"),
                      self.dim)

    def __call__(self, module, args):
        setattr(module, self.name, self.weight(module))


def registered(module, kind, name):
    """(number, hook) of a module's hook of a class and name, or None."""
    for number, (_, hook) in module._hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return number, hook
    return None


def taken_out(caller, module, kind, name):
    """The hook of a class and name, taken out of the module; else a ValueError."""
    found = registered(module, kind, name)
    if found is None:
        raise ValueError(f"{caller}: {type(module).__name__} has none for {name!r}")
    del module._hooks[found[0]]
    return found[1]


def parameter_of(caller, module, name):
    """The parameter of a name; else a ValueError."""
    parameter = module._parameters.get(name)
    if parameter is None:
        raise ValueError(f"{caller}: {type(module).__name__} has no parameter {name!r}")
    return parameter


def weight_norm(module, name="weight", dim=0):
    """Replace a parameter by its length ``name_g`` along ``dim`` and its direction ``name_v``.

    With ``dim=None`` there is one length. Salimans and Kingma, Weight Normalization, 2016.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.weight_norm(fastnn.nn.Linear(3, 2))
    >>> list(layer.state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    if registered(module, WeightNorm, name):
        raise RuntimeError(f"weight_norm: {type(module).__name__} has one for {name!r} already")
    weight, hook = parameter_of("weight_norm", module, name), WeightNorm(name, dim)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight, hook.dim).detach()))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, ())
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module, name="weight"):
    """Turn the weight of a module with ``weight_norm`` into a plain parameter again.

    >>> import fastnn
    >>> layer = fastnn.nn.utils.weight_norm(fastnn.nn.Linear(3, 2))
    >>> list(fastnn.nn.utils.remove_weight_norm(layer).state_dict())
    ['bias', 'weight']
    """
    hook = taken_out("remove_weight_norm", module, WeightNorm, name)
    weight = hook.weight(module).detach()
    for each in (name, f"{name}_g", f"{name}_v"):
        delattr(module, each)
    module.register_parameter(name, Parameter(weight))
    return module
