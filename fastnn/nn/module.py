"""`Module`: a part of a network, with parameters, buffers and submodules."""

from collections import OrderedDict

from ..device import check_device
from ..ops.creation import empty
from ..tensor import Tensor
from . import hooks, state
from .parameter import Parameter


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
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _hooks={}, _state_hooks={},
                             _non_persistent=set(), training=True)

    def forward(self, *input):
        """What the module computes; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *args, **kwargs):
        if self._hooks:
            return hooks.call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def __setattr__(self, name, value):
        kind = "_parameters" if isinstance(value, Parameter) else \
            "_modules" if isinstance(value, Module) else None
        if "_modules" not in self.__dict__:
            if kind is not None:
                raise AttributeError(f"{type(self).__name__}: call super().__init__() before "
                                     "assigning parameters and modules")
        elif kind is None:
            kind = next((table for table in TABLES if name in getattr(self, table)), None)
        if kind is None:
            object.__setattr__(self, name, value)
        else:
            self._enter(kind, name, value)

    def _enter(self, table, name, value):
        """Put a value, of the table's kind or None, into one table and out of the others."""
        kind = TABLES[table]
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{KINDS[table]} {name} must be a {kind.__name__} or None, got "
                            f"{type(value).__name__}")
        for other in TABLES:
            if other != table:
                getattr(self, other).pop(name, None)
        getattr(self, table)[name] = value
        object.__setattr__(self, name, value)

    def _enter_new(self, table, name, value):
        """As `_enter`, for a name that is not an attribute of another kind."""
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{type(self).__name__}: a registered name must be a string without "
                             f"dots, got {name!r}")
        if hasattr(self, name) and name not in getattr(self, table):
            raise ValueError(f"{type(self).__name__}: attribute {name!r} exists already")
        self._enter(table, name, value)

    def __delattr__(self, name):
        for table in TABLES:
            getattr(self, table).pop(name, None)
        object.__delattr__(self, name)

    def register_parameter(self, name, param):
        """Register a `Parameter`, or None as a place for one."""
        self._enter_new("_parameters", name, param)

    def register_buffer(self, name, tensor, persistent=True):
        """Register a tensor that is state but no parameter; only persistent ones are saved."""
        self._enter_new("_buffers", name, tensor)
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def add_module(self, name, module):
        """Register a submodule under a name."""
        self._enter_new("_modules", name, module)

    register_module = add_module

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

    def modules(self, remove_duplicate=True):
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

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
        modules = [(prefix, self)]
        if recurse:
            modules = self.named_modules(None, prefix, remove_duplicate)
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
            module = module._named("_modules", name)
        return module

    def set_submodule(self, target, module, strict=False):
        """Put a module in the place of the submodule at a path.

        With ``strict`` there must be one already.
        """
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if strict:
            owner._named("_modules", name)
        if not isinstance(module, Module):
            raise TypeError(f"set_submodule: expected a Module, got {type(module).__name__}")
        owner._enter("_modules", name, module)

    def get_parameter(self, target):
        """The parameter at a path such as ``"features.0.weight"``; else an AttributeError."""
        path, _, name = target.rpartition(".")
        return self.get_submodule(path)._named("_parameters", name)

    def get_buffer(self, target):
        """The buffer at a path such as ``"norm.running_mean"``; else an AttributeError."""
        path, _, name = target.rpartition(".")
        return self.get_submodule(path)._named("_buffers", name)

    def _named(self, table, name):
        if name not in getattr(self, table):
            raise AttributeError(f"{type(self).__name__} has no {KINDS[table]} {name!r}")
        return getattr(self, table)[name]

    def train(self, mode=True):
        """Switch to training (dropout drops, batch norm uses the batch) and return the module."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        object.__setattr__(self, "training", mode)
        for module in self.children():
            module.train(mode)
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
                parameter.grad = parameter.grad.detach().zero_()

    def to(self, *args, memory_format="preserve_format", **kwargs):
        """Convert the floating-point parameters and buffers to a type, and return the module.

        ``memory_format`` is for those of four dimensions. A TypeError for a type that is not
        floating-point, a ValueError for a device but the CPU.
        """
        probe = empty(0).to(*args, **kwargs)
        if not probe.is_floating_point():
            raise TypeError(f"{type(self).__name__}.to: expected float32 or float64, got "
                            f"{probe.dtype}")
        empty(1, 1, 1, 1).to(memory_format=memory_format)
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                kwargs["memory_format"] = memory_format if tensor.ndim == 4 else "preserve_format"
                tensor.data = tensor.detach().to(*args, **kwargs)
                if tensor.grad is not None:
                    tensor.grad = tensor.grad.detach().to(*args, **kwargs)
        return self

    def float(self):
        """Convert to float32."""
        return self.to("float32")

    def double(self):
        """Convert to float64."""
        return self.to("float64")

    def type(self, dst_type):
        """Convert to a floating-point type."""
        return self.to(dst_type)

    def half(self):
        """Always a TypeError: there are float32 and float64."""
        raise TypeError(f"{type(self).__name__}.half: float16 is not offered, only float32 and "
                        "float64")

    def bfloat16(self):
        """Always a TypeError: there are float32 and float64."""
        raise TypeError(f"{type(self).__name__}.bfloat16: bfloat16 is not offered, only float32 "
                        "and float64")

    def cpu(self):
        """The module itself."""
        return self

    def to_empty(self, *, device, recurse=True):
        """The module itself, whose values no longer count."""
        check_device(device)
        return self

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args)`` before each forward; it may return other arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)``, which may return both. A hook
        that is registered with ``prepend`` comes before the others.
        """
        hook = hooks.with_keywords(hook) if with_kwargs else hook
        return hooks.RemovableHandle(self._hooks, hooks.BEFORE, hook, prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call ``hook(module, args, output)`` after each forward; it may return another output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``. With ``always_call`` it
        is called even where the forward raises an error.
        """
        hook = hooks.with_keywords(hook) if with_kwargs else hook
        hook = hooks.Always(hook) if always_call else hook
        return hooks.RemovableHandle(self._hooks, hooks.AFTER, hook, prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_output)`` when the outputs' gradients are known.

        It may return another gradient, of a single output.
        """
        return hooks.RemovableHandle(self._hooks, hooks.BACKWARD_BEFORE, hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_input, grad_output)`` when the inputs' gradients are known.

        Both are tuples, with None for what has no gradient. The hook may return other gradients
        for the inputs, if just one of them has a gradient.
        """
        return hooks.RemovableHandle(self._hooks, hooks.BACKWARD, hook, prepend)

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers by path, sharing their memory.

        They are detached unless ``keep_vars``; ``prefix`` is put before every path, and
        ``destination`` is a dict to put them in.
        """
        destination = OrderedDict() if destination is None else destination
        return state.collect(self, destination, prefix, keep_vars)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy a ``state_dict`` into the parameters and buffers.

        With ``assign`` the given tensors take the places of the parameters and buffers, with their
        own types and memory. A RuntimeError that names them all, with nothing changed, if shapes
        differ or (``strict``) keys are missing or unexpected. Returns the missing and unexpected
        keys.
        """
        return state.load(self, state_dict, strict, assign)

    def get_extra_state(self):
        """What ``state_dict`` holds besides tensors, under ``_extra_state``; a subclass may write
        it together with ``set_extra_state``."""
        raise RuntimeError(f"{type(self).__name__} has no get_extra_state")

    def set_extra_state(self, state):
        """Take over what ``get_extra_state`` gave."""
        raise RuntimeError(f"{type(self).__name__} has no set_extra_state")

    def register_state_dict_pre_hook(self, hook):
        """Call ``hook(module, prefix, keep_vars)`` before each ``state_dict``."""
        return hooks.RemovableHandle(self._state_hooks, state.SAVE_BEFORE, hook, False)

    def register_state_dict_post_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, metadata)`` after each ``state_dict``, which it
        may change in place; ``metadata`` is an empty dict."""
        return hooks.RemovableHandle(self._state_hooks, state.SAVE_AFTER, hook, False)

    def register_load_state_dict_pre_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`` before each ``load_state_dict``.

        It may change the dict, a copy of what was given, and add to the three lists.
        """
        return hooks.RemovableHandle(self._state_hooks, state.LOAD_BEFORE, hook, False)

    def register_load_state_dict_post_hook(self, hook):
        """Call ``hook(module, incompatible_keys)`` after each ``load_state_dict``; keys that it
        takes out of the lists are no errors."""
        return hooks.RemovableHandle(self._state_hooks, state.LOAD_AFTER, hook, False)

    def extra_repr(self):
        """What ``repr`` shows of the module's own settings."""
        return ""

    def __repr__(self):
        lines = [f"({name}): {_indented(text)}" for name, text in self._named_texts()]
        extra = self.extra_repr()
        if not lines and "\n" not in extra:
            return f"{type(self).__name__}({extra})"
        body = "\n  ".join([*extra.split("\n"), *lines] if extra else lines)
        return f"{type(self).__name__}(\n  {body}\n)"

    def _named_texts(self):
        """The names of the submodules and what ``repr`` says of each."""
        return [(name, repr(module)) for name, module in self._modules.items()]


# What the registered attributes of each table are, and are called.
KINDS = {"_parameters": "parameter", "_buffers": "buffer", "_modules": "submodule"}
TABLES = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}


def _indented(text):
    return text.replace("\n", "\n  ")
