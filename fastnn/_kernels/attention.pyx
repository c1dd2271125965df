"""Scaled dot-product attention and its gradients, by blocks of queries and keys.

Arrays are ``(batch, heads, rows, columns)`` of float32 or float64, in any layout whose columns lie
next to each other. Keys and values may have fewer heads: each serves as many neighbouring heads
of the queries. A mask is boolean (true where a key counts) or of the arrays' type (added to the
scores), of shape ``(batch, heads, queries, keys)``, with any strides. With ``causal`` query i
sees the keys 0 to i. The matrix of scores never exists as a whole: see ``csrc/attention.c``.
"""

cimport numpy as cnp

from fastnn._kernels cimport runtime
from fastnn._kernels.conv cimport check_real, check_size, check_writeable
from fastnn._kernels.calls cimport name_kernel
from fastnn._kernels.recording cimport is_noting, perform, uses

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef extern from "attention.h" nogil:
    int ATTENTION_NO_MASK, ATTENTION_ALLOWS, ATTENTION_ADDS

    ctypedef struct attention_array:
        void* data
        ptrdiff_t batch, head, row, column

    ctypedef struct attention_plan:
        ptrdiff_t batch, heads, group, rows, keys, depth, width
        double scale
        int causal, mask_kind
        attention_array q, k, v, mask, out
        void* largest
        void* inverse
        void* delta
        attention_array gradient, dq, dk, dv

    ctypedef struct attention_kernels:
        int (*forward)(const attention_plan*, int) noexcept nogil
        int (*backward)(const attention_plan*, int) noexcept nogil

    const attention_kernels* attention_kernels_for(int isa, int is_double)

# Multiply-adds of float32 per nanosecond on one thread.
cdef double RATE = 25.0


cdef int describe(str name, str argument, cnp.ndarray array, int typenum, ptrdiff_t batch,
                  ptrdiff_t heads, ptrdiff_t rows, ptrdiff_t columns, bint dense,
                  attention_array* described) except -1:
    """Strides of one array, after checks of its type, shape and memory."""
    cdef Py_ssize_t item
    cdef int axis
    if array is None:
        raise TypeError(f"{name}: {argument} is None, an array was wanted")
    if cnp.PyArray_TYPE(array) != typenum:
        raise TypeError(f"{name}: {argument} has dtype {array.dtype}, "
                        f"wanted {cnp.PyArray_DescrFromType(typenum)}")
    if array.ndim != 4:
        raise ValueError(f"{name}: {argument} has {array.ndim} dimensions, wanted 4")
    check_size(name, argument, "batches", array.shape[0], batch)
    check_size(name, argument, "heads", array.shape[1], heads)
    check_size(name, argument, "rows", array.shape[2], rows)
    check_size(name, argument, "columns", array.shape[3], columns)
    item = cnp.PyArray_ITEMSIZE(array)
    for axis in range(4):
        if array.strides[axis] % item:
            raise ValueError(f"{name}: {argument} has strides that split its elements")
    dense = dense and columns > 1 and cnp.PyArray_SIZE(array) > 0
    if not cnp.PyArray_ISBEHAVED_RO(array) or (dense and array.strides[3] != item):
        raise ValueError(f"{name}: {argument} must be aligned, with its columns side by side")
    described.data = cnp.PyArray_DATA(array)
    described.batch = array.strides[0] // item
    described.head = array.strides[1] // item
    described.row = array.strides[2] // item
    described.column = array.strides[3] // item
    return 0


