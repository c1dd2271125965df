cimport numpy as cnp

# kernel(start, stop, arguments, numbers): do the part [start, stop) of the work.
ctypedef void (*kernel_t)(
    long long start, long long stop, long long* arguments, double* numbers) noexcept nogil

cdef enum:
    MAX_OPERANDS = 7
    MAX_AXES = 32
    MAX_NUMBERS = 12

# The operands of an elementwise kernel, the output first, brought to one shape.
cdef struct Operands:
    int count
    int ndim
    cnp.npy_intp shape[MAX_AXES]
    char* data[MAX_OPERANDS]
    cnp.npy_intp strides[MAX_OPERANDS][MAX_AXES]  # in elements

cdef void launch(
    kernel_t kernel, long long* arguments, double* numbers,
    long long total, long long chunk, double nanoseconds) noexcept

cdef void launch_flat(
    kernel_t kernel, char** data, int count, long long total, double* numbers) noexcept

cdef void launch_elementwise(
    kernel_t kernel, Operands* operands, cnp.npy_intp* itemsizes, double* numbers) noexcept


cdef class Kernel:
    cdef readonly str name
    cdef object source
    cdef dict addresses
    cdef kernel_t same_type[32]
    cdef kernel_t for_type(self, int typenum) except NULL
    cdef kernel_t for_types(self, str types) except NULL
