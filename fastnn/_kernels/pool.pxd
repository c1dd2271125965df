cdef extern from "pool.h":
    ctypedef struct pool_plan:
        ptrdiff_t n, h, w, c, oh, ow, kh, kw
        ptrdiff_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w
        int count_include_pad
        ptrdiff_t divisor

    ctypedef struct pool_kernels:
        void (*max_forward)(const pool_plan*, const void*, void*, void*, int) noexcept nogil
        void (*max_backward)(const pool_plan*, const void*, const void*, void*, int) noexcept nogil
        void (*max_gather)(const pool_plan*, const void*, const void*, void*, int) noexcept nogil
        void (*average_forward)(const pool_plan*, const void*, void*, int) noexcept nogil
        void (*average_backward)(const pool_plan*, const void*, void*, int) noexcept nogil

    const pool_kernels* pool_kernels_for(int isa, int is_double) noexcept nogil
