"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    adaptive_pooling,
    arithmetic,
    columns,
    convolve,
    creation,
    grids,
    indexing,
    linear,
    loss,
    methods,
    normalization,
    padding,
    pooling,
    random,
    rearranging,
    reduction,
    resampling,
    shape,
    unpooling,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to)
methods.attach()
