"""Sequences padded and packed: there and back, gradients, errors."""

import pytest

import fastnn
from fastnn.nn.utils import rnn
from fastnn.testing import gradcheck, gradgradcheck

STRICT = dict(eps=1e-4, rtol=1e-7, atol=1e-8, fast_mode=True)


LENGTHS = [[3, 2, 2], [1, 4, 2], [2]]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_packing_there_and_back(lengths, batch_first):
    parts = [fastnn.randn(length, 2, dtype="float64") for length in lengths]
    padded = rnn.pad_sequence(parts, batch_first, 7.0)
    packed = rnn.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [
        sum(length > t for length in lengths) for t in range(max(lengths))]
    again, found = rnn.pad_packed_sequence(packed, batch_first, 7.0)
    assert (again == padded).all() and found.tolist() == lengths
    longer, _ = rnn.pad_packed_sequence(packed, batch_first, total_length=6)
    assert longer.shape[1 if batch_first else 0] == 6
    for one, other in zip(rnn.unpack_sequence(packed), parts, strict=True):
        assert (one == other).all()
    for one, other in zip(rnn.unpad_sequence(padded, fastnn.tensor(lengths), batch_first), parts,
                          strict=True):
        assert (one == other).all()
    left = rnn.pad_sequence(parts, True, 7.0, "left")
    for one, other in zip(left, parts, strict=True):
        assert (one[len(one) - len(other):] == other).all()
        assert (one[:len(one) - len(other)] == 7).all()


def test_packing_gradients():
    parts = [fastnn.randn(length, 2, dtype="float64", requires_grad=True) for length in (2, 4, 1)]

    def function(*parts):
        packed = rnn.pack_sequence(parts, enforce_sorted=False)
        squares = rnn.PackedSequence(packed.data * packed.data, *packed[1:])
        return rnn.pad_packed_sequence(squares, padding_value=3.0)[0]

    gradcheck(function, parts, **STRICT)
    gradgradcheck(function, parts, **STRICT)


def test_packed_sequence_changes_its_type():
    packed = rnn.pack_sequence([fastnn.ones(2, 3), fastnn.ones(1, 3)])
    assert packed.double().data.dtype == "float64" and packed.double().float().data.dtype == \
        "float32"
    assert packed.cpu() is packed and not packed.is_cuda
    assert rnn.PackedSequence((packed.data, packed.batch_sizes)).batch_sizes is packed.batch_sizes


@pytest.mark.parametrize("call, error, text", [
    (lambda: rnn.PackedSequence(fastnn.ones(3)), TypeError, r"the pair \(data, batch_sizes\)"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3, 2), [1, 3]), ValueError,
     r"lengths must fall, got \[1, 3\]; pass enforce_sorted=False"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3, 2), [3, 0]), ValueError, "between 1 and 3"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3, 2), [4, 3]), ValueError, "between 1 and 3"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3, 2), [3]), ValueError, "each of 2 sequences"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3, 0), []), ValueError, "there are no sequences"),
    (lambda: rnn.pack_padded_sequence(fastnn.ones(3), [3]), ValueError, "in two dimensions"),
    (lambda: rnn.pack_padded_sequence([1], [3]), TypeError, "expected a Tensor, got list"),
    (lambda: rnn.pad_packed_sequence(fastnn.ones(3)), TypeError, "expected a PackedSequence"),
    (lambda: rnn.pad_packed_sequence(rnn.pack_sequence([fastnn.ones(3)]), total_length=2),
     ValueError, "total_length is 2, the longest sequence has 3 steps"),
    (lambda: rnn.pad_sequence([]), ValueError, "pad_sequence: there are no sequences"),
    (lambda: rnn.pad_sequence([fastnn.ones(2)], padding_side="up"), ValueError, "'right' or 'left"),
    (lambda: rnn.pad_sequence([fastnn.tensor(1.0)]), TypeError, "at least one dimension"),
    (lambda: rnn.pad_sequence([fastnn.ones(2, 3), fastnn.ones(1, 2)]), ValueError, "differ beyond"),
    (lambda: rnn.unpad_sequence(fastnn.ones(3, 2), [3]), ValueError, "2 sequences, but 1 lengths"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
