"""Where arrays lie in one block of memory, as their lifetimes allow."""

import numpy


def places_of(lifetimes):
    """(size, offset) of each of some arrays, of which no two that live together overlap.

    ``lifetimes`` holds size, birth and death of each, the death None where there is none. The
    largest comes first and each goes to the lowest offset that is free while it lives: Pisarchyk
    and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020.

    >>> places_of([(8, 0, 2), (4, 1, 3), (8, 2, None), (4, 3, None)])
    [(8, 0), (4, 8), (8, 0), (4, 8)]
    """
    table = numpy.array([(size, birth, numpy.inf if death is None else death, -1)
                         for size, birth, death in lifetimes]).reshape(-1, 4)
    sizes, births, deaths, offsets = table.T
    for index in numpy.argsort(-sizes, kind="stable"):
        meets = (offsets >= 0) & (births < deaths[index]) & (births[index] < deaths)
        offsets[index] = _lowest(sizes[index], offsets[meets], sizes[meets])
    return [(int(size), int(offset)) for size, offset in zip(sizes, offsets, strict=True)]


def _lowest(size, offsets, sizes):
    """The lowest offset where ``size`` bytes are free between the spans that are taken."""
    offset = 0
    for index in numpy.argsort(offsets, kind="stable"):
        if offsets[index] - offset >= size:
            break
        offset = max(offset, offsets[index] + sizes[index])
    return offset


def extent(places):
    """The size of the block that holds all places."""
    return max((size + offset for size, offset in places), default=0)
