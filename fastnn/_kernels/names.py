"""Names that a kernel's source uses and `jit` binds when it compiles: here for readers and linters.

``T`` is the type of the arithmetic, ``wide`` float64 or int64 for sums of many,
``pointer(address)`` a pointer to ``T``, ``pointer_i64`` and its kin pointers
to a named type; the functions are those of ``vmath`` for ``T``.
"""


def _only_compiled(*arguments):
    raise RuntimeError("this function exists only in compiled kernels")


T = wide = f32 = f64 = i32 = i64 = u8 = u32 = u64 = _only_compiled
pointer = pointer_f32 = pointer_f64 = pointer_i32 = pointer_i64 = pointer_u8 = _only_compiled
exp = log = log1p = expm1 = sqrt = sin = cos = _only_compiled
placed = plus = larger = sigmoid = rint = trunc_divide = _only_compiled
