"""The order in which a loader asks for samples."""

from itertools import islice
from numbers import Integral

import numpy

from .collate import as_array
from .randomness import as_generator, draw_seed


def check_count(operation, name, value):
    """A positive integer, or a ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{operation}: {name} is {value!r}, expected a positive integer")
    return int(value)


class Sampler:
    """Base of samplers: an iterable of indices. A sampler that knows it has a ``__len__`` too."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: a sampler defines __iter__")


class SequentialSampler(Sampler):
    """The indices 0, 1, 2, ... of a data set.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """The indices of a data set in a new random order at each epoch.

    With ``replacement`` they are drawn independently; ``num_samples`` sets how many are given, by
    default as many as there are (without replacement a further permutation follows each that is
    used up). ``generator`` is a generator of fastnn or NumPy, a seed, or None for fastnn's default
    one.

    >>> sorted(RandomSampler("abc", generator=0))
    [0, 1, 2]
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = data_source
        self.replacement = bool(replacement)
        self.generator = as_generator("RandomSampler", generator)
        self._num_samples = None if num_samples is None else check_count(
            "RandomSampler", "num_samples", num_samples)

    @property
    def num_samples(self):
        """How many indices an epoch gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        random = numpy.random.default_rng(draw_seed(self.generator))
        size, count = len(self.data_source), self.num_samples
        if not size and count:
            raise ValueError("RandomSampler: the data set is empty")
        if self.replacement:
            return iter(random.integers(size, size=count).tolist() if count else [])
        return self._permutations(random, size, count)

    @staticmethod
    def _permutations(random, size, count):
        for start in range(0, count, max(size, 1)):
            yield from random.permutation(size)[: count - start].tolist()

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given indices in a new random order at each epoch.

    >>> sorted(SubsetRandomSampler([4, 2, 7], generator=0))
    [2, 4, 7]
    """

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = as_generator("SubsetRandomSampler", generator)

    def __iter__(self):
        random = numpy.random.default_rng(draw_seed(self.generator))
        return iter([self.indices[place] for place in random.permutation(len(self.indices))])

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """``num_samples`` indices, each as likely as its weight, with or without replacement.

    The weights need not add up to 1. Without replacement at least ``num_samples`` of them must not
    be 0.

    >>> set(WeightedRandomSampler([0.0, 2.0, 0.0, 1.0], 50, generator=0))
    {1, 3}
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        self.num_samples = check_count("WeightedRandomSampler", "num_samples", num_samples)
        self.weights = numpy.asarray(as_array(weights), dtype=numpy.float64)
        if self.weights.ndim != 1:
            raise ValueError("WeightedRandomSampler: weights must have one dimension, got shape "
                             f"{self.weights.shape}")
        if not (self.weights >= 0).all() or not 0 < self.weights.sum() < numpy.inf:
            raise ValueError("WeightedRandomSampler: weights must be finite, at least 0 and not "
                             "all 0")
        self.replacement = bool(replacement)
        if not replacement and self.num_samples > numpy.count_nonzero(self.weights):
            raise ValueError(f"WeightedRandomSampler: {self.num_samples} samples without "
                             f"replacement from {numpy.count_nonzero(self.weights)} weights "
                             "above 0")
        self.generator = as_generator("WeightedRandomSampler", generator)

    def __iter__(self):
        random = numpy.random.default_rng(draw_seed(self.generator))
        shares = self.weights / self.weights.sum()
        return iter(random.choice(len(shares), self.num_samples, self.replacement,
                                  shares).tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of ``batch_size`` indices from another sampler; the last may be shorter or be dropped.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler, batch_size, drop_last):
        self.sampler = sampler
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size)
        self.drop_last = bool(drop_last)

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + bool(rest and not self.drop_last)
