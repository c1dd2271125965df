from cpython.object cimport PyObject


cdef struct Known:
    PyObject* mapping
    PyObject* key
    PyObject* value  # NULL for none


cdef class Watched:
    cdef readonly list entries  # (mapping, key, value, way)
    cdef readonly list cells    # (cell, value, way)
    cdef readonly list sizes    # (container, number of elements, way)
    cdef readonly list lists    # (list, its first elements, way)
    cdef readonly list others   # (function that gives a value, that value, way)
    cdef list of_classes        # entries whose mapping is no dict
    cdef Known* known           # the other entries,
    cdef Py_ssize_t count       # so many
    cdef bint entries_hold(self) except -1
    cpdef bint is_unchanged(self) except -1


cpdef bint are_still(list tensors, list arrays, list needs, list hooks) except -1
cpdef bint have_gradients(list leaves, list gradients) except -1
cdef int take_gradients(list leaves, list gradients) except -1
cdef int count_changes(list versions) except -1
cdef bint lie_within(object given, size_t[:, ::1] ends) except -1
cdef bint are_alike(list own, tuple given) except -1
cdef int take_values(list own, object given) except -1
