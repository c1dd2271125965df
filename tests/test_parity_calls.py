"""PyTorch as an oracle for calls as programs write them: names of arguments, types, gradients."""

import ast
import copy

import numpy as np
import pytest
from helpers import import_torch
from test_parity import same

import fastnn

torch = import_torch()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Each is called with the package, tensors x (2, 3), y (2, 3) and v (3,) of float64 that require
# gradients, i (2, 3) of int64, m (2, 3) of booleans, s (3,) of int8 and u (2,) of uint8.
CALLS = {
    # NumPy's names of arguments
    "sum axis": lambda p, a: a.x.sum(axis=1),
    "sum axis keepdims": lambda p, a: p.sum(a.x, axis=(0, 1), keepdims=True),
    "max axis": lambda p, a: tuple(a.x.max(axis=0)),
    "cat axis": lambda p, a: p.cat([a.x, a.y], axis=1),
    "softmax axis": lambda p, a: p.softmax(a.x, axis=1),
    "cumsum_ axis": lambda p, a: a.x.clone().cumsum_(axis=1),
    "vector_norm axis": lambda p, a: p.linalg.vector_norm(a.x, axis=0, keepdims=True),
    "max other": lambda p, a: p.max(a.x, other=a.y),
    "flip dims": lambda p, a: p.flip(a.x, dims=(0,)),
    "view size": lambda p, a: a.x.view(size=(3, 2)),
    "permute dims": lambda p, a: p.permute(a.x, dims=(1, 0)),
    "expand size": lambda p, a: a.x.expand(size=(2, 2, 3)),
    "repeat repeats": lambda p, a: a.x.repeat(repeats=(2, 1)),
    "tile dims": lambda p, a: p.tile(a.x, dims=(2,)),
    "reshape shape": lambda p, a: p.reshape(a.x, shape=(3, 2)),
    "a list of lists": lambda p, a: a.x[[[0, 1], [2, 0]]],
    "a list of masks": lambda p, a: a.x[[[True, False]]],
    "a list of numbers": lambda p, a: a.x[[1, 0]],
    "a list of a slice": lambda p, a: a.x[[slice(0, 1)]],
    "a list of tensors": lambda p, a: _assigned(
        a.x.clone(), [p.tensor(0), p.tensor([2, 1])], a.v[:2]),
    "zeros size": lambda p, a: p.zeros(size=(2, 3)),
    "arange end": lambda p, a: p.arange(end=3),
    "randint high": lambda p, a: p.randint(high=1, size=(2,)),
    "repeat_interleave of numbers": lambda p, a: p.repeat_interleave(p.tensor([1, 0, 2])),
    # types
    "int of a leaf": lambda p, a: a.x.int(),
    "cat with its integers": lambda p, a: p.cat([a.x, a.x.long()]),
    "assigned to integers": lambda p, a: _assigned(p.zeros(3, dtype=p.int64), slice(None), a.v),
    "to float": lambda p, a: a.i.to(float),
    "zeros dtype float": lambda p, a: p.zeros(2, dtype=float),
    "int8 add": lambda p, a: a.s + 300,
    "int8 mul in place": lambda p, a: a.s.mul_(1000),
    "int8 rsub": lambda p, a: 200 - a.s,
    "uint8 add": lambda p, a: a.u + 200,
    "int8 clamp": lambda p, a: p.clamp(a.s, 0, 300),
    "negative power": lambda p, a: a.i ** -1,
    "leaky_relu of integers": lambda p, a: p.nn.functional.leaky_relu(a.i),
    "selu of integers": lambda p, a: p.selu(a.i),
    "celu of integers": lambda p, a: p.celu(a.i),
    "gelu of booleans": lambda p, a: p.nn.functional.gelu(a.m),
    "hardtanh of bytes": lambda p, a: p.nn.functional.hardtanh(a.u),
    "hardshrink of integers": lambda p, a: p.nn.functional.hardshrink(a.i),
    "plus booleans": lambda p, a: +a.m,
    "view as integers": lambda p, a: a.x.view(p.int64),
    "view as narrower": lambda p, a: a.x.view(p.float32),
    "view as wider": lambda p, a: a.i[:, :2].contiguous().int().view(p.int64),
    "view as wider, odd": lambda p, a: a.i.int().view(p.int64),
    "clamp_max_ by a leaf": lambda p, a: a.x.detach().clone().clamp_max_(a.y),
    "filled by a leaf": lambda p, a: (a.x * 1).fill_(a.y[0, 0]),
    "fill_ of integers by a tensor": lambda p, a: a.i.fill_(p.tensor(2.7)),
    "fill_ beyond": lambda p, a: a.u.fill_(300),
    "fill_ below": lambda p, a: a.u.fill_(-1),
    "full beyond": lambda p, a: p.full((2,), 300, dtype=p.uint8),
    "full below": lambda p, a: p.full((2,), -1, dtype=p.uint8),
    "full beyond float32": lambda p, a: p.full((2,), 1e300),
    "full_like below": lambda p, a: p.full_like(a.u, -1),
    "assigned beyond": lambda p, a: _assigned(a.s, 0, 300),
    "assigned NaN": lambda p, a: _assigned(a.i, 0, float("nan")),
    "masked_fill fraction": lambda p, a: a.i.masked_fill(a.m, 1.5),
    "masked_fill beyond": lambda p, a: a.s.masked_fill(a.s > 0, 300),
    "where beyond": lambda p, a: p.where(a.s > 0, a.s, 300),
    "scatter beyond": lambda p, a: a.s.scatter(0, p.tensor([0]), 300),
    "normal_ over a leaf": lambda p, a: a.x.normal_(),
    "normal_ over a result": lambda p, a: (a.x * 1).normal_() * 0,
    "uniform_ over integers": lambda p, a: a.i.uniform_(),
    "lerp of types": lambda p, a: p.lerp(a.i, a.x, 0.5),
    "meshgrid of types": lambda p, a: p.meshgrid(a.i[0], a.v, indexing="ij"),
    "cross of types": lambda p, a: p.cross(a.i, a.x, dim=1),
    # products of integers
    "integer matmul": lambda p, a: a.i @ a.i.T,
    "integer vectors": lambda p, a: p.dot(a.s, a.s),
    "integer stacks": lambda p, a: a.i.reshape(1, 2, 3).expand(4, 2, 3) @ a.i.T,
    "integer bmm": lambda p, a: p.bmm(a.i[None], a.i.T[None]),
    "integer mv": lambda p, a: p.mv(a.i, a.i[0]),
    "integer addmm": lambda p, a: p.addmm(a.i[0, :2], a.i, a.i.T, beta=2, alpha=3),
    "integer tensordot": lambda p, a: p.tensordot(a.i, a.i, ([1], [1])),
    "integer empty": lambda p, a: a.i[:, :0] @ a.i[:, :0].T,
    "boolean matmul": lambda p, a: a.m @ a.m.T,
    "mixed matmul": lambda p, a: a.i @ a.s,
    # shapes of results
    "argmax keepdim": lambda p, a: p.argmax(a.x, keepdim=True),
    "all over nothing": lambda p, a: p.all(a.m, ()),
    "any over nothing": lambda p, a: a.m.any(dim=[], keepdim=True),
    "median": lambda p, a: (a.x * 0 + a.x[0, 0]).median(),
    "median of even": lambda p, a: p.median(a.x),
    "norm 0": lambda p, a: a.x.norm(0),
    "pdist 0": lambda p, a: p.nn.functional.pdist(a.x, 0),
    "index_add of a number": lambda p, a: a.x[0, 0].index_add(0, p.tensor([0]), a.y[0, 0]),
    "index_copy of a number": lambda p, a: a.x[0, 0].index_copy(0, p.tensor([0]), a.y[0, 0]),
    "mask of one value": lambda p, a: _assigned(a.x.clone(), a.m, a.v[:1, None]),
    "einsum of numbers": lambda p, a: p.einsum(a.x, [0, 1], a.y, [2, 1], [2, 0]),
    "einsum of numbers, implicit": lambda p, a: p.einsum(a.x, [..., 1], a.y, [..., 1]),
    "sizes": lambda p, a: p.zeros((a.x.shape[1:] + (2,)).numel()),
    # gradients at the edges
    "power 0 of 0": lambda p, a: (a.x - a.x.detach()) ** 0,
    "power of 0": lambda p, a: (a.x - a.x.detach()) ** (a.y - a.y.detach()),
    "negative power of 0": lambda p, a: (a.x - a.x.detach()) ** (-1 - a.y.abs()),
    "logit beyond": lambda p, a: p.logit(a.x * 3).nan_to_num() + a.x,
    "median of nothing": lambda p, a: a.x[:0].median(),
    "norm -1 of nothing": lambda p, a: a.x[:0].norm(-1),
    "index of int8": lambda p, a: a.x[p.tensor([0], dtype=p.int8)],
    "index_select of int8": lambda p, a: a.x.index_select(0, p.tensor([0], dtype=p.int8)),
    "index_select of int32": lambda p, a: a.x.index_select(0, p.tensor([0], dtype=p.int32)),
    "spread of one": lambda p, a: a.x[0, 0].std(),
    # what is refused
    "boolean dimension": lambda p, a: a.x.sum(True),
    "one tensor to join": lambda p, a: p.cat(a.x),
    "float k": lambda p, a: a.x.topk(1.0),
    "several dimensions of aminmax": lambda p, a: tuple(p.aminmax(a.x, dim=(0, 1))),
    "too large for the type": lambda p, a: p.tensor([300], dtype=p.uint8),
    "NaN as an integer": lambda p, a: p.tensor([float("nan")], dtype=p.int64),
    "uniform_ backwards": lambda p, a: p.zeros(2).uniform_(2, 1),
    "normal_ negative": lambda p, a: p.zeros(2).normal_(0, -1),
    "fill_ with a row": lambda p, a: p.zeros(2).fill_(p.ones(1)),
    # new tensors
    "list of tensors": lambda p, a: p.tensor([a.x[0, 0].item(), a.s[0]]),
    "list of leaves": lambda p, a: p.tensor([a.x[0, 0], a.x[0, 1]]),
    "list of doubles": lambda p, a: p.tensor([1, np.float64(2.5)]),
    "list of arrays": lambda p, a: p.tensor([np.ones(2), np.zeros(2)]),
    "list of floats": lambda p, a: p.tensor([[1.5, 2], [np.float32(2.5), 3]]),
    "bytes wrap": lambda p, a: p.tensor([-1], dtype=p.uint8),
    "Tensor of sizes": lambda p, a: p.Tensor(2, 3).zero_(),
    "Tensor of a size": lambda p, a: p.Tensor(3).zero_(),
    "copy": lambda p, a: copy.copy(a.x),
}


