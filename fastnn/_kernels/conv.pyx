"""Two-dimensional convolution over channels-last images, its data gradient and weight gradient.

Images are C-contiguous arrays ``(N, H, W, C)``, weights ``(O, C/groups, KH, KW)``; all arrays of a
call are float32 or all are float64. The caller gives the output, whose height and width count: they
imply the padding at the bottom and at the right. Padding is skipped, never multiplied by.

=====================  ==========================================================================
``forward``            ``out[N,OH,OW,O]`` from ``x[N,H,W,C]``
``data_gradient``      ``out[N,H,W,C]`` from ``gy[N,OH,OW,O]``; also the transposed convolution
``weight_gradient``    ``out[O,C/groups,KH,KW]``, and the bias's if wanted, from ``x`` and ``gy``
=====================  ==========================================================================

``forward`` and ``data_gradient`` add ``bias`` (one per output channel, or None) to the sums and
multiply those that are not above 0 by ``below`` while they are in registers.
"""

cimport numpy as cnp

from fastnn._kernels cimport runtime
from fastnn._kernels.calls cimport call_t, name_kernel
from fastnn._kernels.recording cimport is_noting, perform, uses

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef double PRODUCTS_PER_NANOSECOND = 50.0
cdef ptrdiff_t LIMIT = 1 << 31


cdef int check_array(str name, str argument, cnp.ndarray array, int ndim, int typenum) except -1:
    if array is None:
        raise TypeError(f"{name}: {argument} is None, an array was wanted")
    if cnp.PyArray_TYPE(array) != typenum:
        raise TypeError(f"{name}: {argument} has dtype {array.dtype}, "
                        f"wanted {cnp.PyArray_DescrFromType(typenum)}")
    if array.ndim != ndim:
        raise ValueError(f"{name}: {argument} has {array.ndim} dimensions, wanted {ndim}")
    if not cnp.PyArray_ISCARRAY_RO(array):
        raise ValueError(f"{name}: {argument} must be C-contiguous and aligned, has strides "
                         f"{[array.strides[axis] for axis in range(ndim)]}")
    return 0


cdef int check_size(str name, str argument, str what, ptrdiff_t got, ptrdiff_t wanted) except -1:
    if got != wanted:
        raise ValueError(f"{name}: {argument} has {got} {what}, wanted {wanted}")
    return 0


cdef int check_writeable(str name, str argument, cnp.ndarray array) except -1:
    if not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError(f"{name}: {argument} is read-only")
    return 0


cdef ptrdiff_t checked(str name, str argument, object value, ptrdiff_t least) except -1:
    cdef ptrdiff_t number = value
    if number < least or number >= LIMIT:
        raise ValueError(f"{name}: {argument} is {number}, wanted {least} or more, below 2**31")
    return number


cdef int read_pair(str name, str argument, tuple pair, ptrdiff_t least,
                   ptrdiff_t* first, ptrdiff_t* second) except -1:
    """The two integers of a (height, width) parameter."""
    if pair is None or len(pair) != 2:
        raise ValueError(f"{name}: {argument} is {pair}, wanted two integers")
    first[0] = checked(name, argument, pair[0], least)
    second[0] = checked(name, argument, pair[1], least)
    return 0


cdef int check_real(str name, str argument, cnp.ndarray array) except -1:
    """The type number of a float32 or float64 array."""
    if array is None:
        raise TypeError(f"{name}: {argument} is None, an array was wanted")
    cdef int typenum = cnp.PyArray_TYPE(array)
    if typenum != cnp.NPY_FLOAT32 and typenum != cnp.NPY_FLOAT64:
        raise TypeError(f"{name}: {argument} has dtype {array.dtype}, wanted float32 or float64")
    return typenum


cdef int fill_parameters(str name, conv_plan* plan, tuple stride, tuple padding, tuple dilation,
                         object groups) except -1:
    read_pair(name, "stride", stride, 1, &plan.stride_h, &plan.stride_w)
    read_pair(name, "padding", padding, 0, &plan.pad_h, &plan.pad_w)
    read_pair(name, "dilation", dilation, 1, &plan.dilation_h, &plan.dilation_w)
    plan.groups = checked(name, "groups", groups, 1)
    return 0


