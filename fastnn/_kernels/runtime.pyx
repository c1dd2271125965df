"""The runtime under every kernel: instruction set, threads, and the arena of reused memory.

Kernels cut their work into pieces by its size alone and run them on `threads_for(cost)` threads of
one pool (csrc/team_pool.h), so the number of threads decides who computes a piece, never what.
"""

import os

cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF
from libc.stdlib cimport free

from .home cimport Home, Idle

cnp.import_array()

cdef extern from "cpu.h":
    int forked_child
    int cpu_level()
    bint cpu_has_tiles()
    void watch_forks()

cdef extern from "memory.h":
    void* aligned_memory(size_t bytes) nogil
    void give_back_memory()

cdef extern from "team_pool.h":
    team_runner run_team

run_on_team = run_team

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        type subtype, cnp.dtype descr, int nd, cnp.npy_intp* dims, cnp.npy_intp* strides,
        void* data, int flags, object obj)
    int PyArray_SetBaseObject(cnp.ndarray arr, object obj) except -1
    int NPY_ARRAY_WRITEABLE
    int NPY_ARRAY_ALIGNED

watch_forks()

LEVEL_NAMES = {1: "baseline", 2: "x86-64-v2", 3: "x86-64-v3", 4: "x86-64-v4", 5: "x86-64-v4-amx"}


def _available_levels():
    highest = cpu_level()
    tiles = [5] if highest == 4 and cpu_has_tiles() else []
    return [1] if highest == 1 else [*range(2, highest + 1), *tiles]


def _chosen_level():
    """The level that FASTNN_ISA names, else the highest one of this processor."""
    levels = _available_levels()
    wanted = os.environ.get("FASTNN_ISA")
    if not wanted:
        return levels[-1]
    for level in levels:
        if wanted in (LEVEL_NAMES[level], LEVEL_NAMES[level].removeprefix("x86-64-")):
            return level
    names = ", ".join(LEVEL_NAMES[level] for level in levels)
    raise ImportError(f"FASTNN_ISA={wanted}: this processor can run {names}")


cdef int _level = _chosen_level()
isa = min(_level, 4)
has_tiles = _level == 5


def isa_name():
    """Name of the instruction-set level in use, such as ``x86-64-v4``."""
    return LEVEL_NAMES[_level]


def vectors_name():
    """Name of the level of its vector instructions: tiles are left to the C kernels."""
    return LEVEL_NAMES[isa]


def has_best_vectors():
    """Whether these are the best that the processor has."""
    return isa == cpu_level()


def available_isa_names():
    """Names of the levels that this processor can run, lowest first."""
    return [LEVEL_NAMES[level] for level in _available_levels()]


# Threads. A hand-off to a waiting thread costs 1 to 3 us, so work under 15 us stays here.
cdef double HAND_OFF_NANOSECONDS = 15000.0

thread_count = 1


cdef int threads_for(double nanoseconds) noexcept nogil:
    if forked_child or nanoseconds < HAND_OFF_NANOSECONDS:
        return 1
    return thread_count


def is_shared(double nanoseconds):
    """Whether work of so many nanoseconds is shared, if there are threads to share it."""
    return nanoseconds >= HAND_OFF_NANOSECONDS


def set_thread_count(int count):
    """Use at most ``count`` threads from the next kernel on."""
    global thread_count
    thread_count = count


def get_thread_count():
    """Threads that large kernels use now."""
    return 1 if forked_child else thread_count


cdef extern from *:
    """
    static _Thread_local void *fastnn_home = 0;
    """
    void* fastnn_home


cdef void use_home(void* home) noexcept:
    global fastnn_home
    fastnn_home = home


# The arena. Fresh pages cost more than the arithmetic on them: a released block is kept, by its
# size, for the next array of that size. A training step asks for the same sizes again and again.
cdef dict _free_blocks = {}
cdef size_t _kept_bytes = 0
cdef size_t _used_bytes = 0
cdef size_t _peak_bytes = 0
cdef long _allocations = 0

# Smaller arrays are left to NumPy, whose own cache serves them in 30 ns.
cdef size_t SMALLEST_BLOCK = 4096
cdef size_t PAGE = 4096
cdef size_t LINE = 64
cdef size_t SPARE_BYTES = 16 << 20


@cython.no_gc_clear
cdef class Block:
    """Memory of one array; it goes back to where it came from when the last array on it is gone.

    That is the arena, or the home of a program.
    """
    cdef void* memory
    cdef size_t size
    cdef Home home

    def __dealloc__(self):
        if self.memory is NULL:
            return
        if self.home is None:
            _release(self.memory, self.size)
        else:
            self.home.take_back(self.memory, self.size)


cdef bint lives_in(cnp.ndarray array, void* home) noexcept:
    cdef object base = array
    while isinstance(base, cnp.ndarray):
        base = cnp.get_array_base(<cnp.ndarray> base)
    return isinstance(base, Block) and <void*> (<Block> base).home is home


cdef void _release(void* memory, size_t size) noexcept:
    global _kept_bytes, _used_bytes
    cdef Idle idle
    _used_bytes -= size
    try:
        idle = Idle.__new__(Idle)
        _free_blocks.setdefault(size, []).append(idle)
        idle.memory, idle.size = memory, size
        _kept_bytes += size
    except BaseException:
        free(memory)


cdef list _blocks_near(size_t size):
    """Idle blocks of the smallest size that is large enough and at most half as large again."""
    cdef size_t best = 0, candidate
    for key, blocks in _free_blocks.items():
        candidate = key
        if blocks and size <= candidate <= size + size // 2 and (best == 0 or candidate < best):
            best = candidate
    return _free_blocks[best] if best else None


