"""Image data sets under torchvision's names, and the handwritten digits that come with fastnn."""

from pathlib import Path

import numpy

from fastnn.ops.creation import from_numpy
from fastnn.tensor import Tensor
from fastnn.utils.data import Dataset
from fastnn.utils.data.collate import as_array, default_collate
from fastnn.utils.data.files import DataFiles

from .idx import read_idx
from .transforms import whole_batch

DIGITS = Path(__file__).with_name("digits.npz")


class ImageDataset(Dataset):
    """Grey images with a class each: ``data`` (N, H, W) uint8, ``targets`` (N,) int64.

    A sample is ``(image, label)``: an (H, W) uint8 array and an int, each through its transform
    where there is one. Where every transform can, a `DataLoader` transforms whole batches at once.
    """

    classes = ()

    def __init__(self, images, labels, transform, target_transform):
        self.data = from_numpy(images)
        self.targets = from_numpy(labels.astype(numpy.int64))
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, label = as_array(self.data)[index], int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def get_batch(self, indices):
        """The samples of the list `indices` as one batch: ``[images, labels]``."""
        transform = whole_batch(self.transform)
        if transform is None or self.target_transform is not None:
            return default_collate([self[index] for index in indices])
        images = transform(as_array(self.data)[indices])
        images = images if isinstance(images, Tensor) else from_numpy(images)
        return [images, from_numpy(as_array(self.targets)[indices])]


class MNIST(DataFiles, ImageDataset):
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28.

    The four idx files, gzip-compressed or not, are looked for in the folder ``root``, in
    ``root/mnist`` and in ``root/MNIST/raw``; where ``root`` is None, in ``$FASTNN_DATA`` and in the
    user's cache directory. With ``download`` files that are not there are fetched into ``root``
    (torchvision's ``root/MNIST/raw``) or the cache directory. ``transform`` and
    ``target_transform`` are called with each image and label.

    FileNotFoundError where the files are not there, ConnectionError where no mirror gives them,
    ValueError where a file is truncated, damaged or something else.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998).
    """

    folder = "mnist"
    compressed = True
    subfolders = ("MNIST/raw",)
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/",
               "https://storage.googleapis.com/cvdf-datasets/mnist/")
    files = {
        "train-images-idx3-ubyte":
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte":
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte":
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte":
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }
    classes = tuple("0123456789")

    def __init__(self, root=None, train=True, transform=None, target_transform=None,
                 download=False):
        found = self.obtain(root, download)
        images, labels = self._read(found, "train" if train else "t10k")
        super().__init__(images, labels, transform, target_transform)
        self.train = bool(train)

    @classmethod
    def _read(cls, folder, part):
        """The images and labels of one part, checked against each other."""
        images_path, labels_path = (cls.stored(folder, name) for name in cls.files if part in name)
        images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
        if images.shape[1:] != (28, 28):
            raise ValueError(f"{images_path}: images are {images.shape[1:]}, expected (28, 28)")
        if len(images) != len(labels):
            raise ValueError(f"{labels_path}: {len(labels)} labels, expected {len(images)}, "
                             "the number of images")
        if labels.max() >= len(cls.classes):
            raise ValueError(f"{labels_path}: label {labels.max()}, expected 0 to "
                             f"{len(cls.classes) - 1}")
        return images, labels


class FashionMNIST(MNIST):
    """Fashion-MNIST: `MNIST`'s sizes and arguments, with ten kinds of clothing.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747 (2017).
    """

    folder = "fashion-mnist"
    subfolders = ("FashionMNIST/raw",)
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
               "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
               "data/fashion/")
    files = {
        "train-images-idx3-ubyte":
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte":
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte":
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte":
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
               "Bag", "Ankle boot")


class Digits(ImageDataset):
    """1,797 real handwritten digits, 8 x 8, that come with fastnn: no file to look for.

    Every fifth image is held out for the test (359), the others are for training (1,438). The grey
    levels 0 to 16 of the original are stretched to 0 to 255. The test part of the UCI data set
    "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), CC BY 4.0; see
    ``digits.md`` beside this file.

    >>> len(Digits(train=True)), len(Digits(train=False))
    (1438, 359)
    >>> image, label = Digits()[0]
    >>> image.shape, label
    ((8, 8), 0)
    """

    classes = tuple("0123456789")

    def __init__(self, train=True, transform=None, target_transform=None):
        with numpy.load(DIGITS, allow_pickle=False) as content:
            images, labels = content["images"], content["labels"]
        chosen = (numpy.arange(len(labels)) % 5 == 4) != bool(train)
        images = (images[chosen].astype(numpy.uint16) * 255 // 16).astype(numpy.uint8)
        super().__init__(images, labels[chosen], transform, target_transform)
        self.train = bool(train)
