"""Names for kernels that Python has not: typed pointers from addresses. Imports Numba."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

TYPES = {
    "f32": types.float32, "f64": types.float64, "i8": types.int8, "i16": types.int16,
    "i32": types.int32, "i64": types.int64, "u8": types.uint8, "u32": types.uint32,
    "u64": types.uint64,
}


def _pointer_to(element):
    @intrinsic
    def pointer(typing_context, address):
        def generate(context, builder, signature, arguments):
            target = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], target)

        return types.CPointer(element)(types.int64), generate

    return pointer


@intrinsic
def plus(typing_context, a, b):
    """The sum of two numbers, which LLVM may regroup: a loop of such sums is a vector's."""
    def generate(context, builder, signature, arguments):
        if isinstance(a, types.Float):
            return builder.fadd(*arguments, flags=("reassoc", "contract"))
        return builder.add(*arguments)

    return a(a, b), generate


@intrinsic
def larger(typing_context, a, b):
    """The larger of two floating-point numbers, NaN if either is: a loop of it is a vector's."""
    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        maximum = builder.module.declare_intrinsic(
            "llvm.maximum", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(maximum, arguments, fastmath=("nsz",))

    return a(a, b), generate


NAMES = {
    "plus": plus,
    "larger": larger,
    **TYPES,
    **{f"pointer_{name}": _pointer_to(element) for name, element in TYPES.items()},
}
