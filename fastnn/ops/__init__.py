"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    arithmetic,
    binary_loss,
    class_loss,
    convolution,
    creation,
    distance,
    dropout,
    embedding,
    gated,
    indexing,
    layer_normalization,
    linear,
    margin_loss,
    methods,
    normalization,
    piecewise,
    pooling,
    random,
    reduction,
    regression_loss,
    shape,
    softmax,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to)
methods.attach()
