"""The state of random numbers: a key from the seed, and how many blocks were used."""

import secrets
import threading
from contextlib import contextmanager

import numpy

from ._kernels import program
from .device import CPU

READ = "the state of a generator is read, which each call would have to do anew"
MASK = (1 << 64) - 1


class Generator:
    """A stream of random numbers that its seed and the order of the calls decide alone.

    >>> import fastnn
    >>> generator = fastnn.Generator().manual_seed(3)
    >>> first = fastnn.rand(2, generator=generator)
    >>> generator.manual_seed(3) is generator
    True
    >>> bool((fastnn.rand(2, generator=generator) == first).all())
    True
    """

    def __init__(self, device=None):
        self.seed()

    @property
    def device(self):
        """Always ``device("cpu")``."""
        return CPU

    def manual_seed(self, seed):
        """Start the stream of ``seed``, an integer, and return the generator."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed: expected an integer, got {seed!r}")
        program.refuse("the seed is set, which each call would have to do anew")
        self._seed = seed.__index__()
        self._offset = 0
        return self

    def seed(self):
        """Start a stream that nobody can know beforehand, and return its seed."""
        self.manual_seed(secrets.randbits(63))
        return self._seed

    def initial_seed(self):
        """The seed of the present stream."""
        program.refuse(READ)
        return self._seed

    def get_state(self):
        """The state as (seed, blocks used)."""
        return self._seed, self._offset

    def set_state(self, state):
        """Go back to a state that ``get_state`` gave."""
        program.refuse("the state of a generator is set, which each call would have to do anew")
        self._seed, self._offset = state

    def take(self, blocks):
        """Use up blocks: an array of the key, as a signed 64-bit integer, and the first block.

        While a program is noted, each of its replays takes blocks anew and puts them there.
        """
        place = numpy.empty(2, numpy.int64)

        def draw():
            place[0], place[1] = self._take(blocks)

        draw()
        noting = program.noting()
        if noting is not None:
            noting.admit(place)
            noting.append_function(draw)
        return place

    def _take(self, blocks):
        key, offset = self._seed & MASK, self._offset
        self._offset += blocks
        return (key - (1 << 64) if key >> 63 else key), offset


class _Default(Generator):
    """The default generator, which a thread can replace for a while."""

    def _take(self, blocks):
        make = getattr(_of_thread, "make", None)
        if make is None:
            return super()._take(blocks)
        if _of_thread.generator is None:
            _of_thread.generator = make()
        return _of_thread.generator._take(blocks)


_of_thread = threading.local()
default_generator = _Default()


@contextmanager
def replaced_default(make):
    """Within the block this thread draws from the generator ``make()``, made when it first does."""
    outer = getattr(_of_thread, "make", None), getattr(_of_thread, "generator", None)
    _of_thread.make, _of_thread.generator = make, None
    try:
        yield
    finally:
        _of_thread.make, _of_thread.generator = outer


def manual_seed(seed):
    """Start the default stream of random numbers at ``seed``: the same seed, the same bits."""
    return default_generator.manual_seed(seed)


def seed():
    """Start the default stream at a seed that nobody can know beforehand, and return it."""
    return default_generator.seed()


def initial_seed():
    """The seed of the default stream."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default stream."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Go back to a state of the default stream."""
    default_generator.set_state(new_state)
