"""Stochastic gradient descent."""

from .._kernels import optimizers
from .optimizer import Optimizer, check_range, run, zeros_of


class SGD(Optimizer):
    """Gradient descent, with momentum where it is not 0: PyTorch's formulas.

    The velocity ``v = momentum v + (1 - dampening) g`` starts as ``g``; the step is ``lr`` times
    ``v``, or ``g + momentum v`` with ``nesterov``. ``g`` is the gradient (its negative with
    ``maximize``) plus ``weight_decay`` times the parameter. Sutskever et al., On the importance of
    initialization and momentum in deep learning, 2013. Every update is fused, whatever ``foreach``
    and ``fused`` say.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.SGD([weight], lr=0.1).step()
    >>> weight
    tensor([0.7000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
                 maximize=False, foreach=None, fused=None):
        check_range("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening, got "
                             f"momentum {momentum}, dampening {dampening}")
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize))

    def _step_group(self, group):
        parameters = [each for each in group["params"] if each.grad is not None]
        numbers = (group["lr"], group["weight_decay"], -1.0 if group["maximize"] else 1.0)
        if group["momentum"]:
            self._step_with_momentum(group, parameters, numbers)
        else:
            run("SGD", optimizers.sgd_update,
                [(each.array, each.grad.array) for each in parameters], numbers, 0.3)
        for parameter in parameters:
            parameter._bump_version()

    def _step_with_momentum(self, group, parameters, numbers):
        fresh, moving = [], []
        for parameter in parameters:
            state = self.state[parameter]
            velocity = state.get("momentum_buffer")
            rows = fresh if velocity is None else moving
            if velocity is None:
                velocity = state["momentum_buffer"] = zeros_of(parameter)
            rows.append((parameter.array, parameter.grad.array, velocity.array))
        for rows, share in ((fresh, 1.0), (moving, 1.0 - group["dampening"])):
            if rows:
                run("SGD", optimizers.momentum_update, rows,
                    (*numbers, group["momentum"], share, float(group["nesterov"])), 0.4)
