"""Schedules that multiply the rate by a factor, from epoch to epoch or at some of them."""

from collections import Counter

from .base import LRScheduler, one_each, positive, restore_functions, states_of


class _Lambdas(LRScheduler):
    """The base of the schedules by functions, one or a list of one for each group."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        self.lr_lambdas = one_each(type(self).__name__, "lr_lambda", lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def state_dict(self):
        """All settings and the position; of the functions the attributes of callable objects."""
        return {**super().state_dict(), "lr_lambdas": states_of(self.lr_lambdas)}

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict`` gave."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = functions
        restore_functions(functions, state_dict["lr_lambdas"])


class LambdaLR(_Lambdas):
    """The initial rate times ``lr_lambda(epoch)``, one function or a list of one for each group.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 1 / (1 + epoch))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def get_lr(self):
        return [rate * function(self.last_epoch)
                for rate, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_Lambdas):
    """At each epoch the rate times ``lr_lambda(epoch)``."""

    def get_lr(self):
        if self._is_initial:
            return self._times(1.0)
        return [group["lr"] * function(self.last_epoch) for group, function in zip(
            self.optimizer.param_groups, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """The rate times ``gamma`` after every ``step_size`` epochs.

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
        self.step_size, self.gamma = positive("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        changes = self.last_epoch and self.last_epoch % self.step_size == 0
        return self._times(self.gamma if changes else 1.0)

    def _first_factor(self):
        return 1.0


class MultiStepLR(LRScheduler):
    """The rate times ``gamma`` at each of the epochs ``milestones``."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = dict(Counter(milestones)), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._times(self.gamma ** self.milestones.get(self.last_epoch, 0))

    def _first_factor(self):
        return self.gamma ** self.milestones.get(0, 0)


class ConstantLR(LRScheduler):
    """The rate times ``factor`` until epoch ``total_iters``."""

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must lie in [0, 1], got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0:
            return self._times(self.factor)
        return self._times(1 / self.factor if self.last_epoch == self.total_iters else 1.0)

    def _first_factor(self):
        return self.factor if self.total_iters > 0 else 1.0


class LinearLR(LRScheduler):
    """The rate times a factor that goes from ``start_factor`` to ``end_factor`` in a line.

    It arrives after ``total_iters`` epochs and stays.

    >>> import fastnn
    >>> sgd = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = fastnn.optim.lr_scheduler.LinearLR(sgd, start_factor=0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(sgd.param_groups[0]["lr"])
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5,
                 last_epoch=-1):
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must lie in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must lie in [0, 1], got {end_factor}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._times(1.0)
        return self._times(self._factor(self.last_epoch) / self._factor(self.last_epoch - 1))

    def _factor(self, epoch):
        if epoch == self.total_iters:
            return self.end_factor
        share = epoch / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share

    def _first_factor(self):
        return self.start_factor


class ExponentialLR(LRScheduler):
    """At each epoch the rate times ``gamma``."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._times(1.0 if self._is_initial else self.gamma)

    def _first_factor(self):
        return 1.0


class PolynomialLR(LRScheduler):
    """The rate times ``(1 - epoch / total_iters) ** power``: 0 from epoch ``total_iters`` on."""

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._times(1.0)
        left, before = self.total_iters - self.last_epoch, self.total_iters - self.last_epoch + 1
        return self._times((left / before) ** self.power)

    def _first_factor(self):
        return 1.0
