"""`Module`: a part of a network, with parameters, buffers and submodules."""

from collections import OrderedDict, namedtuple

from ..tensor import Tensor
from .parameter import Parameter

Incompatible = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])


class Module:
    """The base of all layers and networks: parameters and submodules are attributes.

    Assigning a `Parameter` or a `Module` to an attribute registers it; ``forward`` says what the
    module computes, and calling the module runs it with its hooks.

    >>> import fastnn
    >>> class Doubler(fastnn.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = fastnn.nn.Parameter(fastnn.tensor(2.0))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Doubler()(fastnn.tensor(3.0)).item()
    6.0
    """

    # Everything registered also lies in the instance's __dict__, so that self.weight is a plain
    # attribute (0.03 us) and not a call of __getattr__ (0.3 us).

    def __init__(self):
        for name in ("_parameters", "_buffers", "_modules", "_forward_hooks",
                     "_forward_pre_hooks"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_non_persistent", set())
        object.__setattr__(self, "training", True)

    def forward(self, *input):
        """What the module computes; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *args, **kwargs):
        if not self._forward_pre_hooks and not self._forward_hooks:
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(args, kwargs)

    def _call_with_hooks(self, args, kwargs):
        for hook in list(self._forward_pre_hooks.values()):
            replaced = hook(self, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
        result = self.forward(*args, **kwargs)
        for hook in list(self._forward_hooks.values()):
            replaced = hook(self, args, result)
            result = result if replaced is None else replaced
        return result

    def __setattr__(self, name, value):
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before assigning attributes")
        self._forget(name)
        if isinstance(value, Parameter):
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._modules[name] = value
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"buffer {name}: expected a Tensor or None, got "
                                f"{type(value).__name__}")
            self._buffers[name] = value
        elif name in self._parameters:
            if value is not None:
                raise TypeError(f"parameter {name}: expected a Parameter or None, got "
                                f"{type(value).__name__}")
            self._parameters[name] = None
        object.__setattr__(self, name, value)

    def _forget(self, name):
        """Take a name out of the tables of another kind than it had, before it is assigned."""
        self._modules.pop(name, None)

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        object.__delattr__(self, name)

    def register_parameter(self, name, param):
        """Register a `Parameter`, or None as a place for one."""
        self._check_name(name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name} must be a Parameter or None, got "
                            f"{type(param).__name__}")
        self._parameters[name] = param
        object.__setattr__(self, name, param)

    def register_buffer(self, name, tensor, persistent=True):
        """Register a tensor that is state but no parameter; only persistent ones are saved."""
        self._check_name(name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: {name} must be a Tensor or None, got "
                            f"{type(tensor).__name__}")
        self._buffers[name] = tensor
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)
        object.__setattr__(self, name, tensor)

    def add_module(self, name, module):
        """Register a submodule under a name."""
        self._check_name(name)
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name} must be a Module, got {type(module).__name__}")
        self._modules[name] = module
        object.__setattr__(self, name, module)

    register_module = add_module

    def _check_name(self, name):
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"a registered name must be a string without dots, got {name!r}")

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """This module and all below it, each once, with their paths."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(
                    memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self):
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self):
        """The direct submodules with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        """The direct submodules."""
        return (module for _, module in self.named_children())

    def _named_members(self, table, prefix, recurse, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(prefix=prefix) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in getattr(module, table).items():
                if member is None or (remove_duplicate and id(member) in seen):
                    continue
                seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """The parameters with their paths, each once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """The buffers with their paths, each once."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        """The submodule at a path such as ``"features.0"``; an AttributeError if there is none."""
        module = self
        for name in target.split(".") if target else ():
            if name not in module._modules:
                raise AttributeError(f"{type(module).__name__} has no submodule {name!r}")
            module = module._modules[name]
        return module

    def train(self, mode=True):
        """Switch to training (dropout drops, batch norm uses the batch) and return the module."""
        for module in self.modules():
            object.__setattr__(module, "training", bool(mode))
        return self

    def eval(self):
        """Switch to evaluation and return the module."""
        return self.train(False)

    def apply(self, fn):
        """Call ``fn`` on every submodule and on the module itself, and return it."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad=True):
        """Switch the gradients of all parameters on or off, and return the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def to(self, *args, **kwargs):
        """Convert the floating-point parameters and buffers to a type, and return the module."""
        for tensor in (*self.parameters(), *self.buffers()):
            converted = tensor.detach().to(*args, **kwargs)
            if tensor.is_floating_point():
                tensor.data = converted
                tensor.grad = None if tensor.grad is None else tensor.grad.to(*args, **kwargs)
        return self

    def float(self):
        """Convert to float32."""
        return self.to("float32")

    def double(self):
        """Convert to float64."""
        return self.to("float64")

    def cpu(self):
        """The module itself."""
        return self

    def register_forward_pre_hook(self, hook):
        """Call ``hook(module, args)`` before each forward; it may return other arguments."""
        return _Removable(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook):
        """Call ``hook(module, args, output)`` after each forward; it may return another output."""
        return _Removable(self._forward_hooks, hook)

    def state_dict(self, *, prefix=""):
        """The parameters and persistent buffers by path, sharing their memory, detached."""
        state = OrderedDict()
        for path, module in self.named_modules(prefix=prefix.removesuffix("."),
                                               remove_duplicate=False):
            for name, tensor in module._own_state():
                state[f"{path}.{name}" if path else name] = tensor.detach()
        return state

    def _own_state(self):
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent:
                yield name, buffer

    def load_state_dict(self, state_dict, strict=True):
        """Copy a ``state_dict`` into the parameters and buffers.

        A RuntimeError, with nothing changed, if shapes differ or (``strict``) keys are missing or
        unexpected. Returns the missing and unexpected keys.
        """
        own = self.state_dict()
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        problems = [f"{key}: shape {tuple(state_dict[key].shape)}, expected {tuple(mine.shape)}"
                    for key, mine in own.items()
                    if key in state_dict and state_dict[key].shape != mine.shape]
        if strict:
            problems += [f"missing key {key}" for key in missing]
            problems += [f"unexpected key {key}" for key in unexpected]
        if problems:
            raise RuntimeError(f"load_state_dict of {type(self).__name__}: " + "; ".join(problems))
        for key, mine in own.items():
            if key in state_dict:
                mine.copy_(state_dict[key])
        return Incompatible(missing, unexpected)

    def extra_repr(self):
        """What ``repr`` shows of the module's own settings."""
        return ""

    def __repr__(self):
        lines = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n  ".join([extra, *lines] if extra else lines)
        return f"{type(self).__name__}(\n  {body}\n)"

    def __deepcopy__(self, memo):
        from copy import deepcopy

        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for name, value in self.__dict__.items():
            object.__setattr__(copied, name, deepcopy(value, memo))
        return copied


class _Removable:
    """Takes back the hook that it was returned for."""

    def __init__(self, hooks, hook):
        self._hooks = hooks
        hooks[id(self)] = hook

    def remove(self):
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(id(self), None)


def _indented(text):
    return text.replace("\n", "\n  ")
