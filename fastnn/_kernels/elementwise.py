"""Source text of the loop around a scalar formula."""

import ast
import copy
import re

HEADER = "def kernel(start, stop, arguments, numbers):"


# Names that the loop uses itself.
TAKEN = re.compile(r"T|i|start|stop|arguments|numbers|u8|pointer\w*|stride\d+|range|min|fetched|"
                   r"placed|\w*_")


class _Renamed(ast.NodeTransformer):
    """Other names for variables; functions that are called keep theirs."""

    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_Call(self, node):
        return ast.Call(node.func, [self.visit(each) for each in node.args], [])


def _with_free_names(formula):
    """The formula without variables that are named like something in the loop around it."""
    expressions = [formula.result, *(expression for _, expression in formula.lets)]
    called = {node.func.id for expression in expressions for node in ast.walk(expression)
              if isinstance(node, ast.Call)}
    variables = [*formula.inputs, *formula.parameters, *(target for target, _ in formula.lets)]
    names = {}
    for name in variables:
        if TAKEN.fullmatch(name) or name in called:
            names[name] = f"own_{name}0"
            while names[name] in variables:
                names[name] += "0"
    if not names:
        return formula
    renamed, replace = copy.copy(formula), _Renamed(names)
    renamed.inputs = tuple(names.get(name, name) for name in formula.inputs)
    renamed.boolean_inputs = frozenset(names.get(name, name) for name in formula.boolean_inputs)
    renamed.parameters = {names.get(name, name): value
                          for name, value in formula.parameters.items()}
    renamed.lets = [(names.get(target, target), replace.visit(copy.deepcopy(expression)))
                    for target, expression in formula.lets]
    renamed.result = replace.visit(copy.deepcopy(formula.result))
    return renamed


class _TypedConstants(ast.NodeTransformer):
    """Write each number as one of type ``T``: a bare 0.5 would turn float32 into float64."""

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            return node
        return ast.Call(ast.Name("T", ast.Load()), [node], [])


def _typed(expression):
    return ast.unparse(_TypedConstants().visit(ast.parse(ast.unparse(expression), mode="eval")))


def _stride_patterns(count):
    """Which inputs step and which stay, for the loops that deserve vector code of their own."""
    everyone = (1,) * count
    one_stays = [tuple(int(i != stays) for i in range(count)) for stays in range(count)]
    one_steps = [(1, 0, 0)] if count == 3 else []
    return [everyone, *(one_stays if 2 <= count <= 3 else []), *one_steps]


def elementwise_source(formula, dtype):
    """The source of a kernel over pointers and element strides, the output's first in both."""
    formula = _with_free_names(formula)
    inputs, count = formula.inputs, len(formula.inputs)
    if dtype in ("f32", "f64") and formula.whole_only:
        raise TypeError(f"{formula.name}: not defined for floating-point tensors")
    lines = [HEADER]
    result = "pointer_u8" if formula.boolean_result else "pointer"
    lines.append(f"    out_ = {result}(arguments[0])")
    for position, name in enumerate(inputs, 1):
        kind = "pointer_u8" if name in formula.boolean_inputs else "pointer"
        lines.append(f"    {name}_ = {kind}(arguments[{position}])")
    lines += [f"    stride{i} = arguments[{count + 1 + i}]" for i in range(count + 1)]
    lines += [f"    {name} = T(numbers[{i}])" for i, name in enumerate(formula.parameters)]
    keyword = "if"
    for pattern in _stride_patterns(count):
        test = " and ".join(f"stride{i} == {step}" for i, step in enumerate((1, *pattern)))
        lines.append(f"    {keyword} {test}:")
        lines += _loop(formula, dtype, "i", ["i" if step else "0" for step in pattern])
        keyword = "elif"
    lines.append("    else:")
    lines += _loop(formula, dtype, "i * stride0",
                   [f"i * stride{i}" for i in range(1, count + 1)])
    return "\n".join(lines) + "\n"


CHEAP = {"abs", "max", "min", "sqrt", "floor", "ceil", "trunc", "rint", "copysign", "isnan"}
# While a formula that takes long is computed, processors reach too few loads ahead to hide the way
# to memory, and their own prefetching may be off: what comes next but one is asked for. In a step
# of a transformer GELU's gradient went from 2.0 to 0.8 ms for a million elements; where all lies
# in the nearest cache it takes 7 % longer.
BLOCK = 128  # elements
LINE = 64    # bytes


