"""Schedules of the learning rate: one ``step()`` after each epoch or batch."""

import math
from bisect import bisect_right

from .optimizer import Optimizer
from .plateau import ReduceLROnPlateau

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "MultiStepLR",
           "OneCycleLR", "ReduceLROnPlateau", "StepLR"]


class LRScheduler:
    """The base of the schedules: sets ``lr`` of every group of an optimizer at each step.

    A new schedule starts from the groups' rates, or from their ``"initial_lr"`` if an earlier one
    has noted it; with ``last_epoch`` it goes on behind that epoch.
    """

    def __init__(self, optimizer, last_epoch=-1):
        name = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{name}: expected an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{name}: to go on from epoch {last_epoch}, group {number} of the "
                               "optimizer needs initial_lr")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def get_lr(self):
        """The rates for the present epoch; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr")

    def get_last_lr(self):
        """The rates that were set last."""
        return self._last_lr

    def step(self):
        """Go on by one epoch (or batch) and set the rates."""
        self.last_epoch += 1
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def state_dict(self):
        """All settings and the position, without the optimizer and without functions."""
        return {key: value for key, value in self.__dict__.items()
                if key not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """The initial rate times ``lr_lambda(epoch)``, one function or a list of one for each group."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) \
            else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions, the optimizer has "
                             f"{groups} groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [rate * function(self.last_epoch)
                for rate, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """The initial rate times ``gamma`` after every ``step_size`` epochs.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.StepLR(sgd, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(sgd.param_groups[0]["lr"])
    ...     schedule.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = _positive("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [rate * self.gamma ** (self.last_epoch // self.step_size)
                for rate in self.base_lrs]


class MultiStepLR(LRScheduler):
    """The initial rate times ``gamma`` after each of the epochs ``milestones``."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        passed = bisect_right(self.milestones, self.last_epoch)
        return [rate * self.gamma ** passed for rate in self.base_lrs]


class ExponentialLR(LRScheduler):
    """The initial rate times ``gamma`` to the power of the epoch."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [rate * self.gamma ** self.last_epoch for rate in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """From the initial rate down to ``eta_min`` in ``T_max`` epochs along half a cosine.

    Loshchilov and Hutter, SGDR, 2017.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=2)
    >>> schedule.step()
    >>> [round(rate, 3) for rate in schedule.get_last_lr()]
    [0.5]
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = _positive("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (rate - self.eta_min) * share for rate in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down far below the start, one step a batch; momentum goes the other way.

    The start is ``max_lr / div_factor``, the end the start divided by ``final_div_factor``; the
    way up takes the share ``pct_start`` of all steps. Smith and Topin, Super-Convergence, 2018.
    Further steps than ``total_steps`` are a ValueError.

    >>> import fastnn
    >>> adam = fastnn.optim.Adam([fastnn.ones(1, requires_grad=True)])
    >>> schedule = fastnn.optim.lr_scheduler.OneCycleLR(adam, max_lr=1.0, total_steps=10)
    >>> rates = []
    >>> for _ in range(10):
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    >>> rates
    [0.04, 0.52, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None,
                 pct_start=0.3, anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85,
                 max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False,
                 last_epoch=-1):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: total_steps, or epochs and steps_per_epoch, needed")
            total_steps = epochs * steps_per_epoch
        _positive("OneCycleLR", "total_steps", total_steps)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must lie in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("OneCycleLR: anneal_strategy must be 'cos' or 'linear', got "
                             f"{anneal_strategy!r}")
        groups = optimizer.param_groups
        highest = list(max_lr) if isinstance(max_lr, (list, tuple)) else [max_lr] * len(groups)
        if len(highest) != len(groups):
            raise ValueError(f"OneCycleLR: max_lr has {len(highest)} values, the optimizer "
                             f"{len(groups)} groups")
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.cycle_momentum = cycle_momentum
        self._ends = _phase_ends(total_steps, pct_start, three_phase)
        self._rates = [_phase_values(top / div_factor, top, top / div_factor / final_div_factor,
                                     three_phase) for top in highest]
        self._momenta = _phase_values(max_momentum, base_momentum, max_momentum, three_phase)
        if last_epoch == -1:
            for group, values in zip(groups, self._rates, strict=True):
                group["initial_lr"] = values[0]
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {self.last_epoch} of {self.total_steps}")
        if self.cycle_momentum:
            self._set_momentum(self._at(self._momenta))
        return [self._at(values) for values in self._rates]

    def _at(self, values):
        """The value at the present step, between those at the ends of its phase."""
        start = 0
        for number, end in enumerate(self._ends):
            if self.last_epoch <= end or number == len(self._ends) - 1:
                share = (self.last_epoch - start) / (end - start) if end != start else 1.0
                return self._between(values[number], values[number + 1], share)
            start = end

    def _between(self, first, last, share):
        if self.anneal_strategy == "cos":
            return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
        return first + (last - first) * share

    def _set_momentum(self, momentum):
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum
            else:
                raise ValueError("OneCycleLR: the optimizer has no momentum to cycle")


def _phase_ends(total_steps, pct_start, three_phase):
    up = pct_start * total_steps - 1
    return [up, 2 * pct_start * total_steps - 2, total_steps - 1] if three_phase \
        else [up, total_steps - 1]


def _phase_values(start, top, end, three_phase):
    return [start, top, start, end] if three_phase else [start, top, end]


def _positive(schedule, name, value):
    if value <= 0:
        raise ValueError(f"{schedule}: {name} must be positive, got {value}")
    return value
