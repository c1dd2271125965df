"""Sequences of different lengths: padded to one tensor, or packed without padding."""

import operator
from collections import namedtuple

import numpy

from ... import dtypes
from ..._kernels import program
from ...ops.creation import from_numpy
from ...ops.joining import cat
from ...ops.recurrent import spread_rows, take_rows
from ...ops.shape import reshape
from ...tensor import Tensor

_Fields = namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices",
                                        "unsorted_indices"])


class PackedSequence(_Fields):
    """Sequences without padding: the first steps of all, then the second ones, and so on.

    ``data`` holds the steps of all sequences, ``batch_sizes`` how many belong to each step. The
    sequences lie in the order of falling length: ``sorted_indices`` says which one is at each place
    and ``unsorted_indices`` at which place each one is; both are None if they came in that order.
    Made by `pack_padded_sequence` and `pack_sequence`.
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise TypeError("PackedSequence: without batch_sizes, data must be the pair (data, "
                                "batch_sizes)")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """The same sequences with data of another type."""
        return type(self)(self.data.to(*args, **kwargs), *self[1:])

    def float(self):
        """The same sequences in float32."""
        return self.to(dtypes.float32)

    def double(self):
        """The same sequences in float64."""
        return self.to(dtypes.float64)

    def cpu(self):
        """The sequences themselves."""
        return self

    @property
    def is_cuda(self):
        """False: fastnn is for CPUs."""
        return False


def invert_permutation(permutation):
    """Where each index stands in a permutation; None of None."""
    return None if permutation is None else from_numpy(numpy.argsort(permutation.array))


def step_sizes(name, batch_sizes, rows):
    """The sizes of a packed sequence's steps as a tuple; a ValueError unless they fit."""
    program.refuse("the sizes of a packed sequence are read")
    sizes = tuple(numpy.asarray(getattr(batch_sizes, "array", batch_sizes)).tolist())
    if not sizes or min(sizes) < 1 or sum(sizes) != rows or any(
            after > before for before, after in zip(sizes[:-1], sizes[1:], strict=True)):
        raise ValueError(f"{name}: batch_sizes must be positive, not grow and add up to the {rows} "
                         f"rows of data, got {sizes}")
    return sizes


def _lengths(name, lengths, batch, longest):
    program.refuse("the lengths of sequences are read")
    given = numpy.asarray(getattr(lengths, "array", lengths)).astype(numpy.int64, copy=False)
    if given.shape != (batch,):
        raise ValueError(f"{name}: expected one length for each of {batch} sequences, got "
                         f"{given.tolist()}")
    if not batch:
        raise ValueError(f"{name}: there are no sequences")
    if given.min() < 1 or given.max() > longest:
        raise ValueError(f"{name}: lengths must lie between 1 and {longest}, got {given.tolist()}")
    return given


def _check_padded(name, input):
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(input).__name__}")
    if input.ndim < 2:
        raise ValueError(f"{name}: expected steps and sequences in two dimensions, got shape "
                         f"{tuple(input.shape)}")


