# Memory that nobody uses; it is freed with this, unless somebody took it.
cdef class Idle:
    cdef void* memory
    cdef size_t size


cdef class Home:
    cdef readonly size_t bytes
    cdef readonly list lifetimes  # of the large arrays: [size, when it was made, when it was gone]
    cdef list places
    cdef char* block              # in which the places are
    cdef size_t block_size
    cdef dict idle                # other blocks, by their size
    cdef dict living              # by address, which of the lifetimes
    cdef long long now
    cdef bint in_block(self, void* memory) noexcept
    cdef void take_back(self, void* memory, size_t size) noexcept
    cdef void* acquire(self, size_t size) except NULL
    cdef void* foreseen(self, size_t size)
    cdef void* acquire_apart(self, size_t size) except NULL
