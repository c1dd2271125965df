"""Workers of a loader, data sets that are walked or combined, random samplers; beside PyTorch."""

import random
import threading
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest

import fastnn
from fastnn.utils import data
from fastnn.utils.data import DataLoader, IterableDataset, get_worker_info


def numbers(batch):
    return batch.numpy().tolist()


def loader_threads():
    return [each for each in threading.enumerate() if each.name.startswith("fastnn-data")]


class Walk(IterableDataset):
    """The numbers below ``stop``; each worker gives every so many of them."""

    def __init__(self, stop, shared=True):
        self.stop, self.shared = stop, shared

    def __iter__(self):
        info = get_worker_info()
        step, start = (info.num_workers, info.id) if info and self.shared else (1, 0)
        return iter(range(start, self.stop, step))

    def __len__(self):
        return self.stop


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("workers, shared", [(0, True), (2, True), (3, True), (2, False)])
def test_iterable_data_sets_are_walked_as_by_pytorch(torch, workers, shared, drop_last):
    torch_data = torch.utils.data

    class Theirs(torch_data.IterableDataset):
        def __iter__(self):
            info = torch_data.get_worker_info()
            step, start = (info.num_workers, info.id) if info and shared else (1, 0)
            return iter(range(start, 11, step))

    settings = dict(batch_size=2, num_workers=workers, drop_last=drop_last)
    ours = [numbers(batch) for batch in DataLoader(Walk(11, shared), **settings)]
    assert ours == [numbers(batch) for batch in torch_data.DataLoader(Theirs(), **settings)]
    assert not loader_threads()


def test_lengths_and_single_samples_of_iterable_data_sets():
    assert len(DataLoader(Walk(11), 2)) == 6 and len(DataLoader(Walk(11), 2, drop_last=True)) == 5
    assert len(DataLoader(Walk(11), None)) == 11
    assert list(DataLoader(Walk(3), None)) == [0, 1, 2]
    assert list(DataLoader(Walk(4), 3, collate_fn=sum)) == [3, 3]
    chained = Walk(2) + data.ChainDataset([Walk(1), Walk(2)])
    assert [numbers(batch) for batch in DataLoader(chained, 3)] == [[0, 1, 0], [0, 1]]
    assert len(chained) == 5


def test_each_worker_has_its_copy_and_is_told_of_it():
    seen = []

    def init(number):
        info = get_worker_info()
        assert info.id == number and info.num_workers == 2 and info.dataset is not dataset
        seen.append((number, info.seed, threading.current_thread()))
        info.dataset.stop = 10 * (number + 1)

    dataset = Walk(1, shared=False)
    batches = list(DataLoader(dataset, 5, num_workers=2, worker_init_fn=init))
    assert len(batches) == 2 + 4 and dataset.stop == 1 and get_worker_info() is None
    seen.sort(key=lambda each: each[0])
    (first, seed, one), (second, next_seed, other) = seen
    assert (first, second) == (0, 1) and next_seed == seed + 1 and one is not other


def test_an_error_at_the_start_of_a_worker_is_raised():
    def init(number):
        raise LookupError(f"worker {number} has no file")

    with pytest.raises(LookupError, match="worker 0 has no file"):
        list(DataLoader(range(4), num_workers=2, worker_init_fn=init))
    assert not loader_threads()


class Random(data.Dataset):
    """Samples with noise from fastnn's own generator."""

    def __len__(self):
        return 9

    def __getitem__(self, index):
        return index + fastnn.rand(1).double()


def test_fastnns_random_numbers_are_the_same_for_any_number_of_workers(reseeded):
    results = []
    for workers in (0, 1, 3):
        reseeded(3)
        loader = DataLoader(Random(), 2, shuffle=True, num_workers=workers)
        results.append([[numbers(batch) for batch in loader] for _ in range(2)])
        results[-1].append(fastnn.rand(2).tolist())
    assert results[0] == results[1] == results[2]
    assert results[0][0] != results[0][1]


@pytest.mark.parametrize("dataset", [range(6), Walk(6)])
def test_persistent_workers_stay_between_epochs(dataset):
    starts = []
    loader = DataLoader(dataset, 2, num_workers=2, persistent_workers=True,
                        worker_init_fn=starts.append)
    first = [numbers(batch) for batch in loader]
    threads = set(loader_threads())
    assert [numbers(batch) for batch in loader] == first
    assert set(loader_threads()) == threads and len(threads) == 2 and sorted(starts) == [0, 1]
    for _ in loader:
        break
    assert not loader_threads()
    assert [numbers(batch) for batch in loader] == first
    del loader


