"""Matrix products on raw memory, for other kernels. Strides count elements, never bytes."""

cimport numpy as cnp

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

# Computes C[m,n] = activation([C[m,n] +] sum over k of A[m,k] B[k,n] [+ bias[n]]) in NPY_FLOAT or
# NPY_DOUBLE, on as many threads as pay. A and B may have any strides, C any that do not overlap.
# Returns 0, or -1 if memory ran out; C must not share memory with the inputs.
cdef int gemm(
    int typenum, cnp.npy_intp m, cnp.npy_intp n, cnp.npy_intp k,
    const void* a, cnp.npy_intp a_row, cnp.npy_intp a_col,
    const void* b, cnp.npy_intp b_row, cnp.npy_intp b_col,
    void* c, cnp.npy_intp c_row, cnp.npy_intp c_col,
    const void* bias, int activation, bint accumulate) noexcept nogil

# The same for every item of a batch (a batch stride of 0 shares an operand), or with one bias per
# row (bias_per_row): all of it is in the arguments.
cdef int gemm_batched(int typenum, const gemm_arguments* arguments) noexcept nogil
