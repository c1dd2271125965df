"""`Optimizer`: groups of parameters with settings, and their state."""

from collections import defaultdict

import numpy

from .. import tape
from .._kernels import memory
from .._kernels.update import update
from ..autograd import enable_grad
from ..tensor import Tensor, is_number


class Optimizer:
    """The base of the optimizers: parameter groups, state, and their dicts.

    ``params`` are parameters, or dicts with ``"params"`` and settings of their own. Parameters
    without a gradient are skipped by ``step()``.

    >>> import fastnn
    >>> net = fastnn.nn.Linear(2, 1)
    >>> sgd = fastnn.optim.SGD([{"params": net.weight}, {"params": net.bias, "lr": 1.0}], lr=0.1)
    >>> [group["lr"] for group in sgd.param_groups]
    [0.1, 1.0]
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = [params] if isinstance(params, (Tensor, dict)) else list(params)
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
        known = {id(each) for group in self.param_groups for each in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{name}: parameters must be Tensors, got "
                                f"{type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError(f"{name}: only leaves can be optimized, not the result of "
                                 f"{parameter.grad_fn.name}")
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
        state = {positions[parameter]: dict(values) for parameter, values in self.state.items()}
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
        state = {places[position]: {key: _restored(name, places[position], key, value)
                                    for key, value in values.items()}
                 for position, values in state_dict["state"].items()}
        self.state = defaultdict(dict, state)
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            mine.update({key: value for key, value in theirs.items() if key != "params"})

    def __repr__(self):
        settings = [f"Parameter Group {number}\n" + "\n".join(
            f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
            for number, group in enumerate(self.param_groups)]
        return f"{type(self).__name__} (\n" + "\n".join(settings) + "\n)"


def zeros_of(parameter):
    """Zeros of the shape, type and memory order of a parameter."""
    array = memory.empty_like(parameter.array)
    array[...] = 0
    return tape.from_array(array)


def _restored(operation, parameter, key, value):
    """A value of a loaded state: tensors are copied to the type and memory order of the parameter.

    PyTorch counts the steps of Adam in a tensor; here it is a number.
    """
    if value is None or is_number(value):
        return value
    if not isinstance(value, Tensor):
        raise TypeError(f"{operation}: {key} must be a Tensor or a number, got "
                        f"{type(value).__name__}")
    if key == "step" and value.numel() == 1:
        return int(value.item())
    if value.shape != parameter.shape:
        raise ValueError(f"{operation}: {key} has shape {tuple(value.shape)}, the parameter "
                         f"{tuple(parameter.shape)}")
    restored = zeros_of(parameter)
    numpy.copyto(restored.array, value.array)
    return restored


def check_range(optimizer, **settings):
    """Raise for a setting that is no number, or below 0."""
    for name, value in settings.items():
        if not is_number(value):
            raise TypeError(f"{optimizer}: {name} must be a number, got {value!r}")
        if not value >= 0:
            raise ValueError(f"{optimizer}: {name} must be at least 0, got {value}")


def check_betas(optimizer, betas):
    """Raise a ValueError unless both betas lie in [0, 1)."""
    if len(betas) != 2 or not all(is_number(beta) and 0 <= beta < 1 for beta in betas):
        raise ValueError(f"{optimizer}: betas must be two numbers in [0, 1), got {betas}")


def run(optimizer, kernel, rows, numbers, nanoseconds_per_element):
    """Update by a kernel: rows are (parameter, gradient, *state) of arrays; all in one launch."""
    if not update(kernel, rows, numbers, nanoseconds_per_element):
        _run_on_copies(optimizer, kernel, rows, numbers, nanoseconds_per_element)


def _run_on_copies(optimizer, kernel, rows, numbers, nanoseconds_per_element):
    """As `run`, for several types, and for arrays that lie in other orders than their parameter."""
    for row in rows:
        _check_row(optimizer, *row)
    copies = [_dense(row) for row in rows]
    by_type = defaultdict(list)
    for copied in copies:
        by_type[copied[0].dtype].append(copied)
    for same_type in by_type.values():
        if not update(kernel, same_type, numbers, nanoseconds_per_element):
            raise RuntimeError(f"{optimizer}: the tensors of {same_type[0][0].dtype} do not fit")
    for row, copied in zip(rows, copies, strict=True):
        for index, (array, used) in enumerate(zip(row, copied, strict=True)):
            if used is not array and index != 1:
                numpy.copyto(array, used)


def _check_row(optimizer, parameter, gradient, *state):
    for name, array in (("gradient", gradient), *(("state", each) for each in state)):
        if array.dtype != parameter.dtype:
            raise TypeError(f"{optimizer}: a {name} is {array.dtype}, its parameter "
                            f"{parameter.dtype}")
        if array.shape != parameter.shape:
            raise ValueError(f"{optimizer}: a {name} has shape {array.shape}, its parameter "
                             f"{parameter.shape}")


def _dense(row):
    """The arrays of a row, or copies, in the memory order of the parameter, without gaps."""
    model = memory.empty_like(row[0])
    arrays = []
    for array in row:
        if array.strides != model.strides or not array.flags.behaved:
            original, array = array, memory.empty_like(model)
            numpy.copyto(array, original)
        arrays.append(array)
    return tuple(arrays)