cdef int fill_sizes(str name, conv_plan* plan, cnp.ndarray big, str big_name, cnp.ndarray small,
                    str small_name, cnp.ndarray weight, str weight_name) except -1:
    """Sizes from the images before (N,H,W,C) and after (N,OH,OW,O) the convolution."""
    cdef int typenum = check_real(name, weight_name, weight)
    check_array(name, weight_name, weight, 4, typenum)
    check_array(name, big_name, big, 4, typenum)
    check_array(name, small_name, small, 4, typenum)
    plan.n, plan.h, plan.w, plan.c = big.shape[0], big.shape[1], big.shape[2], big.shape[3]
    plan.oh, plan.ow, plan.o = small.shape[1], small.shape[2], small.shape[3]
    plan.kh, plan.kw = weight.shape[2], weight.shape[3]
    if plan.kh < 1 or plan.kw < 1:
        raise ValueError(f"{name}: {weight_name} has a kernel of {plan.kh} x {plan.kw}")
    if plan.c % plan.groups or plan.o % plan.groups:
        raise ValueError(f"{name}: {plan.c} input and {plan.o} output channels do not divide into "
                         f"{plan.groups} groups")
    check_size(name, small_name, "images", small.shape[0], plan.n)
    check_size(name, small_name, "channels", plan.o, weight.shape[0])
    check_size(name, big_name, "channels", plan.c, weight.shape[1] * plan.groups)
    return 0


cdef void* bias_of(str name, str argument, cnp.ndarray bias, ptrdiff_t channels,
                   int typenum) except? NULL:
    if bias is None:
        return NULL
    check_array(name, argument, bias, 1, typenum)
    check_size(name, argument, "channels", bias.shape[0], channels)
    return cnp.PyArray_DATA(bias)


cdef cnp.ndarray scratch_of(size_t bytes):
    cdef cnp.npy_intp size = 4096 if bytes < 4096 else bytes
    return runtime.empty(1, &size, cnp.NPY_UINT8)