class Arguments:
    def __init__(self, package):
        draw = np.random.default_rng(5)

        def make(array, leaf=False):
            tensor = package.from_numpy(array)
            return tensor.requires_grad_() if leaf else tensor

        self.x = make(draw.uniform(-2, 2, (2, 3)), True)
        self.y = make(draw.uniform(-2, 2, (2, 3)), True)
        self.v = make(draw.uniform(-2, 2, 3), True)
        self.i = make(draw.integers(-4, 5, (2, 3)))
        self.m = make(np.array([[True, False, True], [False, False, True]]))
        self.s = make(np.array([1, -3, 100], np.int8))
        self.u = make(np.array([1, 200], np.uint8))


def _assigned(target, index, value):
    target[index] = value
    return target


def _outcome(call, package):
    """(results, gradients of their sum by x, y and v), or the error."""
    given = Arguments(package)
    try:
        results = call(package, given)
    except (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError) as error:
        return error, None
    results = results if isinstance(results, tuple) else (results,)
    total = sum((each * each).sum() for each in results if each.requires_grad)
    if not isinstance(total, package.Tensor):
        return results, ()
    return results, package.autograd.grad(total, [given.x, given.y, given.v], allow_unused=True)


@pytest.mark.parametrize("name", CALLS)
def test_call(name):
    with np.errstate(all="ignore"):
        (ours, gradients), (theirs, wanted) = (
            _outcome(CALLS[name], package) for package in (fastnn, torch))
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"PyTorch refuses: {theirs}; we give {ours}"
        return
    if isinstance(ours, Exception):
        raise ours
    for one, other in zip(ours, theirs, strict=True):
        same(one, other)
        assert one.requires_grad == other.requires_grad
    for one, other in zip(gradients, wanted, strict=True):
        if one is not None and other is not None:
            same(one, other)
        else:
            assert all(each is None or not each.any() for each in (one, other))


