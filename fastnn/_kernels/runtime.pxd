cimport numpy as cnp

cdef extern from "team.h":
    ctypedef void team_piece(const void* work, Py_ssize_t piece, int worker) noexcept nogil
    ctypedef void team_runner(
        team_piece* run, const void* work, Py_ssize_t pieces, int threads) noexcept nogil

# The pool of threads. A module that uses it in C includes team_link.h and sets the pointer there.
cdef team_runner* run_on_team

# The level of vector instructions in use, and whether the tiles of AMX are used beside it.
cdef int isa
cdef bint has_tiles
cdef int thread_count

# Threads for a kernel of about `nanoseconds` on one thread: 1 for small work and in a forked child.
cdef int threads_for(double nanoseconds) noexcept nogil

# A new array of uninitialised memory from the arena, in C order.
cdef cnp.ndarray empty(int ndim, cnp.npy_intp* shape, int typenum)

# The same with the given strides in bytes, which must describe a dense layout.
cdef cnp.ndarray empty_strided(int ndim, cnp.npy_intp* shape, cnp.npy_intp* strides, int typenum)

# While a program is noted on this thread, new arrays take their memory from the program's own
# blocks, whatever their size; NULL for the arena.
cdef void use_home(void* home) noexcept

# Whether an array's memory belongs to a home.
cdef bint lives_in(cnp.ndarray array, void* home) noexcept
