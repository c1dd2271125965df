"""Where the arrays of compiled functions lie: by their lifetimes, and never two in one place."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import nn
from fastnn._kernels import recording, runtime
from fastnn.compiler.placement import extent, places_of
from fastnn.compiler.record import MOST_PLACED

SIZE = 64 * 1024  # of an array, in numbers
BYTES = 4 * SIZE + 64  # that it takes


@st.composite
def lifetimes(draw):
    """Sizes, births and deaths as a program gives them: no two events at one time."""
    count = draw(st.integers(0, 12))
    times = draw(st.permutations(range(2 * count)))
    pairs = [sorted(times[2 * index:2 * index + 2]) for index in range(count)]
    return [(draw(st.integers(1, 9)), birth, draw(st.sampled_from([death, None])))
            for birth, death in sorted(pairs)]


def ends(death):
    return float("inf") if death is None else death


@given(lifetimes())
def test_arrays_that_live_together_lie_apart(spans):
    places = places_of(spans)
    assert [size for size, _ in places] == [size for size, _, _ in spans]
    for index, (_, birth, death) in enumerate(spans):
        for other, (_, later, end) in enumerate(spans[:index]):
            if birth < ends(end) and later < ends(death):
                (size, offset), (size_of_other, start) = places[index], places[other]
                assert offset + size <= start or start + size_of_other <= offset


@given(lifetimes())
def test_a_block_is_not_larger_than_all_arrays_together(spans):
    most = max((sum(size for size, birth, death in spans if birth <= now < ends(death))
                for now in range(2 * len(spans))), default=0)
    assert most <= extent(places_of(spans)) <= sum(size for size, _, _ in spans)


def program_with(places):
    return recording.Program(lambda *given: None, 0, places)


def test_arrays_take_their_places():
    with program_with([(BYTES, BYTES), (BYTES, 0)]) as program:
        first, second = (runtime.empty_array((SIZE,), np.float32) for _ in range(2))
    assert first.ctypes.data - second.ctypes.data == BYTES
    assert program.bytes == 2 * BYTES


def test_a_place_that_is_taken_is_not_given():
    with program_with([(BYTES, 0), (BYTES, BYTES // 2), (BYTES, 0)]) as program:
        first, second, third = (runtime.empty_array((SIZE,), np.float32) for _ in range(3))
    assert not any(map(np.shares_memory, (first, first, second), (second, third, third)))
    assert program.bytes == BYTES + BYTES // 2 + 2 * BYTES


def test_an_array_of_another_size_gets_memory_of_its_own():
    with program_with([(BYTES, 0), (BYTES, BYTES)]) as program:
        first = runtime.empty_array((2 * SIZE,), np.float32)
        second = runtime.empty_array((SIZE,), np.float32)
    assert not np.shares_memory(first, second)
    assert program.bytes == 2 * BYTES + first.nbytes + 64


def test_memory_outlives_the_program_as_long_as_an_array_does():
    with program_with([(BYTES, 0)]):
        array = runtime.empty_array((SIZE,), np.float32)
    array[...] = 3
    runtime.trim()
    assert array.sum() == 3 * SIZE


class Hourglass(nn.Module):
    """Activations of many sizes, whose memory a plan by equal sizes does not share."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64 * inner, 64 * outer) for inner, outer in
                                     itertools.pairwise((1, 9, 8, 7, 6, 5, 4, 1))])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def trained(steps, wrap=lambda function: function):
    fastnn.manual_seed(0)
    net, x = Hourglass(), fastnn.randn(512, 64)
    optimizer = fastnn.optim.SGD(net.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (net(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step = wrap(step)
    sizes, losses = [], []
    for _ in range(steps):
        losses.append(step(x).item())
        sizes.append([record.program.bytes for record in getattr(step, "records", list)()])
    return losses, sizes, [each.detach().numpy().tobytes() for each in net.parameters()]


def test_the_third_call_is_recorded_in_less_memory_and_changes_no_bit():
    losses, sizes, parameters = trained(6, fastnn.compile)
    assert [len(each) for each in sizes] == [0, 1, 1, 1, 1, 1]
    assert sizes[2][0] < 0.8 * sizes[1][0]
    assert sizes[2:] == [sizes[2]] * 4
    assert (losses, parameters) == (trained(6)[0], trained(6)[2])


def test_a_recording_that_was_replaced_is_not_replayed():
    x = fastnn.randn(512, 64)
    net = Hourglass()
    run = fastnn.compile(lambda x: net(x).square().sum())
    with fastnn.no_grad():
        run(x), run(x)
        first, = run.records()
        run(x)
        second, = run.records()
        assert first.better_places and second is not first
        with pytest.raises(RuntimeError, match="has taken the place"):
            first.replay([x])
        with pytest.raises(RuntimeError, match="has taken the place"):
            first.timed_replay([x])
        assert second.replay([x]).item() == run(x).item() == net(x).square().sum().item()


def test_very_many_arrays_are_recorded_once():
    @fastnn.compile
    def work(x):
        for _ in range(MOST_PLACED + 1):
            x = x + 1
        return x

    x = fastnn.ones(2048)
    for _ in range(4):
        assert (work(x) == MOST_PLACED + 2).all()
    record, = work.records()
    assert record.better_places is None


def test_where_little_is_to_be_saved_the_first_recording_stays():
    double = fastnn.compile(lambda x: 2 * x)
    x = fastnn.ones(4)
    double(x), double(x)
    first, = double.records()
    double(x), double(x)
    assert double.records() == [first]
