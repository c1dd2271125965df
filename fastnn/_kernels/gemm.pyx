"""Matrix products: ``out = bent([out +] a @ b [+ bias])``.

The product itself is C (``csrc/gemm.h``), compiled once per level of the instruction set.
"""

import numpy

cimport numpy as cnp

from fastnn._kernels cimport runtime
from fastnn._kernels.calls cimport name_kernel
from fastnn._kernels.recording cimport is_noting, perform, uses

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef extern from "gemm_levels.h" nogil:
    ctypedef int gemm_function(const gemm_arguments* arguments, int threads)
    gemm_function* gemm_for_f32(int isa, int tiles)
    gemm_function* gemm_for_f64(int isa)

cdef gemm_function* _gemm_f32 = gemm_for_f32(runtime.isa, runtime.has_tiles)
cdef gemm_function* _gemm_f64 = gemm_for_f64(runtime.isa)

# Multiply-adds of float32 per nanosecond on one thread, by level (none, baseline, v2, v3, v4).
cdef double _rate = (1.0, 6.0, 6.0, 25.0, 40.0)[runtime.isa]


cdef struct _Call:
    gemm_function* function
    gemm_arguments arguments


cdef int _multiply(const void* call, int threads) noexcept nogil:
    cdef const _Call* product = <const _Call*> call
    return product.function(&product.arguments, threads)


name_kernel(<const void*> _multiply, "product of matrices")


def matmul(cnp.ndarray a not None, cnp.ndarray b not None, cnp.ndarray out=None,
           cnp.ndarray bias=None, double below=1.0, bint accumulate=False):
    """``bent(a @ b + bias)``, written to ``out`` or to a new array.

    ``a`` is (m, k) or (batch, m, k), ``b`` is (k, n) or (batch, k, n); a matrix, or a batch of
    one, serves every item of the other's batch. ``bias`` has n elements. What is not above 0 is
    multiplied by ``below`` at last, of which 0 is ``relu``; NaN stays NaN. With ``accumulate`` the
    product is added to what ``out`` holds before the bias is. All arrays are float32
    or all float64, with any strides; an empty sum (k = 0) is 0. Denormal numbers count as 0.

    Raises TypeError for other dtypes, ValueError for shapes that do not fit, for an ``out`` that is
    read-only or shares memory with an input, and for ``accumulate`` without ``out``.

    >>> import numpy
    >>> a = numpy.array([[1.0, 2.0], [3.0, 4.0]])
    >>> matmul(a, a, bias=numpy.array([-10.0, 0.5]), below=0)
    array([[ 0. , 10.5],
           [ 5. , 22.5]])
    """
    cdef gemm_arguments arguments
    cdef int typenum = cnp.PyArray_TYPE(a)
    _check_operand("a", a, a)
    _check_operand("b", b, a)
    _describe(&arguments, a, b)
    arguments.below = below
    arguments.accumulate = accumulate
    arguments.bias = _bias_data(bias, a, arguments.n)
    arguments.bias_per_row = 0
    if out is None:
        if accumulate:
            raise ValueError("matmul: accumulate=True needs out")
        out = _new_output(&arguments, typenum, max(a.ndim, b.ndim))
    else:
        _check_output(&arguments, out, a, b, bias)
    _describe_output(&arguments, out)
    if is_noting():
        uses((a, b, out, bias))
    _run(typenum, &arguments)
    return out


def linear(cnp.ndarray x not None, cnp.ndarray weight not None, cnp.ndarray bias=None,
           double below=1.0):
    """``bent(x @ weight.T + bias)`` for x of any rank, (..., in), and a weight (out, in).

    An x that is not a matrix must be contiguous, and so must the bias. ``below`` is as in `matmul`,
    and so are errors; sizes that do not fit are described as those of ``linear``.
    """
    cdef gemm_arguments arguments
    cdef cnp.npy_intp sizes[64]
    cdef int typenum = cnp.PyArray_TYPE(x), last = cnp.PyArray_NDIM(x) - 1, axis
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(x)
    _check_type("input", x, x)
    _check_type("weight", weight, x)
    _check_features(x, weight, bias)
    arguments.batch = arguments.m = 1
    for axis in range(last):
        sizes[axis] = x.shape[axis]
        arguments.m *= x.shape[axis]
    sizes[last] = arguments.n = weight.shape[0]
    arguments.k = weight.shape[1]
    arguments.a, arguments.a_batch = cnp.PyArray_DATA(x), 0
    arguments.a_row = x.strides[0] // item if last == 1 else arguments.k
    arguments.a_col = x.strides[last] // item
    arguments.b, arguments.b_batch = cnp.PyArray_DATA(weight), 0
    arguments.b_row, arguments.b_col = weight.strides[1] // item, weight.strides[0] // item
    arguments.bias, arguments.bias_per_row = _bias_data(bias, x, arguments.n), 0
    arguments.below, arguments.accumulate = below, False
    cdef cnp.ndarray out = runtime.empty(last + 1, sizes, typenum)
    arguments.c, arguments.c_batch = cnp.PyArray_DATA(out), 0
    arguments.c_row, arguments.c_col = arguments.n, 1
    if is_noting():
        uses((x, weight, bias))
    _run(typenum, &arguments)
    return out


