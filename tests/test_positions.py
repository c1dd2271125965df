"""Positions that are added to the steps of a sequence: sinusoids and learned rows."""

import math

import numpy as np
import pytest
from helpers import close

import fastnn
from fastnn import nn


def formula(position, column, size):
    angle = position / 10000 ** (column // 2 * 2 / size)
    return math.cos(angle) if column % 2 else math.sin(angle)


@pytest.mark.parametrize("size", [1, 5, 8])
@pytest.mark.parametrize("dtype", [fastnn.float32, fastnn.float64])
def test_sinusoids(size, dtype):
    layer = nn.SinusoidalPositions(size, max_len=40, dtype=dtype)
    wanted = [[formula(p, c, size) for c in range(size)] for p in range(40)]
    got = layer(fastnn.zeros(40, size, dtype=dtype))
    assert got.dtype == dtype
    close(got.numpy(), np.array(wanted), 1e-6)
    assert not list(layer.parameters()) and not layer.state_dict()


@pytest.mark.parametrize("make", [nn.SinusoidalPositions, nn.LearnedPositions])
def test_layouts_and_starts(make):
    first, last = (make(4, 9, batch_first=batch_first) for batch_first in (True, False))
    last.weight = first.weight
    x = fastnn.randn(2, 5, 4)
    wanted = np.stack([(x[n] + first.weight[3:8]).detach().numpy() for n in range(2)])
    assert (first(x, 3).detach().numpy() == wanted).all()
    assert (last(x.transpose(0, 1), 3).transpose(0, 1).detach().numpy() == wanted).all()
    assert (last(x[1], start=3).detach().numpy() == wanted[1]).all()


def test_learned_rows_are_learned_and_saved():
    layer = nn.LearnedPositions(3, max_len=4)
    assert 0 < layer.weight.std().item() < 0.1
    layer(fastnn.zeros(2, 5, 3)).sum().backward()
    assert layer.weight.grad.tolist() == [[5.0] * 3] * 2 + [[0.0] * 3] * 2
    other = nn.LearnedPositions(3, max_len=4)
    other.load_state_dict(layer.state_dict())
    assert (other.weight == layer.weight).all()


def test_text():
    assert repr(nn.LearnedPositions(3, 4)) == "LearnedPositions(3, max_len=4, batch_first=False)"


@pytest.mark.parametrize(("shape", "start", "message"), [
    ((2, 5), 0, r"the last of size 4, got shape \(2, 5\)"), ((4,), 0, "2 or 3 dimensions"),
    ((10, 4), 0, "positions 0 to 10 lie outside of the 9"), ((5, 4), 5, "positions 5 to 10"),
    ((5, 4), -1, "positions -1 to 4"),
])
def test_refused(shape, start, message):
    with pytest.raises(ValueError, match=message):
        nn.SinusoidalPositions(4, max_len=9)(fastnn.zeros(shape), start)


def test_a_refused_type_is_refused_by_the_name_of_the_class():
    with pytest.raises(TypeError, match="SinusoidalPositions: dtype complex64 is not supported"):
        fastnn.nn.SinusoidalPositions(4, dtype="complex64")
