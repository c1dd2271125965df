"""Recurrent layers: one direction of one layer, all steps of time in one call.

The loop is C (``csrc/rnn.h``, which says how states and gates lie in memory). What is computed
from what is given by spans: an int64 array of rows ``(place in the batch, row of the gates, row of
the states before, count)``.
"""

cimport numpy as cnp

from fastnn._kernels cimport runtime
from fastnn._kernels.calls cimport name_kernel
from fastnn._kernels.recording cimport admit, is_noting, perform, uses
from fastnn._kernels.conv cimport check_array, check_real, check_size, check_writeable

cnp.import_array()

cdef extern from "team_link.h":
    runtime.team_runner* team_run

team_run = runtime.run_on_team

cdef extern from "rnn.h" nogil:
    ctypedef struct rnn_span:
        cnp.int64_t batch, row
        cnp.int64_t before "from"
        cnp.int64_t count
    ctypedef struct rnn_arguments:
        int kind
        ptrdiff_t hidden, batch, shift, span_count
        const rnn_span* spans
        const void* weight
        const void* bias
        void* gates
        void* states
        void* cells
        void* d_states
        void* d_cells
        void* d_gates
        void* d_sums
        void* packed
    ctypedef struct rnn_kernels:
        void (*forward)(const rnn_arguments*, int) noexcept nogil
        void (*backward)(const rnn_arguments*, int) noexcept nogil
        size_t (*packed_size)(const rnn_arguments*) noexcept nogil
    const rnn_kernels* rnn_kernels_for(int isa, int tiles, int is_double)
    int rnn_gates(int kind)
    int rnn_kept(int kind)
    enum:
        RNN_TANH
        RNN_RELU
        RNN_GRU
        RNN_LSTM

KINDS = {"RNN_TANH": RNN_TANH, "RNN_RELU": RNN_RELU, "GRU": RNN_GRU, "LSTM": RNN_LSTM}

# Multiply-adds of float32 per nanosecond on one thread, by level; see `gemm`.
cdef double _rate = (1.0, 6.0, 6.0, 25.0, 40.0)[runtime.isa]
cdef double NANOSECONDS_PER_GATE = 0.5


def gates_of(str kind):
    """(gates of a hidden unit, numbers that are kept for it) of a kind of network."""
    return rnn_gates(KINDS[kind]), rnn_kept(KINDS[kind])


cdef int fill(str name, rnn_arguments* a, str kind, Py_ssize_t batch, Py_ssize_t shift,
              cnp.ndarray spans, cnp.ndarray weight, cnp.ndarray states, cnp.ndarray cells,
              cnp.ndarray gates) except -1:
    """Sizes and memory of what both directions use, checked against each other."""
    cdef int typenum = check_real(name, "weight", weight)
    if kind not in KINDS:
        raise ValueError(f"{name}: kind {kind!r}, there are {', '.join(KINDS)}")
    a.kind = KINDS[kind]
    check_array(name, "weight", weight, 2, typenum)
    check_matrix(name, "states", states, -1, weight.shape[1], typenum)
    check_matrix(name, "gates", gates, -1, rnn_kept(a.kind) * weight.shape[1], typenum)
    check_size(name, "weight", "rows", weight.shape[0], rnn_gates(a.kind) * weight.shape[1])
    a.hidden, a.batch, a.shift = weight.shape[1], batch, shift
    a.cells = NULL
    if a.kind == RNN_LSTM:
        check_matrix(name, "cells", cells, states.shape[0], a.hidden, typenum)
        a.cells = cnp.PyArray_DATA(cells)
    a.weight, a.states = cnp.PyArray_DATA(weight), cnp.PyArray_DATA(states)
    a.gates = cnp.PyArray_DATA(gates)
    check_array(name, "spans", spans, 2, cnp.NPY_INT64)
    check_size(name, "spans", "columns", spans.shape[1], 4)
    a.spans, a.span_count = <const rnn_span*> cnp.PyArray_DATA(spans), spans.shape[0]
    return check_spans(name, a, gates.shape[0], states.shape[0])


cdef int check_matrix(str name, str argument, cnp.ndarray array, Py_ssize_t rows,
                      Py_ssize_t columns, int typenum) except -1:
    check_array(name, argument, array, 2, typenum)
    check_writeable(name, argument, array)
    if rows >= 0:
        check_size(name, argument, "rows", array.shape[0], rows)
    return check_size(name, argument, "columns", array.shape[1], columns)


cdef int check_spans(str name, rnn_arguments* a, Py_ssize_t gates, Py_ssize_t states) except -1:
    """Whether every row that a span names exists."""
    cdef Py_ssize_t i
    cdef const rnn_span* span
    for i in range(a.span_count):
        span = &a.spans[i]
        if (min(span.batch, span.row, span.before, span.count, a.shift) < 0
                or span.count > a.batch - span.batch or span.count > gates - span.row
                or span.count > states - span.row - a.shift
                or span.count > states - span.before):
            raise ValueError(f"{name}: span {i} names rows that do not exist")
    return 0


cdef cnp.ndarray packed_memory(rnn_arguments* a, const rnn_kernels* kernels, int typenum):
    cdef cnp.npy_intp size = kernels.packed_size(a)
    return runtime.empty(1, &size, typenum)


