"""`update_kernel`: an optimizer's kernel, written as the formula of one element."""

from .kernel import Kernel
from .source import source_of

# `update.pyx` makes the table: a row for a chunk of a tensor, with the number of its elements and
# the addresses of the parameter, its gradient and its state.
LOOP = """
def kernel(start, stop, arguments, numbers):
    columns = arguments[0]
    {settings}
    for row in range(start, stop):
        at = 1 + row * columns
        {pointers}
        for i in range(arguments[at]):
            {results} = formula({elements}, {names})
"""


def update_kernel(arrays):
    """Decorator: a `Kernel` of a formula over ``arrays`` arrays, then numbers.

    The formula takes an element of the parameter, of its gradient and of each state, and returns
    the new ones, without the gradient. ``1.0 - number`` loses digits in float32: where both are
    wanted, both are parameters.
    """

    def made(formula):
        code = formula.__code__
        names = code.co_varnames[arrays:code.co_argcount]
        states = ["a0", *(f"a{i}" for i in range(2, arrays))]
        loop = LOOP.format(
            settings="; ".join(f"{name} = T(numbers[{i}])" for i, name in enumerate(names)),
            pointers="; ".join(f"a{i} = pointer(arguments[at + {i + 1}])" for i in range(arrays)),
            results=", ".join(f"{each}[i]" for each in states),
            elements=", ".join(f"a{i}[i]" for i in range(arrays)), names=", ".join(names))

        def source(dtype):
            text = source_of(formula).replace(f"def {formula.__name__}(", "def formula(", 1)
            return f"@jitted\n{text}\n{loop}", dtype

        return Kernel(formula.__name__, source)

    return made
