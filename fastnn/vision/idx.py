"""Read the idx files of MNIST and its kin: a header of sizes, then unsigned bytes.

The format: http://yann.lecun.com/exdb/mnist, "File formats". The magic number's third byte is the
element type (8: unsigned byte), its fourth the number of dimensions; all numbers are big-endian.
"""

import gzip
import math
import struct
import zlib

import numpy

UNSIGNED_BYTES = 0x0800
LARGEST = 1 << 30  # bytes; MNIST has 47 million


def read_idx(path, dimensions):
    """The uint8 array in an idx file, plain or gzip-compressed, of that many dimensions.

    ValueError where the file is truncated, damaged or something else, with its path and what is
    wrong; OSError where it cannot be read.
    """
    opener = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            shape = _read_shape(path, file, dimensions)
            return _read_bytes(path, file, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: truncated or damaged gzip file ({error})") from None


def _read_shape(path, file, dimensions):
    header = file.read(4 + 4 * dimensions)
    if len(header) < 4 + 4 * dimensions:
        raise ValueError(f"{path}: truncated, its header has {len(header)} bytes, "
                         f"expected {4 + 4 * dimensions}")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if magic != UNSIGNED_BYTES + dimensions:
        raise ValueError(f"{path}: magic number is 0x{magic:08x}, "
                         f"expected 0x{UNSIGNED_BYTES + dimensions:08x}")
    if not 0 < math.prod(shape) <= LARGEST:
        raise ValueError(f"{path}: its header gives the shape {tuple(shape)}, "
                         f"expected 1 to {LARGEST} bytes")
    return shape


def _read_bytes(path, file, shape):
    expected = math.prod(shape)
    content = bytearray(file.read(expected + 1))
    if len(content) != expected:
        came = "more" if len(content) > expected else len(content)
        raise ValueError(f"{path}: truncated or damaged, its header promises {expected} bytes "
                         f"and {came} follow")
    return numpy.frombuffer(content, dtype=numpy.uint8).reshape(shape)
