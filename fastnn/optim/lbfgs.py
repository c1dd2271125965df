"""L-BFGS: steps by an approximation of the inverse Hessian from the last gradients."""

from ..autograd import enable_grad, no_grad
from ..ops.joining import cat
from ..tensor import Tensor
from .fused import check_range
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, restored

LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """Quasi-Newton steps, for losses without noise; each calls the closure several times.

    A step makes up to ``max_iter`` iterations and ``max_eval`` evaluations (5/4 of ``max_iter`` by
    default), and ends earlier where the largest gradient is at most ``tolerance_grad`` or a step
    or change of the loss below ``tolerance_change``. ``line_search_fn`` is None, for steps of
    ``lr``, or ``"strong_wolfe"``. One group of parameters. Nocedal, Updating quasi-Newton matrices
    with limited storage, 1980.

    >>> import fastnn
    >>> x = fastnn.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = fastnn.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(13., grad_fn=<sum>)
    >>> [round(value, 3) for value in x.tolist()]
    [1.0, 1.0]
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7,
                 tolerance_change=1e-9, history_size=100, line_search_fn=None):
        check_range("LBFGS", lr=lr)
        _check_search(line_search_fn)
        super().__init__(params, dict(
            lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
            history_size=history_size, line_search_fn=line_search_fn))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS: expected one parameter group, got "
                             f"{len(self.param_groups)}")

    def step(self, closure):
        """Minimise from the present parameters; returns the loss at the start."""
        group = self.param_groups[0]
        state = self.state[group["params"][0]]
        _check_search(group["line_search_fn"])
        with no_grad():
            return _Step(group, state, enable_grad()(closure)).run()

    @staticmethod
    def _restored(operation, parameter, key, value):
        """As the others', but vectors are as long as all parameters together."""
        if isinstance(value, (list, tuple)):
            return [LBFGS._restored(operation, parameter, key, each) for each in value]
        if not isinstance(value, Tensor):
            return restored(operation, parameter, key, value)
        return value.item() if value.ndim == 0 else value.detach().clone().to(parameter.dtype)


def _check_search(name):
    if name not in (None, "strong_wolfe"):
        raise ValueError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {name!r}")


class _Step:
    """One call of ``step()``: the point that was reached, and what is known of the Hessian."""

    def __init__(self, group, state, closure):
        self.group, self.state, self.closure = group, state, closure
        self.evaluations = 0
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

    def run(self):
        first = self.evaluate()
        gradient, loss = self.gradient(), float(first)
        for iteration in range(1, self.group["max_iter"] + 1):
            if iteration == 1 and _largest(gradient) <= self.group["tolerance_grad"]:
                break
            before = loss
            direction = self.direction(gradient)
            slope = _dot(gradient, direction)
            if slope > -self.group["tolerance_change"]:
                break
            last = iteration == self.group["max_iter"]
            loss, gradient = self.move(loss, gradient, direction, slope, last)
            if last or self.has_arrived(before, loss, gradient):
                break
        return first

    def has_arrived(self, before, loss, gradient):
        group, state = self.group, self.state
        return (self.evaluations >= group["max_eval"]
                or _largest(gradient) <= group["tolerance_grad"]
                or _largest(state["d"] * state["t"]) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"])

    def evaluate(self):
        self.evaluations += 1
        self.state["func_evals"] += 1
        return self.closure()

    def gradient(self):
        """All gradients as one vector."""
        return cat([(each.new_zeros(each.shape) if each.grad is None else each.grad).reshape(-1)
                    for each in self.group["params"]])

    def add(self, direction, factor):
        """Move all parameters along a vector."""
        start = 0
        for each in self.group["params"]:
            part = direction[start:start + each.numel()]
            each.add_(part.reshape(each.shape) * factor)
            start += each.numel()

    def direction(self, gradient):
        """Where to go, with the last step entered into the history."""
        state = self.state
        state["n_iter"] += 1
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            direction = -gradient
        else:
            self.remember(gradient - state["prev_flat_grad"], state["d"] * state["t"])
            direction = self.inverse_hessian_times(-gradient)
        state["d"], state["prev_flat_grad"] = direction, gradient.clone()
        return direction

    def remember(self, change, step):
        """Note a step and the change of the gradient on it, unless it curves the wrong way."""
        state, curvature = self.state, _dot(change, step)
        if not curvature > LEAST_CURVATURE:
            return
        for name, value in (("old_dirs", change), ("old_stps", step), ("ro", 1.0 / curvature)):
            state[name] = [*state[name], value][-self.group["history_size"]:]
        state["H_diag"] = curvature / _dot(change, change)

    def inverse_hessian_times(self, vector):
        """The two loops over the history, from the newest and from the oldest."""
        state, factors = self.state, []
        history = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
        for change, step, share in reversed(history):
            factors.append(_dot(step, vector) * share)
            vector = vector - change * factors[-1]
        vector = vector * state["H_diag"]
        for change, step, share in history:
            vector = vector + step * (factors.pop() - _dot(change, vector) * share)
        return vector

    def move(self, loss, gradient, direction, slope, last):
        """Go along the direction; the loss and the gradient there."""
        state, length = self.state, self.group["lr"]
        state["prev_loss"] = loss
        if state["n_iter"] == 1:
            length *= min(1.0, 1.0 / gradient.abs().sum().item())
        if self.group["line_search_fn"] is not None:
            return self.search(Point(0.0, loss, gradient, slope), length, direction)
        state["t"] = length
        self.add(direction, length)
        if last:  # nobody reads the loss behind the last step
            return loss, gradient
        return float(self.evaluate()), self.gradient()

    def search(self, start, length, direction):
        starts = [each.detach().clone() for each in self.group["params"]]

        def evaluate(position):
            self.add(direction, position)
            loss, gradient = float(self.closure()), self.gradient()
            for each, value in zip(self.group["params"], starts, strict=True):
                each.copy_(value)
            return Point(position, loss, gradient, _dot(gradient, direction))

        found, count = strong_wolfe(
            evaluate, start, length, _largest(direction), 1e-9,
            self.group["max_eval"] - self.evaluations)
        self.evaluations += count
        self.state["func_evals"] += count
        self.state["t"] = found.position
        self.add(direction, found.position)
        return found.loss, found.gradient


def _dot(a, b):
    return (a @ b).item()


def _largest(vector):
    return vector.abs().max().item() if vector.numel() else 0.0