FORMATS = ["{}", "{:.2f}", "{:>8}", "{!s}", "{!r}"]


@pytest.mark.parametrize("form", FORMATS)
def test_format(form):
    for value in (1.5, 3, True, [1.5, 2.0], [[1.0]]):
        try:
            wanted = form.format(torch.tensor(value))
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                form.format(fastnn.tensor(value))
            continue
        assert form.format(fastnn.tensor(value)) == wanted


def test_an_array_beside_a_tensor_is_refused_rather_than_unequal():
    for other in (np.ones(2), np.array(1.0)):
        with pytest.raises(TypeError, match="got ndarray"):
            _ = fastnn.ones(2) == other


@pytest.mark.parametrize("call", [
    "ReLU()", "ReLU(inplace=True)", "LeakyReLU()", "ELU(2.0)", "CELU()", "SELU()", "GELU()",
    "GELU('tanh')", "GLU()", "Hardtanh()", "ReLU6()", "Softplus()", "Softplus(2.0, 3.0)",
    "Threshold(0.1, 20)", "Softmax(dim=1)", "LogSoftmax(-1)", "PReLU()", "RReLU()", "Tanh()",
    "Dropout(0.3)", "Flatten()", "Unflatten(1, (2, 2))", "Linear(2, 3)", "AlphaDropout()"])
