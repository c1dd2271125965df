"""Run an optimizer's kernel over many tensors in one launch."""

cimport numpy as cnp
from libc.stdlib cimport free, malloc

from fastnn._kernels.launch cimport MAX_NUMBERS, Kernel, kernel_t, launch

cnp.import_array()

# A chunk's size bounds the work of a thread, and decides the cut: not the number of threads.
cdef long long CHUNK = 16384


def update(Kernel kernel, list arrays, tuple numbers, double nanoseconds_per_element):
    """Update in place: ``arrays`` are tuples (parameter, gradient, *state) that lie alike.

    All are of one type, of equal size within a tuple, and dense in the same order.
    """
    cdef long long rows = 0, row = 0, total = 0, start, size
    cdef int columns, index
    cdef tuple group
    cdef long long* table
    cdef double values[MAX_NUMBERS]
    cdef cnp.ndarray first = <cnp.ndarray> (<tuple> arrays[0])[0]
    cdef int itemsize = cnp.PyArray_ITEMSIZE(first)
    columns = len(<tuple> arrays[0]) + 1
    for group in arrays:
        rows += (cnp.PyArray_SIZE(<cnp.ndarray> group[0]) + CHUNK - 1) // CHUNK
    for index in range(len(numbers)):
        values[index] = numbers[index]
    cdef kernel_t function = kernel.for_type(cnp.PyArray_TYPE(first))
    table = <long long*> malloc((1 + rows * columns) * sizeof(long long))
    if table is NULL:
        raise MemoryError("update: no memory for the table of chunks")
    try:
        table[0] = columns
        for group in arrays:
            size = cnp.PyArray_SIZE(<cnp.ndarray> group[0])
            total += size
            start = 0
            while start < size:
                table[1 + row * columns] = min(CHUNK, size - start)
                for index in range(columns - 1):
                    table[2 + row * columns + index] = (
                        <long long> <size_t> cnp.PyArray_DATA(<cnp.ndarray> group[index])
                        + start * itemsize)
                row += 1
                start += CHUNK
        launch(function, table, values, rows, 1, total * nanoseconds_per_element)
    finally:
        free(table)
