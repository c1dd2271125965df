from fastnn._kernels.launch cimport Kernel


cdef class Table:
    cdef list rows  # of whose memory the table tells
    cdef long long* cells
    cdef long long pieces, total
    cdef int columns, typenum
    cdef int fill(self, list rows) except -1
    cdef int update(self, Kernel kernel, tuple numbers) except -1


cdef Table table_of(list rows)
