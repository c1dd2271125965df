"""What the gate reads of arrays: addresses and strides for a kernel, shapes, layouts, overlap."""

cimport numpy as cnp

from fastnn._kernels.launch cimport MAX_AXES, Operands
from fastnn._kernels.runtime cimport empty, empty_strided
from fastnn.tape cimport TensorBase

cnp.import_array()


cdef TensorBase target_tensor(str name, object value):
    """What an operation in place changes, once that is known to be a tensor."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"{name}: input must be a Tensor, got {type(value).__name__}")
    return <TensorBase> value


cdef bint prepare(str name, tuple inputs, int typenum, Operands* o, cnp.npy_intp* itemsizes,
                  double* scalars) except -1:
    """Fill in the inputs' addresses and strides; tell whether one of them is broadcast."""
    cdef int index, axis, shift
    cdef cnp.ndarray array
    cdef cnp.npy_intp size
    cdef bint broadcast = False
    o.count = len(inputs) + 1
    o.ndim = 0
    for value in inputs:
        if isinstance(value, TensorBase):
            o.ndim = max(o.ndim, cnp.PyArray_NDIM((<TensorBase> value).array))
    if o.ndim > MAX_AXES:
        raise ValueError(f"{name}: at most {MAX_AXES} dimensions, got {o.ndim}")
    for axis in range(o.ndim):
        o.shape[axis] = 1
    for value in inputs:
        if isinstance(value, TensorBase):
            array = (<TensorBase> value).array
            shift = o.ndim - cnp.PyArray_NDIM(array)
            for axis in range(shift, o.ndim):
                size = cnp.PyArray_DIM(array, axis - shift)
                if size != o.shape[axis] and size != 1:
                    if o.shape[axis] != 1:
                        _shapes_differ(name, inputs)
                    o.shape[axis] = size
    for index in range(len(inputs)):
        if isinstance(inputs[index], TensorBase):
            array = (<TensorBase> inputs[index]).array
            o.data[index + 1] = <char*> cnp.PyArray_DATA(array)
            itemsizes[index + 1] = cnp.PyArray_ITEMSIZE(array)
            shift = o.ndim - cnp.PyArray_NDIM(array)
            broadcast = broadcast or shift > 0
            for axis in range(o.ndim):
                if axis < shift or (cnp.PyArray_DIM(array, axis - shift) == 1
                                    and o.shape[axis] != 1):
                    o.strides[index + 1][axis] = 0
                    broadcast = True
                else:
                    o.strides[index + 1][axis] = (
                        cnp.PyArray_STRIDE(array, axis - shift) // itemsizes[index + 1])
        else:
            _store_scalar(&scalars[index], inputs[index], typenum)
            o.data[index + 1] = <char*> &scalars[index]
            itemsizes[index + 1] = 0
            for axis in range(o.ndim):
                o.strides[index + 1][axis] = 0
    return broadcast


cdef _shapes_differ(str name, tuple inputs):
    shapes = " and ".join(
        str(tuple((<object> (<TensorBase> value).array).shape)) for value in inputs
        if isinstance(value, TensorBase))
    raise ValueError(f"{name}: shapes {shapes} do not broadcast")


cdef void _store_scalar(double* place, object value, int typenum) except *:
    if typenum == cnp.NPY_FLOAT32:
        (<float*> place)[0] = value
    elif typenum == cnp.NPY_FLOAT64:
        (<double*> place)[0] = value
    elif typenum == cnp.NPY_INT64:
        (<long long*> place)[0] = value
    elif typenum == cnp.NPY_INT32:
        (<int*> place)[0] = value
    elif typenum == cnp.NPY_INT16:
        (<short*> place)[0] = value
    else:
        (<signed char*> place)[0] = value


cdef cnp.ndarray new_output(tuple inputs, Operands* o, int typenum):
    """An output in the memory order of the first input that has the full shape and is dense."""
    cdef cnp.npy_intp strides[MAX_AXES]
    cdef cnp.ndarray array
    cdef int axis, itemsize
    for value in inputs:
        if isinstance(value, TensorBase):
            array = (<TensorBase> value).array
            if cnp.PyArray_NDIM(array) != o.ndim or cnp.PyArray_IS_C_CONTIGUOUS(array):
                continue
            if _dense(array, o):
                itemsize = cnp.PyArray_DescrFromType(typenum).itemsize
                for axis in range(o.ndim):
                    strides[axis] = (cnp.PyArray_STRIDE(array, axis)
                                     // cnp.PyArray_ITEMSIZE(array) * itemsize)
                return empty_strided(o.ndim, o.shape, strides, typenum)
    return empty(o.ndim, o.shape, typenum)


cdef bint _dense(cnp.ndarray array, Operands* o) noexcept:
    """Whether the array has the full shape and fills one block of memory once."""
    cdef int axis
    for axis in range(o.ndim):
        if cnp.PyArray_DIM(array, axis) != o.shape[axis]:
            return False
    return fills_a_block(array)


cdef bint fills_a_block(cnp.ndarray array) noexcept:
    """Whether the elements lie without gaps, each in a place of its own, in any order of axes."""
    cdef int axis, other, ndim = cnp.PyArray_NDIM(array)
    cdef cnp.npy_intp expected
    for axis in range(ndim):
        expected = cnp.PyArray_ITEMSIZE(array)
        for other in range(ndim):
            if (cnp.PyArray_STRIDE(array, other) < cnp.PyArray_STRIDE(array, axis)
                    or (cnp.PyArray_STRIDE(array, other) == cnp.PyArray_STRIDE(array, axis)
                        and other > axis)):
                expected *= cnp.PyArray_DIM(array, other)
        if cnp.PyArray_DIM(array, axis) != 1 and cnp.PyArray_STRIDE(array, axis) != expected:
            return False
    return True


cdef bint may_repeat(cnp.ndarray array) noexcept:
    """Whether one place in memory may be several elements: a step is within a smaller axis."""
    cdef int axis, other, ndim = cnp.PyArray_NDIM(array)
    cdef cnp.npy_intp step, inner, reach
    for axis in range(ndim):
        if cnp.PyArray_DIM(array, axis) < 2:
            continue
        step = abs(cnp.PyArray_STRIDE(array, axis))
        reach = 0
        for other in range(ndim):
            inner = abs(cnp.PyArray_STRIDE(array, other))
            if other != axis and (inner < step or (inner == step and other > axis)):
                reach += (cnp.PyArray_DIM(array, other) - 1) * inner
        if step <= reach or step == 0:
            return True
    return False


cdef void check_target(str name, cnp.ndarray target, Operands* o) except *:
    cdef int axis
    cdef bint fits = cnp.PyArray_NDIM(target) == o.ndim
    if fits:
        for axis in range(o.ndim):
            fits = fits and cnp.PyArray_DIM(target, axis) == o.shape[axis]
    if not fits:
        raise ValueError(
            f"{name}: the result does not fit in place into shape {(<object> target).shape}")


cdef bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int axis
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b):
        return False
    for axis in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, axis) != cnp.PyArray_DIM(b, axis):
            return False
    return True


