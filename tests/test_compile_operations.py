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
    record, = compiled.records()
    assert record.fits()
