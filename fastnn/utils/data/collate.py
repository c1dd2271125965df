"""Samples made into batches, and the step between tensors and arrays."""

from collections.abc import Mapping, MutableMapping, Sequence
from copy import copy
from numbers import Integral, Real

import numpy

from fastnn.ops.creation import from_numpy, tensor
from fastnn.ops.joining import stack
from fastnn.tensor import Tensor


def as_array(value):
    """The NumPy array of a tensor, without a copy; anything else through ``numpy.asarray``."""
    return value.detach().numpy() if isinstance(value, Tensor) else numpy.asarray(value)


def like(array, original):
    """`array` as a tensor where `original` is one, else as it is."""
    return from_numpy(array) if isinstance(original, Tensor) else array


def gather(rows, indices):
    """Those rows of a tensor or array, as one tensor: a single copy for the whole batch."""
    if isinstance(rows, Tensor) and rows.requires_grad:
        return rows[tensor(indices)]
    return from_numpy(as_array(rows)[numpy.asarray(indices, dtype=numpy.int64)])


def default_convert(data):
    """Arrays in a sample become tensors; everything else stays.

    >>> import numpy
    >>> default_convert({"x": numpy.zeros(2, "float32"), "name": "a"})
    {'x': tensor([0., 0.]), 'name': 'a'}
    """
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, (numpy.ndarray, numpy.generic)):
        return from_numpy(numpy.asarray(data))
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, (tuple, list)):
        return _like_sequence(data, [default_convert(part) for part in data])
    return data


def _like_mapping(original, items):
    """A dict, or where it can be a mapping of the kind of the original."""
    if type(original) is dict or not isinstance(original, MutableMapping):
        return items
    result = copy(original)
    result.update(items)
    return result


def _like_sequence(original, parts):
    """A list; a named tuple stays one."""
    return type(original)(*parts) if hasattr(original, "_fields") else parts


def default_collate(batch):
    """One batch from a list of samples that are alike, as PyTorch's function of that name.

    Tensors and arrays are stacked, numbers become a tensor (int64, float64 or bool), strings stay a
    list; of mappings, tuples and lists each part is collated by itself. TypeError for anything
    else, ValueError where shapes or lengths differ.

    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ['a', 'b']]
    """
    if not batch:
        raise ValueError("default_collate: the batch holds no samples")
    first = batch[0]
    if isinstance(first, (Tensor, numpy.ndarray)):
        return _stack(batch)
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, (bool, numpy.bool_)):
        return from_numpy(numpy.array(batch, dtype=bool))
    if isinstance(first, numpy.generic):
        return from_numpy(numpy.array(batch))
    if isinstance(first, Integral):
        return tensor(batch)
    if isinstance(first, Real):
        return from_numpy(numpy.array(batch, dtype=numpy.float64))
    if isinstance(first, Mapping):
        return _like_mapping(first, {
            key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        return _collate_parts(batch)
    raise TypeError(
        "default_collate: samples must be tensors, arrays, numbers, strings, or mappings and "
        f"sequences of these, got {type(first).__name__}; pass a collate_fn for others")


def _collate_parts(batch):
    """The collated parts in a list."""
    first = batch[0]
    for number, sample in enumerate(batch):
        if len(sample) != len(first):
            raise ValueError(f"default_collate: sample 0 has {len(first)} parts, "
                             f"sample {number} has {len(sample)}")
    return _like_sequence(first, [default_collate(list(part))
                                  for part in zip(*batch, strict=True)])


def _stack(batch):
    """The samples along a new first dimension: N of (*S) -> (N, *S)."""
    shapes = [tuple(sample.shape) for sample in batch]
    for number, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(f"default_collate: sample 0 has shape {shapes[0]}, "
                             f"sample {number} has shape {shape}")
    if any(isinstance(sample, Tensor) and sample.requires_grad for sample in batch):
        return stack(batch)
    return from_numpy(numpy.stack([as_array(sample) for sample in batch]))
