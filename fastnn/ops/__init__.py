"""The operations, a file for each family. Importing this fills the registry and `Tensor`."""

from .. import op, tape
from ..tensor import Tensor
from . import (  # noqa: F401  each fills the registry
    activation,
    aliases,
    arithmetic,
    bitwise,
    comparison,
    convolution,
    creation,
    exponential,
    extremes,
    indexing,
    linear,
    loss,
    methods,
    moments,
    normalization,
    norms,
    pooling,
    promotion,
    random,
    reduction,
    rounding,
    scans,
    shape,
    trigonometry,
)

tape.bind(Tensor, arithmetic.add)
op.bind(promotion.promote, shape.sum_to, promotion.write_over)
methods.attach()
