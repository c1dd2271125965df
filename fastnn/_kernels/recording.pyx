"""Programs: calls of kernels that were noted while they ran, to be run again without Python.

A program keeps the memory that its calls use. What is not a kernel's call is noted as a function of
Python and run as such. A `unit` is a piece of work whose results are known; where its kernels
alone do not reproduce them, because NumPy had a part in it, the whole unit is noted as a function.
What can be neither is refused, so that no replay gives values of the time when it was noted.
"""

from functools import partial

import numpy

cimport numpy as cnp
from libc.stdlib cimport malloc
from libc.string cimport memcpy

from fastnn._kernels cimport runtime
from fastnn._kernels.calls cimport RELEASE_NANOSECONDS, Calls, call_t
from fastnn._kernels.home cimport Home

from .repeating import Again, Check, apart_from, arrays_of, shared, writeable

cnp.import_array()

cdef extern from *:
    """
    static _Thread_local void *fastnn_program = 0;
    """
    void* fastnn_program


class NotReplayable(RuntimeError):
    """Something was done, while a program is noted, that a replay cannot do."""


cdef bint is_noting() noexcept:
    return fastnn_program is not NULL


cdef int perform(call_t run, const void* call, size_t size, double nanoseconds,
                 double multiply_adds=0) except? -2:
    cdef int threads = runtime.threads_for(nanoseconds), status
    if nanoseconds < RELEASE_NANOSECONDS and threads == 1:
        status = run(call, 1)
    else:
        with nogil:
            status = run(call, threads)
    if fastnn_program is not NULL:
        note(run, call, size, nanoseconds, <const void*> run, multiply_adds)
    return status


cdef void* note(call_t run, const void* call, size_t size, double nanoseconds,
                const void* kernel, double multiply_adds=0) except NULL:
    cdef Program program = <Program> fastnn_program
    cdef void* copy = malloc(size)
    if copy is NULL:
        raise MemoryError("no memory to note a call")
    memcpy(copy, call, size)
    program.append(run, copy, nanoseconds, kernel, multiply_adds)
    return copy


cdef int uses(tuple arrays) except -1:
    cdef Program program
    if fastnn_program is NULL:
        return 0
    program = <Program> fastnn_program
    for array in arrays:
        if isinstance(array, cnp.ndarray):
            touches(<cnp.ndarray> array)
            if not program.knows(<cnp.ndarray> array):
                program.meet_stranger(<cnp.ndarray> array)
    return 0


cdef int touches(cnp.ndarray array) except -1:
    (<Program> fastnn_program).used += cnp.PyArray_NBYTES(array)
    return 0


cdef object noted_unit(object function, tuple arguments, cnp.ndarray target):
    return (<Program> fastnn_program).unit(function, arguments, target)


cdef int admit(cnp.ndarray array) except -1:
    (<Program> fastnn_program).admit(array)
    return 0


cdef int born(cnp.ndarray array) except -1:
    (<Program> fastnn_program).born(array)
    return 0


cdef int witness(object tensor, cnp.ndarray array) except -1:
    (<Program> fastnn_program).witness(tensor, array)
    return 0


cdef int saw_gradient(object leaf, object present) except -1:
    (<Program> fastnn_program).first_gradients.setdefault(leaf, present)
    return 0


cdef int set_gradient(object leaf, object gradient) except -1:
    cdef Program program = <Program> fastnn_program
    program.first_gradients.setdefault(leaf, ANY)
    program.unbound[leaf] = gradient
    return 0


cdef int changed(object version) except -1:
    (<Program> fastnn_program).versions.append(version)
    return 0


cdef int changed_beside(object version) except -1:
    if (<Program> fastnn_program).depth == 0:
        (<Program> fastnn_program).refuse("a tensor's memory is changed beside the operations")
    return changed(version)


cdef double* numbers_of(Py_ssize_t count) except NULL:
    cdef cnp.npy_intp size = count
    cdef cnp.ndarray array = cnp.PyArray_EMPTY(1, &size, cnp.NPY_FLOAT64, 0)
    (<Program> fastnn_program).admit(array)
    return <double*> cnp.PyArray_DATA(array)


