"""`Optimizer`: groups of parameters with settings, and their state."""

import numpy

from .. import tape
from .._kernels import memory
from .._kernels.update import update
from ..autograd import enable_grad
from ..tensor import Tensor


class Optimizer:
    """The base of the optimizers: parameter groups, state, and their dicts.

    ``params`` are parameters, or dicts with parameters under ``"params"`` and own settings.
    Parameters without a gradient are skipped by ``step()``.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.state = {}
        self.param_groups = []
        groups = [params] if isinstance(params, Tensor) else list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: no parameters given")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a dict of ``"params"`` and settings; missing settings are the defaults."""
        name = type(self).__name__
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(each) for group in self.param_groups for each in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{name}: parameters must be Tensors, got "
                                f"{type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError(f"{name}: only leaves can be optimized")
            if id(parameter) in known:
                raise ValueError(f"{name}: a parameter is in more than one place")
            known.add(id(parameter))
        self.param_groups.append({"params": params, **self.defaults,
                                  **{k: v for k, v in param_group.items() if k != "params"}})

    def zero_grad(self, set_to_none=True):
        """Forget all gradients, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad = parameter.grad.detach().zero_()

    def step(self, closure=None):
        """Update every parameter that has a gradient; ``closure`` computes the loss anew before."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        before = tape.exchange_grad_enabled(False)
        try:
            for group in self.param_groups:
                self._step_group(group)
        finally:
            tape.exchange_grad_enabled(before)
        return loss

    def _step_group(self, group):
        """Update the parameters of one group; subclasses write it."""
        raise NotImplementedError

    def _state(self, parameter, *names):
        """The state of a parameter: arrays of zeros under ``names`` where it has none yet."""
        state = self.state.get(parameter)
        if state is None:
            state = self.state[parameter] = {}
        for name in names:
            if name not in state:
                zeros = memory.empty_like(parameter.array)
                zeros[...] = 0
                state[name] = tape.from_array(zeros)
        return state

    def state_dict(self):
        """The state by the parameters' positions, and the groups with positions for parameters."""
        positions, groups = {}, []
        for group in self.param_groups:
            for parameter in group["params"]:
                positions.setdefault(parameter, len(positions))
            groups.append({**group, "params": [positions[each] for each in group["params"]]})
        state = {positions[parameter]: dict(values) for parameter, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave; a ValueError if the groups do not fit."""
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ValueError(f"{type(self).__name__}.load_state_dict: groups of {sizes} "
                             f"parameters, expected {own}")
        by_position = {}
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            by_position.update(zip(theirs["params"], mine["params"], strict=True))
            mine.update({key: value for key, value in theirs.items() if key != "params"})
        self.state = {by_position[position]: {name: _copied(value)
                                              for name, value in values.items()}
                      for position, values in state_dict["state"].items()}

    def __repr__(self):
        settings = [f"Parameter Group {number}\n" + "\n".join(
            f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
            for number, group in enumerate(self.param_groups)]
        return f"{type(self).__name__} (\n" + "\n".join(settings) + "\n)"


def _copied(value):
    return value.detach().clone() if isinstance(value, Tensor) else value


def check_range(optimizer, **settings):
    """Raise a ValueError for a setting below 0."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{optimizer}: {name} must be at least 0, got {value}")


def check_betas(optimizer, betas):
    """Raise a ValueError unless both betas lie in [0, 1)."""
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"{optimizer}: betas must be two numbers in [0, 1), got {betas}")


def gradient_like(parameter):
    """The gradient's array, in the memory order of the parameter."""
    array, gradient = parameter.array, parameter.grad.array
    if gradient.dtype != array.dtype:
        raise TypeError(f"optimizer: gradient is {gradient.dtype}, parameter {array.dtype}")
    if gradient.strides == array.strides:
        return gradient
    ordered = memory.empty_like(array)
    numpy.copyto(ordered, gradient)
    return ordered


def run(kernel, parameters, rows, numbers, nanoseconds_per_element):
    """Update by a kernel, each type together; rows are (parameter, gradient, *state)."""
    by_type = {}
    for row in rows:
        by_type.setdefault(row[0].dtype.num, []).append(row)
    for same_type in by_type.values():
        update(kernel, same_type, numbers, nanoseconds_per_element)
    for parameter in parameters:
        parameter._bump_version()