def test_text_of_a_module(call):
    name, _, arguments = call.partition("(")
    positional, keywords = _read(arguments.removesuffix(")"))
    ours, theirs = (getattr(package.nn, name)(*positional, **keywords)
                    for package in (fastnn, torch))
    assert repr(ours) == repr(theirs)


def _read(text):
    call = ast.parse(f"f({text})", mode="eval").body
    return ([ast.literal_eval(each) for each in call.args],
            {each.arg: ast.literal_eval(each.value) for each in call.keywords})


LOSSES = ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", "kl_div",
          "poisson_nll_loss", "multilabel_soft_margin_loss", "hinge_embedding_loss"]


@pytest.mark.parametrize("name", LOSSES)
def test_types_of_input_and_target(name):
    for of_input in ("float32", "float64"):
        for of_target in ("float32", "float64", "int64", "uint8"):
            values = np.array([0.5, 0.25], of_input), np.array([1, 1], of_target)
            outcomes = []
            for package in (fastnn, torch):
                try:
                    outcomes.append(getattr(package.nn.functional, name)(
                        *map(package.from_numpy, values)))
                except (TypeError, RuntimeError, NotImplementedError) as error:
                    outcomes.append(error)
            if isinstance(outcomes[1], Exception):
                assert isinstance(outcomes[0], Exception), (of_input, of_target, outcomes)
            else:
                same(*outcomes, 1e-6)


FUSED = {
    "softmax": lambda F, x: F.softmax(x, -1),
    "log_softmax": lambda F, x: F.log_softmax(x, 0),
    "cross_entropy": lambda F, x: F.cross_entropy(x, x.argmin(1), reduction="none"),
    "glu": lambda F, x: F.glu(x, 0),
    "layer_norm": lambda F, x: F.layer_norm(x, (3,)),
    "rms_norm": lambda F, x: F.rms_norm(x, (3,)),
    "attention": lambda F, x: F.scaled_dot_product_attention(x[None], x[None] * 2, x[None]),
    "instance_norm": lambda F, x: F.instance_norm(x.reshape(1, 3, 4)),
}


@pytest.mark.parametrize("name", FUSED)
def test_second_gradients_through_what_follows(name):
    # The gradient that arrives depends on the output, and both on the same inputs.
    weights = np.cos(np.arange(12.0))
    found = []
    for package in (fastnn, torch):
        x = package.from_numpy(np.sin(np.arange(12.0) ** 2).reshape(4, 3)).requires_grad_()
        y = FUSED[name](package.nn.functional, x * 1)
        total = (y * y * package.from_numpy(weights[:y.numel()].reshape(tuple(y.shape)))).sum()
        first, = package.autograd.grad(total, x, create_graph=True)
        second, = package.autograd.grad((first ** 3).sum(), x, create_graph=True)
        again, = package.autograd.grad((first ** 3).sum(), x)
        found.append((second, again))
    for one, other in zip(*found, strict=True):
        same(one, other, 1e-9)
