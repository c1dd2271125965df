"""The checks before each replay, whose time is that of the smallest steps."""

cimport numpy as cnp
from libc.string cimport memcpy

from fastnn.tape cimport TensorBase, Version, requires_grad

import numpy
from numpy.lib.array_utils import byte_bounds

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyObject
    PyObject* PyDict_GetItemWithError(object mapping, object key) except? NULL
    PyObject* PyCell_GET(object cell)


def bind_gradients(list leaves, list gradients):
    """Set the gradients of tensors, without a check."""
    cdef Py_ssize_t index
    for index in range(len(leaves)):
        (<TensorBase> leaves[index]).gradient = gradients[index]


def count_changes(list versions):
    """Count a change in place for each entry."""
    for version in versions:
        (<Version> version).count += 1


def hooks_of(TensorBase tensor not None):
    """The hooks of a tensor, as they are now, or None."""
    if tensor.hooks is None and tensor.accumulated_hooks is None:
        return None
    return list(tensor.hooks or ()), list(tensor.accumulated_hooks or ())


def are_still(list tensors, list arrays, list needs, list hooks):
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


def have_gradients(list leaves, list gradients):
    """Whether those leaves have gradients that had some."""
    cdef Py_ssize_t index
    for index in range(len(leaves)):
        if ((<TensorBase> leaves[index]).gradient is None) != (gradients[index] is None):
            return False
    return True


def take_gradients(list leaves, list gradients):
    """Let the leaves have these gradients, with the values of those that they have."""
    cdef Py_ssize_t index
    cdef TensorBase present, own
    for index in range(len(leaves)):
        own = <TensorBase> gradients[index]
        present = (<TensorBase> leaves[index]).gradient
        if own is not None and present.array is not own.array:
            numpy.copyto(own.array, present.array)
            (<TensorBase> leaves[index]).gradient = own


def hold(list mappings, list keys, list values, object missing):
    """The first position at which a dict does not hold a value under a key; -1 if all do."""
    cdef Py_ssize_t index
    cdef PyObject* found
    for index in range(len(mappings)):
        if not isinstance(mappings[index], dict):  # that of a class
            if mappings[index].get(keys[index], missing) is not values[index]:
                return index
            continue
        found = PyDict_GetItemWithError(mappings[index], keys[index])
        if found is NULL:
            if values[index] is not missing:
                return index
        elif <object> found is not values[index]:
            return index
    return -1


def cells_hold(list cells, list values, object missing):
    """Whether the cells of closures have their values; ``missing`` stands for none."""
    cdef Py_ssize_t index
    cdef PyObject* found
    for index in range(len(cells)):
        found = PyCell_GET(cells[index])
        if values[index] is not (missing if found is NULL else <object> found):
            return False
    return True


def have_sizes(list containers, list sizes):
    """Whether lists and dicts have their numbers of elements."""
    cdef Py_ssize_t index
    for index in range(len(containers)):
        if len(containers[index]) != <Py_ssize_t> sizes[index]:
            return False
    return True


def have_elements(list containers, list elements):
    """Whether lists begin with the elements that they had."""
    cdef Py_ssize_t index, place
    cdef list container, wanted
    for index in range(len(containers)):
        container, wanted = <list> containers[index], <list> elements[index]
        if len(container) < len(wanted):
            return False
        for place in range(len(wanted)):
            if container[place] is not wanted[place]:
                return False
    return True


def lie_within(object given, size_t[:, ::1] ends):
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


def are_alike(list own, tuple given):
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


def take_values(list own, object given):
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
