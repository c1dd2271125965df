"""Changes in place through views, beside PyTorch: programs that are drawn, and single cases."""

import numpy as np
from helpers import close, import_torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn

torch = import_torch()

VIEWS = (
    lambda t, n: t[n % len(t)] if t.ndim > 1 else t, lambda t, n: t[..., n % t.shape[-1]:],
    lambda t, n: t.transpose(0, -1), lambda t, n: t.narrow(n % t.ndim, 0, 1),
    lambda t, n: t.unsqueeze(n % t.ndim), lambda t, n: t.diagonal() if t.ndim == 2 else t,
    lambda t, n: t.reshape(-1), lambda t, n: t.squeeze(), lambda t, n: t[None],
    lambda t, n: t.flatten(), lambda t, n: t.permute(*range(t.ndim - 1, -1, -1)),
    lambda t, n: t.detach(), lambda t, n: t * 1.5, lambda t, n: t.unbind(0)[-1].reshape(-1),
)


def put(tensor, index, value):
    tensor[index] = value


CHANGES = (
    lambda f, t, w, n: t.mul_(2.0), lambda f, t, w, n: t.add_(w), lambda f, t, w, n: t.mul_(w),
    lambda f, t, w, n: put(t, ..., w * 3), lambda f, t, w, n: put(t, n % len(t), w),
    lambda f, t, w, n: put(t, t.detach() > 0, w), lambda f, t, w, n: t.fill_(0.5),
    lambda f, t, w, n: t.masked_fill_(t.detach() > 0.5, 1.0), lambda f, t, w, n: t.zero_(),
    lambda f, t, w, n: put(t, (..., slice(0, 1)), w + t[..., :1] * 2),
    lambda f, t, w, n: t.index_fill_(n % t.ndim, f.tensor([0]), 2.0),
    lambda f, t, w, n: t.index_add_(0, f.tensor([0]), t[-1:] * w),
    lambda f, t, w, n: t.scatter_(0, f.zeros((1,) * t.ndim, dtype=f.int64), 4.0),
    lambda f, t, w, n: t.copy_(t * w), lambda f, t, w, n: t.sub_(w).div_(2.0),
    lambda f, t, w, n: put(t[n % len(t)], ..., w),
    lambda f, t, w, n: t.index_put_((f.tensor([0]),), w, accumulate=True),
)
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 50), st.integers(0, 50),
                           st.integers(0, 50)), max_size=7)


def run(library, tensor, steps, shape, starts_on_tape):
    """The values of all tensors of a program, and the gradients of its leaves."""
    random = np.random.default_rng(3)
    x = tensor(random.standard_normal(shape)).requires_grad_()
    w = tensor(np.array(0.75)).requires_grad_()
    made = [x * 1.0 if starts_on_tape else tensor(random.standard_normal(shape))]
    for is_view, which, what, number in steps:
        source = made[which % len(made)]
        if is_view:
            made.append(VIEWS[what % len(VIEWS)](source, number))
        else:
            CHANGES[what % len(CHANGES)](library, source, w, number)
    total = sum((each * each.detach().cos()).sum() for each in made) + 0 * x.sum() + 0 * w
    total.backward()
    return made, (x.grad, w.grad)


@settings(max_examples=150)
@given(steps=STEPS, shape=st.sampled_from([(2, 3), (3, 3), (2, 1, 2), (4,)]), tape=st.booleans())
def test_programs(steps, shape, tape):
    try:
        wanted, gradients = run(torch, torch.from_numpy, steps, shape, tape)
    except (RuntimeError, IndexError):
        return
    made, found = run(fastnn, fastnn.from_numpy, steps, shape, tape)
    for one, other in zip(made, wanted, strict=True):
        close(one.detach().numpy(), other.detach().numpy(), 1e-12)
        assert one.requires_grad == other.requires_grad
    for one, other in zip(found, gradients, strict=True):
        close(one.numpy(), other.numpy(), 1e-12)