def _takes_long(formula):
    expressions = [formula.result, *(expression for _, expression in formula.lets)]
    return any(isinstance(node, ast.Call) and node.func.id not in CHEAP
               for expression in expressions for node in ast.walk(expression))


def _heads(dtype, names):
    """The lines that start a loop over i in blocks, ``names`` of the inputs asked for ahead."""
    step = max(1, 8 * LINE // int(dtype[1:]))
    return [f"        for first_ in range(start, stop, {BLOCK}):",
            f"            for i in range(first_ + {2 * BLOCK}, first_ + {3 * BLOCK}, {step}):",
            *(f"                prefetch({name}_, i)" for name in names),
            f"            for i in range(first_, min(stop, first_ + {BLOCK})):"]


def _loop(formula, dtype, output_index, input_indices):
    reads = {f"{name} = fetched({name}_, {index})": index == "0"
             for name, index in zip(formula.inputs, input_indices, strict=True)}
    # What stays is read before the loop: LLVM's vectorizer took 8 s over a power of it within.
    lines = [f"        {read}" for read, stays in reads.items() if stays]
    moving = [name for name, index in zip(formula.inputs, input_indices, strict=True)
              if index == "i"]
    if moving and _takes_long(formula):
        lines += _heads(dtype, moving)
    else:
        lines.append("        for i in range(start, stop):")
    indent = lines[-1].index("for") + 4
    body = [read for read, stays in reads.items() if not stays]
    body += [f"{name} = {_typed(expression)}" for name, expression in formula.lets]
    result = _stored(_typed(formula.result), formula, dtype)
    body.append(f"placed(out_, {output_index}, {result})")
    return lines + [" " * indent + line for line in body]


def _stored(value, formula, dtype):
    """The result as it lies in memory: booleans are bytes of 0 or 1."""
    if formula.boolean_result or dtype == "b1":
        return f"u8(1) if ({value}) else u8(0)"
    return f"T({value})"


ELEMENTS_PER_PIECE = 4096  # of a sum: each piece is added up by itself
LANES = 256  # sums of a piece that run side by side, so that the compiler can use vectors


def sum_source(formula):
    """The source of a kernel that sums a formula over contiguous inputs, piece by piece."""
    formula = _with_free_names(formula)
    inputs, parameters = formula.inputs, formula.parameters
    lines = [HEADER, "    out_, lanes_ = pointer(arguments[0]), pointer(arguments[1])"]
    lines += [f"    {name}_ = pointer(arguments[{i}])" for i, name in enumerate(inputs, 2)]
    lines.append(f"    size_ = arguments[{len(inputs) + 2}]")
    lines += [f"    {name} = T(numbers[{i}])" for i, name in enumerate(parameters)]
    lines.append(f"    scale_ = T(numbers[{len(parameters)}])")
    body = [f"{name} = {name}_[i_]" for name in inputs]
    body += [f"{name} = {_typed(expression)}" for name, expression in formula.lets]
    body.append(f"lanes_[base_ + j_] += T({_typed(formula.result)})")
    lines += [*PIECE, *(f"                {line}" for line in body), *_lanes_joined()]
    return "\n".join(lines) + "\n"


PIECE = [
    "    for piece_ in range(start, stop):",
    f"        base_, first_ = piece_ * {LANES}, piece_ * {ELEMENTS_PER_PIECE}",
    f"        count_ = min(size_ - first_, {ELEMENTS_PER_PIECE})",
    f"        for j_ in range(base_, base_ + {LANES}):",
    "            lanes_[j_] = T(0)",
    f"        for block_ in range((count_ + {LANES - 1}) // {LANES}):",
    f"            shift_ = first_ + block_ * {LANES}",
    f"            for j_ in range(min({LANES}, first_ + count_ - shift_)):",
    "                i_ = shift_ + j_"]


def _lanes_joined():
    """The end of a piece: its sums are joined in pairs, and the last is written."""
    lines, width = [], LANES
    while width > 1:
        width //= 2
        lines += [f"        for j_ in range(base_, base_ + {width}):",
                  f"            lanes_[j_] += lanes_[j_ + {width}]"]
    return [*lines, "        out_[piece_] = lanes_[base_] * scale_"]
