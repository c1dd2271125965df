"""Image transforms under torchvision's names.

Each takes one image. Most have a second form, ``call_batch(images)``, that takes a whole batch with
the images along the first dimension and does the same to each of them; the data sets of
``fastnn.vision`` use it, so that a batch costs a few array operations. Random transforms draw from
`fastnn.utils.data.batch_generator`.
"""

from functools import reduce
from numbers import Integral, Real

import numpy

from fastnn.ops.creation import from_numpy
from fastnn.utils.data.collate import as_array, like
from fastnn.utils.data.dataset import whole_form
from fastnn.utils.data.randomness import batch_generator


def whole_batch(transform):
    """The form of a transform that takes a whole batch, or None where it has none."""
    if transform is None:
        return _unchanged
    if type(transform) is not Compose:
        return whole_form(transform, "call_batch", "__call__")
    parts = [whole_batch(part) for part in transform.transforms]
    return None if None in parts else Compose(parts)


def _unchanged(images):
    return images


class Compose:
    """Transforms one after the other.

    >>> Compose([abs, str])(-2)
    '2'
    """

    def __init__(self, transforms):
        self.transforms = list(transforms)

    def __call__(self, image):
        return reduce(lambda result, transform: transform(result), self.transforms, image)

    def __repr__(self):
        return f"Compose({self.transforms!r})"


class Lambda:
    """A function as a transform.

    >>> Lambda(lambda image: image + 1)(1)
    2
    """

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Lambda: lambd is a {type(lambd).__name__}, expected a function")
        self.lambd = lambd

    def __call__(self, image):
        return self.lambd(image)

    def __repr__(self):
        return "Lambda()"


class ToTensor:
    """An image (H, W) or (H, W, C) as a tensor (C, H, W); bytes become float32 from 0 to 1.

    Other types keep their values and type. An image of another library is read through
    ``numpy.asarray``. ValueError for other numbers of dimensions.

    >>> import numpy
    >>> ToTensor()(numpy.array([[0, 255]], dtype="uint8"))
    tensor([[[0., 1.]]])
    """

    def __call__(self, image):
        return self._convert(numpy.asarray(image), (2, 3))

    def call_batch(self, images):
        """(N, H, W) or (N, H, W, C) -> (N, C, H, W)."""
        return self._convert(numpy.asarray(images), (3, 4))

    @staticmethod
    def _convert(image, dimensions):
        if image.ndim not in dimensions:
            raise ValueError(f"ToTensor: image has {image.ndim} dimensions, "
                             f"expected {dimensions[0]} or {dimensions[1]}")
        if image.dtype == numpy.uint8:
            image = image.astype(numpy.float32) / numpy.float32(255)
        if image.ndim == dimensions[0]:
            image = image[..., None]
        return from_numpy(numpy.moveaxis(image, -1, -3))  # (..., H, W, C) -> (..., C, H, W)

    def __repr__(self):
        return "ToTensor()"


class Normalize:
    """``(image - mean) / std`` for each channel of a floating-point (..., C, H, W).

    >>> import fastnn
    >>> Normalize([0.5], [0.5])(fastnn.tensor([[[0.0, 0.5, 1.0]]]))
    tensor([[[-1.,  0.,  1.]]])
    """

    def __init__(self, mean, std, inplace=False):
        self.mean = numpy.atleast_1d(as_array(mean)).astype(numpy.float64)
        self.std = numpy.atleast_1d(as_array(std)).astype(numpy.float64)
        self.inplace = bool(inplace)
        if not (self.std > 0).all():
            raise ValueError(f"Normalize: std is {self.std.tolist()}, expected positive numbers")

    def __call__(self, image):
        array = as_array(image)
        if array.dtype.kind != "f":
            raise TypeError(f"Normalize: image has dtype {array.dtype}, expected floating point; "
                            "put ToTensor before it")
        mean, std = (self._channels(name, array) for name in ("mean", "std"))
        if not self.inplace:
            return like((array - mean) / std, image)
        array -= mean
        array /= std
        return image

    call_batch = __call__

    def _channels(self, name, array):
        """The values of `name` as (C, 1, 1) in the image's type."""
        values = getattr(self, name)
        channels = array.shape[-3] if array.ndim >= 3 else None
        if channels is None or len(values) not in (1, channels):
            raise ValueError(f"Normalize: image has shape {array.shape}, {name} expects "
                             f"(..., {len(values)}, H, W)")
        return values.astype(array.dtype)[:, None, None]

    def __repr__(self):
        return f"Normalize(mean={self.mean.tolist()}, std={self.std.tolist()})"


class RandomHorizontalFlip:
    """The mirror image with probability ``p``, for (..., H, W).

    >>> import fastnn
    >>> RandomHorizontalFlip(p=1)(fastnn.tensor([[1.0, 2.0]]))
    tensor([[2., 1.]])
    """

    def __init__(self, p=0.5):
        if not isinstance(p, Real) or not 0 <= p <= 1:
            raise ValueError(f"RandomHorizontalFlip: p is {p!r}, expected 0 to 1")
        self.p = p

    def __call__(self, image):
        return like(self.call_batch(as_array(image)[None])[0], image)

    def call_batch(self, images):
        """Each image (N, ..., H, W) by its own chance."""
        array = as_array(images)
        flipped = batch_generator().random(len(array)) < self.p
        result = array.copy()
        result[flipped] = array[flipped][..., ::-1]
        return like(result, images)

    def __repr__(self):
        return f"RandomHorizontalFlip(p={self.p})"


class RandomCrop:
    """A part of ``size`` at a random place of (..., H, W), after padding with ``fill``.

    ``size`` is a number or (height, width), ``padding`` the width of the border on all sides or
    None. ValueError where the padded image is smaller than ``size``.

    >>> import fastnn
    >>> RandomCrop(28, padding=2)(fastnn.zeros(1, 28, 28)).shape == (1, 28, 28)
    True
    """

    def __init__(self, size, padding=None, fill=0):
        self.size = (size, size) if isinstance(size, Integral) else tuple(size)
        self.padding = 0 if padding is None else padding
        self.fill = fill
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"RandomCrop: size is {size!r}, expected a positive number or two")
        if not isinstance(self.padding, Integral) or self.padding < 0:
            raise ValueError(f"RandomCrop: padding is {padding!r}, expected an integer of at "
                             "least 0 or None")

    def __call__(self, image):
        return like(self.call_batch(as_array(image)[None])[0], image)

    def call_batch(self, images):
        """Each image (N, ..., H, W) at a place of its own."""
        array = self._padded(as_array(images))
        views = numpy.lib.stride_tricks.sliding_window_view(array, self.size, axis=(-2, -1))
        rows, columns = views.shape[-4:-2]  # (N, ..., rows, columns, height, width)
        random = batch_generator()
        tops, lefts = random.integers(rows, size=len(array)), random.integers(
            columns, size=len(array))
        chosen = views[numpy.arange(len(array)), ..., tops, lefts, :, :]
        return like(chosen, images)

    def _padded(self, array):
        border = [(0, 0)] * (array.ndim - 2) + [(self.padding, self.padding)] * 2
        array = numpy.pad(array, border, constant_values=self.fill)
        if any(have < want for have, want in zip(array.shape[-2:], self.size, strict=True)):
            raise ValueError(f"RandomCrop: padded image is {array.shape[-2:]}, smaller than size "
                             f"{self.size}")
        return array

    def __repr__(self):
        return f"RandomCrop(size={self.size}, padding={self.padding})"
