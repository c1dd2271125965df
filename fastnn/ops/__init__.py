"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    arithmetic,
    convolution,
    creation,
    distance,
    einsum,
    in_place,
    indexing,
    joining,
    linear,
    loss,
    masks,
    methods,
    normalization,
    picking,
    pooling,
    products,
    random,
    rearranging,
    reduction,
    shape,
    sorting,
    types,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to, in_place.write_through)
methods.attach()
