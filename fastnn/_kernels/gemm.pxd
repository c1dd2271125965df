cdef extern from "gemm.h" nogil:
    enum gemm_activation:
        GEMM_IDENTITY
        GEMM_RELU
    ctypedef struct gemm_arguments:
        Py_ssize_t batch, m, n, k
        const void* a
        Py_ssize_t a_batch, a_row, a_col
        const void* b
        Py_ssize_t b_batch, b_row, b_col
        void* c
        Py_ssize_t c_batch, c_row, c_col
        const void* bias
        int bias_per_row
        int activation
        int accumulate

# The code of an activation's name, or of None.
cdef int activation_code(str name, activation) except -1
