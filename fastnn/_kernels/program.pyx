"""Programs: calls of kernels that were noted while they ran, to be run again without Python.

A program keeps the memory that its calls use. What is not a kernel's call is noted as a function of
Python and run as such. A `unit` is a piece of work whose results are known; where its kernels
alone do not reproduce them, because NumPy had a part in it, the whole unit is noted as a function.
"""

import numpy

cimport numpy as cnp
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from fastnn._kernels cimport runtime

cnp.import_array()

cdef extern from *:
    """
    static _Thread_local void *fastnn_program = 0;
    """
    void* fastnn_program

# The GIL is let go for work that takes longer than its hand-over.
cdef double RELEASE_NANOSECONDS = 50000.0


cdef bint is_noting() noexcept:
    return fastnn_program is not NULL


cdef int perform(call_t run, const void* call, size_t size, double nanoseconds) except? -2:
    cdef int threads = runtime.threads_for(nanoseconds), status
    if nanoseconds < RELEASE_NANOSECONDS and threads == 1:
        status = run(call, 1)
    else:
        with nogil:
            status = run(call, threads)
    if fastnn_program is not NULL:
        note(run, call, size, nanoseconds)
    return status


cdef void* note(call_t run, const void* call, size_t size, double nanoseconds) except NULL:
    cdef Program program = <Program> fastnn_program
    cdef void* copy = malloc(size)
    if copy is NULL:
        raise MemoryError("no memory to note a call")
    memcpy(copy, call, size)
    program.append(run, copy, nanoseconds)
    return copy


cdef int uses(tuple arrays) except -1:
    cdef Program program
    if fastnn_program is NULL:
        return 0
    program = <Program> fastnn_program
    for array in arrays:
        if isinstance(array, cnp.ndarray) and not program.knows(<cnp.ndarray> array):
            program.admit(<cnp.ndarray> array)
            program.has_strangers = True
    return 0


cdef object noted_unit(object function, tuple arguments, cnp.ndarray target):
    return (<Program> fastnn_program).unit(function, arguments, target)


cdef int admit(cnp.ndarray array) except -1:
    (<Program> fastnn_program).admit(array)
    return 0


cdef int born(cnp.ndarray array) except -1:
    (<Program> fastnn_program).born(array)
    return 0


cdef double* numbers_of(Py_ssize_t count) except NULL:
    cdef cnp.npy_intp size = count
    cdef cnp.ndarray array = cnp.PyArray_EMPTY(1, &size, cnp.NPY_FLOAT64, 0)
    (<Program> fastnn_program).admit(array)
    return <double*> cnp.PyArray_DATA(array)


def apart(function):
    """Run a function of Python now, unseen by the program that notes, and again in each replay."""
    global fastnn_program
    cdef void* program = fastnn_program
    if program is NULL:
        return function()
    fastnn_program = NULL
    runtime.use_home(NULL)
    try:
        result = function()
    finally:
        fastnn_program = program
        runtime.use_home(<void*> (<Program> program).home)
    (<Program> program).append_function(function)
    return result


def noting():
    """The program that notes the calls of this thread, or None."""
    return None if fastnn_program is NULL else <object> fastnn_program


cdef struct Entry:
    call_t run  # NULL: a function of Python
    void* call
    double nanoseconds


