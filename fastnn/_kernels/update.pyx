"""Run an optimizer's kernel over many tensors in one launch."""

cimport numpy as cnp
from libc.stdlib cimport free, malloc

from fastnn._kernels.launch cimport MAX_NUMBERS, Kernel, launch

cnp.import_array()

# A chunk's size bounds the work of a thread, and decides the cut: not the number of threads.
cdef long long CHUNK = 16384
cdef double NANOSECONDS_PER_ELEMENT = 0.8


cdef class Table:
    """Arrays that an optimizer's kernel updates in one launch, cut into chunks; see `table_of`."""

    def __dealloc__(self):
        free(self.cells)

    cdef int fill(self, list rows) except -1:
        cdef long long piece = 0, start, size
        cdef int index, step = 1 + self.columns
        cdef cnp.ndarray array
        self.rows = rows
        self.cells = <long long*> malloc((1 + self.pieces * step) * sizeof(long long))
        if self.cells is NULL:
            raise MemoryError("update: no memory for the table of chunks")
        self.cells[0] = step
        for row in rows:
            size = cnp.PyArray_SIZE(<cnp.ndarray> (<list> row)[0])
            self.total += size
            for start in range(0, size, CHUNK):
                self.cells[1 + piece * step] = min(CHUNK, size - start)
                for index in range(self.columns):
                    array = <cnp.ndarray> (<list> row)[index]
                    self.cells[2 + piece * step + index] = <long long> <size_t> (
                        <char*> cnp.PyArray_DATA(array) + start * cnp.PyArray_ITEMSIZE(array))
                piece += 1
        return 0

    cdef int update(self, Kernel kernel, tuple numbers) except -1:
        """Update the arrays in place."""
        cdef double values[MAX_NUMBERS]
        cdef int index
        if len(numbers) > MAX_NUMBERS:
            raise ValueError(f"{kernel.name}: at most {MAX_NUMBERS} numbers, got {len(numbers)}")
        for index in range(len(numbers)):
            values[index] = numbers[index]
        launch(kernel.for_type(self.typenum), self.cells, 1 + self.pieces * (1 + self.columns),
               values, self.pieces, 1, self.total * NANOSECONDS_PER_ELEMENT)
        return 0


cdef Table table_of(list rows):
    """The `Table` of rows, lists of arrays: parameter, gradient, states.

    None unless all arrays have one type, those of a row have one shape and memory order, and every
    one is dense: the kernel walks them as flat memory. All but the gradient must be writable.
    """
    cdef Table table = Table()
    cdef list row = <list?> rows[0]
    cdef cnp.ndarray first = <cnp.ndarray?> row[0], array
    cdef int index
    table.columns, table.typenum = len(row), cnp.PyArray_TYPE(first)
    for row in rows:
        if len(row) != table.columns:
            return None
        first = <cnp.ndarray?> row[0]
        if cnp.PyArray_TYPE(first) != table.typenum or not _is_dense(first):
            return None
        for index in range(1, table.columns):
            array = <cnp.ndarray?> row[index]
            if not _alike(first, array) or not (index == 1 or cnp.PyArray_ISWRITEABLE(array)):
                return None
        table.pieces += (cnp.PyArray_SIZE(first) + CHUNK - 1) // CHUNK
    table.fill(rows)
    return table


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
