"""Calls of kernels, and functions of Python between them, in order; they can be run again."""

from time import perf_counter

cimport numpy as cnp
from libc.stdlib cimport free, malloc, realloc

from fastnn._kernels cimport runtime

cnp.import_array()

cdef double RELEASE_NANOSECONDS = 50000.0
cdef dict _names = {}  # of kernels, by their addresses


cdef void name_kernel(const void* kernel, object name) except *:
    _names[<size_t> kernel] = name


cdef class Calls:
    """What was done, each call as a function of C with a struct that it reads."""

    def __cinit__(self):
        self.functions = {}

    def __dealloc__(self):
        cdef Py_ssize_t index
        for index in range(self.count):
            free(self.entries[index].call)
        free(self.entries)

    def listed(self):
        """For each entry the name of its kernel, or its function unless that is left out."""
        return [self.functions[index] if self.is_function(index)
                else _names.get(<size_t> self.entries[index].kernel, "check")
                for index in range(self.count)]

    cdef bint is_function(self, Py_ssize_t index) noexcept:
        return self.entries[index].run is NULL and self.entries[index].call is NULL

    def expected_seconds(self):
        """What each entry is taken to need on one thread; nothing is known of functions."""
        return [1e-9 * self.entries[index].nanoseconds for index in range(self.count)]

    def multiply_adds(self):
        """The multiplications, each with its addition, of each entry that is a product."""
        return [self.entries[index].multiply_adds for index in range(self.count)]

    def traffic(self):
        """The bytes of the arrays that each entry reads or writes; 0 for functions, as unknown."""
        return [0.0 if self.entries[index].run is NULL else self.entries[index].bytes
                for index in range(self.count)]

    def timed_replay(self):
        """As `replay`; returns the seconds that each entry took."""
        cdef Py_ssize_t index
        times = []
        self.begin_replay()
        try:
            for index in range(self.count):
                start = perf_counter()
                self.run(index, index + 1)
                times.append(perf_counter() - start)
        finally:
            self.replays -= 1
        return times

    def __len__(self):
        return self.count

    cdef void append(self, call_t run, void* call, double nanoseconds, const void* kernel,
                     double multiply_adds) except *:
        cdef Entry* larger
        if self.count == self.capacity:
            larger = <Entry*> realloc(self.entries, max(64, 2 * self.capacity) * sizeof(Entry))
            if larger is NULL:
                free(call)
                raise MemoryError("no memory to note a call")
            self.entries, self.capacity = larger, max(64, 2 * self.capacity)
        self.entries[self.count] = Entry(run, call, nanoseconds, kernel, multiply_adds, self.used)
        self.used = 0
        self.nanoseconds += nanoseconds
        self.count += 1

    def append_function(self, function, cnp.ndarray number=None):
        """Note a function of Python; it is left out when ``number``, an int64, is 0."""
        cdef cnp.int64_t** watched = NULL
        if number is not None:
            watched = <cnp.int64_t**> malloc(sizeof(cnp.int64_t*))
            if watched is NULL:
                raise MemoryError("no memory to note a call")
            watched[0] = <cnp.int64_t*> cnp.PyArray_DATA(number)
        self.append(NULL, watched, 0, NULL, 0)
        self.functions[self.count - 1] = function

    def truncate(self, Py_ssize_t count):
        """Forget the calls from number ``count`` on."""
        cdef Py_ssize_t index
        for index in range(count, self.count):
            free(self.entries[index].call)
            self.nanoseconds -= self.entries[index].nanoseconds
            self.functions.pop(index, None)
        self.count = count

    cpdef replay(self):
        """Run all calls again, in order."""
        self.begin_replay()
        try:
            self.run(0, self.count)
        finally:
            self.replays -= 1

    cdef int begin_replay(self) except -1:
        if self.is_over:
            raise RuntimeError("compile: another recording has taken the place of this one")
        self.replays += 1
        return 0

    cdef int run(self, Py_ssize_t index, Py_ssize_t stop) except -1:
        """Run the calls from number ``index`` up to ``stop``."""
        cdef int status = 0
        while index < stop and not status:
            if (self.nanoseconds < RELEASE_NANOSECONDS
                    and runtime.threads_for(self.nanoseconds) == 1):
                index = self.run_kernels(index, stop, &status)
            else:
                with nogil:
                    index = self.run_kernels(index, stop, &status)
            if index < stop and not status:
                self.functions[index]()
                index += 1
        if status:
            raise MemoryError("no memory for a kernel")
        return 0

    cdef Py_ssize_t run_kernels(self, Py_ssize_t index, Py_ssize_t stop,
                                int* status) noexcept nogil:
        """Run the kernels from number ``index`` on; the first entry that is not run."""
        index = self.skip_idle(index, stop)
        while index < stop and self.entries[index].run is not NULL and not status[0]:
            status[0] = self.entries[index].run(
                self.entries[index].call, runtime.threads_for(self.entries[index].nanoseconds))
            index = self.skip_idle(index + 1, stop)
        return index

    cdef Py_ssize_t skip_idle(self, Py_ssize_t index, Py_ssize_t stop) noexcept nogil:
        """The first entry from number ``index`` on that is to be run."""
        while (index < stop and self.entries[index].run is NULL
               and self.entries[index].call is not NULL
               and (<cnp.int64_t**> self.entries[index].call)[0][0] == 0):
            index += 1
        return index
