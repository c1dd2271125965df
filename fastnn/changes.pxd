cimport numpy as cnp

from fastnn.tape cimport TensorBase


cdef void begin_change(str name, TensorBase target, bint recorded) except *
cdef void note_change(TensorBase target, bint recorded) except *
cdef void check_change(str name, TensorBase target, bint recorded) except *
cdef void check_apart(str name, cnp.ndarray target, cnp.ndarray source) except *
cdef void check_castable(str name, int source, cnp.ndarray target) except *
