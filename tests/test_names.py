"""Functions in place, and those that cases cannot express: types, limits, errors, printing."""

import inspect

import numpy as np
import pytest
from helpers import Call, array_of, close

import fastnn
from fastnn import registry

VARIANTS = registry.VARIANTS
OPERATIONS = {name: registry.REGISTRY[registry.ALIASES.get(name, name)]
              for name in (*registry.REGISTRY, *registry.ALIASES)}
BOOLEAN = {"eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "logical_or",
           "logical_xor", "greater", "greater_equal", "less", "less_equal", "not_equal"}
OTHERS = {"detach", "detach_", "dropout_", "alpha_dropout_", "feature_alpha_dropout_", "zero_",
          "fill_", "fill_diagonal_"}


def calls(name):
    """The cases of the operation whose result has the shape of its first argument."""
    entry = OPERATIONS[name.removesuffix("_")]
    for number in range(len(entry.cases)):
        call = Call(entry, number)
        first = call.arguments[0]
        if not hasattr(first, "array"):
            continue
        result = call.run(entry.function, call.tensors())[0]
        if result.shape == first.array.shape and "dtype" not in call.keywords:
            yield call, first


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - OTHERS))
def test_in_place(name):
    """The same values and gradients as the operation itself, in the memory of the tensor."""
    function, places = VARIANTS[name]
    tested = 0
    for call, first in calls(name):
        wanted = call.run(call.entry.function, call.tensors(requires_grad=True))[0]
        tensors = call.tensors()
        memory = tensors[first].array
        result = call.run(function, tensors)[0]
        assert result is tensors[first] and result.array is memory
        close(array_of(result), array_of(wanted).astype(memory.dtype), 1e-12)
        if wanted.requires_grad and result.is_floating_point():
            leaves = call.tensors(requires_grad=True)
            changed = call.run(function, {**leaves, first: leaves[first] * 1})[0]
            others = call.tensors(requires_grad=True)
            plain = call.run(call.entry.function, others)[0]
            changed.sum().backward()
            plain.sum().backward()
            for leaf in call.floats:
                if others[leaf].grad is not None:
                    close(array_of(leaves[leaf].grad), array_of(others[leaf].grad), 1e-12)
        tested += 1
    assert tested, "no case of it fits"
    for place, owner in (("fastnn", fastnn), ("method", fastnn.Tensor)):
        assert (place in places) == (inspect.unwrap(getattr(owner, name, len)) is function)


def is_of_floats(name):
    call, first = next(calls(name))
    return first in call.floats


@pytest.mark.parametrize("name", [
    *filter(is_of_floats, sorted(VARIANTS.keys() - OTHERS - {"index_put_"}))])
def test_in_place_refuses_leaves(name):
    call, first = next(calls(name))
    tensors = call.tensors()
    tensors[first].requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        call.run(VARIANTS[name][0], tensors)


def test_in_place_refuses_other_shapes_and_types():
    x = fastnn.ones(2)
    with pytest.raises(ValueError, match="addmm_: the result has shape"):
        x.addmm_(fastnn.ones(1, 2), fastnn.ones(2, 2))
    with pytest.raises(TypeError, match="float_power_: the result is float64"):
        x.float_power_(2)
    with pytest.raises(TypeError, match="abs_: expected a Tensor"):
        fastnn.abs_(3.0)
    assert x.tolist() == [1, 1]


def test_filling():
    x = fastnn.ones(2, 3)
    assert fastnn.zero_(x) is x and x.sum() == 0
    assert fastnn.fill_(x, fastnn.tensor(2)).tolist() == [[2.0] * 3] * 2
    assert fastnn.fill(fastnn.ones(2, dtype=fastnn.int32), 1.5).tolist() == [1, 1]
    with pytest.raises(ValueError, match="must be a number"):
        x.fill_(fastnn.ones(1))
    assert fastnn.detach(x).array is x.array
    assert fastnn.dropout_(x, 1.0, True) is x and x.sum() == 0
    assert fastnn.alpha_dropout_(x, 0.5, False) is x
    assert fastnn.feature_alpha_dropout_(x, 0.0, True) is x


@pytest.mark.parametrize("shape, wrap", [((3, 3), False), ((5, 2), False), ((5, 2), True),
                                         ((2, 5), True), ((2, 2, 2), False), ((0, 2), False),
                                         ((2, 0), True)])
def test_fill_diagonal(shape, wrap):
    wanted = np.zeros(shape)
    if wanted.size:
        np.fill_diagonal(wanted, 5, wrap)
    assert (fastnn.zeros(shape).fill_diagonal_(5, wrap).array == wanted).all()


