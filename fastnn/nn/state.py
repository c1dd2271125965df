"""`state_dict` and `load_state_dict` of modules."""

from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from ..tensor import Tensor
from .parameter import Parameter

IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])


def collect(module, prefix, keep_vars):
    """The parameters and persistent buffers below a module, by path."""
    state = OrderedDict()
    for path, each in module.named_modules(remove_duplicate=False):
        start = f"{prefix}{path}." if path else prefix
        for name, tensor in _own(each):
            state[start + name] = tensor if keep_vars else tensor.detach()
    return state


def _own(module):
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name, parameter
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent:
            yield name, buffer


def load(module, state_dict, strict, assign):
    """Copy a state into a module, or put its tensors there: all of it or nothing."""
    name = f"load_state_dict of {type(module).__name__}"
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"{name}: expected a dict of Tensors, got {type(state_dict).__name__}")
    own = collect(module, "", False)
    missing = [key for key in own if key not in state_dict]
    unexpected = [key for key in state_dict if key not in own]
    given = {key: state_dict[key] for key in own if key in state_dict}
    problems = list(filter(None, (_problem(key, given[key], own[key]) for key in given)))
    if strict:
        problems += [f"missing key {key}" for key in missing]
        problems += [f"unexpected key {key}" for key in unexpected]
    if problems:
        raise RuntimeError(f"{name}: {'; '.join(problems)}")
    for key, value in given.items():
        if assign:
            _assign(module, key, value)
        else:
            own[key].copy_(value.detach().to(own[key].dtype))
    return IncompatibleKeys(missing, unexpected)


def _assign(module, key, value):
    """Put a tensor in the place of a parameter, whose ``requires_grad`` it takes, or a buffer."""
    path, _, name = key.rpartition(".")
    owner = module.get_submodule(path)
    parameter = owner._parameters.get(name)
    if parameter is not None:
        value = Parameter(value.detach(), parameter.requires_grad)
    setattr(owner, name, value)


def _problem(key, value, mine):
    """What keeps a value from being copied to the tensor of its key, or None."""
    if not isinstance(value, Tensor):
        return f"{key}: expected a Tensor, got {type(value).__name__}"
    if value.shape != mine.shape:
        return f"{key}: shape {tuple(value.shape)}, expected {tuple(mine.shape)}"
