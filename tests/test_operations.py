"""Every registered operation, from its cases: values, gradients, layouts, threads, memory."""

import numpy as np
import pytest
from helpers import LAYOUTS, Call, array_of, close, every_case

import fastnn
from fastnn._kernels import reference
from fastnn.op import Elementwise
from fastnn.registry import REGISTRY
from fastnn.testing import gradcheck, gradgradcheck

TOLERANCE = {"float32": 3e-6, "float64": 1e-11}
STRICT = dict(eps=1e-4, rtol=1e-7, atol=1e-8, fast_mode=True)

MAKES_TENSORS = "makes a tensor from sizes or data; compared with NumPy in test_creation"
RANDOM = "random; its distribution and its bits are tested in test_determinism"
ORDER = "values and positions together; tested in test_parity_shape"
WITHOUT_CASES = {
    "multi_head_attention_forward": "two results or one; tested in test_transformer",
    **dict.fromkeys(("tensor", "as_tensor", "from_numpy", "from_dlpack", "empty", "zeros", "ones",
                     "full", "empty_like", "zeros_like", "ones_like", "full_like", "arange",
                     "linspace", "logspace", "eye", "asarray", "scalar_tensor", "range"),
                    MAKES_TENSORS),
    **dict.fromkeys(("is_tensor", "is_floating_point", "is_complex", "numel", "is_nonzero",
                     "result_type", "promote_types", "can_cast", "is_signed",
                     "broadcast_shapes"), "no tensor; in test_creation"),
    **dict.fromkeys(("rand", "randn", "rand_like", "randn_like", "randint", "randint_like",
                     "randperm", "bernoulli", "bernoulli_", "normal", "multinomial", "uniform_",
                     "normal_"), RANDOM),
    **dict.fromkeys(("sort", "msort", "topk", "kthvalue", "unique", "unique_consecutive",
                     "searchsorted", "bucketize", "tril_indices", "triu_indices"), ORDER),
    "chain_matmul": "PyTorch warns of it; tested in test_parity_shape",
    **dict.fromkeys(("relu_", "leaky_relu_", "elu_", "celu_", "selu_", "tanh_", "sigmoid_",
                     "hardtanh_", "threshold_", "rrelu_"), "in place; tested in test_activations"),
    "pdist": "as many results as pairs of rows; tested in test_losses",
    "gumbel_softmax": "random; tested in test_activations",
    **dict.fromkeys(("allclose", "equal"), "gives a Python boolean; tested in test_pointwise"),
    **dict.fromkeys(("aminmax", "cummax", "cummin"), "several results; tested in test_pointwise"),
    **dict.fromkeys(("all", "any"), "boolean; tested in test_parity over dtypes"),
}
VIEWS = {"reshape", "view", "flatten", "permute", "transpose", "t", "expand", "squeeze",
         "unsqueeze", "narrow", "swapaxes", "swapdims", "movedim", "moveaxis", "broadcast_to",
         "broadcast_tensors", "unflatten", "ravel", "atleast_1d", "atleast_2d", "atleast_3d",
         "split", "split_with_sizes", "chunk", "tensor_split", "hsplit", "vsplit", "dsplit",
         "unbind", "meshgrid", "diagonal", "einsum", "select"}
# These may give their input back as it is.
SAME_TENSOR = {"contiguous", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
               "feature_alpha_dropout", "cartesian_prod", "positive"}
# Their arguments name the very sizes of a case, or their results grow out of hand with it.
SIZES_NAMED = {"reshape", "view", "expand", "broadcast_to", "split_with_sizes", "diag",
               "combinations", "meshgrid", "cartesian_prod", "addbmm", "affine_grid", "diagflat"}
ALWAYS_FLOAT64 = {"float_power"}
LARGE = 150_000  # elements that keep several threads busy with the cheapest operation

each_case = pytest.mark.parametrize("entry, number", **every_case())
each_differentiable = pytest.mark.parametrize(
    "entry, number", **every_case(lambda entry: entry.differentiable))


