"""Embeddings: gradients of rows asked for often, padding, limited norms, bags, errors."""

import math

import numpy as np
import pytest
from helpers import array_of, close

import fastnn
from fastnn import nn
from fastnn._kernels import segments
from fastnn.nn import functional as F

NUMBERS = np.array([4, 0, 4, 2, 2, 2, 4, 0, 3, 2])
OFFSETS = np.array([0, 3, 3, 7])  # the second bag is empty


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def gradient(function, array, upstream):
    leaf = fastnn.from_numpy(array.copy()).requires_grad_()
    output = function(leaf)
    output.backward(fastnn.from_numpy(upstream))
    return array_of(output), leaf.grad.array


def test_gradient_of_rows_asked_for_often(threads):
    weight, numbers = drawn(7, 5), np.random.default_rng(0).integers(0, 6, (40, 30))
    upstream = drawn(40, 30, 5, seed=1)
    wanted = np.zeros((7, 5))
    np.add.at(wanted, numbers, upstream)
    for count in (1, 2, 3):
        threads(count)
        _, got = gradient(lambda w: F.embedding(fastnn.from_numpy(numbers), w), weight, upstream)
        close(got, wanted, 1e-12)


def test_bits_do_not_depend_on_threads(threads):
    random = np.random.default_rng(0)
    weight = random.standard_normal((3000, 40), np.float32)
    numbers = np.minimum(random.geometric(0.01, 20_000), 2999)
    upstream, found = random.standard_normal((20_000, 40), np.float32), []
    for count in (1, 2, 3):
        threads(count)
        found.append(gradient(lambda w: F.embedding(fastnn.from_numpy(numbers), w), weight,
                              upstream)[1])
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_numbers_may_change_before_the_gradient():
    numbers, weight = fastnn.from_numpy(NUMBERS.copy()), fastnn.zeros(5, 2, requires_grad=True)
    output = F.embedding(numbers, weight)
    numbers.fill_(10 ** 12)
    output.sum().backward()
    assert weight.grad.array[:, 0].tolist() == [2, 0, 4, 1, 3]


def test_padding_has_no_gradient_of_any_order():
    weight = fastnn.from_numpy(drawn(5, 2)).requires_grad_()
    rows = F.embedding(fastnn.from_numpy(NUMBERS), weight, padding_idx=-1)
    first, = fastnn.autograd.grad([(rows ** 3).sum()], [weight], create_graph=True)
    assert not first.array[4].any() and first.array[2].all()
    first.sum().backward()
    close(weight.grad.array, np.array([2, 0, 4, 1, 0])[:, None] * 6 * weight.array, 1e-12)


def test_a_place_without_a_row_reads_nothing():
    """The number -1 names no row; what lies before the tables must not matter."""
    table = np.array([[np.nan, np.nan], [1.0, 2.0], [3.0, 4.0]])[1:]
    left, right = np.array([-1, 0, 1, -1]), np.array([0, -1, 1, -1])
    assert segments.dots(left, right, table, table).tolist() == [0, 0, 25, 0]


def test_gradient_of_bags_by_frequency():
    """Divided by how often each row is asked for in all bags together."""
    numbers, weight = fastnn.from_numpy(NUMBERS.reshape(2, 5)), fastnn.zeros(5, 1).requires_grad_()
    F.embedding_bag(numbers, weight, mode="sum", scale_grad_by_freq=True).sum().backward()
    assert weight.grad.array[:, 0].tolist() == [1, 0, 1, 1, 1]


def test_rows_cut_to_a_norm_are_changed_in_place():
    weight = fastnn.ones(3, 4, requires_grad=True)
    before = (weight * weight).sum()
    F.embedding(fastnn.tensor([1]), weight, max_norm=1.0)
    with pytest.raises(RuntimeError, match="mul had saved its input 0 .* changed in place"):
        before.backward()


def test_text_and_start():
    table = nn.Embedding(4, 3, padding_idx=-1, max_norm=2)
    assert repr(table) == "Embedding(4, 3, padding_idx=3, max_norm=2)"
    assert not table.weight.array[3].any() and table.weight.array[0].all()
    table.reset_parameters()
    assert not table.weight.array[3].any()


