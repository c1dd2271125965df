"""PyTorch as an oracle for operations of numbers alone: values, shapes, types, refusals."""

import itertools

import pytest
from helpers import import_torch
from test_parity import same

import fastnn
from fastnn.ops.promotion import OF_NUMBERS

torch = import_torch()
NUMBERS = (7, 2, -1, -7, 300, 2 ** 40, True, False, 2.5, -0.5)
CALLS = {
    **{name: (name, {}) for name in (*OF_NUMBERS, "subtract", "multiply", "divide", "true_divide",
                                     "maximum", "remainder", "pow", "rsub")},
    **{f"div {mode}": ("div", {"rounding_mode": mode}) for mode in ("floor", "trunc")},
    **{f"{name} {alpha}": (name, {"alpha": alpha})
       for name in ("add", "sub") for alpha in (3, -1, 0, 2.5, True, False)},
}


def outcome(package, name, numbers, keywords):
    try:
        return getattr(package, name)(*numbers, **keywords)
    except (TypeError, RuntimeError, ZeroDivisionError) as error:  # with NotImplementedError
        return error


@pytest.mark.parametrize("name, keywords", CALLS.values(), ids=CALLS)
def test_numbers_alone(name, keywords):
    for numbers in itertools.product(NUMBERS, NUMBERS):
        got, wanted = (outcome(each, name, numbers, keywords) for each in (fastnn, torch))
        if isinstance(wanted, Exception):
            assert isinstance(got, Exception), f"{numbers}: PyTorch refuses: {wanted}; {got}"
        else:
            same(got, wanted)


TENSORS = {
    "int64": [3, -4], "uint8": [3, 200], "bool": [True, False], "float32": [0.5, 2.0],
    "float64": [0.5, 2.0]}
MIXED = {
    "lerp": lambda p, a, b: p.lerp(a, b, 0.5), "lerp_": lambda p, a, b: a.lerp_(b, 0.5),
    "lerp by a tensor": lambda p, a, b: p.lerp(a, a, b),
    "add scaled": lambda p, a, b: p.add(a, b, alpha=3),
    "add scaled, boolean": lambda p, a, b: p.add(a, b, alpha=False),
    "add scaled, fraction": lambda p, a, b: p.add(a, b, alpha=0.5),
    "sub scaled": lambda p, a, b: p.sub(a, b, alpha=2),
    "div": lambda p, a, b: p.div(a, b > 0, rounding_mode="trunc"),
}


@pytest.mark.parametrize("first", TENSORS)
@pytest.mark.parametrize("call", MIXED.values(), ids=MIXED)
def test_types_that_meet(call, first):
    for second in TENSORS:
        got, wanted = [], []
        for package, found in ((fastnn, got), (torch, wanted)):
            try:
                found.append(call(package, *(package.tensor(TENSORS[each], dtype=getattr(
                    package, each)) for each in (first, second))))
            except (TypeError, RuntimeError, ZeroDivisionError) as error:
                found.append(error)
        if isinstance(wanted[0], Exception):
            assert isinstance(got[0], Exception), f"{second}: PyTorch refuses: {wanted[0]}; {got}"
        else:
            same(got[0], wanted[0])