def test_fill_diagonal_on_the_tape():
    x = fastnn.ones(2, 3, requires_grad=True)
    (x * 2).fill_diagonal_(7).sum().backward()
    assert x.grad.tolist() == [[0, 2, 2], [2, 0, 2]]
    for shape in ((3,), (2, 2, 3)):
        with pytest.raises(ValueError, match="fill_diagonal_"):
            fastnn.ones(shape).fill_diagonal_(1)


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
def test_reductions_with_zeros_and_equals(reduce):
    """Gradients where a product has zeros, and where extremes are equal, and of second order."""
    at = fastnn.tensor([0, 0, 1, 0])
    x = fastnn.tensor([0.0, 2.0, 3.0], dtype=fastnn.float64, requires_grad=True)
    source = fastnn.tensor([3.0, 0.0, 2.0, 4.0], dtype=fastnn.float64, requires_grad=True)

    def of_parts(x, source):
        parts = [fastnn.cat([x[:1], source[:2], source[3:]]), fastnn.stack([x[1], source[2]]),
                 x[2:]]
        return fastnn.stack([getattr(part, reduce)(0) for part in parts])

    weights = fastnn.tensor([1.0, 2.0, 3.0], dtype=fastnn.float64)
    found, wanted = [], []
    for function, results in ((of_parts, wanted), (
            lambda x, source: x.scatter_reduce(0, at, source, reduce), found)):
        output = function(x, source)
        first = fastnn.autograd.grad((output * weights).sum(), [x, source], create_graph=True)
        results += [output, *first]
        if reduce == "prod":
            results += fastnn.autograd.grad(sum((each * each).sum() for each in first),
                                            [x, source])
    for one, other in zip(found, wanted, strict=True):
        close(array_of(one), array_of(other), 1e-12)


def test_sums_of_booleans():
    """True with True is True, also 256 times."""
    x, at = fastnn.zeros(2, dtype=fastnn.bool), fastnn.zeros(256, dtype=fastnn.int64)
    source = fastnn.ones(256, dtype=fastnn.bool)
    for found in (x.scatter_add(0, at, source), x.scatter_reduce(0, at, source, "sum"),
                  x.put(at, source, accumulate=True)):
        assert found.array.view(np.uint8).tolist() == [1, 0]


def test_products_that_overflow_stay_apart():
    x = fastnn.ones(2)
    source = fastnn.tensor([3e38, 3e38, 2.0, 3.0])
    found = x.scatter_reduce(0, fastnn.tensor([0, 0, 1, 1]), source, "prod")
    assert found.tolist() == [float("inf"), 6.0]


