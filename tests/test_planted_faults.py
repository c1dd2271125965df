"""The checks of this suite, tried on faults that they must find."""

import dataclasses

import numpy as np
import pytest
import test_layers
import test_operations
from helpers import Call

import fastnn
from fastnn import registry
from fastnn.operation import Operation
from fastnn.registry import case, floats
from fastnn.testing import GradcheckError, gradcheck

PAIR = (case(floats(2, 3), floats(2, 3)), case(floats(2, 3), floats(3)))
ONE = (case(floats(3, 4)),)
WITH_PARAMETER = (case(floats(3, 4)), case(floats(3, 4), factor=0.5))


def entry_of(function, cases=ONE, reference=None, name="planted"):
    return registry.Entry(name, function, ("fastnn",), tuple(cases), True, reference)


def operation(forward, rule, **options):
    """A function of one tensor from its forward and its rule."""
    made = Operation("planted", forward, rule, **options)
    return lambda x: made(None, x)


def checks(entry, *tests):
    """Run the suite's tests on the cases of an entry."""
    for number in range(len(entry.cases)):
        for test in tests:
            test(entry, number)


def found(entry, *tests):
    with pytest.raises((AssertionError, GradcheckError)):
        checks(entry, *tests)


def cubed(slope):
    """x ** 3 with a rule that multiplies the gradient with ``slope(x)``."""
    return operation(lambda plan, x: x * x * x, lambda node, g: g * slope(node.saved[0]),
                     saves=(0,))


ALL = (test_operations.test_gradient, test_operations.test_second_gradient,
       test_operations.test_layout, test_operations.test_memory)


def test_without_a_fault_everything_passes():
    sound = entry_of(cubed(lambda x: 3 * x * x), reference=lambda x: x ** 3)
    checks(sound, test_operations.test_gradient, test_operations.test_second_gradient,
           test_operations.test_memory, test_operations.test_writes_every_element)
    for dtype in ("float32", "float64"):
        test_operations.test_value(sound, 0, dtype)


@pytest.mark.parametrize("factor", [2.0, 1.001, 0.999, -1.0])
def test_wrong_derivative(factor):
    found(entry_of(cubed(lambda x: factor * 3 * x * x)), test_operations.test_gradient)


def test_wrong_second_derivative():
    """The first derivative is right, but its own rule takes x * x for a constant."""
    wrong = entry_of(cubed(lambda x: 3 * (x * x).detach()))
    checks(wrong, test_operations.test_gradient)
    found(wrong, test_operations.test_second_gradient)


def test_ignored_parameter():
    scale = Operation("planted", lambda factor, x: factor * x, lambda node, g: g)

    def scaled(x, factor=1.0):
        return scale(factor, x)

    with_default = entry_of(scaled, WITH_PARAMETER[:1])
    checks(with_default, test_operations.test_gradient)
    found(entry_of(scaled, WITH_PARAMETER), test_operations.test_gradient)


def test_parameter_ignored_by_the_forward():
    ignoring = entry_of(lambda x, factor=1.0: x * 1.0, WITH_PARAMETER,
                        reference=lambda x, factor=1.0: factor * x)
    test_operations.test_value(ignoring, 0, "float64")
    with pytest.raises(AssertionError):
        test_operations.test_value(ignoring, 1, "float64")


@pytest.mark.parametrize("undo", [lambda g, shape: g.mean(0), lambda g, shape: g[0],
                                  lambda g, shape: g], ids=["mean", "row", "not at all"])
def test_wrong_sum_of_a_broadcast_gradient(undo):
    add = Operation("planted", lambda plan, a, b: a + b,
                    lambda node, g: (g, g if node.plan == g.shape else undo(g, node.plan)))
    wrong = entry_of(lambda a, b: add(b.shape, a, b), PAIR)
    checks(dataclasses.replace(wrong, cases=PAIR[:1]), test_operations.test_gradient)
    found(wrong, test_operations.test_gradient)


@pytest.mark.parametrize("kind", ["float64", "int64", "bool"])
def test_result_of_another_type(kind):
    """A float32 comes back as another type, its value unchanged."""
    cases = (case(floats(3, 4, low=1, high=1)),)
    wrong = entry_of(operation(lambda plan, x: x.astype(kind), None), cases, lambda x: x)
    with pytest.raises(AssertionError):
        test_operations.test_value(wrong, 0, "float32")


def test_positions_of_another_type():
    wrong = entry_of(operation(lambda plan, x: x.argmax(1).astype("int32"), None),
                     reference=lambda x: x.argmax(1))
    with pytest.raises(AssertionError):
        test_operations.test_value(wrong, 0, "float64")


def test_gradient_of_another_type():
    wrong = operation(lambda plan, x: x * 2.0, lambda node, g: g.to(fastnn.float32) * 2.0)
    with pytest.raises((GradcheckError, TypeError, RuntimeError)):
        checks(entry_of(wrong), test_operations.test_gradient)


def test_gradient_that_depends_on_which_others_are_wanted():
    """Right for all inputs together; the gradient of one takes the other for a constant."""
    def rule(node, g):
        a, b = (saved if needed else saved.detach()
                for saved, needed in zip(node.saved, node.needs, strict=True))
        return g * b, g * a

    mul = Operation("planted", lambda plan, a, b: a * b, rule, saves=(0, 1))
    wrong = entry_of(lambda a, b: mul(None, a, b), PAIR[:1])
    checks(wrong, test_operations.test_gradient, test_operations.test_second_gradient)
    found(wrong, test_operations.test_second_gradient_of_one)


