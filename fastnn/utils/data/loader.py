"""`DataLoader`: batches of a data set.

Its duties: the order of the samples (a sampler's), batches of their indices (a batch sampler's),
the samples of each made into one batch (`fetch`, or ``collate_fn``), on worker threads if asked,
and the batches given out in order.
"""

from functools import partial
from itertools import islice
from numbers import Integral

from .collate import default_collate, default_convert
from .dataset import IterableDataset, fetch
from .randomness import as_generator, batch_seed, draw_seed
from .sampler import BatchSampler, RandomSampler, SequentialSampler, check_count
from .worker import END, Worker, in_order, of_indices, of_streams

BATCHES_AHEAD = 2  # of each worker


class DataLoader:
    """An iterable over batches of a data set, with PyTorch's arguments.

    ``dataset`` has ``__getitem__`` and ``__len__``, or is an `IterableDataset`; tensors and arrays
    are data sets of their rows. ``shuffle`` takes the samples in a new random order at each epoch,
    ``sampler`` in that of an iterable of indices, ``batch_sampler`` by an iterable of lists of
    indices. ``batch_size=None`` gives single samples. ``collate_fn`` makes a batch of a list of
    samples; without it, tensors, arrays and data sets with a ``get_batch`` are gathered batch by
    batch, without a step for each sample. ``drop_last`` leaves out a last batch that is not full.

    ``num_workers`` threads make batches ahead (``prefetch_factor`` each, 2 by default), each from a
    shallow copy of the data set; ``worker_init_fn(number)`` is called on each at its start.
    Batches, order and random transforms of a data set with indices are the same for any number; an
    error of a worker is raised in the loop, and one that takes longer than ``timeout`` seconds is a
    RuntimeError. Leaving the loop ends the threads, unless ``persistent_workers`` keeps them for
    the next epoch. ``generator`` is a generator of fastnn or NumPy, a seed, or None for fastnn's
    default one, which ``fastnn.manual_seed`` sets. ``pin_memory`` changes nothing on a CPU.

    >>> import numpy
    >>> loader = DataLoader(numpy.arange(5), batch_size=2)
    >>> len(loader), list(loader)
    (3, [tensor([0, 1]), tensor([2, 3]), tensor([4])])
    """

    def __init__(self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None,
                 num_workers=0, collate_fn=None, pin_memory=False, drop_last=False, timeout=0,
                 worker_init_fn=None, multiprocessing_context=None, generator=None, *,
                 prefetch_factor=None, persistent_workers=False, pin_memory_device="",
                 in_order=True):
        _check_arguments(batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers,
                       multiprocessing_context)
        self.dataset, self.collate_fn, self.drop_last = dataset, collate_fn, bool(drop_last)
        self.num_workers, self.timeout = int(num_workers), timeout
        self.worker_init_fn, self.persistent_workers = worker_init_fn, bool(persistent_workers)
        self.pin_memory = pin_memory
        self.prefetch_factor = BATCHES_AHEAD if prefetch_factor is None else check_count(
            "DataLoader", "prefetch_factor", prefetch_factor)
        self.generator = as_generator("DataLoader", generator)
        self._streams = isinstance(dataset, IterableDataset)
        if self._streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset decides the order itself; shuffle, "
                             "sampler and batch_sampler are for data sets with indices")
        self.sampler = sampler if sampler is not None or self._streams \
            else self._default_sampler(shuffle)
        self.batch_sampler = batch_sampler
        if batch_sampler is None and batch_size is not None and not self._streams:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_size = None if batch_sampler is not None else batch_size
        self._kept = None  # workers between epochs

    def _default_sampler(self, shuffle):
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    def __len__(self):
        if not self._streams:
            return len(self._orders())
        whole, rest = divmod(len(self.dataset), self.batch_size or 1)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self):
        seed = draw_seed(self.generator)
        if self.num_workers:
            return self._by_workers(seed)
        if self._streams:
            return _until_end(_Stream(self, seed, 0), self.dataset)
        return (job(self.dataset) for job in self._jobs(seed))

    def _by_workers(self, seed):
        workers = self._kept or [Worker(number, self.num_workers, self.dataset,
                                        self.worker_init_fn) for number in range(self.num_workers)]
        self._kept = None
        for worker in workers:
            worker.info.seed = seed + worker.info.id
        futures = of_indices(workers, self._jobs(seed)) if not self._streams else of_streams(
            workers, [_Stream(self, seed, worker.info.id) for worker in workers])
        finished, waits = False, True
        try:
            for batch in in_order(futures, self.num_workers * self.prefetch_factor, self.timeout):
                if batch is not END:
                    yield batch
            finished = True
        except RuntimeError:
            waits = not self.timeout
            raise
        finally:
            if finished and self.persistent_workers:
                self._kept = workers
            else:
                for worker in workers:
                    worker.stop(waits)

    def _orders(self):
        """What to fetch: lists of indices, or single ones where nothing is batched."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _jobs(self, seed):
        """For each batch a function of the data set."""
        return (partial(self._make, order, (seed, number))
                for number, order in enumerate(self._orders()))

    def _make(self, order, seed, dataset):
        with batch_seed(seed):
            if self.batch_sampler is None:
                return (self.collate_fn or default_convert)(dataset[order])
            several = getattr(dataset, "__getitems__", None)
            if several is None and self.collate_fn in (None, default_collate):
                return fetch(dataset, order)
            samples = [dataset[index] for index in order] if several is None else several(order)
            return (self.collate_fn or default_collate)(samples)


class _Stream:
    """One walk over an iterable data set, by one worker."""

    def __init__(self, loader, seed, worker):
        self.loader, self.seed = loader, (seed, worker)
        self.samples, self.made, self.ended = None, 0, False

    def next_batch(self, dataset):
        """The next batch, or END."""
        if self.ended:
            return END
        with batch_seed((*self.seed, self.made)):
            self.made += 1
            if self.samples is None:
                self.samples = iter(dataset)
            batch = self._take()
        self.ended = batch is END
        return batch

    def _take(self):
        size, collate = self.loader.batch_size, self.loader.collate_fn
        samples = list(islice(self.samples, size or 1))
        if not samples or (self.loader.drop_last and len(samples) < size):
            return END
        if size is None:
            return (collate or default_convert)(samples[0])
        return (collate or default_collate)(samples)


def _until_end(stream, dataset):
    while (batch := stream.next_batch(dataset)) is not END:
        yield batch


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, context):
    if isinstance(num_workers, bool) or not isinstance(num_workers, Integral) or num_workers < 0:
        raise ValueError(f"DataLoader: num_workers is {num_workers!r}, expected an integer of at "
                         "least 0")
    if timeout < 0:
        raise ValueError(f"DataLoader: timeout is {timeout!r}, expected at least 0")
    if not num_workers and (prefetch_factor is not None or persistent_workers):
        raise ValueError("DataLoader: prefetch_factor and persistent_workers need num_workers")
    if context is not None:
        raise ValueError("DataLoader: multiprocessing_context is not offered, workers are threads")


def _check_arguments(batch_size, shuffle, sampler, batch_sampler, drop_last):
    if batch_size is not None:
        check_count("DataLoader", "batch_size", batch_size)
    if sampler is not None and shuffle:
        raise ValueError("DataLoader: sampler and shuffle exclude each other")
    if batch_sampler is not None and (
            batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and "
                         "drop_last")
    if batch_size is None and drop_last:
        raise ValueError("DataLoader: batch_size=None excludes drop_last")
