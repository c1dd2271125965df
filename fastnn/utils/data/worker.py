"""Worker threads of a loader: each makes the batches of its turn, in order."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from .dataset import Dataset

END = object()  # what a worker gives whose data set has no more samples


@dataclass
class WorkerInfo:
    """A worker's number, how many there are, the seed of this epoch's worker, its data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Current(threading.local):
    info = None


_current = _Current()


def get_worker_info():
    """The `WorkerInfo` of the worker thread that this is called on; None on any other thread."""
    return _current.info


class Worker:
    """A thread with a (shallow) copy of the data set, which ``worker_init_fn`` may change."""

    def __init__(self, number, count, dataset, init):
        own = copy(dataset) if isinstance(dataset, Dataset) else dataset
        self.info = WorkerInfo(number, count, 0, own)
        self._init = init
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastnn-data")

    def submit(self, job):
        """Run ``job(dataset)`` after the jobs before; a future."""
        return self._pool.submit(self._run, job)

    def _run(self, job):
        if _current.info is None:
            _current.info = self.info
            if self._init is not None:
                self._init(self.info.id)
        return job(self.info.dataset)

    def stop(self, wait):
        self._pool.shutdown(wait=wait, cancel_futures=True)


def in_order(futures, ahead, timeout):
    """The results of futures in their order, ``ahead`` of which are waited for at a time.

    RuntimeError where one takes longer than ``timeout`` seconds; 0 is any time.
    """
    pending = deque()
    for future in futures:
        pending.append(future)
        if len(pending) > ahead:
            yield _result(pending.popleft(), timeout)
    while pending:
        yield _result(pending.popleft(), timeout)


def _result(future, timeout):
    if timeout and not wait([future], timeout).done:
        raise RuntimeError(f"DataLoader: a worker gave no batch within {timeout} seconds")
    return future.result()


def of_indices(workers, jobs):
    """Futures of jobs that any worker could do: one after the other in turn."""
    for number, job in enumerate(jobs):
        yield workers[number % len(workers)].submit(job)


def of_streams(workers, streams):
    """Futures of the next batch of each worker in turn; a worker that has ended is left out."""
    turns = deque(zip(workers, streams, strict=True))
    while turns:
        worker, stream = turns.popleft()
        if not stream.ended:
            turns.append((worker, stream))
            yield worker.submit(partial(_next, stream))


def _next(stream, dataset):
    return stream.next_batch(dataset)
