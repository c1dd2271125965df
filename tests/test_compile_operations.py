"""Every registered operation, compiled: replays on other values give the bits of eager mode."""

import numpy as np
import pytest
from helpers import Call, every_case

import fastnn

# (name, number of the case or None for all): how much they compute depends on values.
REFUSED = {("repeat_interleave", 2), ("embedding_bag", 2),
           ("embedding_bag", 4), ("multilabel_margin_loss", None), ("masked_select", None),
           ("masked_scatter", None), ("argwhere", None), ("nonzero", None), ("matrix_exp", None)}


def rolled(call, tensors, steps):
    """Other values from the same domain: each tensor's own, some places on."""
    made = {}
    for leaf, tensor in tensors.items():
        array = np.roll(tensor.numpy(), steps)
        made[leaf] = fastnn.from_numpy(array)
    return made


def results_of(call):
    """A function of the leaves' tensors: outputs, and their gradients where there are any."""

    def function(given, upstream):
        tensors = {leaf: each.clone().requires_grad_(leaf.floating and call.entry.differentiable)
                   for leaf, each in zip(call.leaves, given, strict=True)}
        outputs = call.run(call.entry.function, tensors)
        taped = [each for each in outputs if each.requires_grad]
        floats = [tensors[leaf] for leaf in call.floats]
        gradients = fastnn.autograd.grad(taped, floats, upstream[:len(taped)], allow_unused=True) \
            if taped else ()
        return [each.detach() for each in outputs], list(gradients)

    return function


def bits(results):
    return [None if each is None else (each.dtype, tuple(each.shape), each.numpy().tobytes())
            for part in results for each in part]


@pytest.mark.parametrize("entry, number", **every_case())
def test_replays(entry, number):
    call = Call(entry, number)
    function = results_of(call)
    first = call.tensors("float32")
    outputs = call.run(entry.function, first)
    upstream = [fastnn.from_numpy(each.astype("float32")) for each in call.upstream(
        [each for each in outputs if each.is_floating_point()])]
    compiled = fastnn.compile(function)
    if {(entry.name, number), (entry.name, None)} & REFUSED:
        compiled(list(first.values()), upstream)
        with pytest.raises(RuntimeError, match=r"compile: .*\.py:\d+: "):
            compiled(list(first.values()), upstream)
        return
    for steps in range(4):
        given = list(rolled(call, first, steps).values())
        seed = fastnn.get_rng_state()
        wanted = function(given, upstream)
        fastnn.set_rng_state(seed)
        assert bits(compiled(given, upstream)) == bits(wanted), f"call {steps}"
    assert len(compiled.records()) == 1


