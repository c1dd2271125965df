cimport numpy as cnp

from fastnn._kernels.launch cimport Operands
from fastnn.tape cimport TensorBase


cdef TensorBase target_tensor(str name, object value)
cdef bint prepare(str name, tuple inputs, int typenum, Operands* o, cnp.npy_intp* itemsizes,
                  double* scalars) except -1
cdef cnp.ndarray new_output(tuple inputs, Operands* o, int typenum)
cdef void check_target(str name, cnp.ndarray target, Operands* o) except *
cdef bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept
cdef bint starts_within(cnp.ndarray view, cnp.ndarray array) noexcept
cdef bint overlap_apart(cnp.ndarray a, cnp.ndarray b) noexcept
cdef bint same_memory(cnp.ndarray a, cnp.ndarray b) noexcept
cdef bint fills_a_block(cnp.ndarray array) noexcept
cdef bint may_repeat(cnp.ndarray array) noexcept