@pytest.mark.parametrize("entry", REGISTRY.values(), ids=lambda entry: entry.name)
def test_is_tested(entry):
    reason = WITHOUT_CASES.get(entry.name)
    assert bool(entry.cases) != bool(reason), "give it cases, or a reason in WITHOUT_CASES"
    if not reason:
        assert entry.reference or hasattr(reference, entry.name), "it has no reference"
        call = Call(entry, 0)
        results = call.run(entry.function, call.tensors())
        assert entry.differentiable == any(each.is_floating_point() for each in results)


@pytest.mark.parametrize("dtype", TOLERANCE)
@each_case
def test_value(entry, number, dtype):
    call = Call(entry, number).round_to(dtype)
    results = call.run(entry.function, call.tensors(dtype))
    for result, wanted in zip(results, call.reference(), strict=True):
        close(array_of(result), wanted, TOLERANCE[dtype])
        kind = np.asarray(wanted).dtype
        own = "float64" if entry.name in ALWAYS_FLOAT64 else dtype
        assert result.dtype == call.keywords.get("dtype", own if kind.kind == "f" else kind)


@each_differentiable
def test_gradient(entry, number):
    call = Call(entry, number)
    for leaf in call.floats:
        gradcheck(*_function_of(call, [leaf]), **STRICT)
    gradcheck(*_function_of(call, call.floats), **STRICT)


@each_differentiable
def test_second_gradient(entry, number):
    call = Call(entry, number)
    function, inputs = _function_of(call, call.floats)
    gradgradcheck(function, inputs, **STRICT)


@pytest.mark.parametrize("entry, number", [
    (entry, number) for entry, number in every_case(lambda entry: entry.differentiable)["argvalues"]
    if len(Call(entry, number).floats) > 1], ids=lambda value: getattr(value, "name", str(value)))
def test_second_gradient_of_one(entry, number):
    """A gradient asked for alone depends on the other inputs as it does among all of them."""
    call = Call(entry, number)
    function, inputs = _function_of(call, call.floats)
    upstream = [fastnn.tensor(each) for each in call.upstream(function(*inputs))]

    def second(index, wanted):
        first = fastnn.autograd.grad(function(*inputs), wanted, upstream, create_graph=True,
                                     allow_unused=True)[index]
        if first is None or not first.requires_grad:
            return [None] * len(inputs)
        return fastnn.autograd.grad((first * first).sum(), inputs, allow_unused=True)

    for index, leaf in enumerate(inputs):
        for alone, among in zip(second(0, [leaf]), second(index, inputs), strict=True):
            zeros = np.zeros(())
            close(zeros + (0 if alone is None else array_of(alone)),
                  zeros + (0 if among is None else array_of(among)), 1e-10)


def _function_of(call, chosen):
    """The call as a function of some of its tensors, and these with gradients asked for."""
    fixed = call.tensors()
    inputs = [fixed[leaf].requires_grad_() for leaf in chosen]

    def function(*tensors):
        return call.run(call.entry.function, {**fixed, **dict(zip(chosen, tensors, strict=True))})

    return function, inputs


def _results(call, **options):
    """The outputs' arrays, and the gradients' of a random upstream gradient."""
    tensors = call.tensors(requires_grad=call.entry.differentiable, **options)
    outputs = call.run(call.entry.function, tensors)
    arrays = [array_of(output) for output in outputs]
    if call.entry.differentiable:
        leaves = [tensors[leaf] for leaf in call.floats]
        upstream = [fastnn.tensor(each, dtype=output.dtype)
                    for each, output in zip(call.upstream(outputs), outputs, strict=True)]
        arrays += [array_of(each) for each in fastnn.autograd.grad(outputs, leaves, upstream)]
    return arrays


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@each_case
def test_layout(entry, number, layout):
    call = Call(entry, number)
    if entry.name == "view" and layout.__name__ in ("transposed", "strided"):
        with pytest.raises(ValueError, match="needs a copy of this memory layout"):
            _results(call, layout=layout)
        return
    for got, wanted in zip(_results(call, layout=layout), _results(call), strict=True):
        close(got, wanted, 1e-12)