cdef int fill(str name, attention_plan* plan, cnp.ndarray q, cnp.ndarray k, cnp.ndarray v,
              cnp.ndarray mask, cnp.ndarray out, cnp.ndarray statistics, double scale,
              bint causal) except -1:
    cdef int typenum = check_real(name, "q", q)
    cdef ptrdiff_t heads
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4:
        raise ValueError(f"{name}: q, k and v must have 4 dimensions")
    plan.batch, plan.heads, plan.rows, plan.depth = q.shape[0], q.shape[1], q.shape[2], q.shape[3]
    heads, plan.keys, plan.width = k.shape[1], k.shape[2], v.shape[3]
    if heads < 1 and plan.heads or heads and plan.heads % heads:
        raise ValueError(f"{name}: q has {plan.heads} heads, k {heads}")
    plan.group = max(1, plan.heads // heads if heads else 1)
    plan.scale, plan.causal = scale, causal
    describe(name, "q", q, typenum, plan.batch, plan.heads, plan.rows, plan.depth, True, &plan.q)
    describe(name, "k", k, typenum, plan.batch, heads, plan.keys, plan.depth, True, &plan.k)
    describe(name, "v", v, typenum, plan.batch, heads, plan.keys, plan.width, True, &plan.v)
    describe(name, "out", out, typenum, plan.batch, plan.heads, plan.rows, plan.width, True,
             &plan.out)
    plan.mask_kind = ATTENTION_NO_MASK
    if mask is not None:
        plan.mask_kind = (ATTENTION_ALLOWS if cnp.PyArray_TYPE(mask) == cnp.NPY_BOOL
                          else ATTENTION_ADDS)
        describe(name, "mask", mask, cnp.NPY_BOOL if plan.mask_kind == ATTENTION_ALLOWS
                 else typenum, plan.batch, plan.heads, plan.rows, plan.keys, False, &plan.mask)
    if (cnp.PyArray_TYPE(statistics) != typenum or not cnp.PyArray_ISCARRAY(statistics)
            or cnp.PyArray_SIZE(statistics) != 2 * plan.batch * plan.heads * plan.rows):
        raise ValueError(f"{name}: statistics must hold 2 numbers for each query")
    plan.largest = cnp.PyArray_DATA(statistics)
    plan.inverse = <char*> plan.largest + cnp.PyArray_NBYTES(statistics) // 2
    plan.delta = NULL
    return typenum


cdef double scores_of(const attention_plan* plan) noexcept nogil:
    return <double> plan.batch * plan.heads * plan.rows * plan.keys


cdef double cost_of(const attention_plan* plan, int products) noexcept nogil:
    return scores_of(plan) * products * (plan.depth + plan.width + 16) / 2 / RATE


cdef double products_of(const attention_plan* plan, int products) noexcept nogil:
    """Multiply-adds, also of those scores that a mask hides."""
    return scores_of(plan) * products * (plan.depth + plan.width) / 2


cdef struct _Call:
    const attention_kernels* kernels
    attention_plan plan


cdef int _run_forward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    return c.kernels.forward(&c.plan, threads)


name_kernel(<const void*> _run_forward, "attention")


cdef int _run_backward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    return c.kernels.backward(&c.plan, threads)


name_kernel(<const void*> _run_backward, "gradient of attention")


def forward(cnp.ndarray q not None, cnp.ndarray k not None, cnp.ndarray v not None,
            cnp.ndarray mask, cnp.ndarray out not None, cnp.ndarray statistics not None,
            double scale, bint causal):
    """Attention into out; ``statistics`` (2, batch, heads, queries) is kept for ``backward``."""
    cdef _Call call
    cdef int typenum = fill("attention.forward", &call.plan, q, k, v, mask, out, statistics, scale,
                            causal)
    check_writeable("attention.forward", "out", out)
    call.kernels = attention_kernels_for(runtime.isa, typenum == cnp.NPY_FLOAT64)
    if is_noting():
        uses((q, k, v, mask, out, statistics))
    if perform(_run_forward, &call, sizeof(call), cost_of(&call.plan, 2),
               products_of(&call.plan, 2)):
        raise MemoryError("attention.forward: no memory for a block")
    return out


def backward(cnp.ndarray q not None, cnp.ndarray k not None, cnp.ndarray v not None,
             cnp.ndarray mask, cnp.ndarray out not None, cnp.ndarray statistics not None,
             double scale, bint causal, cnp.ndarray gradient not None, cnp.ndarray dq not None,
             cnp.ndarray dk not None, cnp.ndarray dv not None):
    """The gradients of q, k and v into dq, dk and dv, given that of out."""
    cdef _Call call
    cdef str name = "attention.backward"
    cdef int typenum = fill(name, &call.plan, q, k, v, mask, out, statistics, scale, causal)
    cdef ptrdiff_t heads = call.plan.heads // call.plan.group
    cdef attention_plan* plan = &call.plan
    cdef cnp.ndarray delta
    describe(name, "gradient", gradient, typenum, plan.batch, plan.heads, plan.rows, plan.width,
             True, &plan.gradient)
    describe(name, "dq", dq, typenum, plan.batch, plan.heads, plan.rows, plan.depth, True,
             &plan.dq)
    describe(name, "dk", dk, typenum, plan.batch, heads, plan.keys, plan.depth, True, &plan.dk)
    describe(name, "dv", dv, typenum, plan.batch, heads, plan.keys, plan.width, True, &plan.dv)
    delta = runtime.empty(3, cnp.PyArray_DIMS(q), typenum)
    plan.delta = cnp.PyArray_DATA(delta)
    for array in (dq, dk, dv):
        check_writeable(name, "a gradient", array)
    call.kernels = attention_kernels_for(runtime.isa, typenum == cnp.NPY_FLOAT64)
    if is_noting():
        uses((q, k, v, mask, out, statistics, gradient, dq, dk, dv))
    if perform(_run_backward, &call, sizeof(call), cost_of(&call.plan, 5),
               products_of(&call.plan, 5)):
        raise MemoryError("attention.backward: no memory for a block")
