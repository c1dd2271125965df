"""Adam and AdamW."""

import math

from .._kernels import optimizers
from .optimizer import Optimizer, check_betas, check_range, gradient_like, run

MOMENTS = ("exp_avg", "exp_avg_sq")


class Adam(Optimizer):
    """Steps by running means of the gradient and of its square. Kingma and Ba, Adam, 2015.

    ``weight_decay`` is added to the gradient; ``amsgrad`` uses the largest mean square so far
    (Reddi et al., On the Convergence of Adam and Beyond, 2018).

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.Adam([weight], lr=0.1).step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 amsgrad=False, *, maximize=False):
        name = type(self).__name__
        check_range(name, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(name, betas)
        super().__init__(params, dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize))

    def _step_group(self, group):
        parameters = [each for each in group["params"] if each.grad is not None]
        names = (*MOMENTS, "max_exp_avg_sq") if group["amsgrad"] else MOMENTS
        by_step = {}
        for parameter in parameters:
            state = self._state(parameter, *names)
            state["step"] = state.get("step", 0) + 1
            moments = [state[name].array for name in names]
            by_step.setdefault(state["step"], []).append(
                (parameter.array, gradient_like(parameter), *moments))
        kernel = optimizers.amsgrad_update if group["amsgrad"] else optimizers.adam_update
        for step, rows in by_step.items():
            run(kernel, (), rows, self._numbers(group, step), 0.8)
        for parameter in parameters:
            parameter._bump_version()

    def _numbers(self, group, step):
        """The settings as the kernel reads them, with both corrections for the start at zero."""
        beta1, beta2 = group["betas"]
        rate, decay = group["lr"], group["weight_decay"]
        return (rate / (1 - beta1 ** step), 1 / math.sqrt(1 - beta2 ** step), group["eps"], beta1,
                beta2, 0.0 if self.decoupled else decay,
                1 - rate * decay if self.decoupled else 1.0, -1.0 if group["maximize"] else 1.0)


class AdamW(Adam):
    """`Adam` whose weight decay shrinks the weights themselves.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
    """

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2,
                 amsgrad=False, *, maximize=False):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
