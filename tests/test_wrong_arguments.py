"""Whatever a public function is given: a result, or an error that says what is wrong; no crash."""

import warnings

import pytest

import fastnn
from fastnn.registry import PLACES, in_place

WRONG = [None, "text", 3.5, True, [1, 2], (), {}, object()]
NAMED = (TypeError, ValueError, RuntimeError, IndexError)


def calls(function):
    """With wrong arguments in the first, second and third place."""
    x = fastnn.rand(3, 3)
    for wrong in WRONG:
        yield (wrong,)
        yield (x.clone(), wrong)
        yield (x.clone(), x.clone(), wrong)


@pytest.mark.parametrize("place", PLACES)
def test_wrong_arguments(place):
    unnamed = []
    for name, function in in_place(place).items():
        for arguments in calls(function):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of NumPy about values
                    function(*arguments)
            except NAMED:
                pass
            except Exception as error:
                if place != "method" or isinstance(arguments[0], fastnn.Tensor):
                    unnamed.append((name, arguments[-1], error))
    assert not unnamed


@pytest.mark.parametrize("call", [
    lambda: fastnn.relu_(None),
    lambda: fastnn.detach_(3),
    lambda: fastnn.Tensor.detach_(None),
    lambda: fastnn.Tensor.register_hook("text", print),
    lambda: type(fastnn.ones(1, requires_grad=True).sum().grad_fn).name(3),
], ids=["relu_", "detach_", "method", "hook", "node"])
def test_methods_check_their_object(call):
    with pytest.raises(TypeError):
        call()


def test_the_argument_is_named():
    for call, text in [
        (lambda: fastnn.t([1, 2]), "t: input must be a Tensor, got list"),
        (lambda: fastnn.kron(fastnn.ones(2), [1, 2]), "kron: other must be a Tensor, got list"),
    ]:
        with pytest.raises(TypeError, match=text):
            call()
