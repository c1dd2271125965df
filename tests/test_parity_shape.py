"""Shapes, selection, order and products beside PyTorch, on shapes and layouts that are drawn."""

import numpy as np
import pytest
from helpers import LAYOUTS, as_tuple, import_torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from test_parity import of_torch, same

import fastnn

torch = import_torch()

SHAPES = ((), (1,), (4,), (0,), (2, 3), (3, 3), (1, 3), (2, 0), (2, 1, 3), (3, 2, 4), (2, 2, 0, 3),
          (2, 3, 1, 2))
MEMORY = {"plain": np.copy, **LAYOUTS}
CALLS = {
    "transpose": lambda f, x, d: f.transpose(x, d, -1),
    "swapaxes": lambda f, x, d: x.swapaxes(0, d),
    "movedim": lambda f, x, d: f.movedim(x, d, 0), "moveaxis": lambda f, x, d: x.moveaxis(-1, d),
    "movedim of two": lambda f, x, d: f.movedim(x, (0, 1), (d, 0)),
    "reshape": lambda f, x, d: x.reshape(-1), "reshape_as": lambda f, x, d: x.reshape_as(x.mT),
    "flatten": lambda f, x, d: f.flatten(x, d), "flatten to": lambda f, x, d: x.flatten(0, d),
    "ravel": lambda f, x, d: f.ravel(x), "unflatten": lambda f, x, d: x.unflatten(d, (1, -1)),
    "squeeze": lambda f, x, d: f.squeeze(x), "squeeze of one": lambda f, x, d: x.squeeze(d),
    "squeeze of two": lambda f, x, d: x.squeeze((d, 0)),
    "unsqueeze": lambda f, x, d: f.unsqueeze(x, d), "view_as": lambda f, x, d: x.view_as(x),
    "expand": lambda f, x, d: x.expand(2, *x.shape), "expand_as": lambda f, x, d: x.expand_as(x),
    "broadcast_to": lambda f, x, d: f.broadcast_to(x, (2, 1, *x.shape)),
    "repeat": lambda f, x, d: x.repeat(2, *(3,) * x.ndim), "tile": lambda f, x, d: f.tile(x, (2,)),
    "tile of many": lambda f, x, d: x.tile(2, 1, 1, 2, 1),
    "repeat_interleave": lambda f, x, d: f.repeat_interleave(x, 2, d),
    "repeat_interleave flat": lambda f, x, d: x.repeat_interleave(3),
    "repeat_interleave of counts": lambda f, x, d: f.repeat_interleave(
        x, f.arange(x.shape[d]), d),
    "cat": lambda f, x, d: f.cat([x, x * 2, x], d), "stack": lambda f, x, d: f.stack([x, x], d),
    "hstack": lambda f, x, d: f.hstack([x, x]), "vstack": lambda f, x, d: f.vstack([x, x]),
    "dstack": lambda f, x, d: f.dstack([x, x]), "column_stack": lambda f, x, d: f.column_stack([x]),
    "split": lambda f, x, d: f.split(x, 2, d), "split of sizes": lambda f, x, d: x.split([1, 2], d),
    "split_with_sizes": lambda f, x, d: f.split_with_sizes(x, [x.shape[d], 0], d),
    "tensor_split": lambda f, x, d: f.tensor_split(x, 2, d),
    "tensor_split at": lambda f, x, d: x.tensor_split((1, 5, -1), d),
    "chunk": lambda f, x, d: f.chunk(x, 3, d), "unbind": lambda f, x, d: f.unbind(x, d),
    "narrow": lambda f, x, d: f.narrow(x, d, 1, 1),
    "narrow back": lambda f, x, d: x.narrow(d, -1, 1),
    "hsplit": lambda f, x, d: f.hsplit(x, 3), "vsplit": lambda f, x, d: f.vsplit(x, 2),
    "select": lambda f, x, d: f.index_select(x, d, f.tensor([0, 0, 1])),
    "take": lambda f, x, d: f.take(x, f.tensor([[0, -1]])),
    "gather": lambda f, x, d: f.gather(x, d, f.zeros_like(x, dtype=f.int64)),
    "gather of less": lambda f, x, d: f.gather(x, d, f.zeros((1,) * x.ndim, dtype=f.int64)),
    "take_along_dim": lambda f, x, d: f.take_along_dim(x, f.argsort(x.detach(), dim=d), d),
    "scatter": lambda f, x, d: x.scatter(d, f.argsort(x.detach(), dim=d, stable=True), x * 3),
    "scatter of a number": lambda f, x, d: f.scatter(
        x, d, f.zeros((1,) * x.ndim, dtype=f.int64), 5.0),
    "scatter_add": lambda f, x, d: x.scatter_add(d, f.zeros_like(x, dtype=f.int64), x * x),
    "scatter added": lambda f, x, d: x.detach().scatter(
        d, f.zeros_like(x, dtype=f.int64), 2.0, reduce="add"),
    "scatter multiplied": lambda f, x, d: x.detach().scatter(
        d, f.zeros_like(x, dtype=f.int64), x.detach() * 2, reduce="multiply"),
    "index_add": lambda f, x, d: f.index_add(
        x, d, f.zeros(x.shape[d], dtype=f.int64), x, alpha=2),
    "index_copy": lambda f, x, d: f.index_copy(x, d, f.arange(x.shape[d]).flip(0), x * 2),
    "index_fill": lambda f, x, d: f.index_fill(x, d, f.tensor([0]), 7.0),
    "index_fill of a tensor": lambda f, x, d: x.index_fill(d, f.tensor([0]), x.sum()),
    "masked_fill": lambda f, x, d: f.masked_fill(x, x > 0, 2.5),
    "masked_fill of a tensor": lambda f, x, d: x.masked_fill(x > 0, x.sum()),
    "masked_select": lambda f, x, d: f.masked_select(x, x > 0),
    "masked_scatter": lambda f, x, d: f.masked_scatter(x, x > 0, x * 2),
    "mask": lambda f, x, d: x[x > 0], "index_put": lambda f, x, d: f.index_put(
        x, (f.tensor([0, -1]),), x[0] * 2), "index_put added": lambda f, x, d: x.index_put(
        (f.tensor([0, 0]),), x[0] * 2, accumulate=True),
    "nonzero": lambda f, x, d: f.nonzero(x > 0), "argwhere": lambda f, x, d: f.argwhere(x > 0),
    "nonzero apart": lambda f, x, d: f.nonzero(x > 0, as_tuple=True),
    "flip": lambda f, x, d: f.flip(x, (d,)), "flip of two": lambda f, x, d: x.flip(0, -1),
    "fliplr": lambda f, x, d: f.fliplr(x), "flipud": lambda f, x, d: f.flipud(x),
    "roll": lambda f, x, d: f.roll(x, 2, d), "roll flat": lambda f, x, d: x.roll(-1),
    "rot90": lambda f, x, d: f.rot90(x, -1, (0, d)), "tril": lambda f, x, d: f.tril(x, 1),
    "triu": lambda f, x, d: x.triu(-1), "diag": lambda f, x, d: f.diag(x, 1),
    "diagonal": lambda f, x, d: f.diagonal(x, -1, 0, d), "trace": lambda f, x, d: f.trace(x),
    "diag_embed": lambda f, x, d: f.diag_embed(x, 1, 0, d),
    "sort": lambda f, x, d: f.sort(x, dim=d, stable=True),
    "sort down": lambda f, x, d: f.sort(x, dim=d, descending=True, stable=True),
    "msort": lambda f, x, d: f.msort(x), "topk": lambda f, x, d: f.topk(x, 2, d),
    "topk of the smallest": lambda f, x, d: x.topk(1, d, largest=False),
    "kthvalue": lambda f, x, d: f.kthvalue(x, 1, d, keepdim=True),
    "argsort": lambda f, x, d: f.argsort(x, dim=d, stable=True),
    "unique": lambda f, x, d: f.unique(x > 0, return_inverse=True,
                                       return_counts=True),
    "unique rows": lambda f, x, d: f.unique(x > 0, dim=d),
    "unique_consecutive": lambda f, x, d: f.unique_consecutive(
        x > 0, return_inverse=True, return_counts=True),
    "windows": lambda f, x, d: x.unfold(d, 2, 1),
    "windows apart": lambda f, x, d: x.unfold(d, 1, 2),
    "atleast_1d": lambda f, x, d: f.atleast_1d(x), "atleast_2d": lambda f, x, d: f.atleast_2d(x, x),
    "atleast_3d": lambda f, x, d: f.atleast_3d(x), "mT": lambda f, x, d: x.mT,
    "meshgrid": lambda f, x, d: f.meshgrid(x, x, indexing="xy"),
    "clone": lambda f, x, d: f.clone(x),
    "cartesian_prod": lambda f, x, d: f.cartesian_prod(x, x),
    "combinations": lambda f, x, d: f.combinations(x, 2),
    "contiguous": lambda f, x, d: x.contiguous(),
    "ellipsis": lambda f, x, d: x[..., 0], "none": lambda f, x, d: x[None, ..., None],
    "truth": lambda f, x, d: x[True], "untruth": lambda f, x, d: x[False],
    "kron": lambda f, x, d: f.kron(x, x), "outer": lambda f, x, d: f.outer(x, x),
    "inner": lambda f, x, d: f.inner(x, x), "matmul": lambda f, x, d: x @ x.mT,
    "tensordot": lambda f, x, d: f.tensordot(x, x, ([d], [d])),
    "einsum": lambda f, x, d: f.einsum("...i,...i->...", x, x * 2),
    "einsum of a diagonal": lambda f, x, d: f.einsum("ii", x),
    "einsum without output": lambda f, x, d: f.einsum("...i,j", x, x.reshape(-1)),
    "cdist": lambda f, x, d: f.cdist(x, x + 1), "cdist of itself": lambda f, x, d: f.cdist(x, x),
    "cdist by sums": lambda f, x, d: f.cdist(x, x, p=1.0),
    "cdist by cubes": lambda f, x, d: f.cdist(x, x, p=3.0),
    "cross": lambda f, x, d: f.linalg.cross(x, x * x + 1, dim=d),
    "vecdot": lambda f, x, d: f.linalg.vecdot(x, x, dim=d),
}
# PyTorch asks nothing of dimension and index of empty tensors here, vecdot nothing of vectors'.
LENIENT = {"cat", "roll", "vecdot", "index_fill", "index_fill of a tensor"}
REFUSED = (RuntimeError, ValueError, IndexError, TypeError)


