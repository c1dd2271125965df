"""New tensors against NumPy and PyTorch: values, types, memory that is shared or not."""

import numpy as np
import pytest
from helpers import close

import fastnn

DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]

MADE = {
    "zeros": lambda f: f.zeros(2, 3), "zeros of a shape": lambda f: f.zeros((2, 3)),
    "zeros of no dimensions": lambda f: f.zeros(()), "nothing": lambda f: f.zeros(0, 2),
    "ones": lambda f: f.ones(4, dtype=f.int32), "full": lambda f: f.full((2, 2), 1.5),
    "full of an integer": lambda f: f.full((2,), 7),
    "full of a truth": lambda f: f.full((2,), True),
    "zeros_like": lambda f: f.zeros_like(f.ones(2, dtype=f.int64)),
    "ones_like": lambda f: f.ones_like(f.zeros(2), dtype=f.float64),
    "full_like": lambda f: f.full_like(f.zeros(2, 2), 3), "arange": lambda f: f.arange(5),
    "arange from": lambda f: f.arange(2, 11, 3), "arange down": lambda f: f.arange(5, 0, -2),
    "arange of floats": lambda f: f.arange(0.0, 1.0, 0.3),
    "arange of nothing": lambda f: f.arange(0),
    "arange of a type": lambda f: f.arange(3, dtype=f.float64),
    "linspace": lambda f: f.linspace(-1, 1, 5), "linspace of one": lambda f: f.linspace(3, 9, 1),
    "linspace of none": lambda f: f.linspace(3, 9, 0), "eye": lambda f: f.eye(3),
    "eye of two sizes": lambda f: f.eye(2, 4), "number": lambda f: f.tensor(3),
    "float": lambda f: f.tensor(3.0), "truth": lambda f: f.tensor(True),
    "lists": lambda f: f.tensor([[1, 2], [3, 4]]), "mixed": lambda f: f.tensor([1, 2.5]),
    "truths": lambda f: f.tensor([True, False]), "empty list": lambda f: f.tensor([]),
    "to a type": lambda f: f.tensor([1, 2], dtype=f.float64),
    "array": lambda f: f.tensor(np.arange(3.0)), "array of integers": lambda f: f.tensor(
        np.arange(3, dtype=np.int16)), "NumPy number": lambda f: f.tensor(np.float64(1.5)),
    "as_tensor": lambda f: f.as_tensor([1.0, 2.0]),
    "as_tensor of a type": lambda f: f.as_tensor(np.arange(3), dtype=f.float32),
    "from_numpy": lambda f: f.from_numpy(np.arange(6.0).reshape(2, 3)[:, ::2]),
    "new_zeros": lambda f: f.ones(2, dtype=f.float64).new_zeros(3),
    "new_ones": lambda f: f.ones(2).new_ones(2, 2),
    "long": lambda f: f.tensor([1.7, -1.7]).long(), "bool": lambda f: f.tensor([0.0, 2.0]).bool(),
    "type_as": lambda f: f.tensor([1]).type_as(f.zeros(1)),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_beside_pytorch(make):
    torch = pytest.importorskip("torch")
    got, wanted = make(fastnn), make(torch)
    assert str(got.dtype) == str(wanted.dtype).removeprefix("torch.")
    assert not got.requires_grad and got.is_leaf
    close(got.array, wanted.numpy(), 1e-7)


def test_values_without_pytorch():
    assert fastnn.zeros(2, 3).array.tolist() == [[0] * 3] * 2
    assert fastnn.full((2,), 4).tolist() == [4, 4] and fastnn.eye(2).tolist() == [[1, 0], [0, 1]]
    assert fastnn.arange(1, 4).tolist() == [1, 2, 3] and fastnn.arange(3).dtype == fastnn.int64
    close(fastnn.linspace(0, 1, 5).array, np.linspace(0, 1, 5), 1e-7)
    assert fastnn.empty(2, 3).shape == (2, 3) and fastnn.empty_like(fastnn.ones(4)).shape == (4,)


def test_tensor_copies_and_from_numpy_shares():
    array = np.arange(3.0)
    copied, shared, also = fastnn.tensor(array), fastnn.from_numpy(array), fastnn.as_tensor(array)
    array[0] = 9
    assert copied.tolist() == [0, 1, 2] and shared.tolist() == also.tolist() == [9, 1, 2]
    assert not np.shares_memory(fastnn.tensor(shared).array, array)
    assert fastnn.as_tensor(shared) is shared
    assert fastnn.Tensor([1, 2]).dtype == fastnn.float32


@pytest.mark.parametrize("strange", ["big endian", "field", "unaligned"])
def test_strange_memory(strange):
    """What no kernel could read is refused or copied, and in no case misread."""
    if strange == "big endian":
        array = np.arange(3.0).astype(">f8")
    elif strange == "field":
        array = np.zeros(3, dtype=[("a", "i1"), ("b", "<f8")])["b"]
    else:
        array = np.zeros(25, np.uint8)[1:].view(np.float64)
    array[...] = [1, 2, 3]
    for make in (fastnn.from_numpy, fastnn.as_tensor, fastnn.tensor):
        try:
            made = make(array)
        except (TypeError, ValueError) as error:
            assert make.__name__ in str(error)
        else:
            assert (made * 2).tolist() == [2, 4, 6] and (made + made).sum().item() == 12


def test_dlpack_shares_memory_both_ways():
    x = fastnn.rand(2, 3)
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.array)
    back = fastnn.from_dlpack(np.arange(3.0))
    assert back.tolist() == [0, 1, 2] and back.dtype == fastnn.float64