def _rows_of(steps, sequences, shape, batch_first):
    """Numbers of rows in a padded tensor whose first two dimensions are joined."""
    return sequences * shape[1] + steps if batch_first else steps * shape[1] + sequences


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack sequences of the given lengths that lie padded in (steps, sequences, ...).

    With ``batch_first`` they lie in (sequences, steps, ...). Lengths must fall,
    unless ``enforce_sorted`` is False: then the sequences are sorted, and come back in their old
    order from `pad_packed_sequence` and from recurrent layers. What the input holds beyond a length
    is not read.

    >>> import fastnn
    >>> padded = fastnn.tensor([[1, 4], [2, 5], [3, 0]])
    >>> fastnn.nn.utils.rnn.pack_padded_sequence(padded, [3, 2]).data
    tensor([1, 4, 2, 5, 3])
    """
    name = "pack_padded_sequence"
    _check_padded(name, input)
    steps, batch = (input.shape[1], input.shape[0]) if batch_first else tuple(input.shape[:2])
    lengths = _lengths(name, lengths, batch, steps)
    order = numpy.argsort(-lengths, kind="stable")
    if enforce_sorted and (numpy.diff(lengths) > 0).any():
        raise ValueError(f"{name}: lengths must fall, got {lengths.tolist()}; pass "
                         "enforce_sorted=False to have the sequences sorted")
    sizes = (lengths[None] > numpy.arange(lengths.max())[:, None]).sum(1)
    step = numpy.repeat(numpy.arange(len(sizes)), sizes)
    place = numpy.concatenate([order[:size] for size in sizes])
    index = _rows_of(step, place, input.shape, batch_first)
    data = take_rows(reshape(input, -1, *input.shape[2:]), index)
    return PackedSequence(data, from_numpy(sizes), None if enforce_sorted else from_numpy(order))


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded, lengths) of packed sequences, in the order in which they came.

    ``padded`` is (steps, sequences, ...), or (sequences, steps, ...) with ``batch_first``; it has
    ``total_length`` steps if given, else those of the longest sequence. ``lengths`` is int64.

    >>> import fastnn
    >>> from fastnn.nn.utils.rnn import pack_sequence, pad_packed_sequence
    >>> packed = pack_sequence([fastnn.tensor([1, 2, 3]), fastnn.tensor([4, 5])])
    >>> pad_packed_sequence(packed, batch_first=True, padding_value=-1)
    (tensor([[ 1,  2,  3],
            [ 4,  5, -1]]), tensor([3, 2]))
    """
    name = "pad_packed_sequence"
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"{name}: expected a PackedSequence, got {type(sequence).__name__}")
    data = sequence.data
    sizes = step_sizes(name, sequence.batch_sizes, len(data))
    steps, batch = len(sizes) if total_length is None else total_length, sizes[0]
    if steps < len(sizes):
        raise ValueError(f"{name}: total_length is {total_length}, the longest sequence has "
                         f"{len(sizes)} steps")
    order = numpy.arange(batch)
    if sequence.sorted_indices is not None:
        order = sequence.sorted_indices.array
    shape = (batch, steps) if batch_first else (steps, batch)
    place = numpy.concatenate([order[:size] for size in sizes])
    index = _rows_of(numpy.repeat(numpy.arange(len(sizes)), sizes), place, shape, batch_first)
    lengths = numpy.empty(batch, numpy.int64)
    lengths[order] = (numpy.array(sizes)[:, None] > numpy.arange(batch)).sum(0)
    padded = spread_rows(data, index, steps * batch, padding_value)
    return reshape(padded, *shape, *data.shape[1:]), from_numpy(lengths)


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences (steps, ...) of different lengths in one tensor (steps, sequences, ...).

    With ``batch_first`` it is (sequences, steps, ...). ``padding_side`` says on which side of a
    sequence ``padding_value`` fills up.

    >>> import fastnn
    >>> from fastnn.nn.utils.rnn import pad_sequence
    >>> pad_sequence([fastnn.tensor([1, 2, 3]), fastnn.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    sequences = list(sequences)
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', got "
                         f"{padding_side!r}")
    if not sequences:
        raise ValueError("pad_sequence: there are no sequences")
    for each in sequences:
        if not isinstance(each, Tensor) or not each.ndim:
            raise TypeError("pad_sequence: expected tensors of at least one dimension, got "
                            f"{each!r}")
    joined = cat(sequences)
    lengths = numpy.array([len(each) for each in sequences])
    steps, batch = int(lengths.max()), len(lengths)
    shape = (batch, steps) if batch_first else (steps, batch)
    first = steps - lengths if padding_side == "left" else 0 * lengths
    step = numpy.concatenate([numpy.arange(start, start + length)
                              for start, length in zip(first, lengths, strict=True)])
    index = _rows_of(step, numpy.repeat(numpy.arange(batch), lengths), shape, batch_first)
    padded = spread_rows(joined, index, steps * batch, padding_value)
    return reshape(padded, *shape, *joined.shape[1:])


def pack_sequence(sequences, enforce_sorted=True):
    """Pack sequences (steps, ...) of different lengths; see `pack_padded_sequence`."""
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [len(each) for each in sequences],
                                enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences that lie padded in one tensor, as a list: the reverse of `pad_sequence`."""
    _check_padded("unpad_sequence", padded_sequences)
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    program.refuse("the lengths of sequences are read")
    lengths = numpy.asarray(getattr(lengths, "array", lengths)).tolist()
    if len(lengths) != len(padded):
        raise ValueError(f"unpad_sequence: {len(padded)} sequences, but {len(lengths)} lengths")
    return [padded[i, :operator.index(length)] for i, length in enumerate(lengths)]


def unpack_sequence(packed_sequences):
    """The sequences of a `PackedSequence` as a list, in the order in which they came.

    >>> import fastnn
    >>> from fastnn.nn.utils.rnn import pack_sequence, unpack_sequence
    >>> unpack_sequence(pack_sequence([fastnn.tensor([1, 2]), fastnn.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
