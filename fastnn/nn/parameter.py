"""`Parameter`: a tensor that a module trains."""

from ..tensor import Tensor, as_tensor


class Parameter(Tensor):
    """A leaf tensor that registers itself when it is assigned to a module's attribute.

    >>> import fastnn
    >>> fastnn.nn.Parameter(fastnn.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data=(), requires_grad=True):
        if data is None or isinstance(data, tuple) and not data:
            super().__init__()
        else:
            self._set_array(as_tensor("Parameter", data).array)
            self._share_version(data)
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo):
        result = super().__deepcopy__(memo)
        result.grad = None
        return result

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"