def outcome(library, tensor, call, dim):
    """(results, gradient) of a call, or None where it is refused."""
    try:
        results = [each for each in as_tuple(call(library, tensor, dim))]
    except REFUSED:
        return None
    floating = [each for each in results if each.requires_grad]
    if floating:
        sum((each * each).sum() for each in floating).backward()
    return results, tensor.grad


def compare(name, shape, layout, dim, seed=0):
    if name in LENIENT and (not -len(shape) <= dim < len(shape) or 0 in shape):
        return
    array = np.random.default_rng(seed).standard_normal(shape)
    ours = fastnn.from_numpy(MEMORY[layout](array)).requires_grad_()
    theirs = of_torch(array).requires_grad_()
    got, wanted = (outcome(*pair, CALLS[name], dim) for pair in ((fastnn, ours), (torch, theirs)))
    assert (got is None) == (wanted is None), f"{'ours' if got is None else 'PyTorch'} refuses"
    if wanted is None:
        return
    assert len(got[0]) == len(wanted[0])
    for one, other in zip(got[0], wanted[0], strict=True):
        same(one, other)
    assert (got[1] is None) == (wanted[1] is None)
    if wanted[1] is not None:
        same(got[1], wanted[1])


@pytest.mark.filterwarnings("ignore")  # PyTorch's advice
@pytest.mark.parametrize("name", CALLS)
def test_every_shape_and_dimension(name):
    faults = []
    for shape in SHAPES:
        for dim in range(-len(shape), len(shape) + 1):
            try:
                compare(name, shape, "transposed" if dim % 2 else "strided", dim)
            except Exception as error:
                faults.append(f"{shape} {dim}: {type(error).__name__} "
                              f"{' '.join(str(error).split())[:300]}")
    assert not faults, "\n".join(faults)


