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
    "logspace": lambda f: f.logspace(0, 2, 5), "logspace of a base": lambda f: f.logspace(
        1, 3, 3, base=2, dtype=f.float64),
    "linspace of integers": lambda f: f.linspace(0, 10, 4, dtype=f.int64),
    "scalar_tensor": lambda f: f.scalar_tensor(3), "asarray": lambda f: f.asarray([1, 2]),
    "asarray of a type": lambda f: f.asarray(np.arange(3), dtype=f.float32, copy=True),
    "full_like of a type": lambda f: f.full_like(f.zeros(2), 3, dtype=f.int32),
    "new_full": lambda f: f.ones(2, dtype=f.float64).new_full((2,), 7),
    "new_tensor": lambda f: f.ones(2, dtype=f.float64).new_tensor([1, 2]),
    "long": lambda f: f.tensor([1.7, -1.7]).long(), "bool": lambda f: f.tensor([0.0, 2.0]).bool(),
    "type_as": lambda f: f.tensor([1]).type_as(f.zeros(1)),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_beside_pytorch(torch, make):
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
    "matrix": [[1.0, -2.0], [3.5, 4.0]], "NaN and infinity": [float("nan"), float("inf"), 1.0],
    "NaN alone": [float("nan")], "NaN and fractions": [float("nan"), -1.5], "ratio": [1e-3, 5.0],
    "zeros": [0.0, 0.0], "rows": [[[1.0, float("-inf")], [2.0, 3.0]]] * 2,
    "long": list(range(40)), "cut": [[0.5] * 40] * 40, "cut rows": [[1, 2]] * 600,
    "nothing": [], "number": 3.25, "negative": [-0.5, 0.25],
}


@pytest.mark.parametrize("value", PRINTED.values(), ids=PRINTED)
def test_text_is_pytorchs(torch, value):
    assert repr(fastnn.tensor(value)) == repr(torch.tensor(value))


def test_text_of_gradients_and_types():
    assert repr(fastnn.ones(1, requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(fastnn.ones(1, dtype=fastnn.float64)) == "tensor([1.], dtype=float64)"
    assert "grad_fn=" in repr(fastnn.ones(1, requires_grad=True) * 2)
    assert repr(fastnn.zeros(0, 2)) == "tensor([], size=(0, 2))"


def test_memory_formats():
    x = fastnn.arange(24).reshape(1, 2, 3, 4)
    y = x.contiguous(memory_format=fastnn.channels_last)
    assert y.is_contiguous(memory_format=fastnn.channels_last) and not y.is_contiguous()
    assert y.tolist() == x.tolist() and y.to(memory_format=fastnn.channels_last) is y
    assert y.clone().stride() == y.stride() != x.stride()
    assert y.clone(memory_format=fastnn.contiguous_format).stride() == x.stride()
    with pytest.raises(ValueError, match="channels_last needs 4 dimensions, got 1"):
        fastnn.ones(3).clone(memory_format=fastnn.channels_last)


def test_devices():
    wanted = fastnn.device("cuda" if fastnn.cuda.is_available() else "cpu")
    assert fastnn.zeros(2, device=wanted).to(wanted).device == wanted == "cpu"
    assert (wanted.type, wanted.index, repr(wanted)) == ("cpu", None, "device(type='cpu')")
    other = fastnn.device("cuda", 1)
    assert (other.type, other.index, str(other)) == ("cuda", 1, "cuda:1")
    assert repr(other) == "device(type='cuda', index=1)" and fastnn.cuda.device_count() == 0
    with pytest.raises(ValueError, match="fastnn is for CPUs, got 'cuda:1'"):
        fastnn.ones(2).to(other)
    assert fastnn.ones(2).get_device() == -1 and not fastnn.ones(2).is_cuda


def test_asarray_shares_or_copies():
    array = np.arange(3.0)
    assert np.shares_memory(fastnn.asarray(array, copy=False).array, array)
    assert not np.shares_memory(fastnn.asarray(array, copy=True).array, array)
    with pytest.raises(ValueError, match="asarray: this needs a copy"):
        fastnn.asarray([1.0], copy=False)


def test_small_methods():
    x = fastnn.ones(2, 3, dtype=fastnn.float64)
    assert (x.ndimension(), x.nelement(), x.nbytes, x.itemsize) == (2, 6, 48, 8)
    assert 1.0 in x and 5 not in x and x.is_same_size(x + 1) and x.reshape_as(x.mT).shape == (3, 2)
    y = (x.requires_grad_() * 2).detach_()
    assert y.is_leaf and not y.requires_grad
    with pytest.raises(RuntimeError, match="detach_: a view cannot forget"):
        (x * 1)[0].detach_()
    with pytest.raises(RuntimeError, match="squeeze_: the shape of a tensor on the tape"):
        (x * 1).squeeze_()


def test_randint_bounds(reseeded):
    reseeded(1)
    full = fastnn.randint(-1 << 63, (1 << 63) - 1, (1000,))
    assert full.array.min() < -1 << 61 and full.array.max() > 1 << 61
    with pytest.raises(ValueError, match="randint: numbers from 0 to below .* do not fit"):
        fastnn.randint(1 << 80, (2,))
    with pytest.raises(TypeError, match="randint: low and high must be integers"):
        fastnn.randint(0, 1.5, (2,))
    like = fastnn.randint_like(fastnn.zeros(4), 2, 5)
    assert like.dtype == fastnn.float32 and set(like.tolist()) <= {2.0, 3.0, 4.0}


@pytest.mark.parametrize("drawn_like", [
    fastnn.rand_like, fastnn.randn_like, lambda x: fastnn.randint_like(x, 0, 100)])
def test_random_tensors_like_another_keep_its_layout(drawn_like, reseeded):
    first = fastnn.zeros(2, 3, 4, 5)
    reseeded(3)
    plain = drawn_like(first)
    reseeded(3)
    turned = drawn_like(first.contiguous(memory_format=fastnn.channels_last))
    assert plain.is_contiguous() and turned.is_contiguous(memory_format=fastnn.channels_last)
    assert (plain == turned).all()
    assert drawn_like(fastnn.zeros(3, 1).expand(3, 4)).shape == (3, 4)


def test_normal_and_bernoulli_of_tensors(reseeded):
    reseeded(2)
    mean, std = fastnn.tensor([0.0, 100.0]), fastnn.tensor([[1.0], [0.0]])
    drawn = fastnn.normal(mean, std)
    assert drawn.shape == (2, 2) and drawn[1].tolist() == [0.0, 100.0] and drawn[0, 1] > 50
    assert abs(fastnn.normal(3.0, 2.0, (40_000,)).array.std() - 2) < 0.05
    assert fastnn.bernoulli(fastnn.zeros(3), 1.0).tolist() == [1.0] * 3


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_follows_its_weights(reseeded, replacement):
    reseeded(3)
    weights = fastnn.tensor([0.0, 1.0, 3.0, 0.0, 6.0]).expand(20_000, 5)
    drawn = fastnn.multinomial(weights, 2, replacement).array
    share = np.bincount(drawn[:, 0], minlength=5) / len(drawn)
    np.testing.assert_allclose(share, [0, 0.1, 0.3, 0, 0.6], atol=0.015)
    assert drawn.shape == (20_000, 2) and drawn.dtype == np.int64
    assert ((drawn[:, 0] == drawn[:, 1]).any()) == replacement


def test_comparison_with_what_is_no_number():
    """As in PyTorch: unequal, not an error, so that tensors can stand in lists and dicts."""
    x = fastnn.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert None not in [x] and x in {x: 1}