def test_empty():
    weight = fastnn.zeros(5, 2, requires_grad=True)
    output = F.embedding(fastnn.zeros(0, 3, dtype=fastnn.int64), weight)
    assert output.shape == (0, 3, 2)
    output.sum().backward()
    assert not weight.grad.array.any()
    empty = fastnn.zeros(0, dtype=fastnn.int64)
    assert F.embedding_bag(empty, weight, fastnn.tensor([0, 0])).tolist() == [[0, 0], [0, 0]]


W = np.ones((5, 2), np.float32)
INDEX = np.array([1, 2])


@pytest.mark.parametrize("call, error, text", [
    (lambda i, w: F.embedding(i + 4, w), IndexError, "numbers from 5 to 6, weight has 5 rows"),
    (lambda i, w: F.embedding(i - 2, w), IndexError, "numbers from -1 to 0, weight has 5 rows"),
    (lambda i, w: F.embedding(w, w), TypeError, "input must be int64 or int32, got float32"),
    (lambda i, w: F.embedding(i, i), TypeError, "weight must be float32 or float64, got int64"),
    (lambda i, w: F.embedding(i, w[0]), ValueError, r"weight must be a matrix, got shape \(2,\)"),
    (lambda i, w: F.embedding(i, w, 5), ValueError, "padding_idx 5 lies outside of the 5 rows"),
    (lambda i, w: F.embedding(i, w, sparse=True), ValueError, "sparse gradients are not offered"),
    (lambda i, w: F.embedding([1], w), TypeError, "embedding: expected a Tensor, got list"),
    (lambda i, w: F.embedding_bag(i, w), ValueError, "1 dimension needs offsets, .* got None"),
    (lambda i, w: F.embedding_bag(i, w, i), ValueError, r"must start at 0 .* got \[1, 2\]"),
    (lambda i, w: F.embedding_bag(i, w, i * 3 - 3), ValueError, r"up to the 2 elements of input"),
    (lambda i, w: F.embedding_bag(i[None], w, i), ValueError, "offsets must be None"),
    (lambda i, w: F.embedding_bag(i[None], w, mode="min"), ValueError, "mode must be 'sum',"),
    (lambda i, w: F.embedding_bag(i[None], w, per_sample_weights=w[:1]), ValueError, "need mode="),
    (lambda i, w: F.embedding_bag(i[None], w, mode="sum", per_sample_weights=w), ValueError,
     r"per_sample_weights has shape \(5, 2\), input \(1, 2\)"),
    (lambda i, w: F.embedding_bag(i[None], w, mode="max", scale_grad_by_freq=True), ValueError,
     "scale_grad_by_freq is not offered with mode='max'"),
    (lambda i, w: nn.Embedding(3, 2, padding_idx=3), ValueError, "padding_idx 3 lies outside"),
    (lambda i, w: nn.Embedding(3, 2, _weight=w), ValueError, r"shape \(5, 2\), expected \(3, 2\)"),
    (lambda i, w: nn.EmbeddingBag(3, 2, mode="min"), ValueError, "mode must be 'sum', 'mean' or"),
    (lambda i, w: nn.EmbeddingBag(3, 2, sparse=True), ValueError, "EmbeddingBag: sparse gradients"),
    (lambda i, w: F.bilinear(w, w, w), ValueError, r"weight must have 3 dimensions, got shape"),
    (lambda i, w: F.bilinear(w, w, w[None]), ValueError, r"input1 has shape \(5, 2\), weight exp"),
    (lambda i, w: F.bilinear(w, w[:2], w[None, :2]), ValueError, "must agree but for the last"),
    (lambda i, w: F.bilinear(w, w, w[None, :2], w[0]), ValueError, r"bias has shape \(2,\), wei"),
])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(fastnn.from_numpy(INDEX.copy()), fastnn.from_numpy(W.copy()))


# Against PyTorch

SETTINGS = [
    {}, dict(padding_idx=2), dict(padding_idx=-1), dict(scale_grad_by_freq=True),
    dict(padding_idx=0, scale_grad_by_freq=True), dict(max_norm=1.0),
    dict(max_norm=1.5, norm_type=1.0), dict(max_norm=0.7, norm_type=math.inf),
]