def test_wrong_value_without_dimensions():
    def forward(plan, x):
        return np.asarray(x * 2.0 if x.ndim else x * 2.0 + 1.0)

    wrong = entry_of(operation(forward, lambda node, g: g * 2.0), reference=lambda x: x * 2)
    with pytest.raises(AssertionError):
        test_operations.test_elementwise_of_odd_shapes(wrong, ())


def test_swapped_gradients():
    mul = Operation("planted", lambda plan, a, b: a * b,
                    lambda node, g: (g * node.saved[0], g * node.saved[1]), saves=(0, 1))
    found(entry_of(lambda a, b: mul(None, a, b), PAIR[:1]), test_operations.test_gradient)


def test_flipped_kernel():
    """Convolution for correlation, in the forward or in one rule alone."""
    shapes = (case(floats(1, 1, 5, 5), floats(1, 1, 3, 3)),)
    entry = registry.REGISTRY["conv2d"]

    def flipped(x, weight):
        return entry.function(x, weight[:, :, fastnn.tensor([2, 1, 0])])

    found(entry_of(flipped, shapes, name="conv2d"),
          lambda entry, number: test_operations.test_value(entry, number, "float64"))

    def rule(node, gradient):
        weight = node.saved[1].array[:, :, ::-1].copy()
        return fastnn.nn.functional.conv_transpose2d(gradient, fastnn.from_numpy(weight)), None

    half = Operation("planted", lambda plan, x, w: entry.function(
        fastnn.from_numpy(x), fastnn.from_numpy(w)).array, rule, saves=(0, 1))
    found(entry_of(lambda x, w: half(None, x, w.detach()), shapes), lambda entry, number: gradcheck(
        *test_operations._function_of(call := Call(entry, number), call.floats[:1]),
        **test_operations.STRICT))


def test_one_wrong_element_of_many():
    """One of 12 derivatives: a single random direction sees each element."""
    def slope(x):
        wrong = np.ones(x.shape)
        wrong.flat[7] = 1.001
        return 3 * x * x * fastnn.from_numpy(wrong)

    found(entry_of(cubed(slope)), test_operations.test_gradient)


def test_unwritten_element_of_the_output():
    from fastnn._kernels import memory

    def forward(plan, x):
        out = memory.empty(x.shape, x.dtype)
        out[:-1] = x[:-1]
        return out

    large = (case(floats(64, 64)),)
    found(entry_of(operation(forward, lambda node, g: g), large),
          test_operations.test_writes_every_element)


def test_input_changed_by_the_forward():
    def forward(plan, x):
        x[0] = 0
        return x * 1.0

    found(entry_of(operation(forward, lambda node, g: g)), test_operations.test_memory)


def test_upstream_gradient_changed_by_the_rule():
    def rule(node, g):
        g.array[...] *= 1.0 + 1e-15
        g.array[...] += 1.0
        return g * 1.0

    found(entry_of(operation(lambda plan, x: x * 1.0, rule)),
          lambda entry, number: test_operations.test_layout_of_upstream_gradient(entry, number))


def test_output_that_is_the_input():
    found(entry_of(operation(lambda plan, x: x, lambda node, g: g)), test_operations.test_memory)


def test_layout_that_is_ignored():
    """Memory read in its own order, which is right for contiguous arrays alone."""
    def forward(plan, x):
        flat = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,))
        return (flat * 2.0).reshape(x.shape)

    entry = entry_of(operation(forward, lambda node, g: g * 2.0))
    with pytest.raises(AssertionError):
        test_operations.test_layout(entry, 0, test_operations.LAYOUTS["transposed"])


def test_result_that_depends_on_the_threads(threads):
    def forward(plan, x):
        return x + fastnn.get_num_threads() * 1e-3

    with pytest.raises(AssertionError):
        test_operations.test_same_bits_for_any_number_of_threads(
            entry_of(operation(forward, lambda node, g: g)), threads)


def test_operation_without_cases_or_reason():
    with pytest.raises(AssertionError, match="give it cases"):
        test_operations.test_is_tested(entry_of(lambda x: x, ()))
    with pytest.raises(AssertionError, match="it has no reference"):
        test_operations.test_is_tested(entry_of(lambda x: x))


def test_in_place_change_that_the_tape_was_not_told_of():
    """An array written to directly is not seen; through the tensor it is an error."""
    def backward_after(change):
        x = fastnn.ones(2, requires_grad=True)
        hidden = x * 1.0
        y = (hidden * hidden).sum()
        change(hidden)
        y.backward()
        return x.grad

    assert backward_after(lambda h: h.array.fill(5)).tolist() == [10, 10]
    with pytest.raises(RuntimeError, match="changed in place"):
        backward_after(lambda h: h.fill_(5))


def test_upward_import_is_found(tmp_path):
    test_layers.test_a_planted_arrow_is_found(
        tmp_path, "_kernels/fault.py", "from ..tensor import Tensor",
        "fastnn._kernels.fault imports fastnn.tensor.Tensor")
