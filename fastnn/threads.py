"""How many threads the kernels use, and where the number came from."""

import math
import os
from pathlib import Path

from ._kernels import runtime

ENVIRONMENT = ("FASTNN_NUM_THREADS", "OMP_NUM_THREADS")
CGROUP_2 = Path("/sys/fs/cgroup/cpu.max")
CGROUP_1 = Path("/sys/fs/cgroup/cpu")


def _from_environment():
    for name in ENVIRONMENT:
        text = os.environ.get(name, "").split(",")[0].strip()
        if text.isdigit() and int(text) > 0:
            return int(text), name
    return None


def _allowed_processors():
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota():
    """Processors that the control group grants, rounded up, or None."""
    try:
        limit, period = CGROUP_2.read_text().split()
    except (OSError, ValueError):
        try:
            limit = (CGROUP_1 / "cpu.cfs_quota_us").read_text().strip()
            period = (CGROUP_1 / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1"):
        return None
    return max(1, math.ceil(int(limit) / int(period)))


def _initial():
    found = _from_environment()
    if found:
        return found
    allowed, quota = _allowed_processors(), _quota()
    if quota is not None and quota < allowed:
        return quota, "control group quota"
    return allowed, "processors of this process"


def set_num_threads(number):
    """Use at most ``number`` threads in kernels from now on; results do not depend on it.

    >>> import fastnn
    >>> before = fastnn.get_num_threads()
    >>> fastnn.set_num_threads(1)
    >>> fastnn.get_num_threads()
    1
    >>> fastnn.set_num_threads(before)
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"set_num_threads: expected a positive integer, got {number!r}")
    _use(number, "set_num_threads")


def get_num_threads():
    """The number of threads that large kernels use."""
    return runtime.get_thread_count()


def source():
    """Where the number of threads came from."""
    return _source


def _use(number, origin):
    global _source
    _source = origin
    runtime.set_thread_count(number)


_use(*_initial())
