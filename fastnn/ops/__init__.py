"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    adaptive_pooling,
    arithmetic,
    attention,
    binary_loss,
    class_loss,
    columns,
    convolve,
    creation,
    distance,
    dropout,
    embedding,
    gated,
    grids,
    indexing,
    layer_normalization,
    linear,
    margin_loss,
    methods,
    multihead,
    normalization,
    padding,
    piecewise,
    pooling,
    random,
    rearranging,
    reduction,
    regression_loss,
    resampling,
    shape,
    softmax,
    unpooling,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to)
methods.attach()
