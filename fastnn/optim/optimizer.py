"""`Optimizer`: groups of parameters with settings, and their state."""

import functools
from collections import defaultdict

import numpy

from .. import tape
from .._kernels import memory, program
from ..autograd import enable_grad
from ..hooks import HookHandle
from ..tensor import Tensor, is_number
from .rows import Repeated, step_group

# States that are a number for each parameter.
FIGURES = ("step", "mu_product", "eta", "mu")


def _with_hooks(step):
    """A ``step`` that calls the hooks of its optimizer before and after."""

    @functools.wraps(step)
    def wrapped(self, *args, **kwargs):
        noted = program.noting()
        if noted is not None:
            if args or kwargs:
                program.refuse("a step with a closure runs the function anew")
            again = functools.partial(hooked, self)
            if wrapped is Optimizer.step and type(self)._step_group is step_group:
                again = Repeated(self, again, noted.made)
            return program.apart(again)
        return hooked(self, *args, **kwargs)

    def hooked(self, *args, **kwargs):
        if not (self._pre_hooks or self._post_hooks):
            return step(self, *args, **kwargs)
        for hook in list(self._pre_hooks):
            replaced = hook(self, args, kwargs)
            if replaced is not None:
                args, kwargs = _arguments(type(self).__name__, replaced)
        result = step(self, *args, **kwargs)
        for hook in list(self._post_hooks):
            hook(self, args, kwargs)
        return result

    return wrapped


def _arguments(name, replaced):
    if not isinstance(replaced, tuple) or len(replaced) != 2:
        raise RuntimeError(f"{name}: a step pre-hook must return None or the new (args, kwargs), "
                           f"got {replaced!r}")
    return replaced


class Optimizer:
    """The base of the optimizers: parameter groups, state, and their dicts.

    ``params`` are parameters, or dicts with ``"params"`` and settings of their own. Parameters
    without a gradient are skipped by ``step()``. Pairs of a name and a parameter are possible too;
    the group then has ``"param_names"``.

    >>> import fastnn
    >>> net = fastnn.nn.Linear(2, 1)
    >>> sgd = fastnn.optim.SGD([{"params": net.weight}, {"params": net.bias, "lr": 1.0}], lr=0.1)
    >>> [group["lr"] for group in sgd.param_groups]
    [0.1, 1.0]
    """

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step)

    def __init__(self, params, defaults):
        program.refuse("an optimizer is made, which would have no state from call to call")
        self.defaults = defaults
        self._pre_hooks, self._post_hooks = [], []
        self.state = defaultdict(dict)
        self.param_groups = []
        if isinstance(params, Tensor):
            raise TypeError(f"{type(self).__name__}: parameters must be several, or dicts of them, "
                            "got one tensor")
        groups = [params] if isinstance(params, dict) else list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: no parameters given")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a dict of ``"params"`` and settings; missing settings are the defaults."""
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{name}: a parameter group must be a dict with 'params', got "
                            f"{type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(f"{name}: parameters must have an order, got a {type(params).__name__}")
        params = [params] if isinstance(params, Tensor) else list(params)
        if named := [each for each in params if isinstance(each, tuple)]:
            if len(named) != len(params):
                raise ValueError(f"{name}: either all parameters of a group have names, or none")
            param_group = {**param_group, "param_names": [each for each, _ in params]}
            params = [parameter for _, parameter in params]
        known = {id(each) for group in self.param_groups for each in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{name}: parameters must be Tensors, got "
                                f"{type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError(f"{name}: only leaves can be optimized, not the result of "
                                 f"{parameter.grad_fn.name()}")
            if id(parameter) in known:
                raise ValueError(f"{name}: a parameter is in more than one place, that of shape "
                                 f"{tuple(parameter.shape)}")
            known.add(id(parameter))
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none=True):
        """Forget all gradients, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad = parameter.grad.detach().zero_()

    def register_step_pre_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new arguments."""
        self._pre_hooks.append(hook)
        return HookHandle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        self._post_hooks.append(hook)
        return HookHandle(self._post_hooks, hook)

    @_with_hooks
    def step(self, closure=None):
        """Update every parameter that has a gradient; ``closure`` computes the loss anew before."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group):
        """Update the parameters of one group; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def state_dict(self):
        """The state by the parameters' positions, and the groups with positions for parameters.

        The tensors share their memory with the optimizer's.
        """
        positions, groups = {}, []
        for group in self.param_groups:
            for parameter in group["params"]:
                positions[parameter] = len(positions)
            groups.append({**group, "params": [positions[each] for each in group["params"]]})
        state = {positions[parameter]: dict(values)
                 for parameter, values in self.state.items() if parameter in positions}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave, PyTorch's included; the tensors are copied.

        A ValueError, with nothing changed, if the groups or the shapes do not fit.
        """
        name = f"{type(self).__name__}.load_state_dict"
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ValueError(f"{name}: groups of {sizes} parameters, expected {own}")
        places = {position: parameter
                  for mine, theirs in zip(self.param_groups, groups, strict=True)
                  for position, parameter in zip(theirs["params"], mine["params"], strict=True)}
        if unknown := [position for position in state_dict["state"] if position not in places]:
            raise ValueError(f"{name}: state for unknown parameters {unknown}")
        state = {places[position]: {key: self._restored(name, places[position], key, value)
                                    for key, value in values.items()}
                 for position, values in state_dict["state"].items()}
        self.state = defaultdict(dict, state)
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            mine.update({key: value for key, value in theirs.items() if key != "params"})

    @staticmethod
    def _restored(operation, parameter, key, value):
        return restored(operation, parameter, key, value)

    def __repr__(self):
        settings = [f"Parameter Group {number}\n" + "\n".join(
            f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
            for number, group in enumerate(self.param_groups)]
        return f"{type(self).__name__} (\n" + "\n".join(settings) + "\n)"


def restored(operation, parameter, key, value):
    """A value of a loaded state: tensors are copied to the type and memory order of the parameter.

    PyTorch counts steps in a tensor, and keeps other figures in one; here they are numbers.
    """
    if value is None or is_number(value):
        return value
    if not isinstance(value, Tensor):
        raise TypeError(f"{operation}: {key} must be a Tensor or a number, got "
                        f"{type(value).__name__}")
    if key in FIGURES and value.numel() == 1:
        return int(value.item()) if key == "step" else value.item()
    if value.shape != parameter.shape:
        raise ValueError(f"{operation}: {key} has shape {tuple(value.shape)}, the parameter "
                         f"{tuple(parameter.shape)}")
    array = memory.empty_like(parameter.array)
    numpy.copyto(array, value.array)
    return tape.from_array(array)
