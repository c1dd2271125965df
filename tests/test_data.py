"""Data sets, samplers, collation and the loader."""

import gc
import threading
from collections import namedtuple

import numpy as np
import pytest

import fastnn
from fastnn.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    batch_generator,
    default_collate,
    default_convert,
    random_split,
)


def numbers(tensor):
    return tensor.numpy().tolist()


def flat(loader):
    return [value for batch in loader for value in numbers(batch)]


def loader_threads():
    return [each for each in threading.enumerate() if each.name.startswith("fastnn-data")]


class Noisy(Dataset):
    """Samples with noise from the batch's generator."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return index + batch_generator().random()


class Failing(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == 7:
            raise LookupError("sample 7 is missing")
        return index


class OutOfTurn(Dataset):
    """Sample 0 is ready only after sample 1 was made by another thread."""

    def __init__(self):
        self.later = threading.Event()

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 1:
            self.later.set()
        if index == 0 and not self.later.wait(timeout=60):
            raise TimeoutError("sample 1 was never asked for")
        return index


def test_tensor_dataset_reads_tensors_side_by_side():
    images, labels = np.arange(12, dtype=np.float32).reshape(4, 3), np.arange(4)
    dataset = TensorDataset(fastnn.from_numpy(images), labels)
    image, label = dataset[2]
    assert len(dataset) == 4
    assert numbers(image) == [6, 7, 8] and label.item() == 2
    images[2] = 1
    assert numbers(dataset[2][0]) == [1, 1, 1]


@pytest.mark.parametrize("arguments, error, text", [
    ((), ValueError, "at least one tensor"),
    ((np.zeros(3), np.zeros(4)), ValueError, r"lengths \[3, 4\]"),
    (([1, 2],), TypeError, "argument 0 is a list"),
    ((np.array(1.0),), ValueError, "no dimensions"),
])
def test_tensor_dataset_errors(arguments, error, text):
    with pytest.raises(error, match=f"TensorDataset: .*{text}"):
        TensorDataset(*arguments)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_whole_batches_equal_batches_of_samples(workers, drop_last):
    images = np.random.default_rng(0).random((10, 2, 3, 3)).astype(np.float32)
    dataset = TensorDataset(images, np.arange(10))
    whole = DataLoader(dataset, batch_size=4, num_workers=workers, drop_last=drop_last)
    single = DataLoader(dataset, batch_size=4, drop_last=drop_last,
                        collate_fn=lambda batch: default_collate(batch))
    assert len(whole) == len(list(whole)) == (2 if drop_last else 3)
    for one, other in zip(whole, single, strict=True):
        assert isinstance(one, list) and len(one) == 2
        for left, right in zip(one, other, strict=True):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left.numpy(), right.numpy())


@pytest.mark.parametrize("make", [np.asarray, fastnn.from_numpy])
def test_arrays_and_tensors_are_datasets_of_their_rows(make):
    assert flat(DataLoader(make(np.arange(5)), batch_size=2)) == [0, 1, 2, 3, 4]


def test_gradients_reach_a_dataset_that_requires_them():
    rows = fastnn.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    (batch,), = DataLoader(TensorDataset(rows), batch_size=2, sampler=[2, 0])
    batch.sum().backward()
    assert rows.grad.numpy().tolist() == [[1], [0], [1]]


def test_a_subclass_that_changes_samples_is_asked_for_them():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] * 2

    assert flat(DataLoader(Doubled(np.arange(3)), batch_size=2)) == [0, 2, 4]
    assert flat(DataLoader(Subset(Doubled(np.arange(3)), [2]), batch_size=2)) == [4]


def test_shuffle_is_a_new_permutation_each_epoch_and_seeded():
    loader = DataLoader(np.arange(50), batch_size=8, shuffle=True)
    first, second = flat(loader), flat(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second and first != list(range(50))
    fastnn.manual_seed(0)
    again = [flat(loader), flat(loader)]
    fastnn.manual_seed(0)
    assert [flat(loader), flat(loader)] == again


@pytest.mark.parametrize("make", [
    lambda: 5, lambda: np.random.default_rng(5), lambda: fastnn.Generator().manual_seed(5)])
def test_a_generator_of_its_own_decides_the_order(make):
    one, other = (DataLoader(np.arange(30), 4, shuffle=True, generator=make()) for _ in range(2))
    first = flat(one)
    fastnn.rand(1)
    assert flat(other) == first
    assert flat(one) != first


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_batches_of_the_callers_thread(workers):
    alone = DataLoader(Noisy(), 2, shuffle=True, generator=1)
    helped = DataLoader(Noisy(), 2, shuffle=True, generator=1, num_workers=workers)
    for _ in range(2):
        assert flat(helped) == flat(alone)


def test_batches_keep_their_order_whoever_finishes_first():
    assert flat(DataLoader(OutOfTurn(), 1, num_workers=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_sample_surfaces_in_the_loop(workers):
    seen = []
    with pytest.raises(LookupError, match="sample 7 is missing"):
        for batch in DataLoader(Failing(), 2, num_workers=workers):
            seen += numbers(batch)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert not loader_threads()


def test_an_error_of_the_sampler_surfaces_and_ends_the_workers():
    def order():
        yield 0
        raise LookupError("the sampler is done for")

    with pytest.raises(LookupError, match="done for"):
        list(DataLoader(np.arange(3), sampler=order(), num_workers=2))
    assert not loader_threads()


def test_leaving_the_loop_ends_the_workers():
    for batch in DataLoader(np.arange(100), 2, num_workers=3):
        assert numbers(batch) == [0, 1]
        break
    gc.collect()
    assert not loader_threads()


def test_an_iterator_that_is_dropped_ends_the_workers():
    iterator = iter(DataLoader(np.arange(100), 2, num_workers=3))
    next(iterator)
    assert loader_threads()
    del iterator
    gc.collect()
    assert not loader_threads()


def test_sampler_and_batch_sampler():
    rows = np.arange(10)
    assert flat(DataLoader(rows, 2, sampler=[3, 1, 4])) == [3, 1, 4]
    loader = DataLoader(rows, batch_sampler=[[1, 2, 3], [9]])
    assert [numbers(batch) for batch in loader] == [[1, 2, 3], [9]]
    assert len(loader) == 2


def test_without_a_batch_size_samples_come_one_by_one():
    dataset = [(np.zeros(2, np.float32), 3), (np.ones(2, np.float32), 4)]
    loader = DataLoader(dataset, batch_size=None)
    assert len(loader) == 2
    assert [(numbers(image), label) for image, label in loader] == [([0, 0], 3), ([1, 1], 4)]


def test_collate_fn_makes_the_batch():
    assert list(DataLoader("abcd", 2, collate_fn="".join)) == ["ab", "cd"]


def test_an_empty_dataset_gives_no_batches():
    assert list(DataLoader(np.zeros((0, 3)), 2)) == []
    assert list(DataLoader(np.zeros((0, 3)), 2, shuffle=True)) == []


@pytest.mark.parametrize("keywords, error, text", [
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"batch_size": 2.5}, ValueError, "batch_size is 2.5"),
    ({"batch_size": None, "drop_last": True}, ValueError, "excludes drop_last"),
    ({"num_workers": -1}, ValueError, "num_workers is -1"),
    ({"prefetch_factor": 0, "num_workers": 1}, ValueError, "prefetch_factor is 0"),
    ({"sampler": [0], "shuffle": True}, ValueError, "sampler and shuffle"),
    ({"batch_sampler": [[0]], "shuffle": True}, ValueError, "batch_sampler excludes"),
    ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "batch_sampler excludes"),
    ({"generator": "seed"}, TypeError, "generator is a str"),
])
def test_loader_errors(keywords, error, text):
    with pytest.raises(error, match=f"DataLoader: .*{text}"):
        DataLoader(np.arange(3), **keywords)


def test_an_index_outside_of_the_dataset_is_an_error():
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(np.arange(3)), sampler=[5]))


def test_samplers():
    assert list(SequentialSampler(range(3))) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, True)) == 2 and len(BatchSampler(range(5), 2, False)) == 3
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=40))
    assert len(drawn) == 40 and set(drawn) == {0, 1, 2}
    several = list(RandomSampler(range(3), num_samples=7))
    assert len(several) == 7 and sorted(several[:3]) == sorted(several[3:6]) == [0, 1, 2]
    with pytest.raises(ValueError, match="num_samples is 0"):
        RandomSampler(range(3), num_samples=0)
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(Sampler())


def test_random_split_shares_no_sample():
    parts = random_split(range(10), [5, 3, 2], generator=0)
    assert [len(part) for part in parts] == [5, 3, 2]
    assert sorted(value for part in parts for value in part) == list(range(10))
    again = random_split(range(10), [0.5, 0.3, 0.2], generator=0)
    assert [list(part) for part in again] == [list(part) for part in parts]
    assert [len(part) for part in random_split(range(10), [1 / 3] * 3)] == [4, 3, 3]


@pytest.mark.parametrize("lengths", [[5, 3], [0.5, 0.2], [-1, 11], []])
def test_random_split_errors(lengths):
    with pytest.raises(ValueError, match="random_split: lengths"):
        random_split(range(10), lengths)


def test_subset_of_a_subset():
    inner = Subset(TensorDataset(np.arange(10) * 10), [1, 3, 5, 7])
    (batch,), = DataLoader(Subset(inner, [3, 0]), batch_size=2)
    assert numbers(batch) == [70, 10]


def test_default_collate():
    point = namedtuple("point", "x y")
    batch = default_collate([point({"a": 1.5}, True), point({"a": 2.5}, False)])
    assert isinstance(batch, point)
    assert batch.x["a"].dtype == fastnn.float64 and numbers(batch.x["a"]) == [1.5, 2.5]
    assert numbers(batch.y) == [True, False]
    assert default_collate([3, 4]).dtype == fastnn.int64
    assert default_collate([np.float32(1), np.float32(2)]).dtype == fastnn.float32
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert tuple(default_collate([np.zeros((2, 3)), np.ones((2, 3))]).shape) == (2, 2, 3)


@pytest.mark.parametrize("batch, error, text", [
    ([], ValueError, "no samples"),
    ([object()], TypeError, "got object"),
    ([np.zeros(2), np.zeros(3)], ValueError, r"sample 0 has shape \(2,\), sample 1 .*\(3,\)"),
    ([(1, 2), (1, 2, 3)], ValueError, "sample 0 has 2 parts, sample 1 has 3"),
])
def test_default_collate_errors(batch, error, text):
    with pytest.raises(error, match=f"default_collate: .*{text}"):
        default_collate(batch)


def test_default_collate_keeps_gradients():
    rows = [fastnn.tensor([1.0], requires_grad=True) for _ in range(2)]
    default_collate(rows).sum().backward()
    assert [row.grad.item() for row in rows] == [1, 1]


def test_default_convert():
    converted = default_convert({"a": (np.arange(2), "text"), "b": 3})
    assert numbers(converted["a"][0]) == [0, 1]
    assert converted["a"][1] == "text" and converted["b"] == 3


def test_batch_generator_outside_of_a_loader_follows_the_seed():
    one = batch_generator().random(3).tolist()
    fastnn.manual_seed(0)
    assert batch_generator().random(3).tolist() == one
    assert batch_generator().random(3).tolist() != one


def test_whole_and_broken_numbers_are_collated_without_loss():
    assert default_collate([1, 2.5]).tolist() == [1, 2.5]
    assert default_collate([1, 2]).dtype == fastnn.int64
