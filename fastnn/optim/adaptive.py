"""RMSprop, Adagrad, Adadelta, Rprop and averaged SGD."""

from .._kernels import optimizers
from .fused import Fused, check_absent, check_range, sign_of


class RMSprop(Fused):
    """Steps by the gradient over the root of its running mean square. Tieleman and Hinton, 2012.

    ``centered`` takes the square of the running mean off first (Graves, Generating Sequences With
    Recurrent Neural Networks, 2013); ``momentum`` sums up the steps.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.RMSprop([weight], lr=0.01, alpha=0.96).step()
    >>> weight
    tensor([0.9500], requires_grad=True)
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0,
                 centered=False, capturable=False, foreach=None, maximize=False,
                 differentiable=False):
        check_range("RMSprop", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay,
                    momentum=momentum)
        check_absent("RMSprop", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(
            lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered, maximize=maximize))

    def _states(self, group):
        names = ["square_avg", *["momentum_buffer"] * (group["momentum"] > 0),
                 *["grad_avg"] * bool(group["centered"])]
        return dict.fromkeys(names, 0)

    def _kernel(self, group):
        if group["momentum"] > 0:
            return optimizers.rmsprop_centered_momentum if group["centered"] \
                else optimizers.rmsprop_momentum
        return optimizers.rmsprop_centered if group["centered"] else optimizers.rmsprop

    def _numbers(self, group, step):
        numbers = (group["lr"], group["alpha"], 1 - group["alpha"], group["eps"],
                   group["weight_decay"], sign_of(group))
        return (*numbers, group["momentum"]) if group["momentum"] > 0 else numbers


class Adagrad(Fused):
    """Steps by the gradient over the root of the sum of its squares so far.

    The rate falls as ``lr / (1 + (step - 1) lr_decay)``. Duchi, Hazan and Singer, Adaptive
    Subgradient Methods for Online Learning and Stochastic Optimization, 2011.
    """

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0,
                 eps=1e-10, foreach=None, *, maximize=False, differentiable=False, fused=None):
        check_range("Adagrad", lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps,
                    initial_accumulator_value=initial_accumulator_value)
        check_absent("Adagrad", differentiable=differentiable)
        super().__init__(params, dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, maximize=maximize))
        for group in self.param_groups:
            for parameter in group["params"]:
                self._start(group, self.state[parameter], parameter)
                self.state[parameter]["step"] = 0

    def _states(self, group):
        return {"sum": group["initial_accumulator_value"]}

    def _kernel(self, group):
        return optimizers.adagrad

    def _numbers(self, group, step):
        return (group["lr"] / (1 + (step - 1) * group["lr_decay"]), group["eps"],
                group["weight_decay"], sign_of(group))


class Adadelta(Fused):
    """Steps as large as the running mean of earlier ones, over that of the gradients.

    Zeiler, Adadelta: An Adaptive Learning Rate Method, 2012.
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
                 capturable=False, maximize=False, differentiable=False):
        check_range("Adadelta", lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        if rho > 1:
            raise ValueError(f"Adadelta: rho must lie in [0, 1], got {rho}")
        check_absent("Adadelta", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay,
                                      maximize=maximize))

    def _states(self, group):
        return {"square_avg": 0, "acc_delta": 0}

    def _kernel(self, group):
        return optimizers.adadelta

    def _numbers(self, group, step):
        return (group["lr"], group["rho"], 1 - group["rho"], group["eps"], group["weight_decay"],
                sign_of(group))


class ASGD(Fused):
    """Gradient descent that also keeps the average of the parameters, in its state ``"ax"``.

    The rate of a step is ``lr / (1 + lambd lr step) ** alpha``; averaging starts after ``t0``
    steps. Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0,
                 foreach=None, maximize=False, differentiable=False, capturable=False):
        check_range("ASGD", lr=lr, weight_decay=weight_decay)
        check_absent("ASGD", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0,
                                      weight_decay=weight_decay, maximize=maximize))

    def _states(self, group):
        return {"ax": 0}

    def _kernel(self, group):
        return optimizers.asgd

    def _position(self, group, state, fresh):
        rate, share = state.get("eta", group["lr"]), state.get("mu", 1.0)
        step = super()._position(group, state, fresh)
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return rate, share

    def _numbers(self, group, position):
        rate, share = position
        return (rate, 1 - group["lambd"] * rate, share, group["weight_decay"], sign_of(group))


class Rprop(Fused):
    """A step size for each element, that grows while the sign of the gradient stays.

    Where the sign turns, the size shrinks and the element waits for a step. ``etas`` are the
    factors (shrink, grow), ``step_sizes`` the least and largest size. Riedmiller and Braun, A
    direct adaptive method for faster backpropagation learning: the RPROP algorithm, 1993.
    """

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *,
                 capturable=False, foreach=None, maximize=False, differentiable=False):
        check_range("Rprop", lr=lr)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Rprop: etas must be below and above 1, got {etas}")
        check_absent("Rprop", capturable=capturable, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, etas=tuple(etas), step_sizes=tuple(step_sizes),
                                      maximize=maximize))

    def _states(self, group):
        return {"prev": 0, "step_size": group["lr"]}

    def _kernel(self, group):
        return optimizers.rprop

    def _numbers(self, group, step):
        shrink, grow = group["etas"]
        return (grow, shrink, *group["step_sizes"], sign_of(group))
