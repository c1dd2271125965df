"""What tests share: calls made from the registry's cases, memory layouts, the oracle PyTorch."""

import ctypes
import mmap
import sys
import zlib

import numpy as np
import pytest

import fastnn
from fastnn import registry


def import_torch():
    """PyTorch; a file or test that compares with it is skipped where it is not installed."""
    return pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")


class Leaf:
    """A tensor argument of a call: its values, and whether gradients flow to it."""

    def __init__(self, array, floating):
        self.array, self.floating = array, floating


def draw(argument, random, lead=None):
    """A case's argument with its random tensors drawn; ``lead`` = (old, new) leading size."""
    if isinstance(argument, list):
        return [draw(each, random, lead) for each in argument]
    if not isinstance(argument, (registry.Floats, registry.Integers, registry.Booleans)):
        return argument
    shape = argument.shape
    if lead and shape and shape[0] == lead[0]:
        shape = (lead[1], *shape[1:])
    if isinstance(argument, registry.Booleans):
        return Leaf(random.random(shape) < 0.5, False)
    if isinstance(argument, registry.Integers):
        return Leaf(random.integers(argument.low, argument.high, shape), False)
    values = random.uniform(argument.low, argument.high, shape)
    for kink in argument.kinks:
        values = np.where(np.abs(values - kink) < 0.05, values + 0.1, values)
    return Leaf(np.asarray(values), True)


class Call:
    """One case of a registered operation with its values, to be made in any library."""

    def __init__(self, entry, number, lead=None):
        self.entry, self.case = entry, entry.cases[number]
        random = np.random.default_rng(zlib.crc32(f"{entry.name} {number}".encode()))
        self.arguments = [draw(each, random, lead) for each in self.case.arguments]
        self.keywords = {key: draw(each, random, lead)
                         for key, each in self.case.keywords.items()}
        self.random = random

    @property
    def leaves(self):
        """All tensor arguments, those in lists too."""
        found = []
        for value in (*self.arguments, *self.keywords.values()):
            found += [each for each in (value if isinstance(value, list) else [value])
                      if isinstance(each, Leaf)]
        return found

    @property
    def floats(self):
        return [leaf for leaf in self.leaves if leaf.floating]

    def run(self, function, tensors):
        """Call ``function`` with ``tensors`` (Leaf -> whatever stands for it) in place."""

        def put(value):
            if isinstance(value, list):
                return [put(each) for each in value]
            return tensors[value] if isinstance(value, Leaf) else value

        return as_tuple(function(*map(put, self.arguments),
                                 **{key: put(value) for key, value in self.keywords.items()}))

    def reference(self):
        """The oracle's results in float64."""
        from fastnn._kernels import reference

        function = self.entry.reference or getattr(reference, self.entry.name)
        return self.run(function, {leaf: leaf.array for leaf in self.leaves})

    def tensors(self, dtype="float64", layout=None, requires_grad=False):
        """Leaf -> fastnn tensor, floats in a type; ``layout`` rearranges their memory."""
        made = {}
        for leaf in self.leaves:
            array = leaf.array.astype(dtype) if leaf.floating else leaf.array
            tensor = fastnn.from_numpy(layout(array) if layout else array.copy())
            made[leaf] = tensor.requires_grad_(requires_grad and leaf.floating)
        return made

    def round_to(self, dtype):
        """Make the values ones that ``dtype`` can hold."""
        for leaf in self.floats:
            leaf.array = leaf.array.astype(dtype).astype(np.float64)
        return self

    def upstream(self, outputs):
        """A random gradient for each floating-point output."""
        random = np.random.default_rng(7)
        return [random.standard_normal(tuple(output.shape)) for output in outputs]


def as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def every_case(wanted=lambda entry: True):
    """(entry, number of the case) of all registered operations, and names for pytest."""
    pairs = [(entry, number) for entry in registry.REGISTRY.values() if wanted(entry)
             for number in range(len(entry.cases))]
    return {"argvalues": pairs, "ids": [f"{entry.name}-{number}" for entry, number in pairs]}


def transposed(array):
    """The axes lie in memory in reverse order."""
    return array.T.copy().T if array.ndim else array


def strided(array):
    """Every second element of larger memory."""
    wide = np.full([2 * size + 1 for size in array.shape], 77).astype(array.dtype)
    view = wide[(..., *(slice(1, None, 2) for _ in array.shape))]
    view[...] = array
    return view


def reversed_(array):
    """Memory walked backwards along every axis."""
    turned = tuple(slice(None, None, -1) for _ in array.shape)
    return array[turned].copy()[turned] if array.ndim else array


def channels_last(array):
    """Images (N, C, H, W) in the order (N, H, W, C)."""
    return array.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2) if array.ndim == 4 else array


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


fences_memory = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no mprotect, which fences off what lies behind")


def guarded(array):
    """A C-contiguous copy that ends where memory begins that may not be touched."""
    page = mmap.PAGESIZE
    size = -(-max(array.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, size + page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    forbid = ctypes.CDLL(None).mprotect
    assert forbid(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, size - array.nbytes)
    copy = copy.reshape(array.shape)
    copy[...] = array
    return copy


LAYOUTS = {function.__name__: function
           for function in (transposed, strided, reversed_, channels_last, read_only)}


def close(got, wanted, tolerance):
    """Equal up to ``tolerance`` of the largest value; NaN and infinities in the same places."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}"
    finite = np.abs(wanted[np.isfinite(wanted)]) if wanted.dtype.kind == "f" else np.zeros(0)
    np.testing.assert_allclose(got, wanted, rtol=tolerance,
                               atol=tolerance * max(1.0, finite.max(initial=0.0)))


def array_of(tensor):
    return tensor.detach().array