cdef bint starts_within(cnp.ndarray view, cnp.ndarray array) noexcept:
    """Whether the first element of ``view`` lies in the memory that ``array`` spans."""
    cdef char* low = <char*> cnp.PyArray_DATA(array)
    cdef char* high = low
    cdef int axis
    if cnp.PyArray_SIZE(array) == 0 or cnp.PyArray_SIZE(view) == 0:
        return True
    for axis in range(cnp.PyArray_NDIM(array)):
        if cnp.PyArray_STRIDE(array, axis) < 0:
            low += (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
        else:
            high += (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
    return low <= <char*> cnp.PyArray_DATA(view) <= high


cdef bint same_memory(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two arrays begin with the same element."""
    return (cnp.PyArray_SIZE(a) > 0 and cnp.PyArray_SIZE(b) > 0
            and cnp.PyArray_DATA(a) == cnp.PyArray_DATA(b))


cdef bint overlap_apart(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two arrays share memory, element by element at different places."""
    cdef char* low[2]
    cdef char* high[2]
    cdef int axis, which
    cdef cnp.npy_intp extent
    cdef cnp.ndarray array
    if cnp.PyArray_SIZE(a) == 0 or cnp.PyArray_SIZE(b) == 0:
        return False
    for which in range(2):
        array = a if which == 0 else b
        low[which] = <char*> cnp.PyArray_DATA(array)
        high[which] = low[which] + cnp.PyArray_ITEMSIZE(array)
        for axis in range(cnp.PyArray_NDIM(array)):
            extent = (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
            if extent < 0:
                low[which] += extent
            else:
                high[which] += extent
    if low[0] >= high[1] or low[1] >= high[0]:
        return False
    if cnp.PyArray_DATA(a) != cnp.PyArray_DATA(b) or not same_shape(a, b):
        return True
    for axis in range(cnp.PyArray_NDIM(a)):
        if (cnp.PyArray_DIM(a, axis) > 1
                and cnp.PyArray_STRIDE(a, axis) != cnp.PyArray_STRIDE(b, axis)):
            return True
    return False
