"""The pool of threads: every piece runs once, whoever calls and however many threads there are."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastnn
from fastnn._kernels import runtime

SIZES = (1, 16384, 16385, 40000, 300000)  # one chunk, chunks that do not fit evenly, many


def counted(start):
    """One after another, kernels that add 1 to every element in the pool's chunks."""
    for size in SIZES * 20:
        x = fastnn.full((size,), float(start))
        x.add_(1)
        x.add_(1)
        assert (x.numpy() == start + 2).all()
    return True


@pytest.mark.parametrize("number", [1, 2, 3, 7, 16])
def test_every_piece_runs_once(threads, number):
    fastnn.set_num_threads(number)
    assert counted(number)


def test_calls_of_several_threads_at_once(threads):
    fastnn.set_num_threads(4)
    a = fastnn.from_numpy(np.random.default_rng(0).standard_normal((300, 301)).astype("float32"))
    expected = (a @ a.T).numpy()

    def product(number):
        return ((a @ a.T).numpy() == expected).all() and counted(number)

    with ThreadPoolExecutor(6) as callers:
        assert all(callers.map(product, range(12)))


def test_few_pieces_and_many_threads(threads):
    fastnn.set_num_threads(64)
    x = fastnn.ones(40000)
    assert float((x + x).sum()) == 80000
    assert runtime.get_thread_count() == 64


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's /proc counts threads")
def test_threads_are_started_when_work_is_large():
    script = """
import os, fastnn
tasks = lambda: len(os.listdir("/proc/self/task"))
fastnn.set_num_threads(4)
before = tasks()
fastnn.ones(8) + 1
print(tasks() - before)
fastnn.ones(1000000) + 1
print(tasks() - before)
"""
    found = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True,
                           check=True)
    assert found.stdout.split() == ["0", "3"]


@pytest.mark.skipif(not sys.platform.startswith("linux"),
                    reason="reads /proc/self/task, which Linux alone has")
def test_no_signal_reaches_the_pool():
    """All signals that can be blocked are, in its threads alone."""
    script = """
import os, signal, fastnn
signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR1])
fastnn.set_num_threads(4)
before = set(os.listdir("/proc/self/task"))
fastnn.ones(1000000) + 1
pool = set(os.listdir("/proc/self/task")) - before
print(len(pool))
for task in pool:
    with open(f"/proc/self/task/{task}/status") as lines:
        mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
    print(all(mask >> (number - 1) & 1 for number in signal.valid_signals()
              - {signal.SIGKILL, signal.SIGSTOP}))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []) == {signal.SIGUSR1})
"""
    found = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True,
                           check=True)
    assert found.stdout.split() == ["3", "True", "True", "True", "True"]


def test_a_process_ends_while_the_pool_waits():
    script = "import fastnn; fastnn.set_num_threads(4); print(float(fastnn.ones(1000000).sum()))"
    found = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True,
                           check=True, timeout=60)
    assert found.stdout.strip() == "1000000.0"
