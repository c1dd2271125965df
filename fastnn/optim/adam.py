"""Adam and its kin: steps by running means of the gradient and of its square or size."""

import math

from .._kernels import optimizers
from .fused import Fused, check_absent, check_betas, check_range, decay_of, sign_of

MOMENTS = {"exp_avg": 0, "exp_avg_sq": 0}


class Adam(Fused):
    """Steps by running means of the gradient and of its square. Kingma and Ba, Adam, 2015.

    ``weight_decay`` is added to the gradient, or shrinks the weights themselves with
    ``decoupled_weight_decay``; ``amsgrad`` uses the largest mean square so far (Reddi et al., On
    the Convergence of Adam and Beyond, 2018).

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.Adam([weight], lr=0.1).step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 amsgrad=False, *, foreach=None, maximize=False, capturable=False,
                 differentiable=False, fused=None, decoupled_weight_decay=False):
        name = type(self).__name__
        check_range(name, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(name, betas)
        check_absent(name, capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, decoupled_weight_decay=decoupled_weight_decay))

    def _states(self, group):
        return {**MOMENTS, "max_exp_avg_sq": 0} if group["amsgrad"] else MOMENTS

    def _kernel(self, group):
        return optimizers.amsgrad if group["amsgrad"] else optimizers.adam

    def _numbers(self, group, step):
        beta1, beta2 = group["betas"]
        return (group["lr"] / (1 - beta1 ** step), 1 / math.sqrt(1 - beta2 ** step), group["eps"],
                *_means(group), *decay_of(group), sign_of(group))


def _means(group):
    """The numbers of the two running means: share of the new slope, of the old and new square."""
    beta1, beta2 = group["betas"]
    return 1 - beta1, beta2, 1 - beta2


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
                 amsgrad=False, *, maximize=False, foreach=None, capturable=False,
                 differentiable=False, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)


class NAdam(Fused):
    """`Adam` with Nesterov's momentum. Dozat, Incorporating Nesterov Momentum into Adam, 2016.

    The momentum of step t is ``beta1 (1 - 0.96 ** (t momentum_decay) / 2)``.
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 momentum_decay=4e-3, decoupled_weight_decay=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False):
        check_range("NAdam", lr=lr, eps=eps, weight_decay=weight_decay,
                    momentum_decay=momentum_decay)
        check_betas("NAdam", betas)
        check_absent("NAdam", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay,
            momentum_decay=momentum_decay, decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize))

    def _states(self, group):
        return MOMENTS

    def _kernel(self, group):
        return optimizers.nadam

    def _position(self, group, state, fresh):
        step = super()._position(group, state, fresh)
        state["mu_product"] = state.get("mu_product", 1.0) * self._momentum(group, step)
        return step, state["mu_product"]

    @staticmethod
    def _momentum(group, step):
        return group["betas"][0] * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"]))

    def _numbers(self, group, position):
        step, product = position
        rate, now, then = group["lr"], self._momentum(group, step), self._momentum(group, step + 1)
        return (rate * (1 - now) / (1 - product), rate * then / (1 - product * then),
                1 / math.sqrt(1 - group["betas"][1] ** step), group["eps"], *_means(group),
                *decay_of(group), sign_of(group))


class RAdam(Fused):
    """`Adam` that waits with the division by the root until the mean square can be trusted.

    Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
                 differentiable=False):
        check_range("RAdam", lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas("RAdam", betas)
        check_absent("RAdam", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, maximize=maximize,
            decoupled_weight_decay=decoupled_weight_decay))

    def _states(self, group):
        return MOMENTS

    def _kernel(self, group):
        return optimizers.radam

    def _numbers(self, group, step):
        beta1, beta2 = group["betas"]
        rate, correction = group["lr"] / (1 - beta1 ** step), 1 - beta2 ** step
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2 ** step / correction
        plain, adaptive = rate, 0.0
        if length > 5:
            trust = ((length - 4) * (length - 2) * limit
                     / ((limit - 4) * (limit - 2) * length)) ** 0.5
            plain, adaptive = 0.0, rate * trust * math.sqrt(correction)
        return (plain, adaptive, group["eps"], *_means(group), *decay_of(group), sign_of(group))


class Adamax(Fused):
    """`Adam` with the decaying largest size of the gradient in the place of its mean square.

    Kingma and Ba, Adam, 2015, section 7.1.
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None,
                 *, maximize=False, differentiable=False, capturable=False):
        check_range("Adamax", lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas("Adamax", betas)
        check_absent("Adamax", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, betas=tuple(betas), eps=eps,
                                      weight_decay=weight_decay, maximize=maximize))

    def _states(self, group):
        return {"exp_avg": 0, "exp_inf": 0}

    def _kernel(self, group):
        return optimizers.adamax

    def _numbers(self, group, step):
        beta1, beta2 = group["betas"]
        return (group["lr"] / (1 - beta1 ** step), group["eps"], 1 - beta1, beta2,
                group["weight_decay"], sign_of(group))
