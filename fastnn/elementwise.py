"""`elementwise`: make an operation from a scalar formula."""

import inspect

from . import formulas
from ._kernels.elementwise import elementwise_source
from .op import Elementwise


def elementwise(function=None, *, inplace=False, name=None):
    """Make a function of numbers into an operation on tensors, with gradients of any order.

    Arguments without a default are tensors (or numbers) that broadcast; arguments with one are
    numeric parameters. The body may hold assignments, ``if ...: return ...`` and one return, made
    of arithmetic, comparisons, conditional expressions, ``max``, ``min`` and the functions
    exp, exp2, expm1, log, log1p, log2, log10, sqrt, sin, cos, tan, asin, acos, atan, atan2, sinh,
    cosh, tanh, asinh, acosh, atanh, sigmoid, erf, erfc, ndtr (the normal distribution function),
    hypot, abs, pow, floor, ceil, trunc, rint, fmod, remainder, floor_divide, copysign, isnan,
    written bare or as ``math.exp``. Derivatives are made from the source, and the loops for float32
    and float64 are compiled when they are first used. An argument annotated ``bool`` takes boolean
    tensors. Raises TypeError for anything that a formula cannot hold.

    Instead of a function, the text of an expression of the same things may be given, such as one
    that a user typed: its variables are the tensors, in the order in which they appear. The text is
    read, never run.

    With ``inplace=True`` the operation takes a keyword ``inplace``, as PyTorch's activations do;
    ``name`` is the operation's name where that of the function will not do.

    >>> import fastnn
    >>> @fastnn.elementwise
    ... def bent(x, strength=0.5):
    ...     return strength * ((x * x + 1) ** 0.5 - 1) + x
    >>> x = fastnn.tensor([0.0, 1.0], requires_grad=True)
    >>> bent(x, strength=1.0).sum().backward()
    >>> x.grad
    tensor([1.0000, 1.7071])
    >>> fastnn.elementwise("x if x > 0 else expm1(x)", name="elu")(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    if function is None:
        return lambda wrapped: elementwise(wrapped, inplace=inplace, name=name)
    if isinstance(function, str):
        formula = formulas.parse_text(function, name or "formula")
    else:
        formula = formulas.parse(function)
    formula.name = name or formula.name
    formula.has_inplace = inplace
    operation = _Operation(formula, lambda dtype: (elementwise_source(formula, dtype), dtype))
    operation.__name__ = operation.__qualname__ = formula.name
    if isinstance(function, str):
        operation.__doc__ = function
    else:
        operation.__doc__ = inspect.getdoc(function)
        operation.__module__ = function.__module__
        operation.__wrapped__ = function
    operation.__signature__ = _with_inplace(formula.signature) if inplace else formula.signature
    return operation


def _with_inplace(signature):
    return signature.replace(parameters=[
        *signature.parameters.values(),
        inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)])


class _Operation(Elementwise):
    """An elementwise operation that a better derivative can be written for."""

    def with_keywords(self, function):
        """Let ``function`` serve the calls that give keywords, such as ``alpha``."""
        self._set_keyword_form(function)
        self.__signature__ = inspect.signature(function)
        return function

    def written_derivative(self, argument=None):
        """Give the derivative by ``argument`` (the only input, if there is one) as a formula.

        Its arguments are named after the operation's inputs and parameters, or ``output``.
        """
        name = argument or self.formula.inputs[0]

        def decorate(function):
            written = formulas.parse(function)
            self.formula.written[name] = written.lets, written.result
            return function

        return decorate
