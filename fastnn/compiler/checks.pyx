"""The checks before each replay, whose time is that of the smallest steps."""

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from fastnn.tape cimport TensorBase, Version, requires_grad

import numpy
from numpy.lib.array_utils import byte_bounds

cnp.import_array()

MISSING = object()  # in place of a value that is not there

cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(object mapping, object key) except? NULL
    PyObject* PyCell_GET(object cell)


def bind_gradients(list leaves, list gradients):
    """Set the gradients of tensors, without a check."""
    cdef Py_ssize_t index
    for index in range(len(leaves)):
        (<TensorBase> leaves[index]).gradient = gradients[index]


cdef int count_changes(list versions) except -1:
    """Count a change in place for each entry."""
    for version in versions:
        (<Version> version).count += 1
    return 0


def hooks_of(TensorBase tensor not None):
    """The hooks of a tensor, as they are now, or None."""
    if tensor.hooks is None and tensor.accumulated_hooks is None:
        return None
    return list(tensor.hooks or ()), list(tensor.accumulated_hooks or ())


cpdef bint are_still(list tensors, list arrays, list needs, list hooks) except -1:
    """Whether each tensor has its array and its hooks, and needs a gradient as it did."""
    cdef Py_ssize_t index
    cdef TensorBase tensor
    for index in range(len(tensors)):
        tensor = <TensorBase> tensors[index]
        if (tensor.array is not arrays[index]
                or tensor.leaf_requires_grad != (needs[index] is True)):
            return False
        if tensor.hooks is not None or tensor.accumulated_hooks is not None:
            if hooks_of(tensor) != hooks[index]:
                return False
        elif hooks[index] is not None and hooks[index] != ([], []):
            return False
    return True


cpdef bint have_gradients(list leaves, list gradients) except -1:
    """Whether those leaves have gradients that had some."""
    cdef Py_ssize_t index
    for index in range(len(leaves)):
        if ((<TensorBase> leaves[index]).gradient is None) != (gradients[index] is None):
            return False
    return True


cdef int take_gradients(list leaves, list gradients) except -1:
    """Let the leaves have these gradients, with the values of those that they have."""
    cdef Py_ssize_t index
    cdef TensorBase present, own
    for index in range(len(leaves)):
        own = <TensorBase> gradients[index]
        present = (<TensorBase> leaves[index]).gradient
        if own is not None and present.array is not own.array:
            numpy.copyto(own.array, present.array)
            (<TensorBase> leaves[index]).gradient = own
    return 0


cdef class Watched:
    """Values in Python with the ways to them; `Watch` finds them, and calls `settle` at the end."""

    def __cinit__(self):
        self.entries, self.cells, self.sizes, self.lists, self.others = [], [], [], [], []

    def __dealloc__(self):
        free(self.known)

    def settle(self):
        """Make ready for `is_unchanged`; what is watched may not be added to any more."""
        cdef Known* known
        self.of_classes = [entry for entry in self.entries if not isinstance(entry[0], dict)]
        self.known = <Known*> realloc(self.known, (len(self.entries) + 1) * sizeof(Known))
        if self.known is NULL:
            raise MemoryError("no memory for what is watched")
        self.count = 0
        for mapping, key, value, _ in self.entries:  # whose tuples keep these alive
            if isinstance(mapping, dict):
                known = &self.known[self.count]
                known.mapping, known.key, known.value = (
                    <PyObject*> mapping, <PyObject*> key, <PyObject*> value)
                if value is MISSING:
                    known.value = NULL
                self.count += 1

    cdef bint entries_hold(self) except -1:
        cdef Py_ssize_t index
        cdef Known* known
        for index in range(self.count):
            known = &self.known[index]
            if PyDict_GetItemWithError(<object> known.mapping, <object> known.key) != known.value:
                return False
        for mapping, key, value, _ in self.of_classes:
            if mapping.get(key, MISSING) is not value:
                return False
        return True

    cpdef bint is_unchanged(self) except -1:
        """Whether every value is what it was."""
        if not (self.entries_hold() and _cells_hold(self.cells)
                and _sizes_hold(self.sizes) and _elements_hold(self.lists)):
            return self.difference() is None
        for read, value, _ in self.others:
            if not equal(read(), value):
                return False
        return True

    def difference(self):
        """The way to a value that has changed, or None."""
        raise NotImplementedError


cdef bint _cells_hold(list cells) except -1:
    cdef PyObject* found
    cdef tuple entry
    for entry in cells:
        found = PyCell_GET(entry[0])
        if (MISSING if found is NULL else <object> found) is not entry[1]:
            return False
    return True


cdef bint _sizes_hold(list sizes) except -1:
    cdef tuple entry
    for entry in sizes:
        if len(entry[0]) != <Py_ssize_t> entry[1]:
            return False
    return True


cdef bint _elements_hold(list lists) except -1:
    cdef tuple entry
    cdef list container, wanted
    cdef Py_ssize_t place
    for entry in lists:
        container, wanted = <list> entry[0], <list> entry[1]
        if len(container) < len(wanted):
            return False
        for place in range(len(wanted)):
            if container[place] is not wanted[place]:
                return False
    return True


def equal(now, value):
    """Whether a value is the same, or equal and of the same type."""
    return now is value or type(now) is type(value) and now == value


cdef bint lie_within(object given, size_t[:, ::1] ends) except -1:
    """Whether a tensor may share memory with some of the given ends."""
    cdef Py_ssize_t index
    cdef cnp.ndarray array
    cdef size_t start, stop
    for tensor in given:
        array = (<TensorBase> tensor).array
        start = <size_t> cnp.PyArray_DATA(array)
        stop = start + cnp.PyArray_NBYTES(array)
        if not (cnp.PyArray_IS_C_CONTIGUOUS(array)):
            start, stop = byte_bounds(array)
        for index in range(ends.shape[0]):
            if start < ends[index, 1] and ends[index, 0] < stop:
                return True
    return False


cdef bint are_alike(list own, tuple given) except -1:
    """Whether as many tensors are given, without gradients or attributes, each another one, of the
    types and layouts of our own."""
    cdef Py_ssize_t index, other
    cdef cnp.ndarray a, b
    if len(own) != len(given):
        return False
    for index in range(len(own)):
        if (not isinstance(given[index], TensorBase) or requires_grad(given[index])
                or given[index].__dict__):
            return False
        for other in range(index):
            if given[other] is given[index]:
                return False
        a = (<TensorBase> own[index]).array
        b = (<TensorBase> given[index]).array
        if (cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b)
                or cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(b)
                or not _same(cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a), cnp.PyArray_DIMS(b))
                or not _same(cnp.PyArray_NDIM(a), cnp.PyArray_STRIDES(a), cnp.PyArray_STRIDES(b))):
            return False
    return True


cdef bint _same(int count, cnp.npy_intp* a, cnp.npy_intp* b) noexcept:
    cdef int index
    for index in range(count):
        if a[index] != b[index]:
            return False
    return True


cdef int take_values(list own, object given) except -1:
    """Copy the values of tensors into our own, which are of the same types and layouts."""
    cdef Py_ssize_t index
    cdef cnp.ndarray to, source
    for index in range(len(own)):
        to = (<TensorBase> own[index]).array
        source = (<TensorBase> given[index]).array
        if cnp.PyArray_IS_C_CONTIGUOUS(to) and cnp.PyArray_IS_C_CONTIGUOUS(source):
            memcpy(cnp.PyArray_DATA(to), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(to))
        else:
            numpy.copyto(to, source)
    return 0