def results(library, tensor, call, *arrays):
    """Output and gradients, and the weight as it is afterwards."""
    leaves = [tensor(each) for each in arrays]
    for leaf in leaves:
        leaf.requires_grad_()
    output = call(library.nn, tensor, *leaves)
    output.backward(tensor(drawn(*output.shape, seed=9)))
    return [each.detach().numpy() for each in (
        output, *(leaf.grad for leaf in leaves), *leaves)]


def same_in_both(torch, call, *arrays):
    for ours, theirs in zip(results(fastnn, fastnn.tensor, call, *arrays),
                            results(torch, torch.tensor, call, *arrays), strict=True):
        close(ours, theirs, 1e-7)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_embedding_parity(torch, settings):
    same_in_both(torch, lambda nn, tensor, weight: nn.functional.embedding(
        tensor(NUMBERS.reshape(2, 5)), weight, **settings), drawn(6, 3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("settings", [
    {}, dict(padding_idx=2), dict(padding_idx=-2), dict(max_norm=1.0), dict(
        include_last_offset=True)], ids=str)
def test_bag_parity(torch, settings, mode):
    offsets = OFFSETS if "include_last_offset" not in settings else np.append(OFFSETS, 10)
    same_in_both(torch, lambda nn, tensor, weight: nn.functional.embedding_bag(
        tensor(NUMBERS), weight, tensor(offsets), mode=mode, **settings), drawn(6, 3))


@pytest.mark.parametrize("settings", [{}, dict(padding_idx=2)], ids=str)
def test_weighted_bag_parity(torch, settings):
    same_in_both(torch, lambda nn, tensor, weight, factors: nn.functional.embedding_bag(
        tensor(NUMBERS), weight, tensor(OFFSETS), mode="sum", per_sample_weights=factors,
        **settings), drawn(6, 3), drawn(10, seed=1))


@pytest.mark.parametrize("make", [
    lambda nn: nn.Embedding(6, 3, padding_idx=1), lambda nn: nn.Embedding(6, 3, max_norm=1.0),
    lambda nn: nn.EmbeddingBag(6, 3), lambda nn: nn.EmbeddingBag(6, 3, mode="sum", padding_idx=4),
    lambda nn: nn.EmbeddingBag(6, 3, mode="max", norm_type=1.0)])
def test_module_parity(torch, make):
    ours, theirs = make(nn), make(torch.nn)
    ours.load_state_dict({key: fastnn.tensor(value.numpy().copy())
                          for key, value in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if not isinstance(ours, nn.EmbeddingBag):
        assert repr(ours) == repr(theirs)
    found = []
    for module, tensor in ((ours, fastnn.tensor), (theirs, torch.tensor)):
        output = module(tensor(NUMBERS.reshape(5, 2)))
        (output ** 2).sum().backward()
        found.append([each.detach().numpy() for each in (output, module.weight.grad)])
    for one, other in zip(*found, strict=True):
        close(one, other, 1e-5)


def test_bilinear_module_parity(torch):
    ours, theirs = nn.Bilinear(3, 4, 2).double(), torch.nn.Bilinear(3, 4, 2).double()
    ours.load_state_dict({key: fastnn.tensor(value.numpy())
                          for key, value in theirs.state_dict().items()})
    arrays = drawn(2, 5, 3), drawn(2, 5, 4, seed=1)
    close(array_of(ours(*map(fastnn.tensor, arrays))),
          theirs(*map(torch.tensor, arrays)).detach().numpy(), 1e-12)
    assert repr(ours) == repr(theirs)


def test_given_rows():
    rows = fastnn.from_numpy(drawn(4, 2))
    for kind in (nn.Embedding, nn.EmbeddingBag):
        frozen, free = kind.from_pretrained(rows), kind.from_pretrained(rows, freeze=False)
        assert not frozen.weight.requires_grad and free.weight.requires_grad
        assert np.shares_memory(frozen.weight.array, rows.array)
    with pytest.raises(ValueError, match="embeddings must be a matrix, got shape"):
        nn.Embedding.from_pretrained(rows[0])