def test_default_dtype():
    fastnn.set_default_dtype(fastnn.float64)
    try:
        assert fastnn.tensor(1.0).dtype == fastnn.zeros(1).dtype == fastnn.float64
        assert fastnn.rand(1).dtype == (fastnn.tensor([1]) / 2).dtype == fastnn.float64
        assert fastnn.nn.Linear(1, 1).weight.dtype == fastnn.float64
    finally:
        fastnn.set_default_dtype(fastnn.float32)


@pytest.mark.parametrize("to", DTYPES)
@pytest.mark.parametrize("start", DTYPES)
def test_conversion(start, to):
    x = fastnn.tensor(np.array([0, 1, 3]).astype(start))
    got = x.to(to)
    assert got.dtype == np.dtype(to) and got.tolist() == x.array.astype(to).tolist()
    assert (got is x) == (start == to) and x.to(to, copy=True) is not x


def test_requires_grad_and_device():
    assert fastnn.ones(2, requires_grad=True).requires_grad
    assert fastnn.zeros(2, device="cpu").device == "cpu"
    with pytest.raises(RuntimeError, match="only floating-point tensors have gradients"):
        fastnn.arange(3, requires_grad=True)


def test_properties():
    x = fastnn.zeros(2, 3, 4).permute(2, 0, 1)
    assert x.shape == (4, 2, 3) and x.size(1) == x.size(-2) == 2 and x.dim() == x.ndim == 3
    assert x.numel() == x.shape.numel() == 24 and x.element_size() == 4 and len(x) == 4
    assert x.stride() == (1, 12, 4) and x.stride(0) == 1 and not x.is_contiguous()
    assert x.T.shape == (3, 2, 4) and x.mT.shape == (4, 3, 2)
    assert x.data_ptr() == x.array.ctypes.data
    assert repr(x.shape) == "fastnn.Size([4, 2, 3])" and x.is_floating_point()
    assert [row.tolist() for row in fastnn.tensor([[1], [2]])] == [[1], [2]]
    assert f"{fastnn.tensor(1.25):.1f}" == "1.2" and int(fastnn.tensor(3)) == 3
    assert [5, 6, 7][fastnn.tensor(1)] == 6 and float(fastnn.tensor([2.5])) == 2.5
    assert np.asarray(x).shape == (4, 2, 3) and np.array(x, dtype="float64").dtype == np.float64


PRINTED = {
    "floats": [1.0, 2.5], "whole": [1.0, 2.0], "integers": [1, 20], "truths": [True, False],
    "far apart": [1e-5, 1e5], "large": [1e10, 2.0],
    "matrix": [[1.0, -2.0], [3.5, 4.0]], "nothing": [], "number": 3.25, "negative": [-0.5, 0.25],
}


@pytest.mark.parametrize("value", PRINTED.values(), ids=PRINTED)
def test_text_is_pytorchs(value):
    torch = pytest.importorskip("torch")
    assert repr(fastnn.tensor(value)) == repr(torch.tensor(value))


def test_text_of_gradients_and_types():
    assert repr(fastnn.ones(1, requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(fastnn.ones(1, dtype=fastnn.float64)) == "tensor([1.], dtype=float64)"
    assert "grad_fn=" in repr(fastnn.ones(1, requires_grad=True) * 2)
    assert repr(fastnn.zeros(0, 2)) == "tensor([], size=(0, 2))"


def test_comparison_with_what_is_no_number():
    """As in PyTorch: unequal, not an error, so that tensors can stand in lists and dicts."""
    x = fastnn.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert None not in [x] and x in {x: 1}
