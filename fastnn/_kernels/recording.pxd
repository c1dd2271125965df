cimport numpy as cnp

from .calls cimport call_t

# Whether calls are noted on this thread.
cdef bint is_noting() noexcept

# Run a call that takes about so long on one thread, and note it if calls are noted. The
# multiply-adds of products are told to who asks what a program does.
cdef int perform(call_t run, const void* call, size_t size, double nanoseconds,
                 double multiply_adds=*) except? -2

# Note a call that has been run; returns the program's copy of the struct.
cdef void* note(call_t run, const void* call, size_t size, double nanoseconds,
                const void* kernel, double multiply_adds=*) except NULL

# `Program.unit` of the program that notes.
cdef object noted_unit(object function, tuple arguments, cnp.ndarray target)

# Keep the memory of an array that was made elsewhere.
cdef int admit(cnp.ndarray array) except -1

# Tell of an array that is a tensor's from now on.
cdef int born(cnp.ndarray array) except -1

# Memory for numbers that lasts as long as the program.
cdef double* numbers_of(Py_ssize_t count) except NULL

# Tell that a call reads or writes these arrays (or None).
cdef int uses(tuple arrays) except -1

# The bytes of an array are read or written by the next call.
cdef int touches(cnp.ndarray array) except -1

# Keep a tensor that is used, with its array, if no call made it.
cdef int witness(object tensor, cnp.ndarray array) except -1

# Tell that the gradient of a leaf is looked at, or set.
cdef int saw_gradient(object leaf, object present) except -1
cdef int set_gradient(object leaf, object gradient) except -1

# Tell that a count of changes in place has grown.
cdef int changed(object version) except -1

# The same of a change by what is no operation, which only a unit may do.
cdef int changed_beside(object version) except -1