cdef void* _acquire(size_t* size) except NULL:
    """Memory of at least ``size`` bytes, which becomes the size that it really has."""
    global _kept_bytes, _used_bytes, _peak_bytes, _allocations
    cdef list idle_blocks = _free_blocks.get(size[0])
    cdef Idle idle
    cdef void* memory
    _allocations += 1
    if not idle_blocks:
        idle_blocks = _blocks_near(size[0])
    if idle_blocks:
        idle = <Idle> idle_blocks.pop()
        memory = idle.memory
        size[0] = idle.size
        idle.memory = NULL
        _kept_bytes -= idle.size
    else:
        # A step that repeats finds all of its blocks again only if none was given back between:
        # lenet took 3.9 ms while the limit was what is in use, and 3.1 with this one.
        if _kept_bytes + _used_bytes + size[0] > _peak_bytes + _peak_bytes // 2 + SPARE_BYTES:
            _free_idle_blocks()
        memory = aligned_memory(size[0])
        if memory is NULL:
            _free_idle_blocks()
            memory = aligned_memory(size[0])
        if memory is NULL:
            raise MemoryError(f"cannot allocate {size[0]} bytes for an array")
    _used_bytes += size[0]
    if _used_bytes > _peak_bytes:
        _peak_bytes = _used_bytes
    return memory


cdef void _free_idle_blocks() noexcept:
    global _kept_bytes
    _free_blocks.clear()
    _kept_bytes = 0


def trim():
    """Give the arena's idle memory back to the operating system."""
    _free_idle_blocks()
    give_back_memory()


def memory_stats():
    """Bytes in use, their peak, bytes kept idle, and blocks handed out since the start."""
    return {"used": _used_bytes, "peak": _peak_bytes, "kept": _kept_bytes,
            "allocations": _allocations}


cdef cnp.ndarray empty(int ndim, cnp.npy_intp* shape, int typenum):
    return empty_strided(ndim, shape, NULL, typenum)


cdef cnp.ndarray empty_strided(int ndim, cnp.npy_intp* shape, cnp.npy_intp* strides, int typenum):
    cdef cnp.dtype descr = cnp.PyArray_DescrFromType(typenum)
    cdef size_t bytes = descr.itemsize
    cdef int axis
    for axis in range(ndim):
        bytes *= shape[axis]
    Py_INCREF(descr)  # PyArray_NewFromDescr steals a reference
    if bytes < SMALLEST_BLOCK and fastnn_home is NULL:
        return PyArray_NewFromDescr(cnp.ndarray, descr, ndim, shape, strides, NULL, 0, None)
    cdef Block block = Block.__new__(Block)
    if fastnn_home is NULL:
        bytes = (bytes + PAGE - 1) // PAGE * PAGE
        block.memory = _acquire(&bytes)
    else:
        bytes = (bytes + LINE) // LINE * LINE
        block.home = <Home> fastnn_home
        block.memory = block.home.acquire(bytes)
    block.size = bytes
    cdef cnp.ndarray array = PyArray_NewFromDescr(
        cnp.ndarray, descr, ndim, shape, strides, block.memory,
        NPY_ARRAY_WRITEABLE | NPY_ARRAY_ALIGNED, None)
    Py_INCREF(block)  # so does PyArray_SetBaseObject
    PyArray_SetBaseObject(array, block)
    return array


def empty_array(tuple shape, dtype):
    """A new uninitialised array of the arena in C order."""
    cdef cnp.npy_intp sizes[64]
    cdef int axis
    if len(shape) > 64:
        raise ValueError(f"empty: at most 64 dimensions, got {len(shape)}")
    for axis in range(len(shape)):
        sizes[axis] = shape[axis]
        if sizes[axis] < 0:
            raise ValueError(f"empty: negative size in shape {shape}")
    if type(dtype) is not cnp.dtype and not isinstance(dtype, cnp.dtype):
        dtype = cnp.dtype(dtype)
    return empty(len(shape), sizes, (<cnp.dtype> dtype).type_num)


def expanded(cnp.ndarray array not None, tuple shape not None):
    """A view that repeats the axes of size 1, and new first axes, up to ``shape``.

    It is read-only where it repeats anything. ``numpy.broadcast_to`` takes 2 us, this 0.1.
    """
    cdef cnp.npy_intp sizes[64]
    cdef cnp.npy_intp strides[64]
    cdef int axis, ndim = len(shape), extra = ndim - cnp.PyArray_NDIM(array)
    cdef cnp.npy_intp size
    cdef bint repeats = False
    if extra < 0 or ndim > 64:
        raise ValueError(f"expand: shape {(<object> array).shape} does not expand to {shape}")
    for axis in range(ndim):
        sizes[axis] = shape[axis]
        size = cnp.PyArray_DIM(array, axis - extra) if axis >= extra else 1
        if sizes[axis] < 0 or (size != sizes[axis] and size != 1):
            raise ValueError(f"expand: shape {(<object> array).shape} does not expand to {shape}")
        strides[axis] = 0 if size != sizes[axis] or axis < extra else cnp.PyArray_STRIDE(
            array, axis - extra)
        repeats = repeats or size != sizes[axis]
    cdef int flags = NPY_ARRAY_ALIGNED
    if not repeats and cnp.PyArray_ISWRITEABLE(array):
        flags |= NPY_ARRAY_WRITEABLE
    cdef cnp.dtype descr = (<object> array).dtype
    Py_INCREF(descr)
    view = PyArray_NewFromDescr(cnp.ndarray, descr, ndim, sizes, strides, cnp.PyArray_DATA(array),
                                flags, None)
    Py_INCREF(array)
    PyArray_SetBaseObject(view, array)
    return view
