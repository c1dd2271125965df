"""Transforms, what loaders make of them, and pictures."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

import fastnn
from fastnn.utils.data import DataLoader, default_collate
from fastnn.vision import datasets, transforms
from fastnn.vision.utils import make_grid, save_image


def pipeline(*extra):
    return transforms.Compose([transforms.ToTensor(), *extra, transforms.Normalize([0.5], [0.25])])


def test_a_loader_transforms_whole_batches_as_single_images():
    dataset = datasets.Digits(transform=pipeline())
    images, labels = next(iter(DataLoader(dataset, batch_size=6)))
    expected = default_collate([dataset[index] for index in range(6)])
    np.testing.assert_allclose(images.numpy(), expected[0].numpy(), rtol=1e-6)
    np.testing.assert_array_equal(labels.numpy(), expected[1].numpy())
    assert tuple(images.shape) == (6, 1, 8, 8) and images.dtype == fastnn.float32


@pytest.mark.parametrize("dataset", [
    datasets.Digits(transform=pipeline(transforms.Lambda(lambda image: image * 2))),
    datasets.Digits(target_transform=lambda label: label + 100),
], ids=["transform", "target_transform"])
def test_a_transform_of_single_images_is_applied_to_each(dataset):
    images, labels = next(iter(DataLoader(dataset, batch_size=4)))
    for number in range(4):
        image, label = dataset[number]
        np.testing.assert_array_equal(images.numpy()[number], np.asarray(image))
        assert labels.numpy()[number] == label


def test_a_transform_with_a_changed_call_is_applied_to_each():
    class Inverted(transforms.ToTensor):
        def __call__(self, image):
            return 1 - super().__call__(image)

    dataset = datasets.Digits(transform=transforms.Compose([Inverted()]))
    images, _ = next(iter(DataLoader(dataset, batch_size=3)))
    np.testing.assert_array_equal(images.numpy()[2], dataset[2][0].numpy())


def test_random_transforms_do_not_depend_on_the_number_of_workers():
    random = transforms.RandomCrop(8, padding=2), transforms.RandomHorizontalFlip()
    dataset = datasets.Digits(transform=pipeline(*random))
    alone, helped = (DataLoader(dataset, 100, shuffle=True, generator=3, num_workers=workers)
                     for workers in (0, 3))
    for one, other in zip(alone, helped, strict=True):
        np.testing.assert_array_equal(one[0].numpy(), other[0].numpy())


def test_replaced_data_is_what_the_loader_reads():
    dataset = datasets.Digits()
    dataset.data, dataset.targets = dataset.data[:3], dataset.targets[:3]
    (images, labels), = DataLoader(dataset, batch_size=10)
    assert tuple(images.shape) == (3, 8, 8) and tuple(labels.shape) == (3,)


def test_to_tensor():
    grey = transforms.ToTensor()(np.array([[0, 51], [102, 255]], np.uint8))
    np.testing.assert_allclose(grey.numpy(), [[[0, 0.2], [0.4, 1]]], rtol=1e-6)
    colour = np.random.default_rng(0).random((4, 5, 3))
    converted = transforms.ToTensor()(colour)
    assert converted.dtype == fastnn.float64
    np.testing.assert_array_equal(converted.numpy(), colour.transpose(2, 0, 1))
    batch = transforms.ToTensor().call_batch(colour[None])
    np.testing.assert_array_equal(batch.numpy()[0], converted.numpy())
    with pytest.raises(ValueError, match="ToTensor: image has 1 dimensions, expected 2 or 3"):
        transforms.ToTensor()(np.zeros(3))


@pytest.mark.parametrize("make", [np.asarray, fastnn.from_numpy])
def test_normalize(make):
    image = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    mean, std = [0.1, 0.2, 0.3], [0.5, 1.0, 2.0]
    expected = (image - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    result = transforms.Normalize(mean, std)(make(image))
    assert type(result) is type(make(image)) and result.dtype == make(image).dtype
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-5, atol=1e-6)
    given = make(image.copy())
    assert transforms.Normalize(mean, std, inplace=True)(given) is given
    np.testing.assert_array_equal(np.asarray(given), np.asarray(result))


@pytest.mark.parametrize("call, error, text", [
    (lambda: transforms.Normalize([0], [0]), ValueError, "Normalize: std is"),
    (lambda: transforms.Normalize([0, 0], [1, 1])(np.zeros((3, 4, 4))), ValueError,
     r"Normalize: image has shape \(3, 4, 4\), mean expects \(..., 2, H, W\)"),
    (lambda: transforms.Normalize([0], [1])(np.zeros((1, 4, 4), np.uint8)), TypeError,
     "Normalize: image has dtype uint8"),
    (lambda: transforms.Lambda(3), TypeError, "Lambda: lambd is a int"),
    (lambda: transforms.RandomHorizontalFlip(1.5), ValueError, "RandomHorizontalFlip: p is 1.5"),
    (lambda: transforms.RandomCrop(0), ValueError, "RandomCrop: size is 0"),
    (lambda: transforms.RandomCrop(2, padding=-1), ValueError, "RandomCrop: padding is -1"),
    (lambda: transforms.RandomCrop(6, padding=1)(np.zeros((3, 3))), ValueError,
     r"RandomCrop: padded image is \(5, 5\), smaller than size \(6, 6\)"),
])
def test_transform_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("make", [np.asarray, fastnn.from_numpy])
def test_random_crops_are_windows_of_the_padded_image(make):
    images = np.arange(1, 1 + 5 * 2 * 4 * 4, dtype=np.float32).reshape(5, 2, 4, 4)
    crops = transforms.RandomCrop((3, 4), padding=1, fill=-1).call_batch(make(images))
    assert type(crops) is type(make(images)) and tuple(crops.shape) == (5, 2, 3, 4)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
    for crop, image in zip(np.asarray(crops), padded, strict=True):
        assert any(np.array_equal(crop, image[:, top:top + 3, left:left + 4])
                   for top in range(4) for left in range(3))
    assert transforms.RandomCrop(2)(make(images[0])).shape == (2, 2, 2)


def test_random_flip():
    images = np.arange(400, dtype=np.float32).reshape(100, 1, 2, 2)
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(0).call_batch(images), images)
    np.testing.assert_array_equal(
        transforms.RandomHorizontalFlip(1).call_batch(images), images[..., ::-1])
    mixed = transforms.RandomHorizontalFlip(0.5).call_batch(images)
    flipped = (mixed != images).any(axis=(1, 2, 3))
    assert 20 < flipped.sum() < 80
    np.testing.assert_array_equal(mixed[flipped], images[flipped][..., ::-1])


def test_transforms_print_what_they_are():
    text = repr(pipeline(transforms.RandomCrop(3), transforms.RandomHorizontalFlip(),
                         transforms.Lambda(abs)))
    assert text == ("Compose([ToTensor(), RandomCrop(size=(3, 3), padding=0), "
                    "RandomHorizontalFlip(p=0.5), Lambda(), Normalize(mean=[0.5], std=[0.25])])")


def test_make_grid_puts_images_in_rows():
    images = np.arange(1, 6).reshape(5, 1, 1, 1) * np.ones((1, 1, 2, 3))
    grid = make_grid(fastnn.from_numpy(images), nrow=3, padding=1, pad_value=9).numpy()
    assert grid.shape == (3, 7, 13) and (grid[0] == grid[1]).all() and (grid[0] == grid[2]).all()
    assert grid[0, 1].tolist() == [9, 1, 1, 1, 9, 2, 2, 2, 9, 3, 3, 3, 9]
    assert grid[0, 5].tolist() == [9, 4, 4, 4, 9, 5, 5, 5, 9, 9, 9, 9, 9]
    assert (grid[0, [0, 3, 6]] == 9).all()


def test_make_grid_takes_single_images_and_lists():
    image = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(make_grid(image).numpy(), image)
    assert tuple(make_grid(image[0]).shape) == (3, 4, 5)
    np.testing.assert_array_equal(
        make_grid([image, image]).numpy(), make_grid(np.stack([image, image])).numpy())


def test_make_grid_normalizes():
    images = np.array([[[[0.0, 2.0]]], [[[4.0, 8.0]]]])
    whole = make_grid(images, padding=0, normalize=True).numpy()[0]
    np.testing.assert_allclose(whole, [[0, 0.25, 0.5, 1]])
    each = make_grid(images, padding=0, normalize=True, scale_each=True).numpy()[0]
    np.testing.assert_allclose(each, [[0, 1, 0, 1]])
    clipped = make_grid(images, padding=0, normalize=True, value_range=(2, 4)).numpy()[0]
    np.testing.assert_allclose(clipped, [[0, 0, 1, 1]])


@pytest.mark.parametrize("tensor, keywords", [
    (np.zeros((2, 2, 4, 4)), {}), (np.zeros(3), {}), (np.zeros((0, 1, 4, 4)), {}),
    (np.zeros((1, 1, 4, 4)), {"nrow": 0}), (np.zeros((1, 1, 4, 4)), {"padding": -1}),
])
def test_make_grid_errors(tensor, keywords):
    with pytest.raises(ValueError, match="make_grid: "):
        make_grid(tensor, **keywords)


def test_save_image_writes_a_png(tmp_path):
    image = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)
    save_image(fastnn.from_numpy(image), tmp_path / "picture.png")
    found = imread(tmp_path / "picture.png")
    np.testing.assert_allclose(found.transpose(2, 0, 1), image, atol=0.5 / 255 + 1e-6)
    file = io.BytesIO()
    save_image(image, file)
    assert file.getvalue() == (tmp_path / "picture.png").read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["picture.png"]


def test_save_image_clips_and_knows_png_only(tmp_path):
    save_image(np.array([[-1.0, 2.0, np.nan]]), tmp_path / "a.PNG")
    assert imread(tmp_path / "a.PNG")[0, :, 0].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="save_image: format is 'jpg', expected 'png'"):
        save_image(np.zeros((2, 2)), tmp_path / "a.jpg")
