"""PyTorch as an independent oracle: values, gradients, types, promotion, indexing, broadcasting."""

import itertools
import operator

import numpy as np
import pytest
from helpers import Call, array_of, as_tuple, close, every_case, import_torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

import fastnn
from fastnn.registry import REGISTRY

torch = import_torch()
functional = torch.nn.functional
pytestmark = [  # what PyTorch says of conv1d, conv2d and of kl_div
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides"),
    pytest.mark.filterwarnings("ignore:index_reduce.. is in beta")]
SMALL = 200  # elements
FIRST_ORDER_ONLY = {"cdist"}  # PyTorch has no second derivative of it
DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


def torch_function(entry):
    """PyTorch's function of the same name."""
    for place, owner in (("functional", functional), ("fastnn", torch), ("method", torch.Tensor),
                         ("linalg", torch.linalg)):
        if place in entry.places and hasattr(owner, entry.name):
            return with_torch_types(getattr(owner, entry.name))
    raise LookupError(f"PyTorch has no {entry.name} in {entry.places}")


def with_torch_types(function):
    """The function, called with PyTorch's dtypes in the place of NumPy's."""

    def call(*arguments, **keywords):
        return function(*arguments, **{
            key: getattr(torch, value.name) if isinstance(value, np.dtype) else value
            for key, value in keywords.items()})

    return call


def of_torch(array):
    return torch.from_numpy(np.array(array))


def torch_tensors(call, dtype):
    made = {}
    for leaf in call.leaves:
        made[leaf] = of_torch(leaf.array.astype(dtype) if leaf.floating else leaf.array)
    return made


