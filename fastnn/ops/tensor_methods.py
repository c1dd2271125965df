"""Methods that only a tensor has: new tensors like it, its shape changed in place, and others."""

from .. import tape
from .. import tensor as tensors
from .._kernels import program
from . import creation, rearranging
from .shape import permute, squeeze, t, transpose, unsqueeze

METHODS = {"unfold": rearranging.windows}


def _method(function):
    METHODS[function.__name__] = function
    return function


def _in_new_shape(name, function):
    """A method that changes the tensor's own shape; its memory stays where it is."""

    def method(self, *arguments):
        if self.requires_grad and tape.is_grad_enabled():
            raise RuntimeError(f"{name}: the shape of a tensor on the tape does not change in "
                               f"place; use {function.__name__}")
        program.refuse(f"{name} changes a tensor's shape in place")
        self._set_array(function(self.detach(), *arguments).array)
        return self

    method.__name__ = name
    method.__doc__ = f"``{function.__name__}`` in place, of a tensor that is not on the tape."
    METHODS[name] = method


for _name, _function in (("squeeze_", squeeze), ("unsqueeze_", unsqueeze), ("t_", t),
                         ("transpose_", transpose), ("swapaxes_", transpose),
                         ("swapdims_", transpose)):
    _in_new_shape(_name, _function)


@_method
def reshape_as(self, other):
    """Reshaped to the shape of another tensor."""
    return self.reshape(tuple(other.shape))


@_method
def view_as(self, other):
    """A view in the shape of another tensor."""
    return self.view(tuple(other.shape))


@_method
def expand_as(self, other):
    """Expanded to the shape of another tensor."""
    return self.expand(tuple(other.shape))


def _like(self, keywords):
    return {**keywords, "dtype": keywords.get("dtype") or self.dtype}


@_method
def new_zeros(self, *size, **keywords):
    """Zeros of the type of this tensor."""
    return creation.zeros(*size, **_like(self, keywords))


@_method
def new_ones(self, *size, **keywords):
    """Ones of the type of this tensor."""
    return creation.ones(*size, **_like(self, keywords))


@_method
def new_empty(self, *size, **keywords):
    """Uninitialised memory of the type of this tensor."""
    return creation.empty(*size, **_like(self, keywords))


@_method
def new_full(self, size, fill_value, **keywords):
    """One value in the type of this tensor."""
    return creation.full(size, fill_value, **_like(self, keywords))


@_method
def new_tensor(self, data, **keywords):
    """A copy of ``data`` in the type of this tensor."""
    return creation.tensor(data, **_like(self, keywords))


@_method
def get_device(self):
    """Always -1, as for all tensors on the CPU."""
    return -1


@_method
def is_same_size(self, other):
    """Whether both have the same shape."""
    return self.shape == tensors.as_tensor("is_same_size", other).shape


@_method
def __contains__(self, element):
    if not isinstance(element, tensors.Tensor) and not tensors.is_number(element):
        raise TypeError(f"in: expected a tensor or a number, got {type(element).__name__}")
    program.refuse(tensors.READ)
    return bool((self == element).array.any())


def _matrix_transpose(self):
    """The last two dimensions exchanged, as a view."""
    if not self.ndim:
        return self
    if self.ndim < 2:
        raise ValueError(f"mT: a tensor needs at least 2 dimensions, got {self.ndim}")
    return transpose(self, -2, -1)


def _conjugate_transpose(self):
    """The transpose of a matrix: there are no complex tensors."""
    if self.ndim not in (0, 2):
        raise ValueError(f"H: only a matrix has one, got {self.ndim} dimensions")
    return permute(self, tuple(range(self.ndim - 1, -1, -1)))


METHODS["mT"] = METHODS["mH"] = property(_matrix_transpose)
METHODS["H"] = property(_conjugate_transpose)
METHODS["is_cuda"] = property(lambda self: False)
