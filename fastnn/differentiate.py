"""Derivatives of scalar formulas, from their source.

A `Formula` is a Python function of numbers, read as a list of assignments and a result. Its
derivative by an input is again a formula, made by the rules of the calculus on the syntax tree,
so derivatives of any order exist without being written.
"""

import ast
import inspect
from itertools import islice

from ._kernels.elementwise import elementwise_source

# Partial derivatives of the functions of `vmath`, by argument; x and y are the arguments.
PARTIALS = {
    "exp": ["exp(x)"],
    "expm1": ["exp(x)"],
    "log": ["1 / x"],
    "log1p": ["1 / (1 + x)"],
    "sqrt": ["0.5 / sqrt(x)"],
    "tanh": ["1 - tanh(x) * tanh(x)"],
    "sigmoid": ["sigmoid(x) * (1 - sigmoid(x))"],
    "erf": ["1.1283791670955126 * exp(-x * x)"],  # 2 / sqrt(pi)
    "ndtr": ["0.39894228040143267794 * exp(-0.5 * x * x)"],  # 1 / sqrt(2 pi)
    "sin": ["cos(x)"],
    "cos": ["-sin(x)"],
    "abs": ["1 if x > 0 else -1 if x < 0 else 0"],
    "pow": ["y * pow(x, y - 1) if y != 0 else 0",
            "pow(x, y) * log(x) if x != 0 or y < 0 else 0"],
    "exp2": ["0.6931471805599453 * exp2(x)"],
    "log2": ["1.4426950408889634 / x"],
    "log10": ["0.4342944819032518 / x"],
    "erfc": ["-1.1283791670955126 * exp(-x * x)"],
    "tan": ["1 + tan(x) * tan(x)"],
    "asin": ["1 / sqrt((1 - x) * (1 + x))"],
    "acos": ["-1 / sqrt((1 - x) * (1 + x))"],
    "atan": ["1 / (1 + x * x)"],
    "atan2": ["y / hypot(x, y) / hypot(x, y)", "-(x / hypot(x, y) / hypot(x, y))"],
    "sinh": ["cosh(x)"],
    "cosh": ["sinh(x)"],
    "asinh": ["1 / hypot(x, 1)"],
    "acosh": ["1 / (sqrt(x - 1) * sqrt(x + 1))"],
    "atanh": ["1 / ((1 - x) * (1 + x))"],
    "hypot": ["x / hypot(x, y)", "y / hypot(x, y)"],
    "copysign": ["0 if x == 0 else copysign(1, x) * copysign(1, y)", "0"],
    "fmod": ["1", "-trunc_divide(x, y)"],
    "remainder": ["1", "-floor_divide(x, y)"],
    "floor_divide": ["0", "0"],
    "trunc_divide": ["0", "0"],
    "trunc": ["0"],
    "floor": ["0"],
    "ceil": ["0"],
    "rint": ["0"],
    "isnan": ["0"],
}
MOST_NODES = 5000  # of a formula: one of 6200 is compiled for 100 seconds
# Those that integers have too.
WHOLE_FUNCTIONS = {"abs", "pow", "fmod", "remainder", "floor_divide", "trunc_divide", "floor",
                   "ceil", "trunc", "rint"}
BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)  # of integers and booleans


class Formula:
    """A scalar function as inputs, parameters with defaults, assignments and a result."""

    output_name = "output"
    has_inplace = False

    def __init__(self, name, inputs, parameters, lets, result, boolean_inputs=()):
        self.name = name
        self.inputs = tuple(inputs)
        if self.output_name in self.inputs:
            self.output_name = None
        self.parameters = dict(parameters)
        self.lets = list(lets)
        self.result = result
        self.boolean_inputs = frozenset(boolean_inputs)
        self._check_size(self.lets, result)
        self.boolean_result = _is_boolean(result)
        expressions = [result, *(expression for _, expression in lets)]
        self.float_only = any(_needs_floats(expression) for expression in expressions)
        self.whole_only = any(isinstance(node, BITWISE) for expression in expressions
                              for node in ast.walk(expression))
        self.written = {}  # input -> derivative formula that stands beside the function
        self.signature = inspect.Signature(
            [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD)
             for each in self.inputs]
            + [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
               for each, default in self.parameters.items()])

    def _check_size(self, lets, result):
        """Raise for more than can be compiled; parts that stand twice are one object, or more."""
        left = MOST_NODES
        for expression in (result, *(each for _, each in lets)):
            left -= sum(1 for _ in islice(ast.walk(expression), left + 1))
            if left < 0:
                raise TypeError(f"elementwise {self.name}: the formula, or its derivative, has "
                                f"more than {MOST_NODES} parts")

    def derivative(self, index, make):
        """(operation made by ``make``, names of its inputs after the gradient) by one input.

        The operation is None where the derivative is 1: the gradient passes through.
        """
        formula = self.derivative_formula(self.inputs[index])
        if isinstance(formula.result, ast.Name) and formula.result.id == formula.inputs[0]:
            return None, ()
        return make(formula, lambda dtype: (elementwise_source(formula, dtype), dtype)), \
            formula.inputs[1:]

    def derivative_formula(self, name):
        """The formula of (gradient of the output) times (derivative by input ``name``)."""
        written = self.written.get(name)
        if written is not None:
            lets, slope = written
        else:
            lets, slope = self._differentiate(name)
        upstream = fresh("gradient", self.inputs)
        self._check_size(lets, slope)
        result = _times(ast.Name(upstream, ast.Load()), slope)
        lets = _used_lets(lets, result)
        used = _names([result, *(expression for _, expression in lets)])
        inputs = [each for each in (*self.inputs, self.output_name) if each in used]
        formula = Formula(f"{self.name}_gradient_{name}", (upstream, *inputs), self.parameters,
                          lets, result, self.boolean_inputs & set(inputs))
        formula.output_name = None
        return formula

    def _differentiate(self, name):
        """Assignments and slope: forward-mode differentiation of the assignments in turn."""
        slopes = {name: _number(1)}
        lets = []
        taken = {*self.inputs, *self.parameters, *(target for target, _ in self.lets)}
        for target, expression in self.lets:
            lets.append((target, expression))
            slopes[target] = _slope(expression, slopes)
            if not isinstance(slopes[target], ast.Constant):
                own_name = fresh(f"d_{target}", taken)
                taken.add(own_name)
                lets.append((own_name, slopes[target]))
                slopes[target] = ast.Name(own_name, ast.Load())
        return lets, _slope(self.result, slopes)


