"""The one way to run a compiled kernel: on a range, cut into chunks by its size alone.

Every kernel has the C signature ``kernel(start, stop, arguments, numbers)`` and does the part
``[start, stop)`` of its work. Which thread runs which chunk does not matter for the result.
"""

cimport numpy as cnp
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from . import jit
from .calls cimport RELEASE_NANOSECONDS, name_kernel
from .recording cimport is_noting, note, uses
from .runtime cimport run_on_team, threads_for

cnp.import_array()

# An elementwise kernel moves or computes about one float32 a third of a nanosecond (measured:
# relu 0.3, sigmoid 0.5); a chunk is 16 K elements, 64 KB, and so stays in the cache of its core.
cdef double NANOSECONDS_PER_ELEMENT = 0.4
cdef long long CHUNK = 16384

TYPE_CODES = {
    cnp.NPY_FLOAT32: "f32", cnp.NPY_FLOAT64: "f64", cnp.NPY_INT8: "i8", cnp.NPY_INT16: "i16",
    cnp.NPY_INT32: "i32", cnp.NPY_INT64: "i64", cnp.NPY_UINT8: "u8", cnp.NPY_BOOL: "b1",
}


cdef class Kernel:
    """A kernel by name, compiled for a combination of types when first used with it.

    ``source(types)`` gives the kernel's source text for a tuple of type codes and the code of the
    type it computes in.
    """

    def __init__(self, str name, source):
        self.name = name
        self.source = source
        self.addresses = {}

    cdef kernel_t for_type(self, int typenum) except NULL:
        if self.same_type[typenum] is NULL:
            self.same_type[typenum] = self.for_types(TYPE_CODES[typenum])
        return self.same_type[typenum]

    cdef kernel_t for_types(self, str types) except NULL:
        address = self.addresses.get(types)
        if address is None:
            text, dtype = self.source(types)
            address = self.addresses[types] = jit.kernel_address(text, dtype)
            name_kernel(<const void*> <size_t> address, self.name)
        return <kernel_t> <size_t> address

    def __call__(self, str types, tuple operands, long long total, *, long long chunk,
                 double nanoseconds, tuple numbers=()):
        """Run on ``[0, total)``; ``operands`` are C-contiguous arrays, or None, and integers.

        ``types`` is None for the type of the first operand.
        """
        cdef long long arguments[24]
        cdef double values[MAX_NUMBERS]
        cdef int index
        if len(operands) > 24 or len(numbers) > MAX_NUMBERS:
            raise ValueError(f"{self.name}: too many operands")
        for index in range(len(operands)):
            operand = operands[index]
            if isinstance(operand, cnp.ndarray):
                arguments[index] = <long long> <size_t> cnp.PyArray_DATA(<cnp.ndarray> operand)
            else:
                arguments[index] = 0 if operand is None else operand
        for index in range(len(numbers)):
            values[index] = numbers[index]
        cdef kernel_t kernel
        if types is None:
            kernel = self.for_type(cnp.PyArray_TYPE(<cnp.ndarray> operands[0]))
        else:
            kernel = self.for_types(types)
        if is_noting():
            uses(operands)
        launch(kernel, arguments, len(operands), values, total, chunk, nanoseconds)


cdef struct _Job:
    kernel_t kernel
    long long* arguments
    double* numbers
    long long total
    long long chunk


cdef void _run_chunk(const void* work, Py_ssize_t piece, int worker) noexcept nogil:
    cdef const _Job* job = <const _Job*> work
    job.kernel(piece * job.chunk, min(job.total, (piece + 1) * job.chunk), job.arguments,
               job.numbers)


cdef struct _Noted:
    kernel_t kernel
    long long total
    long long chunk
    double numbers[MAX_NUMBERS]
    long long arguments[1]  # as many as there are


