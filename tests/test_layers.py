"""A module imports only from its own layer or from those below it; kernels know no tensor."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastnn"
LAYERS = (
    ("_kernels",),
    ("changes", "config", "cuda", "device", "differentiate", "dtypes", "elementwise", "formulas",
     "generator", "hooks", "op", "operands", "operation", "printing", "registry", "serialization",
     "tape", "tensor", "threads", "walk"),
    ("ops", "autograd"),
    ("audio", "linalg", "nn", "optim", "text", "utils", "vision"),
    ("testing", "compiler", "keras", "onnx", "distributed", "warmup"),
)
LEVELS = {part: level for level, parts in enumerate(LAYERS, 1) for part in parts}
MOST_CHARACTERS = 100
TOP = len(LAYERS) + 1  # fastnn/__init__.py, which may import everything

STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<origin>[.\w]+)[ \t]+c?import[ \t]*"
    r"(?:\((?P<several>[^)]*)\)|(?P<names>[^(\n]+))|c?import[ \t]+(?P<plain>[.\w, \t]+))",
    re.MULTILINE)
IS_STRING = re.compile(r'("""|\'\'\')(?:.|\n)*?\1')


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, root):
    """Full names of everything of ours that a .py, .pyx or .pxd file imports."""
    package = list(path.relative_to(root).parent.parts)
    for match in STATEMENT.finditer(IS_STRING.sub("", path.read_text())):
        if match["plain"]:
            found = [each.split(" as ")[0].strip() for each in match["plain"].split(",")]
        else:
            origin = _absolute(match["origin"], package)
            names = re.sub(r"#.*", "", match["several"] or match["names"])
            found = [f"{origin}.{name.split()[0]}" for name in names.split(",") if name.split()]
        yield from (each for each in found if each.split(".")[0] == "fastnn")


def _absolute(origin, package):
    dots = len(origin) - len(origin.lstrip("."))
    if not dots:
        return origin
    return ".".join([*package[:len(package) - dots + 1], *filter(None, [origin[dots:]])])


def level(module):
    parts = module.split(".")
    if len(parts) == 1:
        return TOP
    assert parts[1] in LEVELS, f"{module} has no layer: give it one in LAYERS"
    return LEVELS[parts[1]]


def upward_arrows(root):
    arrows = []
    for path in sorted((root / "fastnn").rglob("*.p*")):
        if path.suffix in (".py", ".pyx", ".pxd"):
            module = module_name(path, root)
            for target in imports(path, root):
                if level(target) > level(module):
                    arrows.append(f"{module} imports {target}")
    return arrows


def test_no_arrow_runs_upwards():
    assert upward_arrows(ROOT) == []


def test_every_layer_is_read():
    modules = {module_name(path, ROOT) for path in PACKAGE.rglob("*.py*")
               if path.suffix in (".py", ".pyx")}
    assert {level(module) for module in modules} == set(range(1, TOP + 1))


@pytest.mark.parametrize("place, line, arrow", [
    ("_kernels/fault.py", "from ..tensor import Tensor", "fastnn._kernels.fault imports "
                                                         "fastnn.tensor.Tensor"),
    ("_kernels/fault.pyx", "from fastnn.tape cimport (\n    wrap,\n    record)",
     "fastnn._kernels.fault imports fastnn.tape.wrap"),
    ("_kernels/fault.pyx", "cimport fastnn.tape", "fastnn._kernels.fault imports fastnn.tape"),
    ("tensor.py", "def f():\n    from .ops import shape", "fastnn.tensor imports fastnn.ops.shape"),
    ("ops/fault.py", "from .. import (  # why\n    tape,\n    nn,\n)",
     "fastnn.ops.fault imports fastnn.nn"),
    ("ops/fault.py", "import numpy, fastnn.optim", "fastnn.ops.fault imports fastnn.optim"),
    ("nn/deep/fault.py", "from ...testing import gradcheck",
     "fastnn.nn.deep.fault imports fastnn.testing.gradcheck"),
])
def test_a_planted_arrow_is_found(tmp_path, place, line, arrow):
    path = tmp_path / "fastnn" / place
    path.parent.mkdir(parents=True)
    path.write_text(f'"""Text."""\n\n{line}\n\nx = 1\n')
    assert arrow in upward_arrows(tmp_path)


def test_what_is_allowed_is_not_reported(tmp_path):
    path = tmp_path / "fastnn" / "ops" / "fine.py"
    path.parent.mkdir(parents=True)
    path.write_text('"""Text.\n\nfrom fastnn import nn\n"""\nfrom .. import tape\n'
                    "from ..tensor import Tensor\nfrom .checks import axis\nimport numpy as np\n")
    assert upward_arrows(tmp_path) == []


def long_lines(folder):
    """Of the sources that ruff does not read."""
    paths = [path for end in ("pyx", "pxd", "h") for path in folder.rglob(f"*.{end}")]
    paths += (folder / "_kernels" / "csrc").glob("*.c")
    return [f"{path.name}:{number}" for path in sorted(paths)
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if len(line) > MOST_CHARACTERS]


def test_no_line_is_too_long(tmp_path):
    assert long_lines(PACKAGE) == []
    (tmp_path / "fault.h").write_text("short\n" + "x" * (MOST_CHARACTERS + 1))
    assert long_lines(tmp_path) == ["fault.h:2"]


def test_kernels_import_no_peer_and_no_scipy():
    """The library runs without PyTorch, JAX and SciPy."""
    banned = re.compile(r"^\s*(?:from|import)\s+(torch|jax|tensorflow|scipy)\b", re.MULTILINE)
    for path in PACKAGE.rglob("*.py"):
        assert not banned.search(path.read_text()), path
