"""Stochastic gradient descent."""

from .._kernels import optimizers
from .fused import Fused, check_absent, check_range, sign_of


class SGD(Fused):
    """Gradient descent, with momentum where it is not 0: PyTorch's formulas.

    The velocity ``v = momentum v + (1 - dampening) g`` starts as ``g``; the step is ``lr`` times
    ``v``, or ``g + momentum v`` with ``nesterov``. ``g`` is the gradient (its negative with
    ``maximize``) plus ``weight_decay`` times the parameter. Sutskever et al., On the importance of
    initialization and momentum in deep learning, 2013.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.SGD([weight], lr=0.1).step()
    >>> weight
    tensor([0.7000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
                 maximize=False, foreach=None, differentiable=False, fused=None):
        check_range("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        check_absent("SGD", differentiable=differentiable)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening, got "
                             f"momentum {momentum}, dampening {dampening}")
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize))

    def _states(self, group):
        return {"momentum_buffer": 0} if group["momentum"] else {}

    def _kernel(self, group):
        if not group["momentum"]:
            return optimizers.sgd
        return optimizers.nesterov if group["nesterov"] else optimizers.momentum

    def _position(self, group, state, fresh):
        return fresh

    def _numbers(self, group, fresh):
        numbers = (group["lr"], group["weight_decay"], sign_of(group))
        share = 1.0 if fresh else 1.0 - group["dampening"]
        return (*numbers, group["momentum"], share) if group["momentum"] else numbers
