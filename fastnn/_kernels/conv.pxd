cimport numpy as cnp

cdef extern from "conv.h":
    ctypedef struct conv_plan:
        ptrdiff_t n, h, w, c, o, kh, kw, oh, ow
        ptrdiff_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups

    ctypedef struct conv_kernels:
        void (*forward)(const conv_plan*, const void*, const void*, const void*, double, void*,
                        void*, int) noexcept nogil
        void (*data_gradient)(const conv_plan*, const void*, const void*, const void*, double,
                              void*, void*, int) noexcept nogil
        void (*weight_gradient)(const conv_plan*, const void*, const void*, void*, void*, void*,
                                int) noexcept nogil
        size_t (*forward_scratch)(const conv_plan*) noexcept nogil
        size_t (*data_gradient_scratch)(const conv_plan*) noexcept nogil
        size_t (*weight_gradient_scratch)(const conv_plan*, int) noexcept nogil

    const conv_kernels* conv_kernels_for(int isa, int tiles, int is_double) noexcept nogil

# Checks of the image kernels, each with an error that names the function and the argument.
cdef int check_array(str name, str argument, cnp.ndarray array, int ndim, int typenum) except -1
cdef int check_size(str name, str argument, str what, ptrdiff_t got, ptrdiff_t wanted) except -1
cdef int check_writeable(str name, str argument, cnp.ndarray array) except -1
cdef int check_real(str name, str argument, cnp.ndarray array) except -1
cdef int read_pair(str name, str argument, tuple pair, ptrdiff_t least,
                   ptrdiff_t* first, ptrdiff_t* second) except -1
