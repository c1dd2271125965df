"""What the tests of the errors of `fastnn.compile` share: which line of a test a message names."""

import re
from pathlib import Path

import pytest

import fastnn


def file_of(function):
    return Path(function.__code__.co_filename)


def lines_of(error, file):
    """The lines of a file that a message names."""
    message = str(error.value)
    assert message.startswith("compile:"), message
    found = re.findall(rf"{re.escape(Path(file).name)}:(\d+)\b", message)
    assert found, f"no line of {Path(file).name} in: {message}"
    return [int(each) for each in found]


def assert_names_the_marked_line(error, function):
    """The message names the line of ``function`` that ends with the word REFUSED."""
    source = file_of(function).read_text().splitlines()
    marked = [line for line in body(function) if source[line - 1].endswith("# REFUSED")]
    assert len(marked) == 1 and marked[0] in lines_of(error, file_of(function)), str(error.value)


def assert_names_a_line_of(error, function):
    assert set(lines_of(error, file_of(function))) & set(body(function)), str(error.value)


def body(function):
    """The lines of a function."""
    code = function.__code__
    return range(code.co_firstlineno, max(line or 0 for *_, line in code.co_lines()) + 1)


def assert_refused_at_second_call(function, *arguments):
    """The first call is eager; the second, the recording, is refused."""
    compiled = fastnn.compile(function)
    compiled(*arguments)
    with pytest.raises(RuntimeError) as error:
        compiled(*arguments)
    return error
