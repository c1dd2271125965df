"""Schedules along a cosine."""

import math

from ..._kernels.program import aside
from .base import LRScheduler, positive


class CosineAnnealingLR(LRScheduler):
    """From the initial rate down to ``eta_min`` in ``T_max`` epochs along half a cosine, and back.

    Loshchilov and Hutter, SGDR, 2017.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=2)
    >>> schedule.step()
    >>> [round(rate, 3) for rate in schedule.get_last_lr()]
    [0.5]
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = positive("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_initial:
            return self._times(1.0)
        if self._height(self.last_epoch - 1) == 0:  # on the way up again
            return [group["lr"] + (rate - self.eta_min) * self._height(self.last_epoch)
                    for group, rate in zip(self.optimizer.param_groups, self.base_lrs,
                                           strict=True)]
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [self.eta_min + (group["lr"] - self.eta_min) * ratio
                for group in self.optimizer.param_groups]

    def _height(self, epoch):
        """Between 1 at the initial rate and 0 at the lowest, where it is exact."""
        if epoch % (2 * self.T_max) == self.T_max:
            return 0.0
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2

    def _first_factor(self):
        return 1.0


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to ``eta_min`` in ``T_0`` epochs, then from the initial rate again.

    Each round takes ``T_mult`` times as long as the one before. ``step(epoch)`` goes to an epoch,
    which may be a fraction. Loshchilov and Hutter, SGDR, 2017.
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"CosineAnnealingWarmRestarts: {name} must be a positive integer, "
                                 f"got {value!r}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (rate - self.eta_min) * share for rate in self.base_lrs]

    @aside
    def step(self, epoch=None):
        """Go on by one epoch, or to ``epoch``, and set the rates."""
        self._step_count += 1
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(epoch or 0)
        self.last_epoch = math.floor(epoch or 0)
        self._set(self.get_lr())

    def _go_to(self, epoch):
        """Find the round that an epoch lies in, and the place in it."""
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: epoch must be at least 0, got {epoch}")
        self.T_cur, self.T_i = epoch, self.T_0
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
