"""Homes: the memory of programs' arrays."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from "memory.h":
    void* aligned_memory(size_t bytes) nogil

# Bytes; smaller arrays are not worth a place.
cdef size_t LARGE = 4096


cdef class Idle:
    def __dealloc__(self):
        if self.memory is not NULL:
            free(self.memory)


@cython.no_gc_clear
cdef class Home:
    """Memory of a program's arrays: what one of them gives back is kept for the next.

    ``places`` are those of the large arrays, in the order in which they are made: (size, offset in
    one block of memory). An array of another size than foreseen, or whose place is taken, gets
    memory of its own.
    """
    def __cinit__(self, list places=None):
        cdef size_t size, offset
        self.idle, self.living, self.lifetimes, self.places = {}, {}, [], places or []
        for size, offset in self.places:
            self.block_size = max(self.block_size, size + offset)
        if self.block_size:
            self.block = <char*> aligned_memory(self.block_size)
            if self.block is NULL:
                raise MemoryError(f"cannot allocate {self.block_size} bytes for arrays")
            self.bytes = self.block_size

    def __dealloc__(self):
        free(self.block)

    cdef bint in_block(self, void* memory) noexcept:
        return self.block <= <char*> memory < self.block + self.block_size

    cdef void take_back(self, void* memory, size_t size) noexcept:
        cdef Idle idle
        try:
            if size >= LARGE:
                self.now += 1
                self.lifetimes[self.living.pop(<size_t> memory)][2] = self.now
            if self.in_block(memory):
                return
            idle = Idle.__new__(Idle)
            self.idle.setdefault(size, []).append(idle)
            idle.memory, idle.size = memory, size
        except BaseException:
            if not self.in_block(memory):
                free(memory)

    cdef void* acquire(self, size_t size) except NULL:
        cdef void* memory = NULL
        if size < LARGE:
            return self.acquire_apart(size)
        memory = self.foreseen(size)
        if memory is NULL:
            memory = self.acquire_apart(size)
        self.now += 1
        self.living[<size_t> memory] = len(self.lifetimes)
        self.lifetimes.append([size, self.now, None])
        return memory

    cdef void* foreseen(self, size_t size):
        """The place of the next large array, or NULL if it is another one or not free."""
        cdef size_t number = len(self.lifetimes), offset, start, other
        if number >= <size_t> len(self.places) or self.places[number][0] != size:
            return NULL
        offset = self.places[number][1]
        start = <size_t> self.block + offset
        for address, index in self.living.items():
            other = address
            if other < start + size and start < other + <size_t> self.lifetimes[index][0]:
                return NULL
        return <void*> start

    cdef void* acquire_apart(self, size_t size) except NULL:
        cdef list idle_blocks = self.idle.get(size)
        cdef Idle idle
        cdef void* memory
        if idle_blocks:
            idle = <Idle> idle_blocks.pop()
            memory, idle.memory = idle.memory, NULL
            return memory
        memory = aligned_memory(size)
        if memory is NULL:
            raise MemoryError(f"cannot allocate {size} bytes for an array")
        self.bytes += size
        return memory

    def free_idle(self):
        """Free the blocks that no array uses."""
        self.idle.clear()

    def poison(self):
        """Overwrite the idle memory, so that nobody can read from it what was there."""
        cdef Idle idle
        cdef size_t start = 0, offset
        for blocks in self.idle.values():
            for idle in blocks:
                memset(idle.memory, 0xFF, idle.size)
        if self.block is NULL:
            return
        for address, index in sorted(self.living.items()):
            if self.in_block(<void*> <size_t> address):
                offset = <size_t> address - <size_t> self.block
                memset(self.block + start, 0xFF, offset - start)
                start = offset + <size_t> self.lifetimes[index][0]
        memset(self.block + start, 0xFF, self.block_size - start)