def same(got, wanted, tolerance=1e-10):
    """Equal values, shapes and types."""
    assert str(got.dtype) == str(wanted.dtype).removeprefix("torch.")
    close(array_of(got), wanted.detach().numpy(force=True), tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("entry, number", **every_case())
def test_value(entry, number, dtype):
    call = Call(entry, number)
    results = call.run(entry.function, call.tensors(dtype))
    wanted = call.run(torch_function(entry), torch_tensors(call, dtype))
    for one, other in zip(results, wanted, strict=True):
        same(one, other, 1e-10 if dtype == "float64" else 3e-6)


def differentiable_in_torch(call):
    """The tensors by which PyTorch differentiates this call, with a graph of each order."""
    chosen = []
    for leaf in call.floats:
        tensors = torch_tensors(call, "float64")
        tensors[leaf].requires_grad_()
        try:
            outputs = call.run(torch_function(call.entry), tensors)
            torch.autograd.grad([output.sum() for output in outputs if output.requires_grad],
                                tensors[leaf])
        except (RuntimeError, ValueError):  # "not implemented", or the call does not use it
            continue
        chosen.append(leaf)
    return chosen


NOT_COMPARED = {
    "hardsigmoid": "its slope is 1/6 in float32 there; compared in float32 in test_activations",
    **dict.fromkeys(("floor_divide", "heaviside"), "PyTorch does not differentiate them")}


@pytest.mark.parametrize("entry, number", **every_case(
    lambda entry: entry.differentiable and entry.name not in NOT_COMPARED))
def test_gradients(entry, number):
    """Of both orders where the case is small: PyTorch's second one is slow."""
    call = Call(entry, number)
    leaves = differentiable_in_torch(call)
    assert leaves, "PyTorch differentiates it by no argument: name it in NOT_COMPARED"
    small = (sum(leaf.array.size for leaf in call.floats) <= SMALL
             and entry.name not in FIRST_ORDER_ONLY)
    ours, theirs = call.tensors(), torch_tensors(call, "float64")
    our_leaves = [ours[leaf].requires_grad_() for leaf in leaves]
    their_leaves = [theirs[leaf].requires_grad_() for leaf in leaves]
    outputs = call.run(entry.function, ours)
    wanted = call.run(torch_function(entry), theirs)
    upstream = call.upstream(outputs)
    first = fastnn.autograd.grad(outputs, our_leaves, [fastnn.from_numpy(u) for u in upstream],
                                 create_graph=small)
    first_wanted = torch.autograd.grad(wanted, their_leaves, [of_torch(u) for u in upstream],
                                       create_graph=small)
    for one, other in zip(first, first_wanted, strict=True):
        same(one, other)
    pairs = [(one, other) for one, other in zip(first, first_wanted, strict=True)
             if other.requires_grad]
    if pairs:
        _compare_second_order(pairs, our_leaves, their_leaves)


def _compare_second_order(pairs, our_leaves, their_leaves):
    ours, theirs = zip(*pairs, strict=True)
    second = _gradients_of_weighted(fastnn.autograd.grad, fastnn.from_numpy, ours, our_leaves)
    wanted = _gradients_of_weighted(torch.autograd.grad, of_torch, theirs, their_leaves)
    for one, other, leaf, their_leaf in zip(second, wanted, our_leaves, their_leaves, strict=True):
        one = fastnn.zeros_like(leaf) if one is None else one
        same(one, torch.zeros_like(their_leaf) if other is None else other, 1e-8)


def _gradients_of_weighted(grad, tensor, outputs, leaves):
    random = np.random.default_rng(5)
    weighted = [(each, tensor(random.standard_normal(tuple(each.shape)))) for each in outputs]
    weighted = [(each, weight) for each, weight in weighted if each.requires_grad]
    if not weighted:
        return [None] * len(leaves)
    outputs, weights = zip(*weighted, strict=True)
    return grad(outputs, leaves, weights, allow_unused=True)


OPERATORS = {name: getattr(operator, name) for name in (
    "add", "sub", "mul", "truediv", "pow", "eq", "lt")}
SCALARS = {"bool": True, "int": 2, "float": 1.5}


def outcome(function, *arguments):
    """(type, values) of the result, or the fact that there is none."""
    try:
        result = function(*arguments)
    except (RuntimeError, TypeError, ValueError, IndexError, ArithmeticError):
        return "an error", None
    array = result.detach().numpy()
    return str(array.dtype), array


def assert_same_outcome(function, ours, theirs):
    (dtype, values), (wanted_dtype, wanted) = outcome(function, *ours), outcome(function, *theirs)
    assert dtype == wanted_dtype
    if wanted is not None:
        close(values, wanted, 3e-6 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("name", OPERATORS)
def test_promotion(name):
    values = {kind: np.array([1, 0, 3, 1]).astype(kind) for kind in DTYPES}
    function = OPERATORS[name]
    faults = []
    operands = [*((kind, values[kind]) for kind in DTYPES),
                *((f"0-d {kind}", np.array(2, kind)) for kind in DTYPES),
                *SCALARS.items()]
    for (left, a), (right, b) in itertools.product(operands, repeat=2):
        if left in SCALARS and right in SCALARS:
            continue
        if (name, left, right) == ("pow", "0-d bool", "bool"):
            continue  # the one pair of booleans that PyTorch does not refuse
        ours = [fastnn.tensor(x) if isinstance(x, np.ndarray) else x for x in (a, b)]
        theirs = [of_torch(x) if isinstance(x, np.ndarray) else x for x in (a, b)]
        try:
            assert_same_outcome(function, ours, theirs)
        except AssertionError as error:
            faults.append(f"{left} and {right}: {' '.join(str(error).split())[:150]}")
    assert not faults, "\n".join(faults)


DELIBERATE = {
    ("all", "uint8"): "boolean as for every other type, where PyTorch keeps uint8",
    ("any", "uint8"): "boolean as for every other type, where PyTorch keeps uint8",
    ("argmax", "bool"): "works, where PyTorch refuses",
}


@pytest.mark.parametrize("dtype, name", [pair for pair in itertools.product(DTYPES, (
    "sum", "mean", "max", "min", "argmax", "all", "any", "abs", "neg", "exp", "sqrt", "sigmoid",
    "relu", "isnan", "logical_not")) if pair[::-1] not in DELIBERATE])
def test_dtypes_of_functions(name, dtype):
    array = np.array([[1, 0, 3], [1, 1, 2]]).astype(dtype)
    ours, theirs = (outcome(getattr(library, name), tensor) for library, tensor in
                    ((fastnn, fastnn.tensor(array)), (torch, of_torch(array))))
    assert ours[0] == theirs[0]
    if theirs[1] is not None:
        close(ours[1], theirs[1], 1e-6)


INDICES = {
    "integer": 1, "negative": -1, "slice": slice(1, 3), "step": slice(0, 4, 2),
    "ellipsis": (..., 0), "none": (None, 1), "inner none": (slice(None), None, 2),
    "list": [0, 2, 2], "arrays": (np.array([0, 1]), np.array([2, 2])),
    "broadcast arrays": (np.array([[0], [3]]), np.array([1, 2])),
    "apart": (np.array([0, 1]), slice(None), np.array([1, 0])),
    "array and integer": (1, slice(None), np.array([0, 1])),
    "after slice": (slice(None), np.array([[0, 1], [2, 0]])),
    "negative array": np.array([-1, 0]), "mask": np.arange(60).reshape(4, 3, 5) % 3 == 0,
    "mask of rows": np.array([True, False, True, True]),
    "mask behind": (slice(None), np.array([True, False, True])),
    "mask of two": np.arange(12).reshape(4, 3) % 2 == 0, "empty array": np.zeros(0, np.int64),
    "empty slice": slice(2, 2), "beyond": slice(2, 99), "0-d": np.array(2), "everything": (),
}


def as_index(index, tensor):
    if isinstance(index, tuple):
        return tuple(as_index(each, tensor) for each in index)
    return tensor(index) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexing(index):
    array = np.arange(60.0).reshape(4, 3, 5)
    ours, theirs = fastnn.tensor(array, requires_grad=True), of_torch(array).requires_grad_()
    got, wanted = ours[as_index(index, fastnn.tensor)], theirs[as_index(index, of_torch)]
    same(got, wanted)
    (got * got).sum().backward()
    (wanted * wanted).sum().backward()
    same(ours.grad, theirs.grad)


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexed_assignment(index):
    array = np.arange(60.0).reshape(4, 3, 5)
    ours, theirs = fastnn.tensor(array), of_torch(array)
    ours[as_index(index, fastnn.tensor)] = -1.0
    theirs[as_index(index, of_torch)] = -1.0
    same(ours, theirs)


PARTS = {
    "split": ((7,), lambda x, library: library.split(x, 3)),
    "split in sections": ((7,), lambda x, library: x.split([2, 4, 1])),
    "split columns": ((2, 7), lambda x, library: library.split(x, 2, 1)),
    "chunk": ((7, 2), lambda x, library: library.chunk(x, 3)),
    "few chunks": ((2,), lambda x, library: x.chunk(5)),
    "max": ((3, 4), lambda x, library: x.max(1)),
    "min kept": ((3, 4), lambda x, library: library.min(x, 0, keepdim=True)),
    "pool with indices": ((2, 3, 7, 6), lambda x, library: library.nn.functional.max_pool2d(
        x, 3, 2, 1, return_indices=True)),
    "all": ((3, 4), lambda x, library: library.all(x > 0, 1)),
    "any": ((3, 4), lambda x, library: library.any(x > 0, 0, keepdim=True)),
}


@pytest.mark.parametrize("shape, function", PARTS.values(), ids=PARTS)
def test_several_results(shape, function):
    array = np.random.default_rng(0).standard_normal(shape)
    ours, theirs = fastnn.tensor(array, requires_grad=True), of_torch(array).requires_grad_()
    got, wanted = as_tuple(function(ours, fastnn)), as_tuple(function(theirs, torch))
    for one, other in zip(got, wanted, strict=True):
        same(one, other)
    if wanted[0].requires_grad:
        got[0].sum().backward()
        wanted[0].sum().backward()
        same(ours.grad, theirs.grad)


BROADCAST = ("add", "sub", "mul", "div", "maximum", "minimum", "eq", "lt", "matmul")


@given(name=st.sampled_from(BROADCAST[:-1]), seed=st.integers(0, 1000),
       shapes=st_numpy.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4))
def test_broadcasting(name, shapes, seed):
    _compare_binary(name, shapes.input_shapes, seed)


@given(seed=st.integers(0, 1000), shapes=st_numpy.mutually_broadcastable_shapes(
    signature="(m?,n),(n,p?)->(m?,p?)", min_side=1, max_dims=3))
def test_matmul(shapes, seed):
    _compare_binary("matmul", shapes.input_shapes, seed)


def _compare_binary(name, shapes, seed):
    random = np.random.default_rng(seed)
    arrays = [random.standard_normal(shape) for shape in shapes]
    ours = [fastnn.tensor(array, requires_grad=True) for array in arrays]
    theirs = [of_torch(array).requires_grad_() for array in arrays]
    got, wanted = REGISTRY[name].function(*ours), getattr(torch, name)(*theirs)
    same(got, wanted)
    if wanted.requires_grad:
        (got * got).sum().backward()
        (wanted * wanted).sum().backward()
        for one, other in zip(ours, theirs, strict=True):
            same(one.grad, other.grad)