def test_a_worker_that_takes_too_long():
    release = threading.Event()

    class Waits(data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            release.wait(timeout=60)
            return index

    with pytest.raises(RuntimeError, match="DataLoader: a worker gave no batch within 0.01 sec"):
        try:
            list(DataLoader(Waits(), num_workers=1, timeout=0.01))
        finally:
            release.set()
    for thread in loader_threads():
        thread.join()


def test_getitems_is_asked_for_whole_batches():
    class Several(data.Dataset):
        def __len__(self):
            return 5

        def __getitems__(self, indices):
            return [(index, -index) for index in indices]

    batches = list(DataLoader(Several(), 3))
    assert [[numbers(part) for part in batch] for batch in batches] == [
        [[0, 1, 2], [0, -1, -2]], [[3, 4], [-3, -4]]]


@pytest.mark.parametrize("keywords, text", [
    ({"timeout": -1}, "timeout is -1"), ({"prefetch_factor": 2}, "need num_workers"),
    ({"persistent_workers": True}, "need num_workers"),
    ({"multiprocessing_context": "fork", "num_workers": 1}, "workers are threads"),
    ({"dataset": Walk(3), "shuffle": True}, "an IterableDataset decides the order itself"),
    ({"dataset": Walk(3), "sampler": [0]}, "an IterableDataset decides the order itself"),
    ({"dataset": Walk(3), "batch_sampler": [[0]]}, "an IterableDataset decides the order"),
])
def test_errors_of_the_loader(keywords, text):
    with pytest.raises(ValueError, match=f"DataLoader: .*{text}"):
        DataLoader(**{"dataset": range(3), **keywords})


def test_what_is_accepted():
    loader = DataLoader(range(3), pin_memory=True, pin_memory_device="", in_order=True)
    assert [numbers(batch) for batch in loader] == [[0], [1], [2]]


def test_combined_data_sets():
    joined = data.TensorDataset(np.arange(3)) + data.TensorDataset(np.arange(5) * 10)
    assert isinstance(joined, data.ConcatDataset) and len(joined) == 8
    assert [joined[index][0].item() for index in (0, 2, 3, -1, -8)] == [0, 2, 0, 40, 0]
    assert joined.cumulative_sizes == [3, 8]
    for index in (8, -9):
        with pytest.raises(IndexError, match="outside of 8 samples"):
            joined[index]
    (batch,), = DataLoader(joined, 4, sampler=[7, 1, 3])
    assert numbers(batch) == [40, 1, 0]
    both, = DataLoader(data.StackDataset(a=range(3), b="xyz"), 3)
    assert numbers(both["a"]) == [0, 1, 2] and both["b"] == ["x", "y", "z"]


@pytest.mark.parametrize("call, error, text", [
    (lambda: data.ConcatDataset([]), ValueError, "at least one data set"),
    (lambda: data.ConcatDataset([Walk(3)]), TypeError, "use ChainDataset"),
    (lambda: data.StackDataset(), ValueError, "either by place or by name"),
    (lambda: data.StackDataset("a", b="b"), ValueError, "either by place or by name"),
    (lambda: data.StackDataset("a", "bc"), ValueError, r"lengths \[1, 2\], expected one"),
    (lambda: iter(IterableDataset()), NotImplementedError, "defines __iter__"),
    (lambda: data.WeightedRandomSampler([1.0], 0), ValueError, "num_samples is 0"),
    (lambda: data.WeightedRandomSampler([[1.0]], 1), ValueError, "one dimension, got shape"),
    (lambda: data.WeightedRandomSampler([-1.0, 2.0], 1), ValueError, "must be finite, at least 0"),
    (lambda: data.WeightedRandomSampler([0.0], 1), ValueError, "not all 0"),
    (lambda: data.WeightedRandomSampler([1.0, 0.0], 2, replacement=False), ValueError,
     "2 samples without replacement from 1 weights above 0"),
])
def test_errors_of_data_sets_and_samplers(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_random_samplers():
    subset = data.SubsetRandomSampler([5, 9, 2, 7], generator=1)
    first, second = list(subset), [list(subset) for _ in range(5)]
    assert sorted(first) == [2, 5, 7, 9] and len(subset) == 4
    assert any(each != first for each in second)
    assert first == list(data.SubsetRandomSampler([5, 9, 2, 7], generator=1))
    weights = fastnn.tensor([1.0, 0.0, 3.0])
    drawn = Counter(data.WeightedRandomSampler(weights, 4000, generator=2))
    assert set(drawn) == {0, 2} and abs(drawn[2] / 4000 - 0.75) < 0.03
    without = data.WeightedRandomSampler([0.1, 0.5, 0.4], 3, replacement=False)
    assert sorted(without) == [0, 1, 2] and len(without) == 3


Point = namedtuple("Point", "x y")


def samples(library, count=3):
    """Nested samples of all kinds that can be collated."""
    rng = random.Random(0)
    for number in range(count):
        yield OrderedDict(
            a=(number, rng.random(), number % 2 == 0), b=[library.ones(2) * number, {"c": "text"}],
            d=Point(np.float32(number), np.arange(2) + number), e=b"bytes", f=np.array(number),
            g=np.bool_(True), h=())


def described(value):
    """Types, and values as lists."""
    if hasattr(value, "numpy"):
        return str(value.dtype).removeprefix("torch."), value.numpy().tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: described(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [described(each) for each in value]
    return value


@pytest.mark.parametrize("name", ["default_collate", "default_convert"])
def test_collating_is_pytorchs(torch, name):
    results = []
    for library in (fastnn, torch):
        function = getattr(library.utils.data, name)
        batch = list(samples(library))
        results.append(described(function(batch if name == "default_collate" else batch[2])))
    assert results[0] == results[1]


@pytest.mark.filterwarnings("ignore:Length of split")
@pytest.mark.parametrize("lengths", [[0.5, 0.5], [0.3, 0.3, 0.4], [0.99, 0.01], [7, 0, 4]])
def test_split_sizes_are_pytorchs(torch, lengths):
    for size in ((11,) if isinstance(lengths[0], int) else (1, 2, 7, 11, 100)):
        ours, theirs = ([len(part) for part in split(range(size), lengths)] for split in (
            data.random_split, lambda *args: torch.utils.data.random_split(*args)))
        assert ours == theirs
