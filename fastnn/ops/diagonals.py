"""Matrices made of diagonals and of blocks."""

import numpy

from .. import dtypes, tape
from .. import tensor as tensors
from .._kernels import program
from ..registry import case, floats, public
from .creation import zeros
from .indexing import assign
from .joining import cat
from .rearranging import diag_embed
from .shape import atleast_2d, reshape


@public("fastnn", "method", cases=[case(floats(2, 2), 1), case(floats(3)), case(floats(), -2)])
def diagflat(input, offset=0):
    """The matrix with the elements, as one row, on a diagonal."""
    return diag_embed(reshape(tensors.as_tensor("diagflat", input), -1), offset)


def _block_row(block, before, behind):
    height = block.shape[0]
    return cat([zeros(height, before, dtype=block.dtype), block,
                zeros(height, behind, dtype=block.dtype)], 1)


@public("fastnn", cases=[case(floats(2, 3), floats(3), floats()), case(floats(1, 2), floats(2, 0))])
def block_diag(*tensors):
    """The matrix that holds matrices (rows, numbers) along its diagonal and zeros elsewhere.

    >>> import fastnn
    >>> fastnn.block_diag(fastnn.tensor([[1, 2]]), fastnn.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if not tensors:
        return zeros(1, 0)
    for number, each in enumerate(tensors):
        if each.ndim > 2:
            raise ValueError(f"block_diag: tensor {number} has shape {tuple(each.shape)}, expected "
                             "at most 2 dimensions")
    dtype = dtypes.result_type("block_diag", [each.array for each in tensors], [])
    blocks = [atleast_2d(each).to(dtype) for each in tensors]
    width, rows, before = sum(block.shape[1] for block in blocks), [], 0
    for block in blocks:
        rows.append(_block_row(block, before, width - before - block.shape[1]))
        before += block.shape[1]
    return cat(rows)


def _diagonal_positions(shape, wrap):
    """The positions on the main diagonal, an array for each dimension."""
    if len(shape) > 2:
        return (numpy.arange(shape[0]),) * len(shape)
    rows, columns = shape
    last = rows if wrap else min(rows, columns)
    return numpy.divmod(numpy.arange(0, last * columns, columns + 1), columns) if columns else ()


def fill_diagonal_(input, fill_value, wrap=False):
    """Fill the main diagonal in place; with ``wrap`` that of a high matrix begins anew.

    Tensors of more than two dimensions must have them all of one size.
    """
    shape = tensors.as_tensor("fill_diagonal_", input).array.shape
    if len(shape) < 2 or len(shape) > 2 and len(set(shape)) > 1:
        raise ValueError("fill_diagonal_: expected a matrix, or dimensions of one size, got shape "
                         f"{shape}")
    places = tuple(tape.from_array(program.constant(each))
                   for each in _diagonal_positions(shape, wrap))
    if places:
        assign(input, places, fill_value)
    return input
