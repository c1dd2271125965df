"""Sums of products over named dimensions."""

import math
import string

from .. import tensor as tensors
from ..registry import case, floats, public
from .linear import product
from .rearranging import diagonal
from .shape import permute, reshape, squeeze

ELLIPSIS = "..."


def _written(*arguments):
    """The equation and the operands of tensors and lists of numbers in turn."""

    def letters(numbers):
        return "".join(ELLIPSIS if each is Ellipsis else string.ascii_letters[each]
                       for each in numbers)

    try:
        texts = [letters(numbers) for numbers in arguments[1::2]]
        output = "->" + letters(arguments[-1]) if len(arguments) % 2 else ""
    except (IndexError, TypeError):
        raise ValueError("einsum: expected an operand and a list of numbers from 0 to 51 in "
                         "turn") from None
    return ",".join(texts) + output, arguments[:len(texts) * 2:2]


def _labels(text, ndim, operand):
    """The labels of an operand's dimensions; those of an ellipsis are numbers from the right."""
    if text.count(ELLIPSIS) > 1 or text.replace(ELLIPSIS, "", 1).strip(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        raise ValueError(f"einsum: {text!r} may hold letters and one ellipsis")
    before, dots, behind = text.partition(ELLIPSIS)
    extra = ndim - len(before) - len(behind)
    if extra < 0 or (extra and not dots):
        raise ValueError(f"einsum: {text!r} does not name the {ndim} dimensions of operand "
                         f"{operand}")
    return [*before, *range(extra, 0, -1), *behind]


def _output_labels(text, found):
    """The labels of the output, in their order; without ``->`` those that occur once."""
    numbers = sorted({each for labels in found for each in labels if isinstance(each, int)},
                     reverse=True)
    flat = [each for labels in found for each in labels]
    if text is None:
        once = sorted(each for each in set(flat) if isinstance(each, str) and flat.count(each) == 1)
        return [*numbers, *once]
    before, dots, behind = text.partition(ELLIPSIS)
    wanted = [*before, *(numbers if dots else ()), *behind]
    if len(set(wanted)) != len(wanted):
        raise ValueError(f"einsum: a dimension is named twice in the output {text!r}")
    unknown = [each for each in wanted if each not in flat]
    if unknown:
        raise ValueError(f"einsum: the output names {unknown}, which no operand has")
    return wanted


def _sizes(found, operands):
    """The size of each label; 1 broadcasts."""
    sizes = {}
    for labels, operand in zip(found, operands, strict=True):
        for label, size in zip(labels, operand.array.shape, strict=True):
            before = sizes.get(label, 1)
            if 1 not in (before, size) and before != size:
                raise ValueError(f"einsum: dimension {label!r} has sizes {before} and {size}")
            sizes[label] = size if before == 1 else before
    return sizes


def _plain(operand, labels, sizes):
    """An operand with each label once, without those of size 1 that broadcast."""
    place = 0
    while place < len(labels):
        if labels[place] in labels[:place]:
            first = labels.index(labels[place])
            if operand.shape[first] != operand.shape[place]:
                raise ValueError(f"einsum: dimension {labels[place]!r} has sizes "
                                 f"{operand.shape[first]} and {operand.shape[place]}")
            operand = diagonal(operand, 0, first, place)
            labels = [each for i, each in enumerate(labels) if i not in (first, place)] \
                + [labels[place]]
            place = 0
        else:
            place += 1
    thin = [i for i, each in enumerate(labels) if operand.shape[i] == 1 != sizes[each]]
    if thin:
        operand = squeeze(operand, tuple(thin))
    return operand, [each for i, each in enumerate(labels) if i not in thin]


def _without(operand, labels, kept):
    """Sum over the labels that nobody else has."""
    dims = tuple(i for i, each in enumerate(labels) if each not in kept)
    return (operand.sum(dims) if dims else operand), [each for each in labels if each in kept]


def _ordered(operand, labels, order):
    return permute(operand, *(labels.index(each) for each in order)) if labels else operand


def _contracted(a, of_a, b, of_b, kept, sizes):
    """The product of two operands, summed over the labels of both that are not kept."""
    a, of_a = _without(a, of_a, {*kept, *of_b})
    b, of_b = _without(b, of_b, {*kept, *of_a})
    summed = [each for each in of_a if each in of_b and each not in kept]
    stack = [each for each in of_a if each in of_b and each in kept]
    rows = [each for each in of_a if each not in of_b]
    columns = [each for each in of_b if each not in of_a]

    def size(labels):
        return math.prod(sizes[each] for each in labels)

    a, b = _ordered(a, of_a, stack + rows + summed), _ordered(b, of_b, stack + summed + columns)
    labels = stack + rows + columns
    shape = [sizes[each] for each in labels]
    if not summed or a.dtype.kind == "b":
        a = reshape(a, size(stack), size(rows), size(summed), 1)
        b = reshape(b, size(stack), 1, size(summed), size(columns))
        return reshape((a * b).sum(2) if summed else a * b, shape), labels
    a = reshape(a, *[size(stack)] * bool(stack), size(rows), size(summed))
    b = reshape(b, *[size(stack)] * bool(stack), size(summed), size(columns))
    return reshape(product((False, False), a, b), shape), labels


@public("fastnn", cases=[
    case("ij,jk->ik", floats(4, 3), floats(3, 2)),
    case("bij,bjk", floats(2, 4, 3), floats(2, 3, 2)),
    case("ii->i", floats(3, 3)), case("ij->", floats(4, 3)), case("ij->ji", floats(4, 3)),
    case("...i,...i->...", floats(4, 2, 3), floats(2, 3)),
    case("i,j,k->kij", floats(4), floats(3), floats(2)),
    case("bhid,bhjd->bhij", floats(2, 3, 4, 2), floats(2, 3, 5, 2))])
def einsum(equation, *operands):
    """Sums of products, by Einstein's convention: ``"ij,jk->ik"`` is a product of matrices.

    A letter stands for a dimension; what the output does not name is summed over. ``...`` stands
    for the other dimensions, which broadcast; a letter twice in an operand takes the diagonal.
    Operands are multiplied from left to right, each pair by one product of stacks of matrices.
    Without an equation each operand is followed by a list of its dimensions as numbers from 0 to
    51, and that of the output may come last.

    >>> import fastnn
    >>> fastnn.einsum("ij,j->i", fastnn.ones(2, 3), fastnn.arange(3).float())
    tensor([3., 3.])
    """
    if isinstance(equation, tensors.Tensor):
        equation, operands = _written(equation, *operands)
    if not isinstance(equation, str):
        raise TypeError(f"einsum: equation must be a string, got {type(equation).__name__}")
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    operands = [tensors.as_tensor("einsum", each) for each in operands]
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    texts = inputs.split(",")
    if len(texts) != len(operands):
        raise ValueError(f"einsum: {equation!r} names {len(texts)} operands, got {len(operands)}")
    found = [_labels(text, operand.ndim, i)
             for i, (text, operand) in enumerate(zip(texts, operands, strict=True))]
    wanted = _output_labels(output if arrow else None, found)
    sizes = _sizes(found, operands)
    parts = [_plain(operand, labels, sizes)
             for operand, labels in zip(operands, found, strict=True)]
    result, labels = parts[0]
    for place, (operand, others) in enumerate(parts[1:], 1):
        kept = {*wanted, *(each for _, later in parts[place + 1:] for each in later)}
        result, labels = _contracted(result, labels, operand, others, kept, sizes)
    return _ordered(*_without(result, labels, wanted), wanted)
