"""Adafactor, whose second moments are kept as sums of rows and columns, and Muon."""

import math

from .. import dtypes
from ..autograd import no_grad
from ..ops.products import addmm
from .fused import check_range, filled_like
from .optimizer import Optimizer, restored

FACTORS = ("row_var", "col_var")
ADJUSTMENTS = (None, "original", "match_rms_adamw")
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's, for Newton and Schulz's iteration


def _root_mean_square(tensor):
    return tensor.norm().item() / math.sqrt(max(1, tensor.numel()))


class Adafactor(Optimizer):
    """Steps relative to the size of a parameter, by the gradient over its root mean square.

    The mean square of a matrix is kept as those of its rows and columns, so the state is small.
    Steps are at most ``lr``, and their root mean square at most ``d``. The first ``eps`` (by
    default that of the type) limits roots, the second the parameter's size. Shazeer and Stern,
    Adafactor, 2018.

    >>> import fastnn
    >>> weight = fastnn.tensor([1.0], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> fastnn.optim.Adafactor([weight], lr=0.01).step()
    >>> weight
    tensor([0.9900], requires_grad=True)
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0,
                 weight_decay=0.0, *, foreach=None, maximize=False):
        check_range("Adafactor", lr=lr, weight_decay=weight_decay)
        if beta2_decay > 0 or d < 1:
            raise ValueError("Adafactor: beta2_decay must be at most 0 and d at least 1, got "
                             f"{beta2_decay} and {d}")
        if len(eps) != 2 or any(each is not None and not each >= 0 for each in eps):
            raise ValueError(f"Adafactor: eps must be two numbers of at least 0, got {eps}")
        super().__init__(params, dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d,
                                      weight_decay=weight_decay, maximize=maximize))

    @no_grad()
    def _step_group(self, group):
        for parameter in group["params"]:
            if parameter.grad is not None:
                self._update(group, parameter, self.state[parameter])

    def _update(self, group, parameter, state):
        gradient = parameter.grad.detach().contiguous()  # sums then do not depend on the layout
        gradient = -gradient if group["maximize"] else gradient
        state["step"] = step = state.get("step", 0) + 1
        least, least_size = group["eps"]
        least = dtypes.finfo(parameter.dtype).eps if least is None else least
        rate = max(least_size, _root_mean_square(parameter.contiguous())) \
            * min(group["lr"], 1 / math.sqrt(step))
        square = self._mean_square(state, gradient, step ** group["beta2_decay"], least)
        update = gradient * square.clamp(min=least * least).rsqrt()
        rate /= max(1.0, _root_mean_square(update) / group["d"])
        if group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(update, alpha=rate)

    @staticmethod
    def _mean_square(state, gradient, share, least):
        """The running mean of the gradient's square, to which the new one adds its share."""
        square = gradient * gradient
        if gradient.ndim < 2:
            if "variance" not in state:
                state["variance"] = filled_like(gradient, 0)
            return state["variance"].lerp_(square, share)
        for name, dim in zip(FACTORS, (-1, -2), strict=True):
            mean = square.mean(dim, keepdim=True)
            if name not in state:
                state[name] = mean.new_zeros(mean.shape)
            state[name].lerp_(mean, share)
        rows, columns = (state[name] for name in FACTORS)
        return rows * columns / rows.mean(-2, keepdim=True).clamp(min=least)

    @staticmethod
    def _restored(operation, parameter, key, value):
        if key not in FACTORS:
            return restored(operation, parameter, key, value)
        shape = list(parameter.shape)
        shape[-1 - FACTORS.index(key)] = 1
        if list(value.shape) != shape:
            raise ValueError(f"{operation}: {key} has shape {tuple(value.shape)}, expected "
                             f"{tuple(shape)}")
        return value.detach().clone().to(parameter.dtype)


def _orthogonal(matrix, coefficients, steps, eps):
    """About U V' of a matrix U S V': a quintic iteration that brings singular values near 1."""
    a, b, c = coefficients
    is_high = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if is_high else matrix
    x = x / max(x.norm().item(), eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = addmm(x, addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_high else x


class Muon(Optimizer):
    """Steps by the momentum of a matrix with its singular values made about 1. Jordan, 2024.

    For matrices alone; give other parameters to AdamW. ``ns_steps`` iterations of Newton and
    Schulz's kind by ``ns_coefficients`` make the singular values equal, in the type of the
    parameter. ``adjust_lr_fn`` fits the rate to the shape: by ``"original"`` (and None) the root of
    rows over columns where that is above 1, by ``"match_rms_adamw"`` as large as AdamW's steps.

    >>> import fastnn
    >>> net = fastnn.nn.Linear(4, 3, bias=False)
    >>> net(fastnn.ones(2, 4)).sum().backward()
    >>> fastnn.optim.Muon(net.parameters(), lr=0.02).step()
    """

    def __init__(self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
                 ns_coefficients=QUINTIC, eps=1e-7, ns_steps=5, adjust_lr_fn=None):
        check_range("Muon", lr=lr, weight_decay=weight_decay, momentum=momentum)
        if adjust_lr_fn not in ADJUSTMENTS:
            raise ValueError("Muon: adjust_lr_fn must be None, 'original' or 'match_rms_adamw', "
                             f"got {adjust_lr_fn!r}")
        if len(ns_coefficients) != 3 or not 0 <= ns_steps < 100:
            raise ValueError("Muon: expected 3 ns_coefficients and ns_steps in [0, 100), got "
                             f"{ns_coefficients} and {ns_steps}")
        super().__init__(params, dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn))

    def add_param_group(self, param_group):
        """Add a dict of ``"params"``, which must be matrices, and settings."""
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            if parameter.ndim != 2:
                self.param_groups.pop()
                raise ValueError("Muon: expected matrices, got a parameter of shape "
                                 f"{tuple(parameter.shape)}")

    @no_grad()
    def _step_group(self, group):
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state, gradient = self.state[parameter], parameter.grad.detach()
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = filled_like(parameter, 0)
            mean = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
            update = gradient.lerp(mean, group["momentum"]) if group["nesterov"] else mean
            update = _orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(update, alpha=float(_adjusted(group, parameter.shape)))


def _adjusted(group, shape):
    rows, columns = (max(1, size) for size in shape)
    if group["adjust_lr_fn"] == "match_rms_adamw":
        return group["lr"] * 0.2 * math.sqrt(max(rows, columns))
    return group["lr"] * math.sqrt(max(1, rows / columns))
