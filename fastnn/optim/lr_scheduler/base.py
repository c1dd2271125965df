"""`LRScheduler`, the base of the schedules, and what their constructors check."""

from ..._kernels.program import aside
from ..optimizer import Optimizer


class LRScheduler:
    """The base of the schedules: sets ``lr`` of every group of an optimizer at each step.

    A new schedule starts from the groups' rates, and notes them as ``"initial_lr"`` where an
    earlier one has not; with ``last_epoch`` it goes on behind that epoch, from the rates that the
    groups have. Most schedules change the present rate by a factor, so that several of them on one
    optimizer multiply.
    """

    def __init__(self, optimizer, last_epoch=-1):
        self.optimizer = check_optimizer(type(self).__name__, optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: to go on from epoch {last_epoch}, group "
                               f"{number} of the optimizer needs initial_lr")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self):
        """The step of the constructor, which sets the rates for the first epoch."""
        self._is_initial, self._step_count = True, 0
        self.step()
        self._is_initial = False

    def get_lr(self):
        """The rates for the present epoch; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr")

    def get_last_lr(self):
        """The rates that were set last."""
        return self._last_lr

    @aside
    def step(self):
        """Go on by one epoch (or batch) and set the rates."""
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    def _set(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _restart(self):
        """Set the rates of epoch 0, in the middle of a training."""
        self.last_epoch = 0
        first = self._first_factor()
        self._set(self.get_lr() if first is None else [rate * first for rate in self.base_lrs])

    def _first_factor(self):
        """What the initial rates are multiplied by at epoch 0; None where ``get_lr`` decides."""
        return None

    def _times(self, factor):
        """The present rates times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self):
        """All settings and the position, without the optimizer and without functions."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        self.__dict__.update(state_dict)


def check_optimizer(schedule, optimizer):
    """The optimizer, or a TypeError that names the schedule."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{schedule}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def positive(schedule, name, value):
    """The value, or a ValueError that names it."""
    if not value > 0:
        raise ValueError(f"{schedule}: {name} must be positive, got {value}")
    return value


def one_each(schedule, name, value, optimizer):
    """A list of one value for each group of the optimizer."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{schedule}: {name} has {len(values)} values, the optimizer {groups} "
                         "groups")
    return values


def states_of(functions):
    """What a state dict keeps of functions: the attributes of callable objects, else None."""
    return [dict(vars(each)) if hasattr(each, "__dict__") and not hasattr(each, "__code__")
            else None for each in functions]


def restore_functions(functions, states):
    """Put back what `states_of` kept."""
    for function, state in zip(functions, states, strict=True):
        if state is not None:
            vars(function).update(state)


def set_momentum(schedule, optimizer, momenta):
    """Set each group's ``momentum``, or the first of its ``betas``."""
    for group, momentum in zip(optimizer.param_groups, momenta, strict=True):
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        elif "momentum" in group:
            group["momentum"] = momentum
        else:
            raise ValueError(f"{schedule}: the optimizer has no momentum to cycle")
