cimport numpy as cnp


cdef class Version:
    cdef long count


cdef class TensorBase:
    cdef readonly cnp.ndarray array
    cdef Node node
    cdef Version version
    cdef bint leaf_requires_grad
    cdef TensorBase gradient
    cdef list hooks
    cdef list accumulated_hooks
    cdef bint is_view
    cdef bint is_part       # of split, chunk or unbind: not to be changed on the tape
    cdef bint is_untaped    # a view, made beside the tape, of a tensor that is on it
    cdef TensorBase base    # of a view made while recording: the tensor whose memory it shows,
    cdef tuple path         # by which (operation, plan) one after another,
    cdef long view_version  # and the count of changes for which its node is right
    cdef object __weakref__


cdef class Node:
    cdef readonly long long number
    cdef readonly object operation
    cdef readonly object plan
    cdef readonly tuple edges
    cdef readonly tuple needs
    cdef tuple kept
    cdef tuple kept_versions
    cdef cnp.ndarray kept_output
    cdef long kept_output_version
    cdef Version output_version
    cdef tuple input_shapes
    cdef list hooks
    cdef object retained
    cdef object place_of_call  # noted while anomalies are looked for
    cdef bint freed
    cdef readonly bint gradient_is_free  # to be written over: nobody else holds it
    cdef object __weakref__
    cdef tuple saved_inputs(self)
    cdef TensorBase saved_output(self)
    cdef void free(self)


cdef bint is_recording() noexcept
cdef bint set_recording(bint on) noexcept
cdef TensorBase wrap(cnp.ndarray array)
cdef Version version_of(TensorBase tensor)
cdef bint requires_grad(object value) noexcept
cdef int refresh(TensorBase tensor) except -1
cdef void note_view(TensorBase output, TensorBase source, object operation, object plan)
cdef void record(
    TensorBase output, object operation, object plan, tuple inputs, object kept, bint keep_output)
