"""Schedules made of schedules: at the same time, or one after the other."""

from bisect import bisect_right

from ..._kernels.program import aside
from .base import LRScheduler, check_optimizer
from .plateau import ReduceLROnPlateau


class _Joined(LRScheduler):
    """The base of both: the state dict holds those of the parts."""

    def state_dict(self):
        """The position, and the state dicts of the parts."""
        parts = [each.state_dict() for each in self._schedulers]
        return {**super().state_dict(), "_schedulers": parts}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        parts = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = parts
        for part, state in zip(parts, state_dict["_schedulers"], strict=True):
            part.load_state_dict(state)

    def _check_parts(self, schedulers, optimizer):
        name = type(self).__name__
        if not schedulers:
            raise ValueError(f"{name}: no schedules given")
        for number, each in enumerate(schedulers):
            if not hasattr(each, "optimizer"):
                raise TypeError(f"{name}: schedule {number} is a {type(each).__name__}")
            if isinstance(each, ReduceLROnPlateau):
                raise ValueError(f"{name}: schedule {number} is a ReduceLROnPlateau, whose step "
                                 "needs a figure")
            if each.optimizer is not optimizer:
                raise ValueError(f"{name}: schedule {number} belongs to another optimizer")


class ChainedScheduler(_Joined):
    """Several schedules of one optimizer, stepped together: their factors multiply.

    >>> import fastnn
    >>> from fastnn.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = ChainedScheduler([ConstantLR(sgd, 0.5, total_iters=2), ExponentialLR(sgd, 0.5)])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(sgd.param_groups[0]["lr"])
    ...     schedule.step()
    >>> rates
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers, optimizer=None):
        schedulers = list(schedulers)
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._check_parts(schedulers, optimizer)
        self._schedulers, self.optimizer = schedulers, optimizer
        self._note()

    def _note(self):
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    @aside
    def step(self):
        """Step all of them, in their order."""
        for each in self._schedulers:
            each.step()
        self._note()

    def _undo(self):
        for each in self._schedulers:
            _undo(each)


class SequentialLR(_Joined):
    """One schedule after the other: the next takes over, at its epoch 0, at each milestone.

    >>> import fastnn
    >>> from fastnn.optim.lr_scheduler import LinearLR, SequentialLR, StepLR
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = SequentialLR(sgd, [LinearLR(sgd, 0.5, total_iters=2), StepLR(sgd, 2, 0.5)], [2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append(sgd.param_groups[0]["lr"])
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0, 0.5]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        self.optimizer = check_optimizer("SequentialLR", optimizer)
        self._check_parts(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: {len(schedulers)} schedules need "
                             f"{len(schedulers) - 1} milestones, got {len(milestones)}")
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._undo()
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _undo(self):
        """Take back the steps that the parts made when they were constructed."""
        for each in self._schedulers:
            _undo(each)

    @aside
    def step(self):
        """Go on by one epoch with the schedule whose turn it is."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        present = self._schedulers[place]
        if place and self._milestones[place - 1] == self.last_epoch:
            present._restart()
        else:
            present.step()
        self._last_lr = present.get_last_lr()


def _undo(schedule):
    if isinstance(schedule, _Joined):
        schedule._undo()
    else:
        schedule.last_epoch -= 1