@pytest.mark.filterwarnings("ignore")
@given(name=st.sampled_from(sorted(CALLS)), layout=st.sampled_from(sorted(MEMORY)),
       shape=st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
       dim=st.integers(-4, 3), seed=st.integers(0, 100))
def test_drawn_shapes(name, layout, shape, dim, seed):
    compare(name, shape, layout, dim, seed)


NAN = float("nan")
VALUES = {
    "sort with NaN": lambda f: f.sort(f.tensor([3.0, NAN, -1.0, 3.0, NAN]), stable=True),
    "sort down with NaN": lambda f: f.sort(
        f.tensor([3.0, NAN, -1.0, 3.0]), dim=0, descending=True, stable=True),
    "sort of truths": lambda f: f.sort(f.tensor([True, False, True]), stable=True),
    "sort of bytes down": lambda f: f.sort(
        f.tensor([0, 255, 3], dtype=f.uint8), descending=True, stable=True),
    "topk of integers": lambda f: f.topk(f.tensor([[5, 2, 9], [1, 8, 3]]), 2),
    "topk with NaN": lambda f: f.topk(f.tensor([1.0, NAN, 2.0]), 2),
    "kthvalue": lambda f: f.kthvalue(f.tensor([[5, 2, 9], [1, 8, 3]]), 2, 0),
    "unique": lambda f: f.unique(f.tensor([[3, 1], [1, 2]]), return_inverse=True,
                                 return_counts=True),
    "unique with NaN": lambda f: f.unique(f.tensor([NAN, 1.0, NAN])),
    "unique rows": lambda f: f.unique(f.tensor([[3, 1], [1, 2], [3, 1]]), dim=0,
                                      return_inverse=True, return_counts=True),
    "runs": lambda f: f.unique_consecutive(f.tensor([1, 1, 2, 2, 1]), return_inverse=True,
                                           return_counts=True),
    "runs of rows": lambda f: f.unique_consecutive(f.tensor([[1, 2], [1, 2], [0, 2]]), dim=0),
    "searchsorted": lambda f: f.searchsorted(
        f.tensor([[1, 3, 5], [2, 4, 6]]), f.tensor([[3, 6, 9], [3, 6, 9]])),
    "searchsorted right": lambda f: f.searchsorted(
        f.tensor([1.0, 3.0, 3.0]), f.tensor([[3.0, 0.0]]), right=True),
    "searchsorted of a number": lambda f: f.searchsorted(f.tensor([1, 3, 5]), 3, side="right"),
    "searchsorted by a sorter": lambda f: f.searchsorted(
        f.tensor([5, 1, 3]), f.tensor([2, 5]), sorter=f.tensor([1, 2, 0]), out_int32=True),
    "bucketize": lambda f: f.bucketize(f.tensor([[3, 6, 9], [1, 5, 7]]), f.tensor([1, 3, 5, 7, 9])),
    "bucketize right": lambda f: f.bucketize(f.tensor([3, 5]), f.tensor([3, 5]), right=True),
    "one_hot": lambda f: f.nn.functional.one_hot(f.tensor([[0, 2], [1, 1]])),
    "tril_indices": lambda f: f.tril_indices(3, 4, 1), "triu_indices": lambda f: f.triu_indices(
        4, 3, -1), "triu_indices of a type": lambda f: f.triu_indices(2, 2, dtype=f.int32),
    "nonzero of a number": lambda f: f.nonzero(f.tensor(5)),
    "nonzero of a number apart": lambda f: f.nonzero(f.tensor(5), as_tuple=True),
    "repeat_interleave of counts": lambda f: f.repeat_interleave(
        f.tensor([[1, 2], [3, 4]]), f.tensor([1, 2]), dim=0, output_size=3),
    "cat of types": lambda f: f.cat([f.tensor([1]), f.tensor([2.5]), f.tensor([True])]),
    "cat of nothing": lambda f: f.cat([f.tensor([]), f.tensor([[1.0, 2.0]])]),
    "stack of types": lambda f: f.stack([f.tensor(1), f.tensor(2.5)]),
    "masked_fill of truths": lambda f: f.tensor([True, False]).masked_fill(
        f.tensor([False, True]), True),
    "masked_fill of integers": lambda f: f.tensor([1, 2]).masked_fill(f.tensor([False, True]), 7),
    "scatter into integers": lambda f: f.zeros(2, 3, dtype=f.int64).scatter_(
        1, f.tensor([[2], [0]]), 1),
    "index_add of integers": lambda f: f.zeros(3, dtype=f.int32).index_add_(
        0, f.tensor([0, 2, 0]), f.tensor([1, 2, 3], dtype=f.int32), alpha=2),
    "einsum of integers": lambda f: f.einsum("ij,jk", f.tensor([[1, 2]]), f.tensor([[3], [4]])),
    "einsum that broadcasts": lambda f: f.einsum("ij,ij->i", f.ones(3, 1), f.ones(3, 4)),
    "einsum of capitals": lambda f: f.einsum("aB,Bc", f.ones(2, 3), f.ones(3, 4)),
    "einsum of three": lambda f: f.einsum(
        "bij,jk,bk->bi", f.ones(2, 3, 4), f.ones(4, 5), f.ones(2, 5)),
    "einsum with a list": lambda f: f.einsum("i,i", [f.ones(3), f.ones(3)]),
    "einsum sums ellipsis": lambda f: f.einsum("...i,i->...", f.ones(2, 3, 4), f.ones(4)),
    "addmm without input": lambda f: f.addmm(
        f.tensor([NAN, NAN]), f.ones(3, 4), f.ones(4, 2), beta=0, alpha=2),
    "chain_matmul": lambda f: f.chain_matmul(f.ones(2, 3), f.ones(3, 4), f.ones(4, 5)),
    "multi_dot": lambda f: f.linalg.multi_dot([f.ones(3), f.ones(3, 4), f.ones(4, 5), f.ones(5)]),
    "multi_dot of matrices": lambda f: f.linalg.multi_dot([f.ones(9, 3), f.ones(3, 4), f.ones(4)]),
    "cross": lambda f: f.cross(f.tensor([[1.0, 2, 3]]).T, f.tensor([[3.0, 2, 1]]).T),
    "diagonal of a stack": lambda f: f.linalg.diagonal(f.arange(12).reshape(2, 2, 3)),
    "fill a diagonal": lambda f: filled_diagonal(f.zeros(3, 3)),
    "in a new shape": lambda f: f.arange(6).unsqueeze_(0).transpose_(0, 1).squeeze_(),
    "t_": lambda f: f.ones(2, 3).t_(), "H": lambda f: f.arange(4).reshape(2, 2).H,
    "new_full": lambda f: f.ones(1, dtype=f.float64).new_full((2,), 3),
    "new_tensor": lambda f: f.ones(1).new_tensor([1, 2]),
    "new_empty": lambda f: f.ones(1).new_empty((0, 2), dtype=f.int64),
    "uint8 is a mask": lambda f: f.arange(3)[f.tensor([1, 0, 1], dtype=f.bool)],
}