cdef int _check_features(cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias) except -1:
    cdef int last = x.ndim - 1
    if weight.ndim != 2:
        raise ValueError(f"linear: weight must have 2 dimensions, got shape {_shape(weight)}")
    if last < 0 or x.shape[last] != weight.shape[1]:
        raise ValueError(f"linear: input has {x.shape[last] if last >= 0 else 'no'} features, "
                         f"weight expects {weight.shape[1]}")
    if last != 1 and not cnp.PyArray_IS_C_CONTIGUOUS(x):
        raise ValueError(f"linear: input of shape {_shape(x)} must be contiguous")
    if bias is not None and (bias.ndim != 1 or bias.shape[0] != weight.shape[0]):
        raise ValueError(
            f"linear: bias has shape {_shape(bias)}, weight expects ({weight.shape[0]},)")
    return 0


cdef int _run(int typenum, const gemm_arguments* arguments) except -1:
    cdef _Call call
    cdef bint is_double = typenum != cnp.NPY_FLOAT
    cdef double work = (<double> arguments.batch * arguments.m * arguments.n
                        * (arguments.k if arguments.k > 0 else 1))
    call.function, call.arguments = _gemm_f64 if is_double else _gemm_f32, arguments[0]
    if perform(_multiply, &call, sizeof(call), (1 + is_double) * work / _rate, work):
        raise MemoryError("matmul: no memory for partial results")
    return 0


cdef int _check_type(str name, cnp.ndarray x, cnp.ndarray a) except -1:
    cdef int typenum = cnp.PyArray_TYPE(x)
    if typenum != cnp.NPY_FLOAT and typenum != cnp.NPY_DOUBLE:
        raise TypeError(f"matmul: {name} has dtype {x.dtype}, expected float32 or float64")
    if typenum != cnp.PyArray_TYPE(a):
        raise TypeError(f"matmul: {name} has dtype {x.dtype}, a has {a.dtype}")
    return _check_memory(name, x)


cdef int _check_operand(str name, cnp.ndarray x, cnp.ndarray a) except -1:
    _check_type(name, x, a)
    if x.ndim != 2 and x.ndim != 3:
        raise ValueError(f"matmul: {name} has {x.ndim} dimensions, expected 2 or 3")
    return 0


cdef int _check_memory(str name, cnp.ndarray x) except -1:
    cdef int axis
    if not cnp.PyArray_ISBEHAVED_RO(x):
        raise ValueError(f"matmul: {name} must be aligned and in native byte order")
    for axis in range(x.ndim):
        if x.strides[axis] % cnp.PyArray_ITEMSIZE(x):
            raise ValueError(f"matmul: {name} has strides {_strides(x)}, "
                             f"not multiples of {cnp.PyArray_ITEMSIZE(x)} bytes")
    return 0


cdef int _describe(gemm_arguments* arguments, cnp.ndarray a, cnp.ndarray b) except -1:
    """Sizes and strides of the inputs, checked against each other."""
    cdef int last_a = a.ndim - 1, last_b = b.ndim - 1
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(a)
    cdef Py_ssize_t batch_a = a.shape[0] if a.ndim == 3 else 1
    cdef Py_ssize_t batch_b = b.shape[0] if b.ndim == 3 else 1
    if a.shape[last_a] != b.shape[last_b - 1]:
        raise ValueError(f"matmul: a has {a.shape[last_a]} columns, "
                         f"b has {b.shape[last_b - 1]} rows")
    if batch_a != batch_b and batch_a != 1 and batch_b != 1:
        raise ValueError(f"matmul: a has a batch of {batch_a}, b of {batch_b}")
    arguments.batch = batch_b if batch_a == 1 else batch_a
    arguments.m = a.shape[last_a - 1]
    arguments.k = a.shape[last_a]
    arguments.n = b.shape[last_b]
    arguments.a = cnp.PyArray_DATA(a)
    arguments.a_batch = a.strides[0] // item if batch_a > 1 else 0
    arguments.a_row = a.strides[last_a - 1] // item
    arguments.a_col = a.strides[last_a] // item
    arguments.b = cnp.PyArray_DATA(b)
    arguments.b_batch = b.strides[0] // item if batch_b > 1 else 0
    arguments.b_row = b.strides[last_b - 1] // item
    arguments.b_col = b.strides[last_b] // item
    return 0


