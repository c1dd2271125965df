"""Stochastic gradient descent."""

from .._kernels import optimizers
from .optimizer import Optimizer, check_range, gradient_like, run


class SGD(Optimizer):
    """Gradient descent, with momentum where it is not 0: PyTorch's formulas.

    The velocity ``v = momentum v + (1 - dampening) g`` starts as ``g``; the step is ``lr`` times
    ``v``, or ``g + momentum v`` with ``nesterov``. Sutskever et al., On the importance of
    initialization and momentum in deep learning, 2013.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.SGD([weight], lr=0.1).step()
    >>> weight
    tensor([0.7000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
                 maximize=False):
        check_range("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening, got "
                             f"momentum {momentum}, dampening {dampening}")
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize))

    def _step_group(self, group):
        parameters = [each for each in group["params"] if each.grad is not None]
        if not parameters:
            return
        sign = -1.0 if group["maximize"] else 1.0
        numbers = (group["lr"], group["weight_decay"], sign)
        if not group["momentum"]:
            rows = [(each.array, gradient_like(each)) for each in parameters]
            run(optimizers.sgd_update, parameters, rows, numbers, 0.3)
            return
        fresh = [each for each in parameters if each not in self.state]
        old = [each for each in parameters if each in self.state]
        for some, share in ((fresh, 1.0), (old, 1.0 - group["dampening"])):
            rows = [(each.array, gradient_like(each),
                     self._state(each, "momentum_buffer")["momentum_buffer"].array)
                    for each in some]
            run(optimizers.momentum_update, some, rows,
                (*numbers, group["momentum"], share, float(group["nesterov"])), 0.4)
