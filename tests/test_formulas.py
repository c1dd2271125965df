"""Formulas of `fastnn.elementwise` given as text, their names, and how large they may be."""

import ast
import re

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import elementwise
from fastnn._kernels.elementwise import elementwise_source, sum_source
from fastnn.testing import gradcheck, gradgradcheck


@pytest.mark.parametrize("text, inputs, wanted", [
    ("x * tanh(x)", "x", lambda x: x * np.tanh(x)),
    (" x if x > 0 else expm1(x)\n", "x", lambda x: np.where(x > 0, x, np.expm1(x))),
    ("b ** 2 / (1 + abs(a)) - math.pi * math.exp(b)", "ba",
     lambda b, a: b ** 2 / (1 + abs(a)) - np.pi * np.exp(b)),
    ("max(min(x, 0.5), -0.25)", "x", lambda x: np.clip(x, -0.25, 0.5)),
])
def test_text(text, inputs, wanted):
    operation = elementwise(text, name="ours")
    assert operation.__doc__ == text and repr(operation) == "<elementwise ours>"
    arrays = [np.random.default_rng(i).standard_normal(40) for i in range(len(inputs))]
    tensors = [fastnn.tensor(array, requires_grad=True) for array in arrays]
    close(operation(*tensors).detach().numpy(), wanted(*arrays), 1e-12)
    named = operation(**dict(zip(inputs, tensors, strict=True)))
    close(named.detach().numpy(), wanted(*arrays), 1e-12)
    assert gradcheck(operation, tensors) and gradgradcheck(operation, tensors)


@pytest.mark.parametrize("text, why", [
    ("", "'' is not an expression: invalid syntax"), ("2 * 3", "there is no variable in '2 * 3'"),
    ("x if x", "expected 'else'"), ("x\nimport os", "invalid syntax"), ("x\0", "null bytes"),
    ("__import__('os').system('true')", ".system\" is not possible in a formula"),
    ("open(x)", "function 'open' is not known"), ("x.shape", "'x.shape' is not possible"),
    ("os.exp(x)", "'os.exp' is not possible"), ("math.__doc__ * x", "is neither an argument nor"),
    ("lambda: x", "not possible"), ("[x]", "not possible"), ("x[0]", "not possible"),
    ("(x := 3)", "not possible"), ("'a' * x", "not possible"), ("exp(x, y=2)", "not possible"),
    ("x // 2", "not possible"), ("1j * x", "not possible"), ("f'{x}'", "not possible"),
    (f"x * {2 ** 63}", "too many digits"), ("-" * 100_000 + "x", "is not an expression"),
    ("(" * 500 + "x" + ")" * 500, "is not an expression"),
    ("x" + " + x" * 5000, "is not an expression"),
])
def test_text_that_is_refused(text, why):
    with pytest.raises(TypeError, match="^elementwise mine: .*" + re.escape(why)):
        elementwise(text, name="mine")


def nested(form, depth):
    text = "x"
    for _ in range(depth):
        text = form.format(text)
    return text


@pytest.mark.parametrize("form, step", [
    ("({}) ** 2 - 0.5", lambda x, value: value ** 2 - 0.5),
    ("(0.5 * ({})) ** 3 + x", lambda x, value: (0.5 * value) ** 3 + x),
    ("max(0.5 * ({}), -0.3)", lambda x, value: np.maximum(0.5 * value, -0.3))])
def test_a_part_that_is_used_twice_is_computed_once(form, step):
    operation = elementwise(nested(form, 16), name="mine")
    assert sum(1 for _, part in operation.formula.lets for _ in ast.walk(part)) < 400
    x = np.linspace(-0.5, 0.5, 6)
    wanted, tensor = x, fastnn.tensor(x, requires_grad=True)
    for _ in range(16):
        wanted = step(x, wanted)
    close(operation(tensor).detach().numpy(), wanted, 1e-12)
    assert gradcheck(operation, [tensor])


def test_the_names_of_parts_are_new():
    first, second = fastnn.full((1,), 3.0), fastnn.full((1,), 5.0)
    assert elementwise("part ** 2 + (part2 + 1) ** 2")(first, second).item() == 45
    assert elementwise("(max(part2 + 1, 1) + part) ** 2")(first, second).item() == 81


def test_formulas_beyond_what_can_be_compiled():
    with pytest.raises(TypeError, match="elementwise mine: it is nested more than 100 expressions"):
        elementwise(nested("-{}", 900), name="mine")
    assert elementwise(nested("-{}", 99))(fastnn.ones(1)).item() == -1
    with pytest.raises(TypeError, match="elementwise mine: the formula, .* more than 5000 parts"):
        elementwise(nested("({0} + {0})", 12), name="mine")
    x = fastnn.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match="elementwise mine: .*derivative, has more than 5000 parts"):
        elementwise(nested("abs({})", 30), name="mine")(x).backward()


# The names that the loop around a formula uses itself.
PLAIN = elementwise("x").formula
SOURCES = elementwise_source(PLAIN, "f64"), elementwise_source(PLAIN, "b1"), sum_source(PLAIN)
BOUND = {node.id for source in SOURCES for node in ast.walk(ast.parse(source))
         if isinstance(node, ast.Name) and not node.id.endswith("_")} - {"i", "x"}


@pytest.mark.parametrize("name", [
    "i", "i_", "out_", "exp", "output", "gradient", "own_i0", *sorted(BOUND)])
def test_variables_may_have_any_name(name):
    x = np.linspace(-1, 2, 7)
    tensors = [fastnn.tensor(x, requires_grad=True), fastnn.tensor(x + 1, requires_grad=True)]
    operation = elementwise(f"{name} * exp({name}) + i * {name}", name="named")
    if name == "i":
        tensors = tensors[:1]
    close(operation(*tensors).detach().numpy(), x * np.exp(x) + tensors[-1].detach().numpy() * x,
          1e-12)
    assert gradcheck(operation, tensors) and gradgradcheck(operation, tensors)
