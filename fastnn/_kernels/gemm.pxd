cdef extern from "gemm.h" nogil:
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
        int accumulate
        double below
