"""Maximum and average pooling over channels-last images, and their gradients.

Images are C-contiguous arrays ``(N, H, W, C)`` of float32 or float64. The caller gives the output,
whose height and width count (so ``ceil_mode`` is the caller's): windows reach beyond the image as
far as that asks, and what is outside is skipped.

The index of a maximum is its place in the window, ``tap row * KW + tap column``, in an array of
``index_dtype(kernel)``: one byte an output while the window has at most 256 places. NaN is the
greatest value; of several NaN the last is chosen, of several equal maxima the first.
"""

cimport numpy as cnp

from fastnn._kernels cimport runtime
from fastnn._kernels.conv cimport check_array, check_real, check_size, check_writeable, read_pair
from fastnn._kernels.calls cimport call_t, name_kernel
from fastnn._kernels.recording cimport is_noting, perform, uses

import numpy as np

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef ptrdiff_t NARROW_PLACES = 256
cdef double VALUES_PER_NANOSECOND = 2.0


def index_dtype(tuple kernel):
    """Type of the indices that ``max_forward`` writes: uint8, or int32 for large windows."""
    return np.uint8 if kernel[0] * kernel[1] <= NARROW_PLACES else np.int32


cdef int fill(str name, pool_plan* plan, cnp.ndarray big, str big_name, cnp.ndarray small,
              str small_name, tuple kernel, tuple stride, tuple padding,
              tuple dilation) except -1:
    """Sizes from the images before (N,H,W,C) and after (N,OH,OW,C) the pooling."""
    cdef int typenum = check_real(name, big_name, big)
    check_array(name, big_name, big, 4, typenum)
    check_array(name, small_name, small, 4, typenum)
    read_pair(name, "kernel", kernel, 1, &plan.kh, &plan.kw)
    read_pair(name, "stride", stride, 1, &plan.stride_h, &plan.stride_w)
    read_pair(name, "padding", padding, 0, &plan.pad_h, &plan.pad_w)
    read_pair(name, "dilation", dilation, 1, &plan.dilation_h, &plan.dilation_w)
    plan.n, plan.h, plan.w, plan.c = big.shape[0], big.shape[1], big.shape[2], big.shape[3]
    plan.oh, plan.ow = small.shape[1], small.shape[2]
    plan.count_include_pad, plan.divisor = 1, 0
    check_size(name, small_name, "images", small.shape[0], plan.n)
    check_size(name, small_name, "channels", small.shape[3], plan.c)
    return 0


cdef int check_index(str name, pool_plan* plan, cnp.ndarray index) except -1:
    cdef bint narrow = plan.kh * plan.kw <= NARROW_PLACES
    check_array(name, "index", index, 4, cnp.NPY_UINT8 if narrow else cnp.NPY_INT32)
    check_size(name, "index", "images", index.shape[0], plan.n)
    check_size(name, "index", "rows", index.shape[1], plan.oh)
    check_size(name, "index", "columns", index.shape[2], plan.ow)
    check_size(name, "index", "channels", index.shape[3], plan.c)
    return 0


cdef const pool_kernels* kernels_of(cnp.ndarray array) noexcept:
    return pool_kernels_for(runtime.isa, cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64)


cdef struct _Call:
    pool_plan plan
    const pool_kernels* kernels
    const void* x
    void* index
    void* out


cdef int _perform(call_t run, _Call* call) except -1:
    cdef const pool_plan* plan = &call.plan
    cdef double windows = <double> plan.n * plan.oh * plan.ow * plan.c * plan.kh * plan.kw
    return perform(run, call, sizeof(_Call), windows / VALUES_PER_NANOSECOND)


cdef int _run_max_forward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.max_forward(&c.plan, c.x, c.out, c.index, threads)
    return 0


name_kernel(<const void*> _run_max_forward, "maxima of windows")


cdef int _run_max_backward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.max_backward(&c.plan, c.x, c.index, c.out, threads)
    return 0


name_kernel(<const void*> _run_max_backward, "gradient of windows' maxima")


