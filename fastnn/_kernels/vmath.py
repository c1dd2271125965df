"""Vector mathematics: scalar functions that LLVM turns into packed instructions.

The functions are written in `vmath_f32` and `vmath_f64` as plain Python without branches, calls
of libm or float-to-integer conversions, so a loop that calls them vectorises: sigmoid of float32
runs at 20 GB/s a core, where libm gives 2.5. `bind` compiles them; importing this file does not
load Numba.
"""

import importlib
from types import FunctionType

# Functions of one argument that processors have.
INSTRUCTIONS = {"sqrt": "llvm.sqrt", "floor": "llvm.floor", "ceil": "llvm.ceil",
                "trunc": "llvm.trunc", "rint": "llvm.rint", "abs": "llvm.fabs"}
# In this order: a module calls functions of those before it. Float32 uses some of float64.
MODULES = ("vmath_f64", "vmath_f32", "vmath_trigonometry", "vmath_power", "vmath_inverse",
           "vmath_error", "vmath_division")


def bind(dtype, jit):
    """A dict of the functions for ``dtype``, ``"f32"`` or ``"f64"``, each compiled by ``jit``.

    ``jit`` is such as ``numba.njit(error_model="numpy", fastmath={"contract", "nsz"},
    forceinline=True)``. Contraction and signless zeros are safe; ``reassoc``, ``nnan``, ``ninf``,
    ``arcp`` and ``afn`` are not. Without ``forceinline`` the longer functions stay calls, and
    the loop around them stays scalar.
    """
    native = {name: _instruction(code) for name, code in INSTRUCTIONS.items()}
    machine = {**_intrinsics(), **native}
    bound = {**native, "isnan": jit(isnan)}
    for name in MODULES:
        functions = _compiled(importlib.import_module(f"{__package__}.{name}"), machine, jit)
        machine |= functions
        bound |= {name.removesuffix(f"_{dtype}"): function for name, function in functions.items()
                  if name.endswith(f"_{dtype}")}
    return bound


def _compiled(module, machine, jit):
    """The public functions of a module by name, over the names in ``machine``."""
    names = {**vars(module), **machine}
    own = [value for value in vars(module).values()
           if isinstance(value, FunctionType) and value.__module__ == module.__name__]
    for function in own:
        names[function.__name__] = jit(FunctionType(function.__code__, names, function.__name__))
    return {function.__name__: names[function.__name__] for function in own
            if function.__name__[0] != "_"}


def isnan(x):
    return x != x


def _intrinsics():
    """The names of `vmath_names` as LLVM instructions."""
    from numba import types

    return {
        "f32": types.float32,
        "f64": types.float64,
        "i32": types.int32,
        "bits_f32": _bit_cast(types.float32, types.int32),
        "float_f32": _bit_cast(types.int32, types.float32),
        "bits_f64": _bit_cast(types.float64, types.int64),
        "float_f64": _bit_cast(types.int64, types.float64),
        "polynomial": _polynomial(),
        "entry": _entry(),
        "fmod": _fmod(),
    }


def _bit_cast(source, target):
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def cast(typing_context, value):
        # A float of the other width would pass through the functions and come out wrong.
        if isinstance(source, types.Float) and value != source:
            raise TypeError(f"vmath: got {value}, expected {source}")

        def generate(context, builder, signature, arguments):
            value = context.cast(builder, arguments[0], signature.args[0], source)
            return builder.bitcast(value, context.get_value_type(target))

        return target(value), generate

    return cast


def _instruction(name):
    """An LLVM intrinsic of one floating argument."""
    from numba.extending import intrinsic

    @intrinsic
    def instruction(typing_context, x):
        def generate(context, builder, signature, arguments):
            called = builder.module.declare_intrinsic(name, [arguments[0].type])
            return builder.call(called, arguments)

        return x(x), generate

    return instruction


def _fmod():
    """The remainder of a division towards zero, which is exact: LLVM calls libm for it."""
    from numba.extending import intrinsic

    @intrinsic
    def fmod(typing_context, x, y):
        def generate(context, builder, signature, arguments):
            return builder.frem(*arguments)

        return x(x, y), generate

    return fmod


def _entry():
    """An element of a constant array, marked as what no output lies on.

    Else LLVM takes it for something that each store may change: the sine took 14 ns and not 3.
    """
    from numba import types
    from numba.extending import intrinsic

    from .intrinsics import marked_input

    @intrinsic
    def entry(typing_context, table, row, column):
        def generate(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            columns = builder.extract_value(array.shape, 1)
            place = builder.add(builder.mul(arguments[1], columns), arguments[2])
            return marked_input(builder, builder.gep(array.data, [place]))

        return table.dtype(table, types.int64, types.int64), generate

    return entry


def _polynomial():
    from numba.extending import intrinsic

    @intrinsic
    def polynomial(typing_context, x, coefficients):
        def generate(context, builder, signature, arguments):
            x, packed = arguments
            value = builder.extract_value(packed, 0)
            for place in range(1, len(signature.args[1])):
                product = builder.fmul(value, x, flags=("contract",))
                coefficient = builder.extract_value(packed, place)
                value = builder.fadd(product, coefficient, flags=("contract",))
            return value

        return x(x, coefficients), generate

    return polynomial
