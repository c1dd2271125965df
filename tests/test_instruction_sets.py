"""The C kernels on each level of instructions that this processor has beside the one in use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastnn._kernels import runtime

# On a processor of a single level that one runs again: the command itself is tested everywhere.
LEVELS = [level for level in runtime.available_isa_names() if level != runtime.isa_name()] or [
    runtime.isa_name()]
# file: which of its tests say most about a kernel
SELECTED = {
    "test_kernel_gemm.py": "small or batches or not_a_number or beyond",
    "test_kernel_conv.py": "reference or bias or threads or beyond or finite",
    "test_kernel_pool.py": "reference or nan or transpose",
    "test_kernel_rnn.py": "units or denormals or beyond",
    "test_attention.py": "reference or nan or extreme",
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("file", SELECTED)
def test_level(file, level):
    command = [sys.executable, "-m", "pytest", "-q", "-k", SELECTED[file],
               str(Path(__file__).with_name(file))]
    done = subprocess.run(command, env=os.environ | {"FASTNN_ISA": level}, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
