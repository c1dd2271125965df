"""Memory moved: copies, and fast transposition of channels last to channels first and back."""

import numpy

cimport numpy as cnp
from libc.stdlib cimport labs
from libc.string cimport memcpy, memset

from .recording import noting
from .repeating import Again

from fastnn._kernels cimport runtime
from fastnn._kernels.conv cimport check_array, check_size, check_writeable
from fastnn._kernels.calls cimport name_kernel
from fastnn._kernels.recording cimport is_noting, perform, uses

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


cdef enum:
    MOST_AXES = 32
    PIECE_BYTES = 65536

cdef Py_ssize_t SHORTEST_RUN = 32  # bytes; NumPy is as fast where elements lie scattered


cdef struct _Copy:
    char* to
    const char* source
    Py_ssize_t run    # bytes that lie side by side in both
    Py_ssize_t runs   # of one piece of work
    int axes          # over which there are runs, the outermost first
    Py_ssize_t[MOST_AXES] sizes
    Py_ssize_t[MOST_AXES] to_steps
    Py_ssize_t[MOST_AXES] source_steps


cdef Py_ssize_t _count_runs(const _Copy* c) noexcept nogil:
    cdef Py_ssize_t count = 1
    cdef int axis
    for axis in range(c.axes):
        count *= c.sizes[axis]
    return count


cdef void _copy_runs(const void* work, Py_ssize_t piece, int worker) noexcept nogil:
    cdef const _Copy* c = <const _Copy*> work
    cdef Py_ssize_t[MOST_AXES] place
    cdef Py_ssize_t start = piece * c.runs, left = min(c.runs, _count_runs(c) - start)
    cdef char* to = c.to
    cdef const char* source = c.source
    cdef int axis
    for axis in range(c.axes - 1, -1, -1):
        place[axis] = start % c.sizes[axis]
        start //= c.sizes[axis]
        to += place[axis] * c.to_steps[axis]
        source += place[axis] * c.source_steps[axis]
    while left > 0:
        memcpy(to, source, c.run)
        left -= 1
        axis = c.axes - 1
        while axis >= 0:
            to += c.to_steps[axis]
            source += c.source_steps[axis]
            place[axis] += 1
            if place[axis] < c.sizes[axis]:
                break
            to -= place[axis] * c.to_steps[axis]
            source -= place[axis] * c.source_steps[axis]
            place[axis] = 0
            axis -= 1


cdef void _copy_bytes(const void* work, Py_ssize_t piece, int worker) noexcept nogil:
    cdef const _Copy* c = <const _Copy*> work
    cdef Py_ssize_t start = piece * PIECE_BYTES
    memcpy(c.to + start, c.source + start, min(PIECE_BYTES, c.run - start))


cdef int _copy(const void* call, int threads) noexcept nogil:
    cdef const _Copy* c = <const _Copy*> call
    if c.axes == 0:
        team_run(_copy_bytes, c, (c.run + PIECE_BYTES - 1) // PIECE_BYTES, threads)
    else:
        team_run(_copy_runs, c, (_count_runs(c) + c.runs - 1) // c.runs, threads)
    return 0


name_kernel(<const void*> _copy, "copy")


cdef bint _describe(_Copy* c, cnp.ndarray to, cnp.ndarray source) noexcept:
    """Axes with the largest steps first, but for those that make one run; whether there is room."""
    cdef Py_ssize_t size, to_step, source_step
    cdef int axis, place
    c.to, c.source = <char*> cnp.PyArray_DATA(to), <const char*> cnp.PyArray_DATA(source)
    c.run, c.axes = cnp.PyArray_ITEMSIZE(to), 0
    if cnp.PyArray_NDIM(to) > MOST_AXES:
        return False
    for axis in range(cnp.PyArray_NDIM(to)):
        size, to_step = cnp.PyArray_DIM(to, axis), cnp.PyArray_STRIDE(to, axis)
        source_step = cnp.PyArray_STRIDE(source, axis)
        if size == 1:
            continue
        place = c.axes
        while place and labs(c.to_steps[place - 1]) < labs(to_step):
            c.sizes[place], c.to_steps[place] = c.sizes[place - 1], c.to_steps[place - 1]
            c.source_steps[place] = c.source_steps[place - 1]
            place -= 1
        c.sizes[place], c.to_steps[place], c.source_steps[place] = size, to_step, source_step
        c.axes += 1
    while c.axes and c.to_steps[c.axes - 1] == c.run and c.source_steps[c.axes - 1] == c.run:
        c.axes -= 1
        c.run *= c.sizes[c.axes]
    c.runs = max(1, PIECE_BYTES // c.run)
    return True


cdef bint _are_alike(cnp.ndarray to, cnp.ndarray source) noexcept:
    """Whether numbers of one type and shape can be copied."""
    return (cnp.PyArray_TYPE(to) == cnp.PyArray_TYPE(source)
            and cnp.PyArray_TYPE(to) <= cnp.NPY_CDOUBLE and cnp.PyArray_SAMESHAPE(to, source)
            and cnp.PyArray_ISBEHAVED(to) and cnp.PyArray_ISBEHAVED_RO(source))


def copy_values(cnp.ndarray to not None, cnp.ndarray source not None):
    """``numpy.copyto(to, source)`` in memory that does not overlap."""
    cdef _Copy call
    if is_noting():
        uses((to, source))
    if cnp.PyArray_SIZE(to) == 0:
        return
    if (_are_alike(to, source) and _describe(&call, to, source)
            and (call.axes == 0 or call.run >= SHORTEST_RUN)):
        perform(_copy, &call, sizeof(call), cnp.PyArray_NBYTES(to) / BYTES_PER_NANOSECOND)
    else:
        numpy.copyto(to, source)
        if is_noting():
            noting().append_function(Again(numpy.copyto, (to, source), [], ()))


cdef struct _Clear:
    char* out
    size_t size


cdef void _clear_bytes(const void* work, Py_ssize_t piece, int worker) noexcept nogil:
    cdef const _Clear* c = <const _Clear*> work
    cdef size_t start = piece * PIECE_BYTES
    memset(c.out + start, 0, min(<size_t> PIECE_BYTES, c.size - start))


cdef int _clear(const void* call, int threads) noexcept nogil:
    cdef const _Clear* c = <const _Clear*> call
    team_run(_clear_bytes, c, (c.size + PIECE_BYTES - 1) // PIECE_BYTES, threads)
    return 0


name_kernel(<const void*> _clear, "clearing")


def clear(cnp.ndarray out not None):
    """Fill a C-contiguous array of numbers with zeros; returns it."""
    cdef _Clear call
    check_writeable("clear", "out", out)
    if not cnp.PyArray_IS_C_CONTIGUOUS(out) or cnp.PyArray_TYPE(out) > cnp.NPY_CDOUBLE:
        raise ValueError(f"clear: out must be C-contiguous numbers, has dtype {out.dtype} and "
                         f"strides {[out.strides[axis] for axis in range(out.ndim)]}")
    call = _Clear(<char*> cnp.PyArray_DATA(out), cnp.PyArray_NBYTES(out))
    if is_noting():
        uses((out,))
    perform(_clear, &call, sizeof(call), call.size / BYTES_PER_NANOSECOND)
    return out
