"""Adam and AdamW."""

import math

from .._kernels import optimizers
from .optimizer import Optimizer, check_betas, check_range, run, zeros_of

MOMENTS = ("exp_avg", "exp_avg_sq")
LARGEST = "max_exp_avg_sq"


class Adam(Optimizer):
    """Steps by running means of the gradient and of its square. Kingma and Ba, Adam, 2015.

    ``weight_decay`` is added to the gradient, or shrinks the weights themselves with
    ``decoupled_weight_decay``; ``amsgrad`` uses the largest mean square so far (Reddi et al., On
    the Convergence of Adam and Beyond, 2018). Every update is fused, whatever ``foreach`` and
    ``fused`` say.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.Adam([weight], lr=0.1).step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 amsgrad=False, *, foreach=None, maximize=False, fused=None,
                 decoupled_weight_decay=False):
        name = type(self).__name__
        check_range(name, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(name, betas)
        super().__init__(params, dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, decoupled_weight_decay=decoupled_weight_decay))

    def _step_group(self, group):
        names = (*MOMENTS, LARGEST) if group["amsgrad"] else MOMENTS
        parameters = [each for each in group["params"] if each.grad is not None]
        by_step = {}
        for parameter in parameters:
            state = self.state[parameter]
            if names[-1] not in state:
                _start(state, parameter, names)
            state["step"] += 1
            row = (parameter.array, parameter.grad.array, *[state[name].array for name in names])
            by_step.setdefault(state["step"], []).append(row)
        kernel = optimizers.amsgrad_update if group["amsgrad"] else optimizers.adam_update
        for step, rows in by_step.items():
            run(type(self).__name__, kernel, rows, _numbers(group, step), 0.8)
        for parameter in parameters:
            parameter._bump_version()


def _start(state, parameter, names):
    """Put into a parameter's state what it has not yet."""
    state.setdefault("step", 0)
    for name in names:
        if name not in state:
            state[name] = zeros_of(parameter)


def _numbers(group, step):
    """The settings as the kernel reads them, with both corrections for the start at zero."""
    beta1, beta2 = group["betas"]
    rate, decay = group["lr"], group["weight_decay"]
    added, shrink = (0.0, 1 - rate * decay) if group["decoupled_weight_decay"] else (decay, 1.0)
    return (rate / (1 - beta1 ** step), 1 / math.sqrt(1 - beta2 ** step), group["eps"], beta1,
            beta2, added, shrink, -1.0 if group["maximize"] else 1.0)


class AdamW(Adam):
    """`Adam` whose weight decay shrinks the weights themselves.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.

    >>> import fastnn
    >>> weight = fastnn.tensor([2.0], requires_grad=True)
    >>> weight.grad = fastnn.zeros(1)
    >>> fastnn.optim.AdamW([weight], lr=0.1, weight_decay=0.5).step()
    >>> weight
    tensor([1.9000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2,
                 amsgrad=False, *, maximize=False, foreach=None, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, fused=fused, decoupled_weight_decay=True)