@pytest.mark.parametrize("call, error, text", [
    (lambda x: x.scatter_reduce(0, fastnn.tensor([0]), fastnn.ones(1), "max"), ValueError,
     "reduce must be one of sum"),
    (lambda x: x.index_reduce(0, fastnn.tensor([0]), fastnn.ones(1), "sum"), ValueError,
     "reduce must be one of prod"),
    (lambda x: x.scatter_reduce(0, fastnn.tensor([5]), fastnn.ones(1), "sum"), IndexError, "5"),
    (lambda x: x.scatter_reduce(0, fastnn.tensor([0]), fastnn.ones(1, dtype=fastnn.float64),
                                "sum"), TypeError, "src is float64"),
    (lambda x: x.put(fastnn.tensor([9]), fastnn.ones(1)), IndexError, "out of range"),
    (lambda x: x.put(fastnn.tensor([0]), fastnn.ones(2)), IndexError, "1 positions for 2"),
    (lambda x: x.put(fastnn.tensor([0], dtype=fastnn.int32), fastnn.ones(1)), TypeError, "int64"),
    (lambda x: x.select(0, 4), IndexError, "out of range"),
    (lambda x: x.select(0, True), TypeError, "bool"),
    (lambda x: fastnn.tensor(1.0).select(0, 0), IndexError, "no slices"),
    (lambda x: fastnn.diff(fastnn.tensor(1.0)), ValueError, "at least one dimension"),
    (lambda x: fastnn.diff(x, -1), ValueError, "n must be at least 0"),
    (lambda x: fastnn.diff(x, prepend=fastnn.ones(1, 1)), ValueError, "prepend of shape"),
    (lambda x: fastnn.gradient(fastnn.ones(1)), ValueError, "fewer than 2 points"),
    (lambda x: fastnn.gradient(x, edge_order=3), ValueError, "edge_order must be 1 or 2"),
    (lambda x: fastnn.gradient(x, spacing=[1, 2]), ValueError, "2 spacings for 1"),
    (lambda x: fastnn.gradient(x > 0), TypeError, "bool"),
    (lambda x: x.renorm(2, 0, 1), ValueError, "at least 2 dimensions"),
    (lambda x: fastnn.ones(1, 1).renorm(0, 0, 1), ValueError, "p must be positive"),
    (lambda x: +(x > 0), TypeError, "positive: not defined for boolean"),
    (lambda x: x << 1, TypeError, "not defined for floating-point"),
    (lambda x: fastnn.isin(x > 0, x > 0), TypeError, "boolean"),
    (lambda x: fastnn.logaddexp2(fastnn.tensor(1), fastnn.tensor(2)), TypeError, "int64"),
    (lambda x: fastnn.logcumsumexp(fastnn.tensor([1]), 0), TypeError, "floating-point"),
    (lambda x: fastnn.broadcast_shapes((2,), (3,)), ValueError, "do not broadcast"),
    (lambda x: fastnn.broadcast_shapes((-1,)), ValueError, "negative size"),
    (lambda x: fastnn.block_diag(fastnn.ones(1, 1, 1)), ValueError, "at most 2 dimensions"),
    (lambda x: fastnn.nonzero_static(x, size=-1), ValueError, "size must be at least 0"),
    (lambda x: fastnn.unravel_index(x, (2,)), TypeError, "integers"),
    (lambda x: fastnn.unravel_index(fastnn.tensor([1]), (0, 2)), ValueError, "no elements"),
    (lambda x: fastnn.range(3, 0), ValueError, "no way from 3 to 0"),
    (lambda x: fastnn.finfo(fastnn.int32), TypeError, "finfo: expected float32"),
    (lambda x: fastnn.iinfo(fastnn.bool), TypeError, "iinfo: expected an integer"),
    (lambda x: x.bernoulli_(1.5), ValueError, "probabilities"),
    (lambda x: fastnn.linalg.norm(x, "fro"), ValueError, "of matrices"),
    (lambda x: fastnn.linalg.norm(fastnn.ones(2, 2), 2), ValueError, "singular values"),
    (lambda x: fastnn.linalg.norm(fastnn.ones(2, 2, 2), 1), ValueError, "a vector or a matrix"),
    (lambda x: fastnn.set_printoptions(profile="long"), ValueError, "profile must be one of"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(fastnn.ones(3))


def test_questions():
    assert fastnn.broadcast_shapes((2, 1), 3) == (2, 3) and fastnn.broadcast_shapes() == ()
    assert fastnn.ones(1).is_signed() and not fastnn.is_signed(fastnn.ones(1) > 0)
    assert fastnn.tensor([300.0]).byte().tolist() == [44]
    assert fastnn.tensor([1.5]).short().dtype == fastnn.int16
    assert fastnn.tensor([1.5]).char().dtype == fastnn.int8
    assert fastnn.finfo(fastnn.float32) == fastnn.finfo() != fastnn.finfo(fastnn.float64)
    assert fastnn.iinfo(fastnn.int8).bits == 8 and "dtype=int8" in repr(fastnn.iinfo(fastnn.int8))


def test_bernoulli():
    fastnn.manual_seed(0)
    drawn = fastnn.zeros(4000).bernoulli_(0.25)
    assert abs(float(drawn.mean()) - 0.25) < 0.03 and set(drawn.tolist()) == {0.0, 1.0}
    assert fastnn.tensor([1, 0]).bernoulli(1.0).tolist() == [1, 1]
    assert fastnn.zeros(2, 2).bernoulli_(fastnn.tensor([1.0, 0.0])).tolist() == [[1, 0], [1, 0]]


@pytest.fixture
def default_print():
    yield
    fastnn.set_printoptions(profile="default")


def test_print_options(default_print):
    x = fastnn.tensor([1.0, 2.0]) / 3
    fastnn.set_printoptions(precision=2)
    assert repr(x) == "tensor([0.33, 0.67])"
    fastnn.set_printoptions(profile="default", sci_mode=True)
    assert repr(x * 3) == "tensor([1.0000e+00, 2.0000e+00])"
    fastnn.set_printoptions(sci_mode=False)
    assert repr(x * 3e9) == "tensor([1000000000., 2000000000.])"
    fastnn.set_printoptions(threshold=2, edgeitems=1, linewidth=20)
    assert repr(fastnn.arange(10.0)) == "tensor([0.,  ..., 9.])"