cdef int _run_max_gather(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.max_gather(&c.plan, c.x, c.index, c.out, threads)
    return 0


name_kernel(<const void*> _run_max_gather, "values at maxima")


cdef int _run_average_forward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.average_forward(&c.plan, c.x, c.out, threads)
    return 0


name_kernel(<const void*> _run_average_forward, "means of windows")


cdef int _run_average_backward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.average_backward(&c.plan, c.x, c.out, threads)
    return 0


name_kernel(<const void*> _run_average_backward, "gradient of windows' means")


cdef int _describe(_Call* call, cnp.ndarray x, cnp.ndarray out, cnp.ndarray index) except -1:
    call.kernels = kernels_of(x)
    call.x, call.out = cnp.PyArray_DATA(x), cnp.PyArray_DATA(out)
    if is_noting():
        uses((x, out, index))
    return 0


def max_forward(cnp.ndarray x, cnp.ndarray out, cnp.ndarray index, tuple kernel, tuple stride,
                tuple padding, tuple dilation):
    """Maxima of x's windows into out, their places into index (or None); returns out."""
    cdef _Call call
    fill("pool.max_forward", &call.plan, x, "x", out, "out", kernel, stride, padding, dilation)
    check_writeable("pool.max_forward", "out", out)
    if index is not None:
        check_index("pool.max_forward", &call.plan, index)
        check_writeable("pool.max_forward", "index", index)
    call.index = NULL if index is None else cnp.PyArray_DATA(index)
    _describe(&call, x, out, index)
    _perform(_run_max_forward, &call)
    return out


def max_backward(cnp.ndarray gy, cnp.ndarray index, cnp.ndarray out, tuple kernel, tuple stride,
                 tuple padding, tuple dilation):
    """Gradient of x, out[N,H,W,C]: each gy goes to its maximum's place; returns out."""
    cdef _Call call
    fill("pool.max_backward", &call.plan, out, "out", gy, "gy", kernel, stride, padding, dilation)
    check_index("pool.max_backward", &call.plan, index)
    check_writeable("pool.max_backward", "out", out)
    call.index = cnp.PyArray_DATA(index)
    _describe(&call, gy, out, index)
    _perform(_run_max_backward, &call)
    return out


def max_gather(cnp.ndarray x, cnp.ndarray index, cnp.ndarray out, tuple kernel, tuple stride,
               tuple padding, tuple dilation):
    """x at the given places, into out[N,OH,OW,C]: the gradient of ``max_backward``; returns out."""
    cdef _Call call
    fill("pool.max_gather", &call.plan, x, "x", out, "out", kernel, stride, padding, dilation)
    check_index("pool.max_gather", &call.plan, index)
    check_writeable("pool.max_gather", "out", out)
    call.index = cnp.PyArray_DATA(index)
    _describe(&call, x, out, index)
    _perform(_run_max_gather, &call)
    return out


def average_forward(cnp.ndarray x, cnp.ndarray out, tuple kernel, tuple stride, tuple padding,
                    bint count_include_pad=True, ptrdiff_t divisor=0):
    """Averages of x's windows into out; ``divisor`` (unless 0) replaces the count; returns out."""
    cdef _Call call
    fill("pool.average_forward", &call.plan, x, "x", out, "out", kernel, stride, padding, (1, 1))
    check_writeable("pool.average_forward", "out", out)
    call.plan.count_include_pad, call.plan.divisor = count_include_pad, divisor
    _describe(&call, x, out, None)
    _perform(_run_average_forward, &call)
    return out


def average_backward(cnp.ndarray gy, cnp.ndarray out, tuple kernel, tuple stride, tuple padding,
                     bint count_include_pad=True, ptrdiff_t divisor=0):
    """Gradient of x, out[N,H,W,C]: each gy in equal shares to its window; returns out."""
    cdef _Call call
    fill("pool.average_backward", &call.plan, out, "out", gy, "gy", kernel, stride, padding, (1, 1))
    check_writeable("pool.average_backward", "out", out)
    call.plan.count_include_pad, call.plan.divisor = count_include_pad, divisor
    _describe(&call, gy, out, None)
    _perform(_run_average_backward, &call)
    return out
