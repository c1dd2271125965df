"""Scalar formulas, read from functions and from text."""

import ast
import math

from ._kernels.source import source_of
from .differentiate import BITWISE, PARTIALS, Formula, fresh

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
RENAMED = {"fabs": "abs"}  # names of the math module
LARGEST = 2 ** 63 - 1      # integer in a formula
DEEPEST = 100              # expression within expressions; Python's own walks over them recurse


def parse(function):
    """Read a Python function as a Formula; arguments with defaults are its parameters."""
    if function.__name__ == "<lambda>":
        raise TypeError("elementwise: expected a function defined with def, got a lambda")
    definition = ast.parse(source_of(function)).body[0]
    closed = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    reader = _Reader(definition.name, {**function.__globals__, **{
        name: cell.cell_contents for name, cell in closed}})
    arguments = definition.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        reader.fail("only plain arguments are possible")
    names = [argument.arg for argument in arguments.args]
    defaults = function.__defaults__ or ()
    inputs = names[: len(names) - len(defaults)]
    booleans = [a.arg for a in arguments.args
                if isinstance(a.annotation, ast.Name) and a.annotation.id == "bool"]
    parameters = dict(zip(names[len(inputs):], defaults, strict=True))
    reader.local = {*names}
    reader.taken = {*names, *_all_names(definition)}
    lets, result = reader.body(definition.body)
    return Formula(definition.name, inputs, parameters, lets, result, booleans)


def parse_text(text, name):
    """Read the text of an expression as a Formula; the variables in it are its inputs."""
    reader = _Reader(name, {"math": math})
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        inputs = _variables(tree, reader)
        reader.local = {*inputs}
        reader.taken = _all_names(tree)
        result = reader.expression(tree)
        return Formula(name, inputs, {}, reader.lets, result)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reader.fail(f"{text[:100]!r} is not an expression: {getattr(error, 'msg', error)}")


def _all_names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _variables(tree, reader):
    """The names in an expression as they come, but for those of functions and of ``math``."""
    others = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func):
                others.add(id(func))
            case ast.Attribute(ast.Name("math") as module):
                others.add(id(module))
            case ast.Attribute():
                reader.fail(f"{ast.unparse(node)!r} is not possible in a formula")
    found = [node for node in ast.walk(tree)
             if isinstance(node, ast.Name) and id(node) not in others]
    if not found:
        reader.fail(f"there is no variable in {ast.unparse(tree)!r}")
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in found))


class _Reader:
    """Turns a function's statements into assignments and one result expression."""

    def __init__(self, name, names):
        self.name = name
        self.names = names  # what the names outside of the formula stand for
        self.local = set()
        self.lets = []      # assignments so far, of the function and of parts used twice
        self.taken = set()  # names that such a part must not get
        self.depth = 0

    def fail(self, why):
        raise TypeError(f"elementwise {self.name}: {why}")

    def body(self, statements):
        """(assignments, result) of a function's statements."""
        for position, statement in enumerate(statements):
            match statement:
                case ast.Expr(ast.Constant(str())):
                    continue
                case ast.Assign([ast.Name(target)], value):
                    self.lets.append((target, self.expression(value)))
                    self.local.add(target)
                case ast.Return(value) if value is not None:
                    return self.lets, self.expression(value)
                case ast.If(test, [ast.Return(value)], []):
                    rest = statements[position + 1:]
                    if any(isinstance(each, ast.Assign) for each in rest):
                        self.fail("assignments must stand before the first if")
                    branches = self.expression(test), self.expression(value), self.body(rest)[1]
                    return self.lets, ast.IfExp(*branches)
                case _:
                    self.fail(f"line {statement.lineno}: only assignments, "
                              "'if ...: return ...' and return are possible")
        self.fail("it returns nothing")

    def expression(self, node):
        """An expression of what a formula can hold, with the parts used twice assigned before."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"it is nested more than {DEEPEST} expressions deep")
        read = self._read(node)
        self.depth -= 1
        return read

    def _read(self, node):
        match node:
            case ast.Constant(int(value)) if abs(value) > LARGEST:
                self.fail("a number has too many digits; written with a point it may have them")
            case ast.Constant(bool() | int() | float()):
                return node
            case ast.Name(name):
                return node if name in self.local else self._constant(node, name)
            case ast.Attribute():
                return self._constant(node, ast.unparse(node))
            case ast.BinOp(left, ast.Pow(), right):
                return self._power(self.expression(left), self.expression(right))
            case ast.BinOp(left, op, right) if isinstance(op, (*ARITHMETIC, *BITWISE)):
                return ast.BinOp(self.expression(left), op, self.expression(right))
            case ast.UnaryOp(op, operand) if isinstance(op, (ast.USub, ast.Not)):
                return ast.UnaryOp(op, self.expression(operand))
            case ast.BoolOp(op, values):
                return ast.BoolOp(op, [*map(self.expression, values)])
            case ast.Compare(left, ops, others):
                return ast.Compare(self.expression(left), ops, [*map(self.expression, others)])
            case ast.IfExp(test, body, orelse):
                return ast.IfExp(*map(self.expression, (test, body, orelse)))
            case ast.Call(func, args, []):
                return self._call(func, [*map(self.expression, args)])
        self.fail(f"{ast.unparse(node)!r} is not possible in a formula")

    def _constant(self, node, name):
        """The number that a global name, or an attribute such as math.pi, stands for."""
        first, *rest = name.split(".")
        value = self.names.get(first)
        for attribute in rest:
            value = getattr(value, attribute, None)
        if not isinstance(value, (int, float)):
            self.fail(f"{name!r} is neither an argument nor a number")
        return ast.Constant(value)

    def _power(self, base, exponent):
        if isinstance(exponent, ast.Constant) and exponent.value in (2, 3):
            base = self._named(base)
            product = ast.BinOp(base, ast.Mult(), base)
            return product if exponent.value == 2 else ast.BinOp(product, ast.Mult(), base)
        return _call("pow", base, exponent)

    def _named(self, node):
        """A part that is used twice, by its name: nested ones would double with each level."""
        part = node.operand if isinstance(node, ast.UnaryOp) else node
        if isinstance(part, (ast.Name, ast.Constant)):
            return node
        name = fresh("part", self.taken)
        self.taken.add(name)
        self.lets.append((name, node))
        return ast.Name(name, ast.Load())

    def _call(self, function, arguments):
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        name = RENAMED.get(name, name)
        if name == "max" and len(arguments) == 2:
            return _select(ast.GtE(), *map(self._named, arguments))
        if name == "min" and len(arguments) == 2:
            return _select(ast.LtE(), *map(self._named, arguments))
        if name not in PARTIALS:
            known = ", ".join(sorted(PARTIALS))
            self.fail(f"function {name!r} is not known; there are {known}, max, min")
        if len(arguments) != len(PARTIALS[name]):
            self.fail(f"{name} takes {len(PARTIALS[name])} arguments, got {len(arguments)}")
        return _call(name, *arguments)


def _select(op, left, right):
    return ast.IfExp(ast.Compare(left, [op], [right]), left, right)


def _call(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])
