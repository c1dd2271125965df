"""Kernels that are compiled ahead."""

import subprocess
import sys

import pytest

import fastnn
from fastnn import warmup as module_or_function
from fastnn._kernels import jit


@pytest.mark.parametrize("dtype", [None, fastnn.float64])
def test_what_it_compiles_is_not_compiled_again(dtype, monkeypatch):
    state = fastnn.get_rng_state()
    parts = fastnn.warmup(dtype)
    assert parts > 80 and fastnn.get_rng_state() == state
    monkeypatch.setattr(jit, "kernel_address", None)  # which every kernel is compiled by
    assert fastnn.warmup(dtype) == parts


def test_it_is_a_function():
    assert callable(module_or_function) and module_or_function is fastnn.warmup


def test_as_a_program():
    done = subprocess.run([sys.executable, "-m", "fastnn.warmup", "--dtype", "float16"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "float16" in done.stderr
