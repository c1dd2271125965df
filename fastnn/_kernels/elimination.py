"""Systems of equations by elimination without pivots.

That is exact for triangular matrices, and stable for those whose symmetric part is positive
definite (Golub and Van Loan, Matrix Computations, 4.3), which is what it is for.
"""

from . import memory
from .kernel import kernel
from .names import pointer

NANOSECONDS_PER_STEP = 0.5


@kernel
def eliminate(start, stop, arguments, numbers):
    """Turn each x (size, count) into the solution of a y = x; a (size, size) is used up."""
    a, x = pointer(arguments[0]), pointer(arguments[1])
    size, count = arguments[2], arguments[3]
    for unit in range(start, stop):
        of_a, of_x = unit * size * size, unit * size * count
        for i in range(size):
            pivot = of_a + i * size
            for row in range(i + 1, size):
                factor = a[of_a + row * size + i] / a[pivot + i]
                for j in range(i + 1, size):
                    a[of_a + row * size + j] -= factor * a[pivot + j]
                for j in range(count):
                    x[of_x + row * count + j] -= factor * x[of_x + i * count + j]
        for back in range(size):
            i = size - 1 - back
            for j in range(count):
                x[of_x + i * count + j] /= a[of_a + i * size + i]
            for row in range(i):
                factor = a[of_a + row * size + i]
                for j in range(count):
                    x[of_x + row * count + j] -= factor * x[of_x + i * count + j]


def solve(a, b):
    """The solutions of stacks of systems: a (stack, size, size), b (stack, size, count)."""
    stack, size, count = b.shape
    out = memory.copy(b, "C")
    if out.size:
        eliminate(None, (memory.copy(a, "C"), out, size, count), stack, chunk=1,
                  nanoseconds=stack * size * size * (size + 2 * count) * NANOSECONDS_PER_STEP)
    return out
