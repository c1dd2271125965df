"""Layers that change shapes alone."""

from ..ops import checks, shape
from .module import Module


class Flatten(Module):
    """Join the dimensions from ``start_dim`` to ``end_dim``: by default all but the batch.

    >>> import fastnn
    >>> fastnn.nn.Flatten()(fastnn.ones(2, 3, 4)).shape
    fastnn.Size([2, 12])
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        return shape.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several, of which one may be -1: the reverse of ``Flatten``.

    >>> import fastnn
    >>> fastnn.nn.Unflatten(1, (3, -1))(fastnn.ones(2, 12)).shape
    fastnn.Size([2, 3, 4])
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim = checks.whole("Unflatten", "dim", dim)
        self.unflattened_size = checks.integers("Unflatten", checks.several(
            "Unflatten", "unflattened_size", unflattened_size))

    def forward(self, input):
        return shape.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
