"""Where loaders and transforms draw from, so that a seed decides everything.

`fastnn.manual_seed` governs all of it: without a generator of its own a loader draws one seed from
fastnn's generator at each epoch. Every batch then has generators made from that seed and the
batch's number, `batch_generator` and what fastnn's random functions draw from meanwhile, so random
transforms give the same batches on any number of worker threads.
"""

import threading
from contextlib import contextmanager
from numbers import Integral

import numpy

from fastnn.generator import Generator, replaced_default
from fastnn.ops.random import randint

SEEDS = 2**31 - 1


def as_generator(operation, generator):
    """A generator from one of fastnn's or NumPy's or a seed; None, for the default, stays None."""
    if generator is None or isinstance(generator, (numpy.random.Generator, Generator)):
        return generator
    if isinstance(generator, Integral) and not isinstance(generator, bool):
        return Generator().manual_seed(int(generator))
    raise TypeError(f"{operation}: generator is a {type(generator).__name__}, expected a "
                    "fastnn.Generator, a numpy.random.Generator, a seed or None")


def draw_seed(generator):
    """The next seed that a generator gives; for None fastnn's default one."""
    if isinstance(generator, numpy.random.Generator):
        return int(generator.integers(SEEDS))
    return int(randint(0, SEEDS, (1,), generator=generator).item())


class _Current(threading.local):
    source = None  # the generator of the batch being made, or the seed that it starts from


_current = _Current()


@contextmanager
def batch_seed(seed):
    """Within the block, this thread's random numbers, fastnn's too, come from this seed."""
    outer, _current.source = _current.source, seed
    try:
        with replaced_default(lambda: _generator_of(seed)):
            yield
    finally:
        _current.source = outer


def _generator_of(seed):
    words = numpy.random.SeedSequence(seed).generate_state(1, numpy.uint64)
    return Generator().manual_seed(int(words[0]))


def batch_generator():
    """The ``numpy.random.Generator`` of the batch that a `DataLoader` is making.

    Draw from it in a data set or transform of your own to get the same batches from any number of
    workers. Outside of a loader it is a new one, seeded from fastnn's generator.

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> 0 <= batch_generator().random() < 1
    True
    """
    if _current.source is None:
        return numpy.random.default_rng(draw_seed(None))
    if not isinstance(_current.source, numpy.random.Generator):
        _current.source = numpy.random.default_rng(_current.source)
    return _current.source
