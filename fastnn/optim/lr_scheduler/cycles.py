"""Schedules by the batch: the rate goes up and down, and momentum the other way."""

import math

from .base import (
    LRScheduler,
    check_optimizer,
    one_each,
    positive,
    restore_functions,
    set_momentum,
    states_of,
)

MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """Up from ``base_lr`` to ``max_lr`` and down again, over and over, one step a batch.

    The way up takes ``step_size_up`` steps, the way down ``step_size_down`` (as many by default).
    The height of a cycle stays (``mode="triangular"``), is halved with each (``"triangular2"``) or
    falls as ``gamma ** step`` (``"exp_range"``); or it is ``scale_fn`` of the cycle's number, or of
    the step's with ``scale_mode="iterations"``. Momentum moves between ``max_momentum`` and
    ``base_momentum`` the other way. Smith, Cyclical Learning Rates for Training Neural Networks,
    2017.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = fastnn.optim.lr_scheduler.CyclicLR(sgd, 1.0, 3.0, step_size_up=2)
    >>> rates = []
    >>> for _ in range(6):
    ...     rates.append(schedule.get_last_lr()[0])
    ...     schedule.step()
    >>> rates
    [1.0, 2.0, 3.0, 2.0, 1.0, 2.0]
    """

    def __init__(self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None,
                 mode="triangular", gamma=1.0, scale_fn=None, scale_mode="cycle",
                 cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1):
        check_optimizer("CyclicLR", optimizer)
        if mode not in MODES and scale_fn is None:
            raise ValueError(f"CyclicLR: mode must be one of {MODES}, got {mode!r}")
        lowest = one_each("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = one_each("CyclicLR", "max_lr", max_lr, optimizer)
        up = float(positive("CyclicLR", "step_size_up", step_size_up))
        self.total_size = up + float(up if step_size_down is None else step_size_down)
        self.step_ratio = up / self.total_size
        self.mode, self.gamma, self.scale_mode = mode, gamma, scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._scale_fn_custom = scale_fn
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = one_each("CyclicLR", "base_momentum", base_momentum, optimizer)
            self.max_momentums = one_each("CyclicLR", "max_momentum", max_momentum, optimizer)
            set_momentum("CyclicLR", optimizer, self.max_momentums)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, lowest, strict=True):
                group["lr"] = rate
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def scale_fn(self, x):
        """The height of cycle or step ``x``, as a share of the full one."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 2.0 ** (1 - x) if self.mode == "triangular2" else self.gamma ** x

    def get_lr(self):
        whole, place = divmod(self.last_epoch / self.total_size, 1)
        share = place / self.step_ratio if place <= self.step_ratio \
            else (1 - place) / (1 - self.step_ratio)
        share *= self.scale_fn(1 + whole if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            set_momentum("CyclicLR", self.optimizer, [
                top - (top - bottom) * share
                for bottom, top in zip(self.base_momentums, self.max_momentums, strict=True)])
        return [bottom + (top - bottom) * share
                for bottom, top in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self):
        """All settings and the position; of ``scale_fn`` the attributes of a callable object."""
        return {**super().state_dict(), "_scale_fn_custom": states_of([self._scale_fn_custom])[0]}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        function = self._scale_fn_custom
        super().load_state_dict(state_dict)
        self._scale_fn_custom = function
        restore_functions([function], [state_dict["_scale_fn_custom"]])


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
        positive("OneCycleLR", "total_steps", total_steps)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must lie in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("OneCycleLR: anneal_strategy must be 'cos' or 'linear', got "
                             f"{anneal_strategy!r}")
        check_optimizer("OneCycleLR", optimizer)
        groups = optimizer.param_groups
        highest = one_each("OneCycleLR", "max_lr", max_lr, optimizer)
        bottoms = one_each("OneCycleLR", "base_momentum", base_momentum, optimizer)
        tops = one_each("OneCycleLR", "max_momentum", max_momentum, optimizer)
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.cycle_momentum = cycle_momentum
        self._ends = _phase_ends(total_steps, pct_start, three_phase)
        self._rates = [_phase_values(top / div_factor, top, top / div_factor / final_div_factor,
                                     three_phase) for top in highest]
        self._momenta = [_phase_values(top, bottom, top, three_phase)
                         for top, bottom in zip(tops, bottoms, strict=True)]
        if last_epoch == -1:
            for group, rates, top, bottom in zip(groups, self._rates, tops, bottoms, strict=True):
                # PyTorch reads the extremes from there.
                group.update(initial_lr=rates[0], max_lr=rates[1], min_lr=rates[-1])
                if cycle_momentum:
                    group.update(max_momentum=top, base_momentum=bottom)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {self.last_epoch} of {self.total_steps}")
        if self.cycle_momentum:
            set_momentum("OneCycleLR", self.optimizer, [self._at(each) for each in self._momenta])
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


def _phase_ends(total_steps, pct_start, three_phase):
    up = pct_start * total_steps - 1
    return [up, 2 * pct_start * total_steps - 2, total_steps - 1] if three_phase \
        else [up, total_steps - 1]


def _phase_values(start, top, end, three_phase):
    return [start, top, start, end] if three_phase else [start, top, end]