cdef int _run_noted(const void* call, int threads) noexcept nogil:
    cdef _Noted* noted = <_Noted*> call
    cdef _Job job
    job.kernel, job.arguments, job.numbers = noted.kernel, noted.arguments, noted.numbers
    job.total, job.chunk = noted.total, noted.chunk
    run_on_team(_run_chunk, &job, (noted.total + noted.chunk - 1) // noted.chunk, threads)
    return 0


cdef double* _note(kernel_t kernel, long long* arguments, Py_ssize_t count, double* numbers,
                   long long total, long long chunk, double nanoseconds) except NULL:
    cdef size_t size = sizeof(_Noted) + count * sizeof(long long)
    cdef _Noted* noted = <_Noted*> malloc(size)
    if noted is NULL:
        raise MemoryError("no memory to note a call")
    noted.kernel, noted.total, noted.chunk = kernel, total, chunk
    if numbers is not NULL:
        memcpy(noted.numbers, numbers, sizeof(noted.numbers))
    memcpy(noted.arguments, arguments, count * sizeof(long long))
    cdef _Noted* kept = <_Noted*> note(
        _run_noted, noted, size, nanoseconds, <const void*> kernel)
    free(noted)
    return kept.numbers


cdef double* launch(kernel_t kernel, long long* arguments, Py_ssize_t count, double* numbers,
                    long long total, long long chunk, double nanoseconds) except? NULL:
    """Run ``kernel`` on ``[0, total)`` in chunks; ``nanoseconds`` is the cost on one thread."""
    cdef _Job job
    cdef long long pieces = (total + chunk - 1) // chunk
    cdef int threads = threads_for(nanoseconds)
    job.kernel, job.arguments, job.numbers = kernel, arguments, numbers
    job.total, job.chunk = total, chunk
    if nanoseconds < RELEASE_NANOSECONDS and threads == 1:
        run_on_team(_run_chunk, &job, pieces, 1)
    else:
        with nogil:
            run_on_team(_run_chunk, &job, pieces, threads)
    if is_noting():
        return _note(kernel, arguments, count, numbers, total, chunk, nanoseconds)
    return NULL


cdef int launch_flat(kernel_t kernel, char** data, int count, long long total,
                     double* numbers) except -1:
    """Run an elementwise kernel whose operands are all dense, in one order, of one shape."""
    cdef long long arguments[2 * MAX_OPERANDS]
    cdef int index
    for index in range(count):
        arguments[index] = <long long> <size_t> data[index]
        arguments[count + index] = 1
    launch(kernel, arguments, 2 * count, numbers, total, CHUNK,
           total * count * NANOSECONDS_PER_ELEMENT)
    return 0


cdef void _order_axes(Operands* o) noexcept:
    """Put the output's smallest stride last: its memory is then written in order."""
    cdef int i, j, k
    for i in range(1, o.ndim):
        j = i
        while j > 0 and abs(o.strides[0][j - 1]) < abs(o.strides[0][j]):
            o.shape[j - 1], o.shape[j] = o.shape[j], o.shape[j - 1]
            for k in range(o.count):
                o.strides[k][j - 1], o.strides[k][j] = o.strides[k][j], o.strides[k][j - 1]
            j -= 1


cdef bint _mergeable(Operands* o, int axis) noexcept:
    cdef int k
    for k in range(o.count):
        if o.strides[k][axis] != o.strides[k][axis + 1] * o.shape[axis + 1]:
            return False
    return True


cdef void _merge_axes(Operands* o) noexcept:
    """Drop axes of size 1 and join neighbours that every operand walks as one."""
    cdef int axis, k, kept = 0
    for axis in range(o.ndim):
        if o.shape[axis] == 1:
            continue
        o.shape[kept] = o.shape[axis]
        for k in range(o.count):
            o.strides[k][kept] = o.strides[k][axis]
        kept += 1
        if kept > 1 and _mergeable(o, kept - 2):
            o.shape[kept - 2] *= o.shape[kept - 1]
            for k in range(o.count):
                o.strides[k][kept - 2] = o.strides[k][kept - 1]
            kept -= 1
    o.ndim = kept


cdef struct _RowsJob:
    kernel_t kernel
    Operands* operands
    cnp.npy_intp* itemsizes
    double* numbers
    long long rows
    long long rows_per_chunk


cdef void _run_rows(const void* work, Py_ssize_t piece, int worker) noexcept nogil:
    """Run a chunk of the rows of all axes but the last, in C order."""
    cdef const _RowsJob* job = <const _RowsJob*> work
    cdef Operands* o = job.operands
    cdef long long arguments[2 * MAX_OPERANDS]
    cdef long long row, rest, offset, position
    cdef int k, axis, inner = o.ndim - 1
    for k in range(o.count):
        arguments[o.count + k] = o.strides[k][inner]
    for row in range(piece * job.rows_per_chunk,
                     min(job.rows, (piece + 1) * job.rows_per_chunk)):
        for k in range(o.count):
            arguments[k] = <long long> <size_t> o.data[k]
        rest = row
        for axis in range(inner - 1, -1, -1):
            position = rest % o.shape[axis]
            rest = rest // o.shape[axis]
            for k in range(o.count):
                offset = position * o.strides[k][axis] * job.itemsizes[k]
                arguments[k] += offset
        job.kernel(0, o.shape[inner], arguments, job.numbers)


cdef struct _NotedRows:
    _RowsJob job
    Operands operands
    cnp.npy_intp itemsizes[MAX_OPERANDS]
    double numbers[MAX_NUMBERS]


cdef int _run_noted_rows(const void* call, int threads) noexcept nogil:
    cdef const _NotedRows* noted = <const _NotedRows*> call
    cdef _RowsJob job = noted.job
    job.operands, job.itemsizes = <Operands*> &noted.operands, <cnp.npy_intp*> noted.itemsizes
    job.numbers = <double*> noted.numbers
    run_on_team(_run_rows, &job, (job.rows + job.rows_per_chunk - 1) // job.rows_per_chunk,
                threads)
    return 0


cdef int _note_rows(_RowsJob* job, double nanoseconds) except -1:
    cdef _NotedRows noted
    noted.job, noted.operands = job[0], job.operands[0]
    memcpy(noted.itemsizes, job.itemsizes, job.operands.count * sizeof(cnp.npy_intp))
    memcpy(noted.numbers, job.numbers, sizeof(noted.numbers))
    note(_run_noted_rows, &noted, sizeof(noted), nanoseconds, <const void*> job.kernel)
    return 0


cdef int launch_elementwise(kernel_t kernel, Operands* o, cnp.npy_intp* itemsizes,
                            double* numbers) except -1:
    """Run an elementwise kernel over operands of any strides (0 where one is broadcast)."""
    cdef long long arguments[2 * MAX_OPERANDS]
    cdef _RowsJob job
    cdef long long total = 1, pieces
    cdef int k, axis, threads
    for axis in range(o.ndim):
        total *= o.shape[axis]
    if total == 0:
        return 0
    _order_axes(o)
    _merge_axes(o)
    cdef double nanoseconds = total * o.count * NANOSECONDS_PER_ELEMENT
    if o.ndim <= 1:
        for k in range(o.count):
            arguments[k] = <long long> <size_t> o.data[k]
            arguments[o.count + k] = o.strides[k][0] if o.ndim else 0
        launch(kernel, arguments, 2 * o.count, numbers, total, CHUNK, nanoseconds)
        return 0
    job.kernel, job.operands, job.itemsizes, job.numbers = kernel, o, itemsizes, numbers
    job.rows = total // o.shape[o.ndim - 1]
    job.rows_per_chunk = max(1, CHUNK // o.shape[o.ndim - 1])
    pieces = (job.rows + job.rows_per_chunk - 1) // job.rows_per_chunk
    threads = threads_for(nanoseconds)
    if nanoseconds < RELEASE_NANOSECONDS and threads == 1:
        run_on_team(_run_rows, &job, pieces, 1)
    else:
        with nogil:
            run_on_team(_run_rows, &job, pieces, threads)
    if is_noting():
        _note_rows(&job, nanoseconds)
    return 0
