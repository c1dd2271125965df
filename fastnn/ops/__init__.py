"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    arithmetic,
    attention,
    convolution,
    creation,
    indexing,
    linear,
    loss,
    methods,
    multihead,
    normalization,
    pooling,
    random,
    reduction,
    shape,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to)
methods.attach()
