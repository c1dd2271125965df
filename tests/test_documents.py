"""What is written is run: docstring examples of all modules, code blocks of the documents."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import fastnn
from fastnn import registry

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = ["fastnn", *(found.name for found in pkgutil.walk_packages(fastnn.__path__, "fastnn."))]
COMMANDS = ("pip install '.[examples]' && python examples/mnist.py",
            "pip install '.[test]' && pytest")


def run_examples(examples):
    """Run doctests, and return what failed."""
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for example in examples:
        runner.run(example, out=report.write)
    return runner.summarize(verbose=False), report.getvalue()


def examples_of(module):
    """Examples of the module and of its public names, those of compiled and made ones too."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {test.name: test for test in finder.find(module)}
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) == module.__name__ and f"{module.__name__}.{name}" \
                not in found and not isinstance(value, type) and getattr(value, "__doc__", None):
            test = doctest.DocTestParser().get_doctest(
                value.__doc__, {}, f"{module.__name__}.{name}", None, None)
            found[test.name] = test
    return [test for test in found.values() if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    result, report = run_examples(examples_of(module))
    assert not result.failed, report


@pytest.mark.parametrize("entry", registry.REGISTRY.values(), ids=lambda entry: entry.name)
def test_operation_has_a_docstring(entry):
    assert entry.function.__doc__ and entry.function.__doc__.strip()


def test_examples_are_found_and_a_wrong_one_fails():
    assert sum(len(examples_of(importlib.import_module(name))) for name in (
        "fastnn.ops.shape", "fastnn.ops.creation", "fastnn.elementwise", "fastnn.tape")) >= 4
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert run_examples([wrong])[0].failed == 1


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks(path, tmp_path, monkeypatch):
    """The Python blocks of a document run one after the other, in one namespace."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for number, block in enumerate(BLOCK.findall(path.read_text())):
            source = tmp_path / f"{path.stem}_{number}.py"
            source.write_text(block)  # elementwise functions are read from their file
            exec(compile(block, str(source), "exec"), namespace)


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_has_the_two_commands(command):
    """Each on a line of its own, as the CI script reads them."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if line.strip().startswith(command)], command


def test_links_lead_to_files():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_modules_of_the_architecture_page_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`((?:\w+/)*\w+\.pyx?)`", text):
        assert list((ROOT / "fastnn").rglob(name)) or (ROOT / name).exists(), name
