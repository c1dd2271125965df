"""`ReduceLROnPlateau`: a schedule by a measured figure."""

import math

from ..._kernels.program import aside
from .base import check_optimizer, one_each

MODES, THRESHOLD_MODES = ("min", "max"), ("rel", "abs")


class ReduceLROnPlateau:
    """The rate times ``factor`` when a figure has not become better for ``patience`` epochs.

    Better is smaller (``mode="min"``) or larger (``"max"``) than the best so far by a share
    ``threshold`` of it (``threshold_mode="rel"``) or by ``threshold`` itself (``"abs"``). After a
    reduction, ``cooldown`` epochs do not count.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.ReduceLROnPlateau(sgd, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4,
                 threshold_mode="rel", cooldown=0, min_lr=0, eps=1e-8):
        check_optimizer("ReduceLROnPlateau", optimizer)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in MODES or threshold_mode not in THRESHOLD_MODES:
            raise ValueError(f"ReduceLROnPlateau: mode must be one of {MODES} and threshold_mode "
                             f"one of {THRESHOLD_MODES}, got {mode!r} and {threshold_mode!r}")
        self.min_lrs = one_each("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.optimizer = optimizer
        self.mode, self.threshold_mode, self.threshold = mode, threshold_mode, threshold
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def get_last_lr(self):
        """The rates that were set last."""
        return self._last_lr

    @aside
    def step(self, metrics):
        """Go on by one epoch with its figure, a number or a tensor of one element."""
        figure = float(metrics)
        self.last_epoch += 1
        if self._is_better(figure):
            self.best, self.num_bad_epochs = figure, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, figure):
        sign = 1.0 if self.mode == "max" else -1.0
        if self.threshold_mode == "abs":
            return sign * figure > sign * self.best + self.threshold
        return sign * figure > sign * self.best * (1 + sign * self.threshold)

    def _reduce(self):
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, lowest)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate

    def state_dict(self):
        """All settings and the position, without the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        self.__dict__.update(state_dict)