def noting():
    """The program that notes the calls of this thread, or None."""
    return None if fastnn_program is NULL else <object> fastnn_program


ANY = object()  # in place of a gradient: it does not matter


cdef class Program(Calls):
    """Calls in order. While one is noted (``with program:``) it sees the calls of its thread.

    Beside them it keeps what they rely on: the tensors from outside that were used, each with its
    array (`witnesses`), what the gradient of a leaf was when first looked at (`first_gradients`),
    and the counts of changes in place that a replay has to go on with (`versions`).
    """
    cdef Home home
    cdef dict held       # arrays from elsewhere, by the id of the object that owns their memory
    cdef bint has_strangers
    cdef int depth       # of units
    cdef int rules       # of derivative rules
    cdef readonly dict witnesses, first_gradients
    cdef dict unbound    # gradients that leaves were given since the last function
    cdef readonly list versions
    cdef list states     # (array, its values before) of what the present unit changes in place
    cdef readonly object refusal
    cdef object bind_gradients
    cdef readonly long long first_node  # the number of the first node that is made meanwhile

    def __cinit__(self, bind_gradients, long long first_node, list places=None):
        self.bind_gradients, self.first_node = bind_gradients, first_node
        self.held, self.home = {}, Home(places)
        self.witnesses, self.first_gradients, self.unbound, self.versions = {}, {}, {}, []
        self.states = []

    def __enter__(self):
        global fastnn_program
        if fastnn_program is not NULL:
            raise RuntimeError("compile: a program is being recorded on this thread already")
        fastnn_program = <void*> self
        runtime.use_home(<void*> self.home)
        return self

    def __exit__(self, *exception):
        global fastnn_program
        fastnn_program = NULL
        runtime.use_home(NULL)

    @property
    def bytes(self):
        """What its arrays take."""
        return self.home.bytes

    @property
    def lifetimes(self):
        """Of its large arrays in order: their sizes, when they were made and when let go."""
        return self.home.lifetimes

    def let_go(self):
        """End: free the memory that no array uses. A replay raises RuntimeError from now on."""
        self.is_over = True
        if not self.replays:
            self.home.free_idle()

    def flush(self):
        """Note which gradients the leaves have by now, before something looks at them."""
        if self.unbound:
            unbound, self.unbound = self.unbound, {}
            self.append_function(
                partial(self.bind_gradients, list(unbound), list(unbound.values())))

    cdef object owner(self, cnp.ndarray array):
        cdef object base = array
        while isinstance(base, cnp.ndarray) and cnp.get_array_base(<cnp.ndarray> base) is not None:
            base = cnp.get_array_base(<cnp.ndarray> base)
        return base

    cdef bint knows(self, cnp.ndarray array):
        return runtime.lives_in(array, <void*> self.home) or id(self.owner(array)) in self.held

    def admit(self, cnp.ndarray array not None):
        """Keep the memory of an array that was made elsewhere."""
        if not runtime.lives_in(array, <void*> self.home):
            owner = self.owner(array)
            self.held[id(owner)] = owner

    def refuse_after(self, error):
        """Tell that an error was raised, after which nothing of this program is to be replayed."""
        if self.refusal is None:
            self.refusal = NotReplayable(
                f"the function goes on after an error, which replays would not have: {error!r}")
            self.refusal.__traceback__ = error.__traceback__

    def refuse(self, what):
        """Raise a NotReplayable, also where the function that runs swallows it."""
        self.refusal = NotReplayable(what)
        raise self.refusal

    def read_value(self):
        """Tell that the present unit reads a value, which its kernels alone would not."""
        self.has_strangers = True

    def change_state(self, tensor, cnp.ndarray array not None):
        """Tell that the present unit is about to change a tensor beside giving its results."""
        self.witness(tensor, array)
        self.states.append((array, array.copy()))

    def apart(self, function, tuple arguments):
        """``function(*arguments)``, unseen, and noted as a function of Python."""
        global fastnn_program
        self.flush()
        fastnn_program = NULL
        runtime.use_home(NULL)
        try:
            result = function(*arguments)
        except BaseException as error:
            self.refuse_after(error)
            raise
        finally:
            fastnn_program = <void*> self
            runtime.use_home(<void*> self.home)
        result = apart_from(result, arguments)
        results = arrays_of((result,))
        for each in results:
            self.admit(each)
        self.append_function(
            Again(function, arguments, results, ()) if results
            else partial(function, *arguments) if arguments else function)
        return result

    def witness(self, tensor, cnp.ndarray array not None):
        """Keep a tensor that a call uses and that was not made by one."""
        if not self.knows(array):
            self.admit(array)
            self.witnesses[id(tensor)] = tensor, array

    def made(self, tensor, cnp.ndarray array not None):
        """Whether a tensor was made by the calls."""
        return self.knows(array) and id(tensor) not in self.witnesses

    cdef meet_stranger(self, cnp.ndarray array):
        self.admit(array)
        self.has_strangers = True
        if self.depth == 0 and self.rules == 0:
            self.refuse("the function makes a tensor of values that no kernel of fastnn made; "
                        "pass them as an argument")

    def begin(self):
        """Start a piece of work: a mark for `end`."""
        mark = self.count, self.has_strangers
        self.has_strangers = False
        self.rules += 1
        return mark

    def end(self, tuple mark, function, list results, list states):
        """End it; ``function`` takes its place if its calls alone do not give its results."""
        strangers, self.has_strangers = self.has_strangers, mark[1]
        self.rules -= 1
        repeatable = all([index < mark[0] or isinstance(noted, (Check, Again))
                          for index, noted in self.functions.items()])
        if not strangers and repeatable:
            strangers = not self.reproduces(mark[0], results, states)
        if strangers:
            self.truncate(mark[0])
            self.append_function(function)
        return strangers

    def born(self, cnp.ndarray array not None):
        """Tell of an array that became a tensor's while no unit runs."""
        if self.depth == 0 and not self.knows(array):
            self.meet_stranger(array)

    def unit(self, function, tuple arguments, target=None):
        """``function(*arguments)``, noted as its kernels' calls where they alone give its results.

        The results are arrays in nested tuples; ``target``, an argument, is changed in place.
        """
        cdef Py_ssize_t mark = self.count
        cdef bint outer = self.has_strangers
        cdef list states = self.states
        self.states = [] if target is None else [(target, target.copy())]
        self.has_strangers = False
        for each in arrays_of(arguments):
            if not self.knows(each):
                self.meet_stranger(each)
        self.depth += 1
        try:
            result = function(*arguments)
        except BaseException as error:
            self.refuse_after(error)
            raise
        finally:
            self.depth -= 1
            strangers, self.has_strangers = self.has_strangers, outer
        results = [] if target is not None else [
            each for each in arrays_of((result,)) if not shared(each, arguments)]
        if target is None:
            strangers = strangers or not all(
                [runtime.lives_in(each, <void*> self.home) for each in results])
        draws = any([index >= mark and not isinstance(noted, Check)
                     for index, noted in self.functions.items()])
        changed, self.states = self.states, states
        if strangers or draws or not self.reproduces(mark, results, changed):
            self.truncate(mark)
            self.append_function(Again(function, arguments, results, arguments))
        for each in results:
            self.admit(each)
        if self.depth:
            self.states.extend(changed)
        return result

    def reproduces(self, Py_ssize_t mark, list results, list states):
        """Whether the calls from ``mark`` on write these results, whatever was there before."""
        results = [writeable(each) for each in results]
        results += [each for each, _ in states]
        if not results:
            return True
        wanted = [each.copy() for each in results]
        self.home.poison()
        for each in results:
            each[...] = numpy.nan if each.dtype.kind == "f" else ~each
        for each, values in states:
            each[...] = values
        self.run(mark, self.count)
        same = all([each.tobytes() == other.tobytes() for each, other in zip(results, wanted)])
        for each, other in zip(results, wanted):
            each[...] = other
        return same