@each_differentiable
def test_layout_of_upstream_gradient(entry, number):
    call = Call(entry, number)
    tensors = call.tensors(requires_grad=True)
    leaves = [tensors[leaf] for leaf in call.floats]
    outputs = call.run(entry.function, tensors)
    arrays = call.upstream(outputs)
    wanted = None
    for layout in (np.copy, *LAYOUTS.values()):
        upstream = [fastnn.from_numpy(layout(each)) for each in arrays]
        found = fastnn.autograd.grad(outputs, leaves, upstream, retain_graph=True)
        wanted = wanted or found
        for one, other, array, given in zip(found, wanted, arrays, upstream, strict=False):
            close(array_of(one), array_of(other), 1e-12)
            assert (given.array == array).all(), "the upstream gradient was changed"


@each_case
def test_memory(entry, number):
    call = Call(entry, number)
    tensors = call.tensors(requires_grad=entry.differentiable)
    outputs = call.run(entry.function, tensors)
    upstream = [np.ones(output.shape) for output in outputs]
    if entry.differentiable:
        fastnn.autograd.backward(outputs, [fastnn.from_numpy(each) for each in upstream])
    for leaf, tensor in tensors.items():
        assert (tensor.array == leaf.array).all(), "an input was changed"
        for output in outputs:
            shared = np.shares_memory(tensor.array, output.array)
            assert not shared or entry.name in VIEWS | SAME_TENSOR
    gradients = [tensor.grad.array for tensor in tensors.values() if tensor.grad is not None]
    for place, gradient in enumerate(gradients):
        for other in (*gradients[:place], *upstream, *(leaf.array for leaf in call.leaves)):
            assert not np.shares_memory(gradient, other)


@each_case
def test_writes_every_element(entry, number):
    """The second run gets the memory of the first one, filled with NaN, from the arena."""
    call = Call(entry, number)
    first = _results(call)
    copies = [array.copy() for array in first]
    for array in first:
        if array.flags.writeable:
            array.fill(np.nan if array.dtype.kind == "f" else 1)
    del array, first
    for got, wanted in zip(_results(call), copies, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("entry", [entry for entry in REGISTRY.values() if entry.cases
                                   and entry.name not in SIZES_NAMED], ids=lambda entry: entry.name)
def test_same_bits_for_any_number_of_threads(entry, threads):
    enlarged = [call for number in range(len(entry.cases)) if (call := _enlarged(entry, number))]
    assert enlarged, "no case of it can be made larger along its first dimension"
    for call in enlarged[:2]:
        runs = []
        for count in (1, 2, 3):
            threads(count)
            runs.append(_results(call, dtype="float32"))
        for run in runs[1:]:
            for got, wanted in zip(run, runs[0], strict=True):
                np.testing.assert_array_equal(got, wanted)


def _enlarged(entry, number):
    """The case with more in its first dimension, or None where its arguments forbid that.

    A result for each row (unbind) is no larger case: they share nothing that threads could cut.
    """
    first = Call(entry, number).leaves[0].array
    if not first.ndim or first.size > LARGE:
        return None
    call = Call(entry, number, lead=(len(first), len(first) * (LARGE // first.size)))
    try:
        with fastnn.no_grad():
            results = call.run(entry.function, call.tensors("float32"))
    except (ValueError, IndexError):
        return None
    return call if len(results) < len(first) * (LARGE // first.size) else None


ELEMENTWISE = [entry for entry in REGISTRY.values() if isinstance(entry.function, Elementwise)]


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1)])
@pytest.mark.parametrize("entry", ELEMENTWISE, ids=lambda entry: entry.name)
def test_elementwise_of_odd_shapes(entry, shape):
    call = Call(entry, 0)
    for leaf in call.leaves:
        leaf.array = np.resize(leaf.array, shape)
    for got, wanted in zip(_results(call)[:1], call.reference(), strict=True):
        close(got, wanted, 1e-12)
