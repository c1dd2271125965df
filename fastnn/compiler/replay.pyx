"""What each call of a recording does, whose time is that of the smallest steps."""

cimport numpy as cnp
from libc.string cimport memcpy

from fastnn._kernels.calls cimport Calls
from fastnn._kernels.recording cimport is_noting
from fastnn.compiler.checks cimport (
    Watched, are_alike, are_still, count_changes, have_gradients, lie_within, take_gradients,
    take_values)
from fastnn.tape cimport TensorBase, is_recording, wrap

from threading import RLock

from ..autograd import is_inference_mode_enabled
from ..autograd.anomaly import is_anomaly_enabled
from ..dtypes import get_default_dtype
from .arguments import mapped, share_memory

cnp.import_array()


cdef class Caller:
    """The part of `Compiled` that replays the recording of the last call, if it fits."""
    cdef public object function
    cdef readonly object lock
    cdef Replay last  # None unless the call was one of tensors alone,
    cdef tuple modes  # in these `modes`

    def __cinit__(self, *arguments, **keywords):
        self.lock = RLock()

    def __call__(self, *arguments, **keywords):
        cdef Replay last
        if is_noting() or is_anomaly_enabled():
            return self.function(*arguments, **keywords)
        with self.lock:
            last = self.last  # another call, from a hook of an optimizer, may let go of it
            if last is not None and not keywords and self.are_modes():
                result = last.replay_if_fits(arguments)
                if result is not NotImplemented:
                    return result
            found, result = self._replayed(arguments, keywords)
        return result if found else self.function(*arguments, **keywords)

    cdef bint are_modes(self) except -1:
        """Whether the modes are the present ones; no tuple is made of those: 0.1 us less."""
        recording, inference, dtype = self.modes
        return (is_recording() == (recording is True)
                and is_inference_mode_enabled() is inference and get_default_dtype() is dtype)

    def remember(self, Replay last):
        """Try this recording, or none, first at the next call in the present modes."""
        self.last, self.modes = last, modes()


cpdef tuple modes():
    """What changes the results of a function beside its arguments."""
    return is_recording(), is_inference_mode_enabled(), get_default_dtype()


cdef class Replay:
    """What a recording relies on, whether that is as it was, and a replay; see `Record`."""
    cdef public Calls program
    cdef public list versions    # counts of changes in place that a replay makes
    cdef public Watched watch
    cdef public list own         # tensors, in the place of the arguments
    cdef public list written     # positions of arguments that are changed in place
    cdef public object template  # the result, with our own tensors
    cdef public list tensors     # from outside,
    cdef public list arrays      # their arrays, and for each
    cdef public list needs       # whether it is a leaf that needs a gradient,
    cdef public list hooks       # its hooks
    cdef public list leaves      # whose gradients are used,
    cdef public list gradients   # and these, or None
    cdef public size_t[:, ::1] ends  # of the memory of the arrays

    cpdef bint fits(self, given) except -1:
        """Whether what the recording relies on is as it was, and the arguments lie apart."""
        return (are_still(self.tensors, self.arrays, self.needs, self.hooks)
                and have_gradients(self.leaves, self.gradients)
                and self.watch.is_unchanged() and not self.meets_outside(given)
                and not (self.written and share_memory(given)))

    cpdef bint meets_outside(self, given) except -1:
        """Whether an argument lies in the memory of a tensor from outside and one is changed."""
        return bool(self.written or self.versions) and lie_within(given, self.ends)

    cdef replay_if_fits(self, tuple given):
        """``replay(given)`` for other tensors of the recorded kind, else NotImplemented."""
        if are_alike(self.own, given) and self.fits(given):
            return self.replay(given)
        return NotImplemented

    cpdef replay(self, given):
        """The results for tensors of the recorded kind."""
        cdef Calls program = self.program
        self.take(given)
        try:
            program.replay()
        finally:
            self.give_back(given)
        if isinstance(self.template, TensorBase):
            return copied(self.template)
        return mapped(self.template, copied)

    def timed_replay(self, given):
        """A replay without results; returns the seconds that each entry took."""
        self.take(given)
        try:
            return self.program.timed_replay()
        finally:
            self.give_back(given)

    cdef int take(self, given) except -1:
        take_values(self.own, given)
        take_gradients(self.leaves, self.gradients)
        return 0

    cdef int give_back(self, given) except -1:
        if self.written:
            self.write_back(given)
        count_changes(self.versions)
        return 0


cpdef copied(TensorBase tensor):
    """A copy of a result."""
    cdef cnp.ndarray source = tensor.array, array
    if not cnp.PyArray_IS_C_CONTIGUOUS(source):
        return wrap(cnp.PyArray_NewCopy(source, cnp.NPY_KEEPORDER))
    array = cnp.PyArray_EMPTY(  # 0.1 us less
        cnp.PyArray_NDIM(source), cnp.PyArray_DIMS(source), cnp.PyArray_TYPE(source), 0)
    memcpy(cnp.PyArray_DATA(array), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(source))
    return wrap(array)