cdef double products_of(const conv_plan* plan) noexcept nogil:
    """Multiply-adds of a direct convolution, those with padding too."""
    cdef double outputs = <double> plan.n * plan.oh * plan.ow * plan.o
    return outputs * plan.kh * plan.kw * (plan.c // plan.groups)


cdef double cost_of(const conv_plan* plan) noexcept nogil:
    return products_of(plan) / PRODUCTS_PER_NANOSECOND


cdef const conv_kernels* kernels_of(cnp.ndarray weight) noexcept:
    return conv_kernels_for(runtime.isa, runtime.has_tiles,
                            cnp.PyArray_TYPE(weight) == cnp.NPY_FLOAT64)


cdef struct _Call:
    conv_plan plan
    const conv_kernels* kernels
    const void* first
    const void* second
    void* bias
    void* out
    void* scratch
    double below
    int threads  # that the scratch memory is large enough for


cdef int perform_products(call_t run, _Call* call) except -1:
    return perform(run, call, sizeof(_Call), cost_of(&call.plan), products_of(&call.plan))


cdef int _run_forward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.forward(&c.plan, c.first, c.second, c.bias, c.below, c.out, c.scratch, threads)
    return 0


name_kernel(<const void*> _run_forward, "convolution")


cdef int _run_data_gradient(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.data_gradient(&c.plan, c.first, c.second, c.bias, c.below, c.out, c.scratch,
                            threads)
    return 0


name_kernel(<const void*> _run_data_gradient, "convolution's gradient of data")


cdef int _run_weight_gradient(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.weight_gradient(&c.plan, c.first, c.second, c.out, c.bias, c.scratch,
                              min(threads, c.threads))
    return 0


name_kernel(<const void*> _run_weight_gradient, "convolution's gradient of weights")


def forward(cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias, cnp.ndarray out, tuple stride,
            tuple padding, tuple dilation, groups, double below=1.0):
    """Convolution of x[N,H,W,C] into out[N,OH,OW,O]; returns out."""
    cdef _Call call
    cdef cnp.ndarray scratch
    fill_parameters("conv.forward", &call.plan, stride, padding, dilation, groups)
    fill_sizes("conv.forward", &call.plan, x, "x", out, "out", weight, "weight")
    check_writeable("conv.forward", "out", out)
    call.below = below
    call.bias = bias_of("conv.forward", "bias", bias, call.plan.o, cnp.PyArray_TYPE(weight))
    if cnp.PyArray_SIZE(out) == 0:
        return out
    call.kernels = kernels_of(weight)
    scratch = scratch_of(call.kernels.forward_scratch(&call.plan))
    call.first, call.second = cnp.PyArray_DATA(x), cnp.PyArray_DATA(weight)
    call.out, call.scratch = cnp.PyArray_DATA(out), cnp.PyArray_DATA(scratch)
    if is_noting():
        uses((x, weight, bias, out))
    perform_products(_run_forward, &call)
    return out


def data_gradient(cnp.ndarray gy, cnp.ndarray weight, cnp.ndarray bias, cnp.ndarray out,
                  tuple stride, tuple padding, tuple dilation, groups, double below=1.0):
    """Gradient of x, out[N,H,W,C], from gy[N,OH,OW,O]: the transposed convolution; returns out."""
    cdef _Call call
    cdef cnp.ndarray scratch
    fill_parameters("conv.data_gradient", &call.plan, stride, padding, dilation, groups)
    fill_sizes("conv.data_gradient", &call.plan, out, "out", gy, "gy", weight, "weight")
    check_writeable("conv.data_gradient", "out", out)
    call.below = below
    call.bias = bias_of("conv.data_gradient", "bias", bias, call.plan.c, cnp.PyArray_TYPE(weight))
    if cnp.PyArray_SIZE(out) == 0:
        return out
    call.kernels = kernels_of(weight)
    scratch = scratch_of(call.kernels.data_gradient_scratch(&call.plan))
    call.first, call.second = cnp.PyArray_DATA(gy), cnp.PyArray_DATA(weight)
    call.out, call.scratch = cnp.PyArray_DATA(out), cnp.PyArray_DATA(scratch)
    if is_noting():
        uses((gy, weight, bias, out))
    perform_products(_run_data_gradient, &call)
    return out


def weight_gradient(cnp.ndarray x, cnp.ndarray gy, cnp.ndarray out, cnp.ndarray bias_out,
                    tuple stride, tuple padding, tuple dilation, groups):
    """Gradient of the weight from x[N,H,W,C] and gy[N,OH,OW,O] into out[O,C/groups,KH,KW].

    ``bias_out`` (O values) receives the gradient of the bias, unless it is None. Returns out.
    """
    cdef _Call call
    cdef cnp.ndarray scratch
    fill_parameters("conv.weight_gradient", &call.plan, stride, padding, dilation, groups)
    fill_sizes("conv.weight_gradient", &call.plan, x, "x", gy, "gy", out, "out")
    check_writeable("conv.weight_gradient", "out", out)
    call.bias = bias_of("conv.weight_gradient", "bias_out", bias_out, call.plan.o,
                        cnp.PyArray_TYPE(out))
    if call.bias is not NULL:
        check_writeable("conv.weight_gradient", "bias_out", bias_out)
    if call.plan.oh * call.plan.ow * call.plan.n == 0 or cnp.PyArray_SIZE(out) == 0:
        out.fill(0)
        if bias_out is not None:
            bias_out[...] = gy.sum(axis=(0, 1, 2))
        return out
    call.kernels = kernels_of(out)
    call.threads = runtime.threads_for(cost_of(&call.plan))
    scratch = scratch_of(call.kernels.weight_gradient_scratch(&call.plan, call.threads))
    call.first, call.second = cnp.PyArray_DATA(x), cnp.PyArray_DATA(gy)
    call.out, call.scratch = cnp.PyArray_DATA(out), cnp.PyArray_DATA(scratch)
    if is_noting():
        uses((x, gy, out, bias_out))
    perform_products(_run_weight_gradient, &call)
    return out