cdef class Program:
    """Calls in order. While one is noted (``with program:``) it sees the calls of its thread."""
    cdef Entry* entries
    cdef Py_ssize_t count, capacity
    cdef dict functions  # by the number of the entry
    cdef runtime.Home home
    cdef dict held       # arrays from elsewhere, by the id of the object that owns their memory
    cdef bint has_strangers
    cdef int depth

    def __cinit__(self):
        self.functions, self.held, self.home = {}, {}, runtime.Home()

    def __dealloc__(self):
        cdef Py_ssize_t index
        for index in range(self.count):
            free(self.entries[index].call)
        free(self.entries)

    def __enter__(self):
        global fastnn_program
        if fastnn_program is not NULL:
            raise RuntimeError("compile: a program is being recorded on this thread already")
        fastnn_program = <void*> self
        runtime.use_home(<void*> self.home)
        return self

    def __exit__(self, *exception):
        global fastnn_program
        fastnn_program = NULL
        runtime.use_home(NULL)

    def listed(self):
        return list(self.functions.values())

    def __len__(self):
        return self.count

    cdef void append(self, call_t run, void* call, double nanoseconds) except *:
        if self.count == self.capacity:
            self.capacity = max(64, 2 * self.capacity)
            self.entries = <Entry*> realloc(self.entries, self.capacity * sizeof(Entry))
            if self.entries is NULL:
                raise MemoryError("no memory to note a call")
        self.entries[self.count] = Entry(run, call, nanoseconds)
        self.count += 1

    def append_function(self, function):
        """Note a function of Python."""
        self.append(NULL, NULL, 0)
        self.functions[self.count - 1] = function

    def truncate(self, Py_ssize_t count):
        """Forget the calls from number ``count`` on."""
        cdef Py_ssize_t index
        for index in range(count, self.count):
            free(self.entries[index].call)
            self.functions.pop(index, None)
        self.count = count

    cdef object owner(self, cnp.ndarray array):
        cdef object base = array
        while isinstance(base, cnp.ndarray) and cnp.get_array_base(<cnp.ndarray> base) is not None:
            base = cnp.get_array_base(<cnp.ndarray> base)
        return base

    cdef bint knows(self, cnp.ndarray array):
        return runtime.lives_in(array, <void*> self.home) or id(self.owner(array)) in self.held

    def admit(self, cnp.ndarray array not None):
        """Keep the memory of an array that was made elsewhere."""
        if not runtime.lives_in(array, <void*> self.home):
            owner = self.owner(array)
            self.held[id(owner)] = owner

    def replay(self, Py_ssize_t start=0):
        """Run all calls again, in order."""
        cdef Py_ssize_t index = start
        cdef int status = 0
        while index < self.count and not status:
            if self.entries[index].run is NULL:
                self.functions[index]()
                index += 1
                continue
            with nogil:
                while index < self.count and self.entries[index].run is not NULL and not status:
                    status = self.entries[index].run(
                        self.entries[index].call,
                        runtime.threads_for(self.entries[index].nanoseconds))
                    index += 1
        if status:
            raise MemoryError("no memory for a kernel")

    def begin(self):
        """Start a piece of work: a mark for `end`."""
        mark = self.count, self.has_strangers
        self.has_strangers = False
        return mark

    def end(self, tuple mark, function):
        """End it; ``function`` takes its place if it used memory of unknown origin."""
        strangers, self.has_strangers = self.has_strangers, mark[1]
        if strangers:
            self.truncate(mark[0])
            self.append_function(function)
        return strangers

    def born(self, cnp.ndarray array not None):
        """Tell of an array that was made while no unit runs."""
        if self.depth == 0 and not self.knows(array):
            self.admit(array)
            self.has_strangers = True

    def unit(self, function, tuple arguments, target=None):
        """``function(*arguments)``, noted as its kernels' calls where they alone give its results.

        The results are arrays in nested tuples; ``target``, an argument, is changed in place.
        """
        cdef Py_ssize_t mark = self.count
        cdef bint outer = self.has_strangers
        before = None if target is None else target.copy()
        for each in arrays_of(arguments):
            self.admit(each)
        self.has_strangers = False
        self.depth += 1
        try:
            result = function(*arguments)
        finally:
            self.depth -= 1
            strangers, self.has_strangers = self.has_strangers, outer
        results = [target] if target is not None else [
            each for each in arrays_of((result,)) if not _shared(each, arguments)]
        if target is None:
            strangers = strangers or not all(
                [runtime.lives_in(each, <void*> self.home) for each in results])
        if strangers or not self.reproduces(mark, results, target, before):
            self.truncate(mark)
            self.append_function(_Again(function, arguments, [] if target is not None else results))
        for each in results:
            self.admit(each)
        return result

    def reproduces(self, Py_ssize_t mark, list results, target, before):
        """Whether the calls from ``mark`` on write these results, whatever was there before."""
        if not results:
            return True
        wanted = [each.copy() for each in results]
        self.home.poison()
        for each in results:
            each[...] = numpy.nan if each.dtype.kind == "f" else ~each
        if target is not None:
            target[...] = before
        self.replay(mark)
        same = all([_same_bits(each, other) for each, other in zip(results, wanted)])
        for each, other in zip(results, wanted):
            each[...] = other
        return same


def arrays_of(value):
    """The arrays in nested tuples and lists."""
    if isinstance(value, cnp.ndarray):
        return [value]
    if type(value) is tuple or type(value) is list:
        return [array for each in value for array in arrays_of(each)]
    return []


def _shared(array, arguments):
    return any([numpy.may_share_memory(array, each) for each in arrays_of(arguments)])


def _same_bits(a, b):
    return a.tobytes() == b.tobytes()


class _Again:
    """Calls a function anew and writes what it returns where the first results are."""

    def __init__(self, function, arguments, results):
        self.function, self.arguments, self.results = function, arguments, results

    def __call__(self):
        result = self.function(*self.arguments)
        found = [each for each in arrays_of((result,)) if not _shared(each, self.arguments)]
        for old, new in zip(self.results, found, strict=True):
            if old is not new:
                numpy.copyto(old, new)


cdef struct _Copy:
    void* to
    const void* source
    size_t size


cdef int _copy(const void* call, int threads) noexcept nogil:
    cdef const _Copy* c = <const _Copy*> call
    memcpy(c.to, c.source, c.size)
    return 0


def copy_values(cnp.ndarray to not None, cnp.ndarray source not None):
    """``numpy.copyto(to, source)`` of one shape and type, noted."""
    cdef _Copy call
    if fastnn_program is NULL:
        numpy.copyto(to, source)
        return
    uses((to, source))
    if cnp.PyArray_IS_C_CONTIGUOUS(to) and cnp.PyArray_IS_C_CONTIGUOUS(source):
        call = _Copy(cnp.PyArray_DATA(to), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(to))
        perform(_copy, &call, sizeof(call), cnp.PyArray_NBYTES(to) / 8.0)
    else:
        numpy.copyto(to, source)
        (<Program> fastnn_program).append_function(_Again(numpy.copyto, (to, source), []))
