"""Image data sets, their files and downloads."""

import gzip
import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
from data_files import NOWHERE, files_in, idx, mnist_files

import fastnn
from fastnn.vision import datasets
from fastnn.vision.idx import read_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28)).astype(np.uint8)
LABELS = (np.arange(12) % 10).astype(np.uint8)


def contents():
    """The four files of a small MNIST, compressed, by name."""
    return mnist_files(train=(IMAGES, LABELS), t10k=(IMAGES[:5], LABELS[:5]))


def fill(folder, compressed=True):
    """Put the four files into a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents().items():
        if compressed:
            (folder / name).write_bytes(content)
        else:
            (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    return folder


@pytest.fixture
def small_mnist(monkeypatch):
    """MNIST with the checksums of the small files."""
    sums = {name.removesuffix(".gz"): hashlib.sha256(content).hexdigest()
            for name, content in contents().items()}
    monkeypatch.setattr(datasets.MNIST, "files", sums)
    monkeypatch.setattr(datasets.MNIST, "mirrors", ())
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read(tmp_path, suffix):
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(idx(IMAGES)) if suffix else idx(IMAGES))
    found = read_idx(path, 3)
    np.testing.assert_array_equal(found, IMAGES)
    assert found.flags.writeable


@pytest.mark.parametrize("content, text", [
    (b"", "truncated, its header has 0 bytes"),
    (idx(IMAGES)[:9], "truncated, its header has 9 bytes"),
    (idx(IMAGES)[:-1], "promises 9408 bytes and 9407 follow"),
    (idx(IMAGES) + b"x", "promises 9408 bytes and more follow"),
    (idx(IMAGES, magic=0x0801), "magic number is 0x00000801, expected 0x00000803"),
    (gzip.compress(idx(IMAGES)), "magic number is 0x1f8b"),
    (struct.pack(">4I", 0x0803, 2**32 - 1, 2**32 - 1, 2**32 - 1), "its header gives the shape"),
    (struct.pack(">4I", 0x0803, 0, 28, 28), "its header gives the shape"),
])
def test_plain_idx_files_that_are_wrong(tmp_path, content, text):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=text) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


def test_truncated_gzip_files(tmp_path):
    path, whole = tmp_path / "images.gz", gzip.compress(idx(IMAGES), mtime=0)
    for length in (0, 1, 5, 10, 11, 30, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="truncated"):
            read_idx(path, 3)


def test_damaged_gzip_files(tmp_path):
    path, whole = tmp_path / "images.gz", gzip.compress(idx(IMAGES), mtime=0)
    for place in (0, 1, 2, 12, len(whole) // 2, len(whole) - 6, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="images.gz: "):
            read_idx(path, 3)


@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [True, False])
def test_mnist_is_found_in_the_usual_folders(tmp_path, place, compressed):
    fill(tmp_path / place, compressed)
    training, test = (datasets.MNIST(tmp_path, train=train) for train in (True, False))
    assert len(training) == 12 and len(test) == 5
    assert training.data.dtype == fastnn.uint8 and training.targets.dtype == fastnn.int64
    image, label = training[3]
    np.testing.assert_array_equal(image, IMAGES[3])
    assert label == 3 and isinstance(label, int)


def test_fashion_mnist_has_its_own_folder(tmp_path):
    fill(tmp_path / "fashion-mnist")
    assert datasets.MNIST.find(tmp_path) is None
    assert datasets.FashionMNIST(tmp_path).classes[9] == "Ankle boot"


def test_the_environment_comes_before_the_cache(tmp_path, monkeypatch, empty_cache):
    assert datasets.MNIST.find() is None
    cached = fill(empty_cache / "mnist")
    assert datasets.MNIST.find() == cached
    named = fill(tmp_path / "named")
    monkeypatch.setenv("FASTNN_DATA", str(named))
    assert datasets.MNIST.find() == named


def test_missing_files_are_named(tmp_path, empty_cache):
    with pytest.raises(FileNotFoundError, match="no data files in .*cache"):
        datasets.MNIST()
    fill(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="mnist lacks t10k-labels-idx1-ubyte$"):
        datasets.MNIST(tmp_path)


@pytest.mark.parametrize("name, array, text", [
    ("images-idx3", IMAGES[:, :20], r"images are \(20, 28\), expected \(28, 28\)"),
    ("labels-idx1", LABELS[:7], "7 labels, expected 12"),
    ("labels-idx1", LABELS + 5, "label 14, expected 0 to 9"),
])
def test_files_that_do_not_fit_together(tmp_path, name, array, text):
    fill(tmp_path)
    (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    with pytest.raises(ValueError, match=text):
        datasets.MNIST(tmp_path)


def test_download_fetches_into_the_cache(monkeypatch, server, small_mnist, empty_cache):
    address, served, _ = server
    served.update(contents())
    monkeypatch.setattr(datasets.MNIST, "mirrors", (address + "none-here-", address))
    assert len(datasets.MNIST(download=True)) == 12
    assert files_in(empty_cache) == sorted(contents())
    served.clear()
    assert len(datasets.MNIST(train=False, download=True)) == 5


def test_download_into_a_folder_is_laid_out_as_torchvision_does(
        tmp_path, monkeypatch, server, small_mnist):
    address, served, _ = server
    served.update(contents())
    monkeypatch.setattr(datasets.MNIST, "mirrors", (address,))
    datasets.MNIST(tmp_path, download=True)
    assert datasets.MNIST.find(tmp_path) == tmp_path / "MNIST" / "raw"


def test_a_download_with_a_wrong_checksum_leaves_nothing(
        monkeypatch, server, small_mnist, empty_cache):
    address, served, _ = server
    served.update({name: content[:-1] for name, content in contents().items()})
    monkeypatch.setattr(datasets.MNIST, "mirrors", (address,))
    with pytest.raises(ConnectionError, match="cannot download train-images.* SHA-256 is "):
        datasets.MNIST(download=True)
    assert files_in(empty_cache) == []


def test_a_download_resumes_with_the_files_that_are_missing(
        monkeypatch, server, small_mnist, empty_cache):
    address, served, _ = server
    fill(empty_cache / "mnist")
    (empty_cache / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    served["t10k-images-idx3-ubyte.gz"] = contents()["t10k-images-idx3-ubyte.gz"]
    monkeypatch.setattr(datasets.MNIST, "mirrors", (address,))
    assert len(datasets.MNIST(download=True)) == 12


def test_no_network_is_one_line_with_every_mirror(monkeypatch, small_mnist, empty_cache):
    monkeypatch.setattr(datasets.MNIST, "mirrors", NOWHERE)
    with pytest.raises(ConnectionError) as caught:
        datasets.MNIST(download=True)
    assert all(mirror in str(caught.value) for mirror in NOWHERE)
    assert "\n" not in str(caught.value) and files_in(empty_cache) == []


def test_a_cache_that_cannot_be_written_fails_before_the_download(
        tmp_path, monkeypatch, server, small_mnist, empty_cache):
    (tmp_path / "cache").write_text("a file where a folder should be")
    asked = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *arguments, **keywords: asked.append(1))
    monkeypatch.setattr(datasets.MNIST, "mirrors", (server[0],))
    with pytest.raises(OSError):
        datasets.MNIST(download=True)
    assert asked == []


def test_digits_hold_out_every_fifth_image():
    training, test = datasets.Digits(), datasets.Digits(train=False)
    assert len(training) == 1438 and len(test) == 359
    labels = np.concatenate([training.targets.numpy(), test.targets.numpy()])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images = training.data.numpy()
    assert images.shape == (1438, 8, 8) and images.min() == 0 and images.max() == 255


def test_the_network_is_loaded_when_something_is_downloaded():
    code = "import sys, fastnn.vision.datasets; print('urllib.request' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
