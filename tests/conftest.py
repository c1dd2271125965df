"""Fixtures of all tests: global state that a test changes must be as before when it ends."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import generator

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1]))  # for bench; an installed fastnn goes before
pytest.register_assert_rewrite("data_files", "example_runs")  # failures show values, as in tests

from data_files import empty_cache, server  # noqa: E402, F401
from example_runs import (  # noqa: E402, F401
    assert_resumes,
    interrupt,
    load_example,
    refusal,
    run_in_torch,
)

# The processes that tests start import the fastnn of this one, not the folder they start in.
PACKAGES = str(Path(fastnn.__file__).parent.parent)
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(
    [PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])])


OWN = ("FASTNN_", "OMP_")  # variables that this library reads


def _state():
    return {
        "gradient mode": fastnn.is_grad_enabled(),
        "number of threads": fastnn.get_num_threads(),
        "default dtype": fastnn.get_default_dtype(),
        "seed": fastnn.initial_seed(),
        "floating-point error handling": np.geterr(),
        "environment": {key: value for key, value in os.environ.items() if key.startswith(OWN)},
    }


def _restore(state):
    fastnn.set_grad_enabled(state["gradient mode"])
    fastnn.set_num_threads(state["number of threads"])
    fastnn.set_default_dtype(state["default dtype"])
    np.seterr(**state["floating-point error handling"])


@pytest.fixture(autouse=True)
def no_leak():
    """Each test starts from one seed, and fails if it leaves global state changed."""
    outside = generator.default_generator.get_state()
    fastnn.manual_seed(0)
    before = _state()
    yield
    after = _state()
    generator.default_generator.set_state(outside)
    _restore(before)
    for name, value in before.items():
        assert after[name] == value, f"the test changed the {name} and did not restore it"


@pytest.fixture
def threads():
    """``fastnn.set_num_threads``, undone after the test."""
    before = fastnn.get_num_threads()
    yield fastnn.set_num_threads
    fastnn.set_num_threads(before)


@pytest.fixture
def reseeded():
    """For tests that seed the default generator: undone after the test."""
    before = generator.default_generator.get_state()
    yield fastnn.manual_seed
    generator.default_generator.set_state(before)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, for tests that compare with it."""
    from helpers import import_torch

    return import_torch()
