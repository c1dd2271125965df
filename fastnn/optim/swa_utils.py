"""Averages of weights over the training: stochastic weight averaging and moving averages.

Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018.
"""

import math
from copy import deepcopy

from .._kernels.program import aside
from ..autograd import no_grad
from ..nn.module import Module
from ..nn.norms import _BatchNorm
from ..ops.creation import tensor
from .lr_scheduler.base import LRScheduler, one_each

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "update_bn"]


def get_ema_avg_fn(decay=0.999):
    """``avg_fn`` for an exponential moving average: keeps the share ``decay`` of the average."""
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_avg_fn: decay must lie in [0, 1], got {decay}")

    share_of = _ema_share(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return ema_param * decay + current_param * share_of(num_averaged)

    return ema_update


def get_swa_avg_fn():
    """``avg_fn`` for the equal average of all models so far."""

    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) * _swa_share(num_averaged)

    return swa_update


def get_ema_multi_avg_fn(decay=0.999):
    """``multi_avg_fn`` for an exponential moving average, over lists of tensors."""
    return _over_lists(get_ema_avg_fn(decay), _ema_share(decay))


def get_swa_multi_avg_fn():
    """``multi_avg_fn`` for the equal average of all models so far, over lists of tensors."""
    return _over_lists(get_swa_avg_fn(), _swa_share)


def _ema_share(decay):
    """How far a moving average goes towards the present parameters, whatever their number."""
    return lambda num_averaged: 1 - decay


def _swa_share(num_averaged):
    """How far the equal average of so many models goes towards the next one."""
    return 1 / (int(num_averaged) + 1)


def _over_lists(average, share_of=None):
    """``average`` over lists; in place where it only moves the averages by a known share."""
    @no_grad()
    def update(averaged_params, current_params, num_averaged):
        share = share_of and share_of(num_averaged)
        for averaged, current in zip(averaged_params, current_params, strict=True):
            if share is None or not averaged.is_floating_point():
                averaged.copy_(average(averaged, current, num_averaged))
            else:
                averaged.lerp_(current.to(averaged.dtype), share)

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of what the model's were.

    ``update_parameters(model)`` takes the present ones in: the first time as they are, then by
    ``avg_fn(average, current, number)`` for each tensor or ``multi_avg_fn`` for lists of them; the
    equal average by default. With ``use_buffers`` the buffers are averaged as well, else copied.

    >>> import fastnn
    >>> net = fastnn.nn.Linear(1, 1, bias=False)
    >>> average = AveragedModel(net)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = fastnn.nn.init.constant_(net.weight, value)
    ...     average.update_parameters(net)
    >>> average(fastnn.ones(1)).item()
    3.0
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: avg_fn and multi_avg_fn exclude each other")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    @aside
    @no_grad()
    def update_parameters(self, model):
        """Take the present parameters of a model into the average."""
        averages, currents = self._tensors(self.module), self._tensors(model)
        if not int(self.n_averaged):
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)
        else:
            update = self.multi_avg_fn or (
                _over_lists(self.avg_fn) if self.avg_fn else get_swa_multi_avg_fn())
            update(averages, currents, self.n_averaged)
        if not self.use_buffers:
            for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
                own.copy_(other)
        self.n_averaged.add_(1)

    def _tensors(self, model):
        buffers = list(model.buffers()) if self.use_buffers else []
        return [each.detach() for each in [*model.parameters(), *buffers]]


@no_grad()
def update_bn(loader, model, device=None):
    """Compute the running statistics of a model's batch norms anew, over all batches of a loader.

    A batch is a tensor, or a list or tuple that begins with one.
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    if not norms:
        return
    momenta, was_training = [each.momentum for each in norms], model.training
    try:
        model.train()
        for each in norms:
            each.reset_running_stats()
            each.momentum = None
        for batch in loader:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(batch if device is None else batch.to(device))
    finally:
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to ``swa_lr`` within ``anneal_epochs``, along a cosine or a line."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("SWALR: anneal_strategy must be 'cos' or 'linear', got "
                             f"{anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError("SWALR: anneal_epochs must be an integer of at least 0, got "
                             f"{anneal_epochs!r}")
        rates = one_each("SWALR", "swa_lr", swa_lr, optimizer)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, now = self._share(step - 1), self._share(step)
        if before == 1:
            return [group["swa_lr"] for group in self.optimizer.param_groups]
        left = (1 - now) / (1 - before)
        return [group["swa_lr"] + (group["lr"] - group["swa_lr"]) * left
                for group in self.optimizer.param_groups]

    def _share(self, step):
        """How much of the way is behind after a step."""
        share = min(max(step / max(1, self.anneal_epochs), 0), 1)
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2
