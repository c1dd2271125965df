"""`DataLoader`: batches of a data set.

Its duties: the order of the samples (a sampler's), batches of their indices (a batch sampler's),
the samples of each made into one batch (`fetch`, or ``collate_fn``), on worker threads if asked,
and the batches given out in order.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from numbers import Integral

from .collate import default_collate, default_convert
from .dataset import fetch
from .randomness import as_generator, batch_seed, draw_seed
from .sampler import BatchSampler, RandomSampler, SequentialSampler, check_count

BATCHES_AHEAD = 2  # of each worker


class DataLoader:
    """An iterable over batches of a data set, with PyTorch's arguments.

    ``dataset`` has ``__getitem__`` and ``__len__``; tensors and arrays are data sets of their rows.
    ``shuffle`` takes the samples in a new random order at each epoch, ``sampler`` in that of an
    iterable of indices, ``batch_sampler`` by an iterable of lists of indices. ``batch_size=None``
    gives single samples. ``collate_fn`` makes a batch of a list of samples; without it, tensors,
    arrays and data sets with a ``get_batch`` are gathered batch by batch, without a step for each
    sample. ``drop_last`` leaves out a last batch that is not full.

    ``num_workers`` threads make batches ahead (``prefetch_factor`` each, 2 by default). Batches,
    order and random transforms are the same for any number; an error of a worker is raised in the
    loop; leaving the loop ends the threads. ``generator`` is a generator of fastnn or NumPy, a
    seed, or None for fastnn's default one, which ``fastnn.manual_seed`` sets. ``pin_memory`` and
    ``persistent_workers`` are accepted and change nothing on a CPU.

    >>> import numpy
    >>> loader = DataLoader(numpy.arange(5), batch_size=2)
    >>> len(loader), list(loader)
    (3, [tensor([0, 1]), tensor([2, 3]), tensor([4])])
    """

    def __init__(self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None,
                 num_workers=0, collate_fn=None, pin_memory=False, drop_last=False, *,
                 generator=None, prefetch_factor=None, persistent_workers=False):
        _check_arguments(batch_size, shuffle, sampler, batch_sampler, num_workers, drop_last)
        self.dataset = dataset
        self.num_workers = int(num_workers)
        self.prefetch_factor = BATCHES_AHEAD if prefetch_factor is None else check_count(
            "DataLoader", "prefetch_factor", prefetch_factor)
        self.generator = as_generator("DataLoader", generator)
        self.collate_fn = collate_fn
        self.drop_last = bool(drop_last)
        self.sampler = sampler if sampler is not None else self._default_sampler(shuffle)
        self.batch_sampler = batch_sampler
        if batch_sampler is None and batch_size is not None:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_size = None if batch_sampler is not None else batch_size

    def _default_sampler(self, shuffle):
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    def __len__(self):
        return len(self._orders())

    def __iter__(self):
        seed = draw_seed(self.generator)
        jobs = (partial(self._make, order, (seed, number))
                for number, order in enumerate(self._orders()))
        return _in_order(jobs, self.num_workers, self.num_workers * self.prefetch_factor)

    def _orders(self):
        """What to fetch: lists of indices, or single ones where nothing is batched."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _make(self, order, seed):
        with batch_seed(seed):
            if self.batch_sampler is None:
                return (self.collate_fn or default_convert)(self.dataset[order])
            if self.collate_fn in (None, default_collate):
                return fetch(self.dataset, order)
            return self.collate_fn([self.dataset[index] for index in order])


def _in_order(jobs, workers, ahead):
    """The jobs' results in their order, made on the caller's thread or by workers ahead of it."""
    if not workers:
        for job in jobs:
            yield job()
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fastnn-data")
    pending = deque()
    try:
        for job in jobs:
            pending.append(pool.submit(job))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _check_arguments(batch_size, shuffle, sampler, batch_sampler, num_workers, drop_last):
    if batch_size is not None:
        check_count("DataLoader", "batch_size", batch_size)
    if isinstance(num_workers, bool) or not isinstance(num_workers, Integral) or num_workers < 0:
        raise ValueError(f"DataLoader: num_workers is {num_workers!r}, expected an integer of at "
                         "least 0")
    if sampler is not None and shuffle:
        raise ValueError("DataLoader: sampler and shuffle exclude each other")
    if batch_sampler is not None and (
            batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and "
                         "drop_last")
    if batch_size is None and drop_last:
        raise ValueError("DataLoader: batch_size=None excludes drop_last")
