"""`state_dict` and `load_state_dict` of modules."""

from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from ..tensor import Tensor
from .parameter import Parameter

SAVE_BEFORE, SAVE_AFTER = "before saving", "after saving"
LOAD_BEFORE, LOAD_AFTER = "before loading", "after loading"
EXTRA = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What ``load_state_dict`` returns: two lists of keys."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if any(self) else "<All keys matched successfully>"


def collect(module, destination, prefix, keep_vars):
    """Put the state of a module, then those of its submodules, into a dict."""
    _call(module, SAVE_BEFORE, prefix, keep_vars)
    for name, tensor in _own(module):
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    if _has_extra(module, "get_extra_state"):
        destination[prefix + EXTRA] = module.get_extra_state()
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                             keep_vars=keep_vars)
    _call(module, SAVE_AFTER, destination, prefix, {})
    return destination


def _own(module):
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name, parameter
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent:
            yield name, buffer


def _call(module, kind, *arguments):
    for each, hook in list(module._state_hooks.values()):
        if each == kind:
            hook(module, *arguments)


def _has_extra(module, method):
    """Whether a subclass has written the method."""
    return getattr(getattr(type(module), method), "__module__", None) != "fastnn.nn.module"


def load(module, state_dict, strict, assign):
    """Copy a state into a module, or put its tensors there: all of it or nothing."""
    name = f"load_state_dict of {type(module).__name__}"
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"{name}: expected a dict of Tensors, got {type(state_dict).__name__}")
    given, modules = OrderedDict(state_dict), _modules(module)
    missing, unexpected, problems = [], [], []
    for prefix, each in modules:
        _call(each, LOAD_BEFORE, given, prefix, {}, strict, missing, unexpected, problems)
    own = {prefix + key: tensor for prefix, each in modules for key, tensor in _own(each)}
    extra = {prefix + EXTRA: each for prefix, each in modules
             if _has_extra(each, "set_extra_state")}
    known = {**own, **extra}
    missing += [key for key in known if key not in given]
    unexpected += [key for key in given if key not in known]
    problems += filter(None, (_problem(key, given[key], own[key]) for key in own if key in given))
    result = IncompatibleKeys(missing, unexpected)
    _refuse(name, problems, result, strict and not any(
        kind == LOAD_AFTER for _, each in modules for kind, _ in each._state_hooks.values()))
    for key, tensor in own.items():
        if key in given:
            _put(module, key, tensor, given[key], assign)
    for key, each in extra.items():
        if key in given:
            each.set_extra_state(given[key])
    for _, each in reversed(modules):
        _call(each, LOAD_AFTER, result)
    _refuse(name, problems, result, strict)
    return result


def _modules(module):
    """All modules with the prefixes of their keys."""
    return [(f"{path}." if path else "", each)
            for path, each in module.named_modules(remove_duplicate=False)]


def _refuse(name, problems, keys, strict):
    if strict:
        problems = [*problems, *(f"missing key {key}" for key in keys.missing_keys),
                    *(f"unexpected key {key}" for key in keys.unexpected_keys)]
    if problems:
        raise RuntimeError(f"{name}: {'; '.join(problems)}")


def _put(module, key, tensor, value, assign):
    """Copy a value into a tensor, or put it in its place.

    There a parameter keeps its ``requires_grad``.
    """
    if not assign:
        tensor.detach().copy_(value.detach().to(tensor.dtype))
        return
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
    return None
