"""Data sets that are indexed by a number."""

from numbers import Integral

import numpy

from fastnn.ops.creation import from_numpy
from fastnn.tensor import Tensor

from .collate import default_collate, gather
from .randomness import as_generator, draw_seed


class Dataset:
    """Base of data sets: ``dataset[index]`` is a sample, ``len(dataset)`` their number.

    A subclass that can make a whole batch faster than sample by sample also defines
    ``get_batch(indices)``, which returns what `default_collate` would make of those samples. A
    subclass of that one that defines ``__getitem__`` alone is asked sample by sample again.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> Squares()[3]
    9
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__}: a data set defines __getitem__")


class TensorDataset(Dataset):
    """Tensors or arrays of the same length, read side by side.

    Arrays become tensors that share their memory. ValueError where the lengths differ.

    >>> import numpy
    >>> dataset = TensorDataset(numpy.eye(3, dtype="float32"), numpy.arange(3))
    >>> dataset[1]
    (tensor([0., 1., 0.]), tensor(1))
    """

    def __init__(self, *tensors):
        self.tensors = tuple(_as_tensor(number, each) for number, each in enumerate(tensors))
        if not tensors:
            raise ValueError("TensorDataset: expected at least one tensor")
        lengths = [len(tensor) for tensor in self.tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"TensorDataset: the tensors have lengths {lengths}, expected one")

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def get_batch(self, indices):
        """The samples of the list `indices` as one batch, a single copy for each tensor."""
        return [gather(tensor, indices) for tensor in self.tensors]

    def __len__(self):
        return len(self.tensors[0])


def _as_tensor(number, value):
    if not isinstance(value, (Tensor, numpy.ndarray)):
        raise TypeError(f"TensorDataset: argument {number} is a {type(value).__name__}, "
                        "expected a tensor or array")
    if not value.ndim:
        raise ValueError(f"TensorDataset: argument {number} has no dimensions")
    return value if isinstance(value, Tensor) else from_numpy(value)


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


def fetch(dataset, indices):
    """The batch of those samples, made whole where the data set can."""
    if isinstance(dataset, (Tensor, numpy.ndarray)):
        return gather(dataset, indices)
    whole = whole_form(dataset, "get_batch", "__getitem__")
    return whole(indices) if whole else default_collate([dataset[index] for index in indices])


def whole_form(thing, whole, single):
    """The method `whole` of `thing`, or None where a subclass has defined `single` anew.

    A subclass that overrides how one sample is made must not be passed over by the method for
    whole batches that it inherits.
    """
    for kind in type(thing).__mro__:
        if whole in vars(kind):
            return getattr(thing, whole)
        if single in vars(kind):
            return None
    return None
