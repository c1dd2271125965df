"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    arithmetic,
    convolution,
    creation,
    dropout,
    gated,
    indexing,
    linear,
    loss,
    methods,
    normalization,
    piecewise,
    pooling,
    random,
    reduction,
    shape,
    softmax,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to)
methods.attach()
