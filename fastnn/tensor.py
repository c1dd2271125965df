"""`Tensor`: an array with a place on the tape. Its operations come from ``fastnn/ops``."""

import copy
import numbers

import numpy

from . import dtypes, tape, walk
from ._kernels import program
from ._kernels.memory import is_channels_last
from .device import CPU
from .printing import tensor_text


class Tensor(tape.TensorBase):
    """A multi-dimensional array of one type, recorded on the tape where gradients are asked for.

    The memory is a NumPy array, ``tensor.array``, in any layout; images are logically
    ``(N, C, H, W)`` and keep their channels last in memory. Operators, methods, type promotion and
    indexing are PyTorch's. ``Tensor(data)`` makes one of the default floating-point type, as does
    ``Tensor(*sizes)`` without values; ``fastnn.tensor(data)`` takes the type from the data.

    >>> import fastnn
    >>> x = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    __array_priority__ = 1000  # NumPy's operators leave an operand of ours to us
    __array_ufunc__ = None
    __hash__ = tape.TensorBase.__hash__

    def __init__(self, *data):
        if data and all(isinstance(size, int) for size in data):
            array = numpy.empty(data, dtypes.get_default_dtype())
        elif len(data) > 1:
            raise TypeError(f"Tensor: expected sizes, or data as one argument, got {len(data)}")
        else:
            array = as_array("Tensor", data[0] if data else (), dtypes.get_default_dtype())
        self._set_array(array)

    @property
    def shape(self):
        """The sizes of the dimensions."""
        return Size(self.array.shape)

    @property
    def device(self):
        """Always ``device("cpu")``."""
        return CPU

    @property
    def data(self):
        """The same memory without a history, as ``detach()``."""
        return self.detach()

    @data.setter
    def data(self, value):
        program.refuse("a tensor is given other data")
        self._set_array(as_tensor("data", value).array)
        self._bump_version()

    @property
    def T(self):
        """The tensor with its dimensions reversed."""
        return self.permute(tuple(range(self.ndim - 1, -1, -1)))

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        if dim is not None and not -self.ndim <= dim < self.ndim:
            raise IndexError(f"size: dimension {dim} does not exist, the tensor has {self.ndim}")
        return self.shape if dim is None else self.array.shape[dim]

    def dim(self):
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self):
        """The number of elements."""
        return self.array.size

    nelement = numel

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.array.nbytes

    def element_size(self):
        """Bytes of one element."""
        return self.array.itemsize

    def stride(self, dim=None):
        """Steps between neighbours in elements, of all dimensions or of one."""
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self, memory_format="contiguous_format"):
        """Whether the elements lie without gaps in C order, or with the channels last."""
        if memory_format == "channels_last":
            return is_channels_last(self.array)
        return self.array.flags.c_contiguous

    def is_floating_point(self):
        """Whether the type is float32 or float64."""
        return self.array.dtype.kind == "f"

    def data_ptr(self):
        """The address of the first element."""
        return self.array.ctypes.data

    def item(self):
        """The value of a tensor of one element as a Python number; else ValueError."""
        if self.array.size != 1:
            raise ValueError(
                f"item: only a tensor of one element is a number, got shape {tuple(self.shape)}")
        program.refuse(READ)
        return self.array.item()

    def tolist(self):
        """The values as nested lists of Python numbers."""
        program.refuse(READ)
        return self.array.tolist()

    def numpy(self):
        """The array behind the tensor, without a copy; not for one that requires gradients."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires gradients; use tensor.detach().numpy()")
        program.refuse(READ)
        return self.array

    def __array__(self, dtype=None, copy=None):
        if copy is False and dtype is not None and dtype != self.dtype:
            raise ValueError("numpy: a change of type needs a copy")
        return numpy.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **keywords):
        return self.numpy().__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def requires_grad_(self, requires_grad=True):
        """Switch the recording of operations on this leaf on or off, and return it."""
        self.requires_grad = requires_grad
        return self

    def detach(self):
        """The same memory without a history."""
        result = tape.alias(self)
        result._share_version(self)
        return result

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Accumulate the gradients of this tensor in ``.grad`` of the leaves it came from.

        ``gradient`` is that of the tensor itself, 1 for a single number. With ``retain_graph`` the
        graph can be used again, with ``create_graph`` the gradients have one of their own;
        ``inputs`` limits the tensors that receive a gradient.
        """
        inputs = [inputs] if isinstance(inputs, Tensor) else inputs
        walk.backward([self], [gradient], retain_graph, create_graph,
                      None if inputs is None else list(inputs))

    def __len__(self):
        if not self.array.ndim:
            raise TypeError("len: a tensor without dimensions has no length")
        return self.array.shape[0]

    def __iter__(self):
        if not self.array.ndim:
            raise TypeError("iter: a tensor without dimensions cannot be walked")
        return iter(self.unbind())

    def __bool__(self):
        if self.array.size != 1:
            raise RuntimeError(
                f"bool: only a tensor of one element is true or false, got shape "
                f"{tuple(self.shape)}")
        return bool(self.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self.array.dtype.kind not in "iub":
            raise TypeError(f"index: only an integer tensor can be an index, got {self.dtype}")
        return int(self.item())

    def __format__(self, specification):
        """The text of the number, if the tensor has no dimension; else its own."""
        if self.array.ndim or type(self) is not Tensor:
            return object.__format__(self, specification)
        return format(self.item(), specification)

    def __repr__(self):
        program.refuse(READ)
        return tensor_text(self)

    def __copy__(self):
        result = type(self).__new__(type(self))
        result._set_array(tape.used(self))
        result.requires_grad = self.requires_grad
        result.__dict__.update(self.__dict__)
        return result

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError("deepcopy: only leaves can be copied; detach() a result first")
        result = type(self).__new__(type(self))
        result._set_array(self.array.copy(order="K"))
        result.requires_grad = self.requires_grad
        result.__dict__.update(copy.deepcopy(self.__dict__, memo))
        result.grad = None if self.grad is None else self.grad.detach().clone()
        memo[id(self)] = result
        return result

    def __reduce__(self):
        raise TypeError("pickle: tensors are not pickled; use fastnn.save")


READ = "a tensor's value is read, which each call would have to do anew"


class Size(tuple):
    """The shape of a tensor, a tuple that knows its number of elements."""

    __slots__ = ()

    def numel(self):
        """The product of the sizes."""
        product = 1
        for size in self:
            product *= size
        return product

    def __getitem__(self, index):
        part = tuple.__getitem__(self, index)
        return Size(part) if type(part) is tuple else part

    def __add__(self, other):
        return Size(tuple.__add__(self, other))

    def __repr__(self):
        return f"fastnn.Size({list(self)})"


def as_array(operation, data, dtype=None):
    """An array of a type that tensors have, from nested lists, numbers, arrays or tensors."""
    if isinstance(data, Tensor):
        data = data.array
    given = isinstance(data, (numpy.ndarray, numpy.generic))
    data, typed = (data, given) if given else _without_tensors(data)
    try:
        array = numpy.asarray(data)
    except ValueError as error:
        raise ValueError(f"{operation}: data is not a regular array: {error}") from None
    if dtype is None:
        floating = array.dtype == dtypes.float64 and not typed
        dtype = dtypes.get_default_dtype() if floating or array.size == 0 and not given \
            else dtypes.check(operation, array.dtype)
    dtype = dtypes.check(operation, dtype)
    if dtype.kind in "iu" and not given:
        _check_range(operation, array, dtype)
    return array.astype(dtype, order="K", copy=False)


PLAIN = {float, int, bool}


def _without_tensors(data):
    """(nested lists with arrays for tensors, whether float64 stands among what has a type)."""
    if not isinstance(data, (list, tuple)) or set(map(type, data)) <= PLAIN:
        return data, False
    parts = [each.array if isinstance(each, Tensor) else each for each in data]
    found = [_without_tensors(each) for each in parts]
    wide = any(inner or getattr(each, "dtype", "") == dtypes.float64
               for each, (_, inner) in zip(parts, found, strict=True))
    return [each for each, _ in found], wide


def _check_range(operation, array, dtype):
    """Raise where numbers do not fit; negative ones wrap around in an unsigned type."""
    limits = numpy.iinfo(dtype)
    if array.dtype != dtype and array.size and array.dtype.kind in "iuf" and not (
            limits.min - (limits.max if dtype.kind == "u" else 0) <= array.min()
            and array.max() <= limits.max):
        raise ValueError(f"{operation}: numbers from {array.min()} to {array.max()} do not fit "
                         f"into {dtype}")


def as_tensor(operation, value):
    """The tensor itself, or a TypeError that names the operation."""
    if not isinstance(value, Tensor):
        hint = "; use fastnn.from_numpy" if isinstance(value, numpy.ndarray) else ""
        raise TypeError(f"{operation}: expected a Tensor, got {type(value).__name__}{hint}")
    return value


def is_number(value):
    """Whether a value is a Python or NumPy number, a boolean among them."""
    return isinstance(value, (numbers.Real, numpy.bool_))