x = np.random.default_rng(5).standard_normal((4, 6)).astype("float32")
F = fastnn.nn.functional
WITHOUT_CASES = {
    "sort": lambda x: fastnn.sort(x, 0), "msort": fastnn.msort,
    "topk": lambda x: fastnn.topk(x, 2), "topk of most": lambda x: fastnn.topk(x, 5, 1, False),
    "topk of few": lambda x: fastnn.topk(x.reshape(2, 12), 1),
    "kthvalue": lambda x: fastnn.kthvalue(x, 3, keepdim=True),
    "median": lambda x: fastnn.median(x, 1), "mode of all": lambda x: fastnn.median(x),
    "max": lambda x: fastnn.max(x, 1), "argmin": lambda x: fastnn.argmin(x),
    "cummax": lambda x: fastnn.cummax(x, 1), "cummin": lambda x: fastnn.cummin(x, 0),
    "aminmax": fastnn.aminmax, "any": lambda x: (x > 0).any(1), "all": lambda x: (x > -1).all(),
    "searchsorted": lambda x: fastnn.searchsorted(x.sort(1).values, x),
    "bucketize": lambda x: fastnn.bucketize(x, fastnn.tensor([-1.0, 0.0, 1.0])),
    "pdist": F.pdist, "gumbel_softmax": lambda x: F.gumbel_softmax(x, hard=True),
    "unfold": lambda x: F.unfold(x.reshape(1, 1, 4, 6), 3),
    "max_pool with indices": lambda x: F.max_pool2d(x.reshape(1, 1, 4, 6), 2, return_indices=True),
    "adaptive maxima": lambda x: F.adaptive_max_pool2d(
        x.reshape(1, 1, 4, 6), (3, 4), return_indices=True),
    "view of bits": lambda x: x.view(fastnn.int32),
    "mask of places": lambda x: x.clone().masked_fill_(x > 0, 1.0),
    "assignment to a mask": lambda x: _assigned(x, x > 0, 2.0),
    "assignment to places": lambda x: _assigned(x, [1, 2], x[:2] * 3),
    "assignment to a slice": lambda x: _assigned(x, slice(1, 3), x[:2] * 3),
    "index by tensors": lambda x: x[(x[:, 0] > 0).to(fastnn.int64)],
    "fill_diagonal": lambda x: x.clone().fill_diagonal_(3.0),
    "triangle": lambda x: x[tuple(fastnn.tril_indices(4, 6))],
    "randperm": lambda x: x[fastnn.randperm(4)], "bernoulli": lambda x: x.sigmoid().bernoulli(),
    "multinomial": lambda x: fastnn.multinomial(x.exp(), 2), "normal": lambda x: fastnn.normal(
        x, x.abs()), "randint": lambda x: x + fastnn.randint(9, (4, 6)),
    "rand_like": lambda x: x.t() + fastnn.rand_like(x.t()),
    "uniform_": lambda x: x.clone().uniform_(),
    "rrelu": lambda x: F.rrelu(x, training=True), "dropout2d": lambda x: F.dropout2d(
        x.reshape(2, 2, 6), 0.5, True), "alpha_dropout": lambda x: F.alpha_dropout(x, 0.3, True),
    "one_hot": lambda x: F.one_hot((x > 0).to(fastnn.int64), 2), "lstm": fastnn.nn.LSTM(6, 3),
    "attention": fastnn.nn.MultiheadAttention(6, 2), "grid": lambda x: F.grid_sample(
        x.reshape(1, 1, 4, 6), x[:, :4].reshape(1, 4, 2, 2), align_corners=False),
    "jacobian": lambda x: fastnn.autograd.functional.jacobian(lambda y: y.exp().sum(1), x),
    "cross_entropy": lambda x: F.cross_entropy(x, (x[:, 0] > 0).to(fastnn.int64)),
    "embedding": lambda x: F.embedding((x > 0).to(fastnn.int64), x, scale_grad_by_freq=True),
    "linspace": lambda x: x * fastnn.linspace(0, 1, 6) + fastnn.arange(6) + fastnn.eye(4, 6),
    "integer division": lambda x: (x * 9).to(fastnn.int64) // ((x > 0).to(fastnn.int64) + 1),
}


def _assigned(x, place, value):
    y = x * 1
    y[place] = value
    return y


def flattened(value):
    if isinstance(value, (tuple, list)):
        return [tensor for each in value for tensor in flattened(each)]
    return [] if value is None else [value]


@pytest.mark.parametrize("name", WITHOUT_CASES)
def test_replays_without_cases(name):
    call = WITHOUT_CASES[name]

    def function(given):
        leaf = given.clone().requires_grad_()
        results = flattened(call(leaf, leaf, leaf) if name == "attention" else call(leaf))
        taped = [each for each in results if each.requires_grad]
        gradients = fastnn.autograd.grad([each.square().sum() for each in taped], [leaf],
                                         allow_unused=True) if taped else ()
        return [each.detach() for each in results], list(gradients)

    compiled = fastnn.compile(function)
    for steps in range(5):
        given = fastnn.from_numpy(np.roll(x, steps) * (1 + steps / 7))
        seed = fastnn.get_rng_state()
        wanted = function(given)
        fastnn.set_rng_state(seed)
        assert bits(compiled(given)) == bits(wanted), f"call {steps}"
    assert len(compiled.records()) == 1