cdef int _describe_output(gemm_arguments* arguments, cnp.ndarray out) except -1:
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(out)
    cdef int last = out.ndim - 1
    arguments.c = cnp.PyArray_DATA(out)
    arguments.c_batch = out.strides[0] // item if out.ndim == 3 else 0
    arguments.c_row = out.strides[last - 1] // item
    arguments.c_col = out.strides[last] // item
    return 0


cdef void* _bias_data(cnp.ndarray bias, cnp.ndarray a, Py_ssize_t n) except? NULL:
    if bias is None:
        return NULL
    if cnp.PyArray_TYPE(bias) != cnp.PyArray_TYPE(a):
        raise TypeError(f"matmul: bias has dtype {bias.dtype}, a has {a.dtype}")
    if bias.ndim != 1 or bias.shape[0] != n:
        raise ValueError(f"matmul: bias has shape {_shape(bias)}, expected ({n},)")
    if not cnp.PyArray_ISCARRAY_RO(bias):
        raise ValueError("matmul: bias must be contiguous, aligned and in native byte order")
    return cnp.PyArray_DATA(bias)


cdef cnp.ndarray _new_output(gemm_arguments* arguments, int typenum, int ndim):
    cdef cnp.npy_intp[3] sizes
    sizes[0] = arguments.batch
    sizes[ndim - 2] = arguments.m
    sizes[ndim - 1] = arguments.n
    return runtime.empty(ndim, sizes, typenum)


cdef int _check_output(gemm_arguments* arguments, cnp.ndarray out, cnp.ndarray a, cnp.ndarray b,
                       cnp.ndarray bias) except -1:
    cdef int ndim = max(a.ndim, b.ndim), axis
    if cnp.PyArray_TYPE(out) != cnp.PyArray_TYPE(a):
        raise TypeError(f"matmul: out has dtype {out.dtype}, a has {a.dtype}")
    if (out.ndim != ndim or out.shape[ndim - 2] != arguments.m
            or out.shape[ndim - 1] != arguments.n
            or (ndim == 3 and out.shape[0] != arguments.batch)):
        wanted = (arguments.batch, arguments.m, arguments.n)[3 - ndim:]
        raise ValueError(f"matmul: out has shape {_shape(out)}, expected {wanted}")
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("matmul: out is read-only")
    _check_memory("out", out)
    for axis in range(ndim):
        if cnp.PyArray_SIZE(out) and out.shape[axis] > 1 and out.strides[axis] == 0:
            raise ValueError("matmul: out has elements that share memory")
    _check_apart("a", out, a)
    _check_apart("b", out, b)
    if bias is not None:
        _check_apart("bias", out, bias)
    return 0


cdef int _check_apart(str name, cnp.ndarray out, cnp.ndarray x) except -1:
    if _may_overlap(out, x):
        raise ValueError(f"matmul: out shares memory with {name}")
    return 0


cdef bint _may_overlap(cnp.ndarray x, cnp.ndarray y) except -1:
    """Whether the address ranges meet; only then is the exact question asked."""
    cdef char* x_low = <char*> cnp.PyArray_DATA(x)
    cdef char* y_low = <char*> cnp.PyArray_DATA(y)
    cdef char* x_high = x_low + cnp.PyArray_ITEMSIZE(x)
    cdef char* y_high = y_low + cnp.PyArray_ITEMSIZE(y)
    _extend(x, &x_low, &x_high)
    _extend(y, &y_low, &y_high)
    if x_high <= y_low or y_high <= x_low:
        return False
    return numpy.may_share_memory(x, y, max_work=100000)


cdef void _extend(cnp.ndarray x, char** low, char** high) noexcept:
    cdef int axis
    for axis in range(x.ndim):
        if x.shape[axis] == 0:
            high[0] = low[0]
            return
        if x.strides[axis] < 0:
            low[0] += (x.shape[axis] - 1) * x.strides[axis]
        else:
            high[0] += (x.shape[axis] - 1) * x.strides[axis]


cdef tuple _shape(cnp.ndarray x):
    return tuple([x.shape[axis] for axis in range(x.ndim)])


cdef tuple _strides(cnp.ndarray x):
    return tuple([x.strides[axis] for axis in range(x.ndim)])
