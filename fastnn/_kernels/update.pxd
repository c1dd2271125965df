from fastnn._kernels.launch cimport Kernel


cdef class Table:
    cdef list rows  # of whose memory the table tells
    cdef long long* cells
    cdef long long pieces, total
    cdef int columns, typenum
    cdef int fill(self, list rows) except -1
    cpdef int update(self, Kernel kernel, tuple numbers,
                     double nanoseconds_per_element) except -1


cpdef Table table_of(list rows)
