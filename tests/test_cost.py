"""The cost model of `bench.cost`: its arithmetic on given constants, and that the report runs."""

from types import SimpleNamespace

import pytest

import fastnn
from bench import constants, cost
from bench.constants import Entry
from bench.workloads import WORKLOADS

MODEL = cost.Model({"products": 1e9, "convolutions": 1e9}, gathering=1e8, call=1e-3, dispatch=1e-4,
                   hand_off=1e-2)
UPDATED, PYTHON = 3e6, 0.5  # bytes, seconds


def step_of(*entries):
    return cost.Step(list(entries), UPDATED, bandwidth=1e9, python=PYTHON, seconds=9.9)


def entry(name, operations=0.0, moved=0.0, nanoseconds=0.0):
    return Entry(name, 9.9, operations, moved, nanoseconds)


@pytest.mark.parametrize(("found", "seconds"), [
    ([], 0), ([entry("add", moved=2e9)], 2 + 1e-4),
    ([entry("product of matrices", 3e9, 1e9)], 3 + 1 + 1e-4),
    ([entry("convolution's gradient of data", 3e9, 1e9)], 3 + 10 + 1e-4),
    ([entry("add", nanoseconds=1e9)], 1e-2 + 1e-4), ([entry("_check (Python)", moved=7e9)], 0.5)])
def test_what_each_entry_adds(found, seconds):
    expected = MODEL.expected(step_of(*found))
    assert expected == pytest.approx(1e-3 + 3e-3 + seconds)


def test_more_cores_share_all_but_python_until_the_memory_is_busy():
    step = step_of(entry("product of matrices", 8e9, 4e9), entry("_check (Python)"))
    wide, narrow = MODEL.expected(step, cores=4), MODEL.expected(step, cores=4, most=2e9)
    assert wide == pytest.approx(1e-3 + 3e-3 / 4 + PYTHON + 8 / 4 + 4 / 4 + 1e-4)
    assert narrow == pytest.approx(1e-3 + 3e-3 / 2 + PYTHON + 8 / 4 + 4 / 2 + 1e-4)


def test_where_more_cores_stop_to_help():
    """Of 6 s that are shared and 0.5 s that are not, 4 cores leave 2, 8 leave 1.25, 16 0.875."""
    step = step_of(entry("product of matrices", 6e9), entry("_check (Python)"))
    assert cost.knee(MODEL, step, threads=1, most=1e9) == 8


def test_entries_tell_operations_and_bytes():
    x = fastnn.ones(8, 16)
    product, total = constants.recorded(lambda: (x @ x.T) + 1)
    assert (product.kind, product.operations) == ("products", 2 * 8 * 16 * 8)
    assert product.bytes == 4 * (2 * 8 * 16 + 8 * 8)
    assert (total.kind, total.operations, total.bytes) == ("other kernels", 0, 4 * 2 * 8 * 8)
    assert not total.shared


def test_every_workload_has_an_optimizer_whose_passes_are_known():
    assert {workload.optimizer for workload in WORKLOADS.values()} <= set(cost.PASSES)


def test_report(monkeypatch):
    monkeypatch.setattr(cost.Model, "measured", lambda: MODEL)
    options = SimpleNamespace(workloads=["tiny"], cores=[8], threads=[1], bandwidth=200.0)
    text = cost.report(options, 1)
    assert "8 cores" in text and "tiny" in text