cdef double products_of(rnn_arguments* a, Py_ssize_t rows, bint multiplied) noexcept:
    return <double> rows * a.hidden * rnn_gates(a.kind) * a.hidden if multiplied else 0.0


cdef double cost_of(rnn_arguments* a, Py_ssize_t rows, bint multiplied, int typenum) noexcept:
    cdef double units = <double> rows * a.hidden * rnn_gates(a.kind)
    cdef double cost = units * NANOSECONDS_PER_GATE + products_of(a, rows, multiplied) / _rate
    return cost if typenum == cnp.NPY_FLOAT32 else 2 * cost


cdef struct _Call:
    const rnn_kernels* kernels
    rnn_arguments arguments


cdef int _run_forward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.forward(&c.arguments, threads)
    return 0


name_kernel(<const void*> _run_forward, "recurrent layer")


cdef int _run_backward(const void* call, int threads) noexcept nogil:
    cdef const _Call* c = <const _Call*> call
    c.kernels.backward(&c.arguments, threads)
    return 0


name_kernel(<const void*> _run_backward, "gradient of a recurrent layer")


def forward(str kind, Py_ssize_t batch, Py_ssize_t shift, cnp.ndarray spans, cnp.ndarray weight,
            cnp.ndarray bias, cnp.ndarray states, cnp.ndarray cells, cnp.ndarray gates,
            bint multiplied=True):
    """Fill in the states (and cells) that the spans name, and turn the gates into their values.

    Without ``multiplied`` the gates hold the products with the states already (one span only).
    """
    cdef rnn_arguments a
    cdef cnp.ndarray packed
    cdef int typenum = cnp.PyArray_TYPE(weight) if weight is not None else 0
    cdef const rnn_kernels* kernels = rnn_kernels_for(
        runtime.isa, runtime.has_tiles, typenum == cnp.NPY_FLOAT64)
    fill("rnn.forward", &a, kind, batch, shift, spans, weight, states, cells, gates)
    a.d_states = a.d_cells = a.d_gates = a.d_sums = a.packed = a.bias = NULL
    if bias is not None:
        check_array("rnn.forward", "bias", bias, 1, typenum)
        check_size("rnn.forward", "bias", "numbers", bias.shape[0], weight.shape[0])
        a.bias = cnp.PyArray_DATA(bias)
    if multiplied:
        packed = packed_memory(&a, kernels, typenum)
        a.packed = cnp.PyArray_DATA(packed)
    cdef _Call call = _Call(kernels, a)
    if is_noting():
        admit(spans)  # of sizes alone
        uses((weight, bias, states, cells, gates))
    perform(_run_forward, &call, sizeof(call), cost_of(&a, gates.shape[0], multiplied, typenum),
            products_of(&a, gates.shape[0], multiplied))


def backward(str kind, Py_ssize_t batch, Py_ssize_t shift, cnp.ndarray spans, cnp.ndarray weight,
             cnp.ndarray states, cnp.ndarray cells, cnp.ndarray gates, cnp.ndarray d_states,
             cnp.ndarray d_cells, cnp.ndarray d_gates, cnp.ndarray d_sums, bint multiplied=True):
    """Fill in the gradients of the gates' sums, and add to those of the states before.

    ``d_gates`` are those of the products with the input, ``d_sums`` (GRU; else the same array) of
    the products with the states. ``d_cells`` holds the gradients of the last cells of all
    sequences; the others are written. Without ``multiplied`` the products are left to the caller.
    """
    cdef rnn_arguments a
    cdef cnp.ndarray packed
    cdef int typenum = cnp.PyArray_TYPE(weight) if weight is not None else 0
    cdef const rnn_kernels* kernels = rnn_kernels_for(
        runtime.isa, runtime.has_tiles, typenum == cnp.NPY_FLOAT64)
    fill("rnn.backward", &a, kind, batch, shift, spans, weight, states, cells, gates)
    a.bias = a.packed = a.d_cells = NULL
    check_matrix("rnn.backward", "d_states", d_states, states.shape[0], a.hidden, typenum)
    check_matrix("rnn.backward", "d_gates", d_gates, gates.shape[0], weight.shape[0], typenum)
    check_matrix("rnn.backward", "d_sums", d_sums, gates.shape[0], weight.shape[0], typenum)
    if a.kind == RNN_LSTM:
        check_matrix("rnn.backward", "d_cells", d_cells, states.shape[0], a.hidden, typenum)
        a.d_cells = cnp.PyArray_DATA(d_cells)
    a.d_states, a.d_gates = cnp.PyArray_DATA(d_states), cnp.PyArray_DATA(d_gates)
    a.d_sums = cnp.PyArray_DATA(d_sums)
    if multiplied:
        packed = packed_memory(&a, kernels, typenum)
        a.packed = cnp.PyArray_DATA(packed)
    cdef _Call call = _Call(kernels, a)
    if is_noting():
        admit(spans)
        uses((weight, states, cells, gates, d_states, d_cells, d_gates, d_sums))
    perform(_run_backward, &call, sizeof(call), cost_of(&a, gates.shape[0], multiplied, typenum),
            products_of(&a, gates.shape[0], multiplied))
