"""Data sets made of data sets: joined, side by side, or parts of one."""

from bisect import bisect_right
from itertools import accumulate
from numbers import Integral

import numpy

from .dataset import Dataset, IterableDataset, fetch
from .randomness import as_generator, draw_seed


class ConcatDataset(Dataset):
    """Several data sets, one behind the other; also made by ``+``.

    >>> joined = ConcatDataset(["ab", "cde"])
    >>> len(joined), joined[3], joined[-5]
    (5, 'd', 'a')
    """

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one data set")
        if any(isinstance(each, IterableDataset) for each in self.datasets):
            raise TypeError("ConcatDataset: an IterableDataset has no indices; use ChainDataset")
        self.cumulative_sizes = list(accumulate(len(each) for each in self.datasets))

    def __getitem__(self, index):
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: index {index} is outside of {size} samples")
        index %= size
        place = bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[place - 1] if place else 0
        return self.datasets[place][index - start]

    def __len__(self):
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """Several data sets that are walked, one after the other.

    >>> list(ChainDataset([range(2), range(3)]))
    [0, 1, 0, 1, 2]
    """

    def __init__(self, datasets):
        self.datasets = datasets

    def __iter__(self):
        for each in self.datasets:
            yield from each

    def __len__(self):
        return sum(len(each) for each in self.datasets)


class StackDataset(Dataset):
    """Data sets of one length side by side: a sample is a tuple, or a dict for keyword arguments.

    >>> StackDataset("abc", range(3))[1]
    ('b', 1)
    >>> StackDataset(letter="abc", number=range(3))[1]
    {'letter': 'b', 'number': 1}
    """

    def __init__(self, *args, **kwargs):
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: expected data sets either by place or by name")
        self.datasets = args or kwargs
        lengths = {len(each) for each in args or kwargs.values()}
        if len(lengths) > 1:
            raise ValueError(f"StackDataset: the data sets have lengths {sorted(lengths)}, "
                             "expected one")
        self._length, = lengths

    def __getitem__(self, index):
        if isinstance(self.datasets, dict):
            return {name: each[index] for name, each in self.datasets.items()}
        return tuple(each[index] for each in self.datasets)

    def __len__(self):
        return self._length


class Subset(Dataset):
    """Those samples of a data set whose indices are given.

    >>> Subset("abcdef", [1, 3])[1]
    'd'
    """

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def get_batch(self, indices):
        """The samples of the list `indices`, counted within the subset, as one batch."""
        return fetch(self.dataset, [self.indices[index] for index in indices])

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Cut a data set at random into `Subset` objects that share no sample.

    ``lengths`` are numbers of samples that add up to ``len(dataset)``, or fractions that add up
    to 1; samples left over by rounding go one each to the first parts. ``generator`` is a
    generator of fastnn or NumPy, a seed, or None for fastnn's default one. ValueError for other
    lengths.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25], generator=0)]
    [8, 2]
    """
    size = len(dataset)
    counts = _counts(list(lengths), size)
    seed = draw_seed(as_generator("random_split", generator))
    order = numpy.random.default_rng(seed).permutation(size)
    parts = numpy.split(order, numpy.cumsum(counts)[:-1])
    return [Subset(dataset, part.tolist()) for part in parts]


def _counts(lengths, size):
    """How many samples each part gets."""
    if not lengths or any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths is {lengths}, expected numbers of at least 0")
    if all(isinstance(length, Integral) for length in lengths) and sum(lengths) == size:
        return lengths
    if abs(sum(lengths) - 1) > 1e-6:
        raise ValueError(f"random_split: lengths add up to {sum(lengths)}, "
                         f"expected the {size} samples, or 1 for fractions")
    counts = [int(length * size) for length in lengths]
    for place in range(size - sum(counts)):
        counts[place % len(counts)] += 1
    return counts