def _number(value):
    return ast.Constant(value)


def _is_number(node, value):
    return isinstance(node, ast.Constant) and node.value == value and node.value is not True


def _is_zero(node):
    return _is_number(node, 0)


def _plus(left, right):
    if _is_zero(left):
        return right
    return left if _is_zero(right) else ast.BinOp(left, ast.Add(), right)


def _minus(node):
    return node if _is_zero(node) else ast.UnaryOp(ast.USub(), node)


def _times(left, right):
    """The product; a factor goes into the branches of a condition, so that 0 * inf is not made."""
    if _is_zero(left) or _is_zero(right):
        return _number(0)
    if _is_number(left, 1):
        return right
    if _is_number(right, 1):
        return left
    if isinstance(right, ast.IfExp):
        return ast.IfExp(right.test, _times(left, right.body), _times(left, right.orelse))
    if isinstance(right, ast.UnaryOp) and isinstance(right.op, ast.USub):
        return _minus(_times(left, right.operand))
    return ast.BinOp(left, ast.Mult(), right)


def _slope(node, slopes):
    """Derivative of an expression, given those of the names in it (absent ones are 0)."""
    match node:
        case ast.Name(name):
            return slopes.get(name, _number(0))
        case ast.BinOp(left, op, right):
            return _binary_slope(op, left, right, _slope(left, slopes), _slope(right, slopes))
        case ast.UnaryOp(ast.USub(), operand):
            return _minus(_slope(operand, slopes))
        case ast.IfExp(test, body, orelse):
            first, second = _slope(body, slopes), _slope(orelse, slopes)
            if _is_zero(first) and _is_zero(second):
                return first
            return ast.IfExp(test, first, second)
        case ast.Call(ast.Name(name), arguments):
            total = _number(0)
            for partial, argument in zip(PARTIALS[name], arguments, strict=True):
                inner = _slope(argument, slopes)
                if not _is_zero(inner):
                    total = _plus(total, _times(inner, _substitute(partial, arguments)))
            return total
    return _number(0)


def _binary_slope(op, left, right, d_left, d_right):
    match op:
        case ast.Add():
            return _plus(d_left, d_right)
        case ast.Sub():
            return _plus(d_left, _minus(d_right))
        case ast.Mult():
            return _plus(_times(d_left, right), _times(d_right, left))
    over = _number(0) if _is_zero(d_left) else ast.BinOp(d_left, ast.Div(), right)
    if _is_zero(d_right):
        return over
    ratio = ast.BinOp(ast.BinOp(left, ast.Div(), right), ast.Div(), right)
    return _plus(over, _minus(_times(d_right, ratio)))


def _substitute(text, arguments):
    names = dict(zip("xy", arguments, strict=False))

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node):
            return names.get(node.id, node)

    return Replace().visit(ast.parse(text, mode="eval").body)


def _names(expressions):
    return {node.id for expression in expressions for node in ast.walk(expression)
            if isinstance(node, ast.Name)}


def _used_lets(lets, result):
    """The assignments that the result depends on."""
    used, kept = _names([result]), []
    for target, expression in reversed(lets):
        if target in used:
            kept.append((target, expression))
            used |= _names([expression])
    return kept[::-1]


def fresh(name, taken):
    """The name, with a number behind it if it is taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}{number}", number + 1
    return candidate


def _is_boolean(node):
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return node.func.id == "isnan"
    return isinstance(node, (ast.Compare, ast.BoolOp))


def _needs_floats(expression):
    return any(
        isinstance(node, ast.Div)
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Call) and node.func.id not in WHOLE_FUNCTIONS)
        for node in ast.walk(expression))
