"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    adaptive_pooling,
    all_pairs,
    arithmetic,
    binary_loss,
    class_loss,
    columns,
    convolve,
    creation,
    distance,
    dropout,
    einsum,
    embedding,
    gated,
    grids,
    in_place,
    indexing,
    joining,
    layer_normalization,
    linear,
    margin_loss,
    masks,
    methods,
    normalization,
    padding,
    picking,
    piecewise,
    pixels,
    pooling,
    products,
    random,
    rearranging,
    reduction,
    regression_loss,
    resampling,
    shape,
    softmax,
    sorting,
    types,
    unpooling,
)

tape.bind(Tensor, arithmetic.add)
op.bind(arithmetic.promote, shape.sum_to, in_place.write_through)
methods.attach()
