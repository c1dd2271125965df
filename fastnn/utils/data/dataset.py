"""Data sets that are indexed by a number, or walked."""

import numpy

from fastnn.ops.creation import from_numpy
from fastnn.tensor import Tensor

from .collate import default_collate, gather


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

    def __add__(self, other):
        from .combined import ConcatDataset

        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base of data sets without indices: a subclass defines ``__iter__``, which gives samples.

    Each worker of a `DataLoader` walks a (shallow) copy of it; `get_worker_info` tells them apart,
    so that each can give a part of the samples.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter((3, 2, 1))
    >>> list(Countdown())
    [3, 2, 1]
    """

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: an iterable data set defines __iter__")

    def __add__(self, other):
        from .combined import ChainDataset

        return ChainDataset([self, other])


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
