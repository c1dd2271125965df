"""Run an optimizer's kernel over many tensors in one launch."""

cimport numpy as cnp
from libc.stdlib cimport free, malloc

from fastnn._kernels.launch cimport MAX_NUMBERS, Kernel, kernel_t, launch

cnp.import_array()

# A chunk's size bounds the work of a thread, and decides the cut: not the number of threads.
cdef long long CHUNK = 16384


def update(Kernel kernel, list rows, tuple numbers, double nanoseconds_per_element):
    """Update in place by one launch: rows are lists of arrays: parameter, gradient, states.

    False, with nothing computed, unless all arrays have one type, those of a row have one shape and
    memory order, and every one is dense: the kernel walks them as flat memory. All but the gradient
    must be writable.
    """
    cdef long long pieces = 0, piece = 0, total = 0, start, size
    cdef int columns, index
    cdef list row
    cdef cnp.ndarray first, array
    cdef char* data
    cdef long long* table
    cdef double values[MAX_NUMBERS]
    if not rows:
        return True
    if len(numbers) > MAX_NUMBERS:
        raise ValueError(f"{kernel.name}: at most {MAX_NUMBERS} numbers, got {len(numbers)}")
    columns = len(<list?> rows[0])
    first = <cnp.ndarray?> (<list?> rows[0])[0]
    cdef int itemsize = cnp.PyArray_ITEMSIZE(first)
    cdef int typenum = cnp.PyArray_TYPE(first)
    for row in rows:
        if len(row) != columns:
            return False
        first = <cnp.ndarray?> row[0]
        if cnp.PyArray_TYPE(first) != typenum or not _is_dense(first):
            return False
        for index in range(1, columns):
            array = <cnp.ndarray?> row[index]
            if not _alike(first, array) or not (index == 1 or cnp.PyArray_ISWRITEABLE(array)):
                return False
        pieces += (cnp.PyArray_SIZE(first) + CHUNK - 1) // CHUNK
    for index in range(len(numbers)):
        values[index] = numbers[index]
    cdef kernel_t function = kernel.for_type(typenum)
    table = <long long*> malloc((1 + pieces * (1 + columns)) * sizeof(long long))
    if table is NULL:
        raise MemoryError("update: no memory for the table of chunks")
    try:
        table[0] = 1 + columns
        for row in rows:
            size = cnp.PyArray_SIZE(<cnp.ndarray> row[0])
            total += size
            for start in range(0, size, CHUNK):
                table[1 + piece * (1 + columns)] = min(CHUNK, size - start)
                for index in range(columns):
                    array = <cnp.ndarray> row[index]
                    data = <char*> cnp.PyArray_DATA(array) + start * itemsize
                    table[2 + piece * (1 + columns) + index] = <long long> <size_t> data
                piece += 1
        launch(function, table, 1 + pieces * (1 + columns), values, pieces, 1,
               total * nanoseconds_per_element)
    finally:
        free(table)
    return True


cdef bint _alike(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two arrays have one type, shape and memory order; empty ones may have any strides."""
    cdef int axis
    cdef bint empty = cnp.PyArray_SIZE(a) == 0
    if (cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(b) or cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b)
            or not cnp.PyArray_ISALIGNED(b)):
        return False
    for axis in range(cnp.PyArray_NDIM(a)):
        if (cnp.PyArray_DIM(a, axis) != cnp.PyArray_DIM(b, axis)
                or (cnp.PyArray_DIM(a, axis) > 1 and not empty
                    and cnp.PyArray_STRIDE(a, axis) != cnp.PyArray_STRIDE(b, axis))):
            return False
    return True


cdef bint _is_dense(cnp.ndarray x) noexcept:
    """Whether an array can be written and its elements lie without gaps, in any order of axes."""
    cdef cnp.npy_intp step = cnp.PyArray_ITEMSIZE(x)
    cdef int axis, joined, ndim = cnp.PyArray_NDIM(x), left = 0
    if not cnp.PyArray_ISBEHAVED(x):
        return False
    if cnp.PyArray_IS_C_CONTIGUOUS(x):
        return True
    for axis in range(ndim):
        left += cnp.PyArray_DIM(x, axis) > 1
    while left:
        joined = -1
        for axis in range(ndim):
            if cnp.PyArray_DIM(x, axis) > 1 and cnp.PyArray_STRIDE(x, axis) == step:
                joined = axis
        if joined < 0:
            return False
        step *= cnp.PyArray_DIM(x, joined)
        left -= 1
    return True