def filled_diagonal(x):
    x.diagonal().fill_(2.0)
    return x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_value(make):
    for one, other in zip(as_tuple(make(fastnn)), as_tuple(make(torch)), strict=True):
        same(one, other)


ERRORS = {
    "gather": lambda f: f.gather(f.ones(2, 2), 0, f.tensor([[2, 0]])),
    "negative gather": lambda f: f.gather(f.ones(2, 2), 0, f.tensor([[-1, 0]])),
    "gather of more": lambda f: f.gather(f.ones(2, 2), 0, f.tensor([[0, 0, 0]])),
    "gather of a vector": lambda f: f.gather(f.ones(2, 2), 0, f.tensor([0])),
    "index_select": lambda f: f.index_select(f.ones(2, 2), 0, f.tensor([2])),
    "index_select of a matrix": lambda f: f.index_select(f.ones(2), 0, f.tensor([[0]])),
    "scatter": lambda f: f.ones(2).scatter(0, f.tensor([5]), 1.0),
    "scatter of another type": lambda f: f.ones(2).scatter(0, f.tensor([0]), f.tensor([1])),
    "scatter of too little": lambda f: f.ones(3).scatter(0, f.tensor([0, 1]), f.ones(1)),
    "index_add": lambda f: f.ones(2, 2).index_add(0, f.tensor([0]), f.ones(2, 2)),
    "index_copy": lambda f: f.ones(2).index_copy(0, f.tensor([2]), f.ones(1)),
    "index_fill": lambda f: f.ones(2).index_fill(0, f.tensor([0]), f.ones(2)),
    "masked_fill": lambda f: f.ones(2).masked_fill(f.ones(2), 1.0),
    "masked_scatter": lambda f: f.ones(2).masked_scatter(f.ones(2) > 0, f.ones(1)),
    "take": lambda f: f.take(f.ones(2), f.tensor([2])),
    "mask": lambda f: f.ones(2, 3)[f.ones(3, 2) > 0], "indices": lambda f: f.ones(4, 4)[
        f.tensor([0, 1]), f.tensor([0, 1, 2])],
    "assigned shape": lambda f: f.ones(4).__setitem__(slice(0, 2), f.ones(3)),
    "assigned array": lambda f: f.ones(4).__setitem__(0, "1"),
    "topk": lambda f: f.topk(f.ones(2), 3), "kthvalue": lambda f: f.kthvalue(f.ones(2), 0),
    "einsum": lambda f: f.einsum("ij,jk", f.ones(2, 3), f.ones(2, 3)),
    "einsum names": lambda f: f.einsum("ij->k", f.ones(2, 3)), "einsum count": lambda f: f.einsum(
        "ij,jk", f.ones(2, 3)), "einsum twice": lambda f: f.einsum("ij->ii", f.ones(2, 3)),
    "einsum dimensions": lambda f: f.einsum("ijk", f.ones(2, 3)),
    "dot": lambda f: f.dot(f.ones(2), f.ones(3)), "mv": lambda f: f.mv(f.ones(2, 3), f.ones(2)),
    "addmm": lambda f: f.addmm(f.ones(3), f.ones(2, 3), f.ones(3, 2)),
    "baddbmm": lambda f: f.baddbmm(f.ones(1), f.ones(2, 3, 1), f.ones(3, 1, 2)),
    "tensordot": lambda f: f.tensordot(f.ones(2, 3), f.ones(2, 3), 1),
    "cross": lambda f: f.linalg.cross(f.ones(2), f.ones(2)), "cdist": lambda f: f.cdist(
        f.ones(2, 3), f.ones(2, 4)), "multi_dot": lambda f: f.linalg.multi_dot([f.ones(2, 2)]),
    "one_hot": lambda f: f.nn.functional.one_hot(f.tensor([3]), 2),
    "repeat": lambda f: f.ones(2, 2).repeat(2), "unfold": lambda f: f.ones(3).unfold(0, 4, 1),
    "movedim": lambda f: f.movedim(f.ones(2, 2), (0, 1), 0), "roll": lambda f: f.roll(
        f.ones(2), (1, 1)), "diag": lambda f: f.diag(f.ones(2, 2, 2)),
    "meshgrid": lambda f: f.meshgrid(f.ones(2, 2)), "hsplit": lambda f: f.hsplit(f.ones(3), 2),
    "randint": lambda f: f.randint(0, 1 << 64, (2,)), "randint bytes": lambda f: f.randint(
        0, 300, (2,), dtype=f.uint8), "multinomial": lambda f: f.multinomial(f.ones(2), 3),
    "multinomial of nothing": lambda f: f.multinomial(f.zeros(2), 1),
    "negative multinomial": lambda f: f.multinomial(f.tensor([-1.0, 2.0]), 1),
    "bernoulli": lambda f: f.bernoulli(f.tensor([2.0])), "normal": lambda f: f.normal(
        0.0, -1.0, (2,)),
    "randperm": lambda f: f.randperm(-1), "linspace": lambda f: f.linspace(0, 1, -1),
    "eye": lambda f: f.eye(-1), "device": lambda f: f.device("tpu"),
    "size": lambda f: f.ones(2).size(1),
    "in": lambda f: "a" in f.ones(2), "t_": lambda f: f.ones(2, 2, 2).t_(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", ERRORS.values(), ids=ERRORS)
def test_refused_by_both(call):
    for library in (torch, fastnn):
        with pytest.raises(REFUSED):
            call(library)


TYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")


def test_questions_about_types():
    for a in TYPES:
        for b in TYPES:
            ours, theirs = ([getattr(f, each) for each in (a, b)] for f in (fastnn, torch))
            assert fastnn.can_cast(*ours) == torch.can_cast(*theirs)
            assert str(fastnn.promote_types(*ours)) == str(
                torch.promote_types(*theirs)).removeprefix("torch.")
            got = fastnn.result_type(fastnn.ones(2, dtype=ours[0]), fastnn.ones((), dtype=ours[1]))
            wanted = torch.result_type(torch.ones(2, dtype=theirs[0]), torch.ones(
                (), dtype=theirs[1]))
            assert str(got) == str(wanted).removeprefix("torch.")
    assert fastnn.is_tensor(fastnn.ones(1)) and not fastnn.is_tensor(1)
    assert fastnn.is_floating_point(fastnn.ones(1)) and not fastnn.is_complex(fastnn.ones(1))
    assert fastnn.numel(fastnn.ones(2, 3)) == 6 and fastnn.is_nonzero(fastnn.ones(1))


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_distances_of_rows_that_nearly_meet(limit):
    """Exact to rounding, near or far: products alone would lose all digits here."""
    x = np.random.default_rng(0).standard_normal((40, 30)) + 1000
    y = x + np.random.default_rng(1).standard_normal((40, 30)) * limit
    got = fastnn.cdist(fastnn.from_numpy(x), fastnn.from_numpy(y)).numpy()
    wanted = np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))
    np.testing.assert_allclose(got, wanted, rtol=1e-8)
