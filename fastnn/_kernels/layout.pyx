"""Memory moved: copies, and fast transposition of channels last to channels first and back."""

import numpy

cimport numpy as cnp
from libc.string cimport memcpy

from .recording import noting
from .repeating import Again

from fastnn._kernels cimport runtime
from fastnn._kernels.conv cimport check_array, check_size, check_writeable
from fastnn._kernels.recording cimport is_noting, name_kernel, perform, uses

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef extern from "layout.h":
    ctypedef void (*transpose_function)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void*, void*,
                                        int) noexcept nogil
    transpose_function transpose_for(int isa, int itemsize) noexcept nogil

cdef double BYTES_PER_NANOSECOND = 8.0


cdef struct _Call:
    transpose_function transpose
    ptrdiff_t batch
    ptrdiff_t rows
    ptrdiff_t columns
    const void* x
    void* out


cdef int _run(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.transpose(c.batch, c.rows, c.columns, c.x, c.out, threads)
    return 0


name_kernel(<const void*> _run, "transposition")


def transpose_copy(cnp.ndarray x, cnp.ndarray out):
    """out[batch, cols, rows] from x[batch, rows, cols], both C-contiguous; returns out.

    Any dtype of 4 or 8 bytes without references. Images (N, H, W, C) become (N, C, H, W) when they
    are given as (N, H*W, C).
    """
    if x is None or out is None:
        raise TypeError("transpose_copy: wanted two arrays, got None")
    cdef int typenum = cnp.PyArray_TYPE(x), itemsize = cnp.PyArray_ITEMSIZE(x)
    if typenum > cnp.NPY_CDOUBLE or (itemsize != 4 and itemsize != 8):
        raise TypeError(f"transpose_copy: x has dtype {x.dtype}, wanted numbers of 4 or 8 bytes")
    check_array("transpose_copy", "x", x, 3, typenum)
    check_array("transpose_copy", "out", out, 3, typenum)
    check_writeable("transpose_copy", "out", out)
    check_size("transpose_copy", "out", "matrices", out.shape[0], x.shape[0])
    check_size("transpose_copy", "out", "rows", out.shape[1], x.shape[2])
    check_size("transpose_copy", "out", "columns", out.shape[2], x.shape[1])
    cdef _Call call = _Call(transpose_for(runtime.isa, itemsize), x.shape[0], x.shape[1],
                            x.shape[2], cnp.PyArray_DATA(x), cnp.PyArray_DATA(out))
    if is_noting():
        uses((x, out))
    perform(_run, &call, sizeof(call), cnp.PyArray_NBYTES(x) / BYTES_PER_NANOSECOND)
    return out


cdef struct _Copy:
    void* to
    const void* source
    size_t size


cdef int _copy(const void* call, int threads) noexcept nogil:
    cdef const _Copy* c = <const _Copy*> call
    memcpy(c.to, c.source, c.size)
    return 0


name_kernel(<const void*> _copy, "copy")


def copy_values(cnp.ndarray to not None, cnp.ndarray source not None):
    """``numpy.copyto(to, source)`` of one shape and type, noted."""
    cdef _Copy call
    if not is_noting():
        numpy.copyto(to, source)
        return
    uses((to, source))
    if cnp.PyArray_IS_C_CONTIGUOUS(to) and cnp.PyArray_IS_C_CONTIGUOUS(source):
        call = _Copy(cnp.PyArray_DATA(to), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(to))
        perform(_copy, &call, sizeof(call), cnp.PyArray_NBYTES(to) / BYTES_PER_NANOSECOND)
    else:
        numpy.copyto(to, source)
        noting().append_function(Again(numpy.copyto, (to, source), [], ()))
