# What a kernel's call is: a function, and a struct that holds all that it reads but for the arrays'
# memory. Returns 0, or -1 without memory.
ctypedef int (*call_t)(const void* call, int threads) noexcept nogil

# The GIL is let go for work that takes longer than its hand-over.
cdef double RELEASE_NANOSECONDS

# Name what a call is noted with as its kernel: that which `perform` runs, or what `note` is given.
cdef void name_kernel(const void* kernel, object name) except *


cdef struct Entry:
    call_t run  # NULL: a function of Python
    void* call  # of a function: NULL, or memory with the address of what must be 0 to leave it out
    double nanoseconds  # that it takes on one thread, about
    const void* kernel  # by which it is named
    double multiply_adds  # of products
    double bytes          # of the arrays that it reads or writes


cdef class Calls:
    cdef Entry* entries
    cdef Py_ssize_t count, capacity
    cdef dict functions  # by the number of the entry
    cdef bint is_over    # and refuses to be replayed
    cdef int replays     # under way
    cdef double used     # bytes of the arrays that the next call was told to read or write
    cdef double nanoseconds  # that all calls take on one thread, about
    cdef bint is_function(self, Py_ssize_t index) noexcept
    cdef Py_ssize_t skip_idle(self, Py_ssize_t index, Py_ssize_t stop) noexcept nogil
    cdef void append(self, call_t run, void* call, double nanoseconds, const void* kernel,
                     double multiply_adds) except *
    cdef int begin_replay(self) except -1
    cpdef replay(self)
    cdef int run(self, Py_ssize_t index, Py_ssize_t stop) except -1
    cdef Py_ssize_t run_kernels(self, Py_ssize_t index, Py_ssize_t stop, int* status) noexcept nogil
