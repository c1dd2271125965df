"""Pictures of batches: `make_grid` puts them side by side, `save_image` writes a PNG file."""

import struct
import zlib
from pathlib import Path

import numpy

from fastnn.ops.creation import from_numpy
from fastnn.serialization import write_atomically
from fastnn.utils.data.collate import as_array


def make_grid(tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False,
              pad_value=0.0):
    """One image (C, H, W) with the images of a batch (N, C, H, W) in rows of ``nrow``.

    Also taken: a list of images of one shape, one image (C, H, W) and one grey image (H, W). Grey
    images become three equal channels. ``normalize`` maps ``value_range``, by default the smallest
    and largest value (of each image with ``scale_each``), to 0 and 1. ValueError for other shapes.

    >>> import fastnn
    >>> tuple(make_grid(fastnn.zeros(5, 1, 4, 4), nrow=3).shape)
    (3, 14, 20)
    """
    images = _batch(tensor)
    if nrow < 1 or padding < 0:
        raise ValueError(f"make_grid: nrow is {nrow} and padding is {padding}, expected at least "
                         "1 and 0")
    if normalize:
        images = _normalized(images, value_range, scale_each)
    if len(images) == 1:
        return from_numpy(images[0])
    return from_numpy(_arranged(images, nrow, padding, pad_value))


def _arranged(images, nrow, padding, pad_value):
    """(N, C, H, W) -> (C, rows * (H + padding) + padding, columns * (W + padding) + padding)."""
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = -(-count // columns)
    height, width = height + padding, width + padding
    grid = numpy.full((channels, rows * height + padding, columns * width + padding), pad_value,
                      dtype=images.dtype)
    for number, image in enumerate(images):
        top, left = number // columns * height + padding, number % columns * width + padding
        grid[:, top:top + image.shape[1], left:left + image.shape[2]] = image
    return grid


def save_image(tensor, fp, format=None, **grid):
    """Write images, with values from 0 to 1, as a PNG picture.

    ``tensor`` and the keywords are `make_grid`'s; ``fp`` is a path, written whole or not at all, or
    an open binary file. ValueError for a format other than PNG.

    >>> import fastnn, io
    >>> file = io.BytesIO()
    >>> save_image(fastnn.ones(4, 1, 8, 8), file)
    >>> file.getvalue()[1:4]
    b'PNG'
    """
    is_file = hasattr(fp, "write")
    kind = format or ("png" if is_file else Path(fp).suffix[1:])
    if kind.lower() != "png":
        raise ValueError(f"save_image: format is {kind!r}, expected 'png'")
    content = _png(as_array(make_grid(tensor, **grid)))
    if is_file:
        fp.write(content)
        return
    write_atomically(Path(fp), content)


def _batch(tensor):
    """The images as an array (N, C, H, W) of floating-point numbers with C at least 3."""
    if isinstance(tensor, (list, tuple)):
        tensor = numpy.stack([as_array(image) for image in tensor])
    images = as_array(tensor)
    if images.ndim == 2:
        images = images[None, None]
    elif images.ndim == 3:
        images = images[None]
    if images.ndim != 4 or not images.size or images.shape[1] not in (1, 3):
        raise ValueError(f"make_grid: tensor has shape {as_array(tensor).shape}, expected "
                         "(N, C, H, W), (C, H, W) or (H, W) with 1 or 3 channels")
    if images.dtype.kind != "f":
        images = images.astype(numpy.float32)
    return numpy.repeat(images, 3, axis=1) if images.shape[1] == 1 else images


def _normalized(images, value_range, scale_each):
    axes = (1, 2, 3) if scale_each else (0, 1, 2, 3)
    low, high = value_range if value_range is not None else (
        images.min(axes, keepdims=True), images.max(axes, keepdims=True))
    spread = numpy.maximum(numpy.subtract(high, low), 1e-5)  # a flat image is divided by this
    return ((numpy.clip(images, low, high) - low) / spread).astype(images.dtype)


def _png(image):
    """The PNG file of an RGB image (3, H, W) with values from 0 to 1.

    The format: ISO/IEC 15948:2004. Every row starts with its filter type, 0 for none.
    """
    pixels = numpy.clip(numpy.nan_to_num(image) * 255 + 0.5, 0, 255).astype(numpy.uint8)
    rows = pixels.transpose(1, 2, 0).reshape(pixels.shape[1], -1)  # (H, W * 3)
    filtered = numpy.pad(rows, ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", image.shape[2], image.shape[1], 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
            + _chunk(b"IDAT", zlib.compress(filtered.tobytes())) + _chunk(b"IEND", b""))


def _chunk(kind, content):
    """Length, type, content and checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
