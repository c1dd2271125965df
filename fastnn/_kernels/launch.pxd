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

# Returns where the noted call has its numbers, or NULL.
cdef double* launch(
    kernel_t kernel, long long* arguments, Py_ssize_t count, double* numbers,
    long long total, long long chunk, double nanoseconds) except? NULL

cdef int launch_flat(
    kernel_t kernel, char** data, int count, long long total, double* numbers) except -1

cdef int launch_elementwise(
    kernel_t kernel, Operands* operands, cnp.npy_intp* itemsizes, double* numbers) except -1


cdef class Kernel:
    cdef readonly str name
    cdef object source
    cdef dict addresses
    cdef kernel_t same_type[32]
    cdef kernel_t for_type(self, int typenum) except NULL
    cdef kernel_t for_types(self, str types) except NULL
