"""What the benchmark ran on, how busy it was, and how much memory a process has used."""

import os
import platform
import re
import resource
import subprocess
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
_ISA = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_bf16",
    "amx_tile",
)


def describe():
    """The machine, the Python and the commit, for the record."""
    flags = _cpu_field("flags", "").split()
    return {
        "cpu": _cpu_field("model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "isa": [name for name in _ISA if name in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
    }


def _cpu_field(name, default):
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return default
    found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
    return found.group(1) if found else default


def _git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def control(core):
    """Milliseconds that a fixed serial loop takes on `core`; it varies only if the machine does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return _control_loop()
    finally:
        os.sched_setaffinity(0, before)


def _control_loop():
    values = np.ones(4096, np.float32)  # stays in the first cache
    start = time.perf_counter()
    for _ in range(4000):
        np.add(values, values, out=values)
        np.multiply(values, 0.5, out=values)
    return (time.perf_counter() - start) * 1e3


def wait_until_quiet(patience):
    """Wait until nothing else runs, at most `patience` seconds; return the seconds waited."""
    start = time.perf_counter()
    while time.perf_counter() - start < patience:
        if max(_runnable() for _ in range(5)) <= 1:
            break
        time.sleep(0.02)
    return time.perf_counter() - start


def _runnable():
    """Threads that run or could run now, this one included."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
    except OSError:
        return 1


def pin(pid, cores):
    """Move all threads of a process to `cores`."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            os.sched_setaffinity(int(task), cores)
        except ProcessLookupError:
            continue  # the thread has ended meanwhile


def resident_bytes():
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def reset_peak():
    """Let `peak_bytes` count from now on; False where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_bytes():
    """The most memory that this process held.

    `ru_maxrss` would include the parent's memory at the time of the fork, so it is not used.
    """
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", text).group(1)) * 1024
