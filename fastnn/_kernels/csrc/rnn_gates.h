/* From the sums of the gates to the new state, and back: one row, a run of hidden units.
 *
 * REAL_BITS must be defined; gemm_real.h and rnn_math.h included. Pointers are those of the first
 * unit; gates lie `hidden` numbers apart.
 */

struct NAME(rnn_row) {
    REAL *gates, *state, *cell;
    const REAL *state_from, *cell_from;
    REAL *d_state, *d_state_from, *d_cell, *d_cell_from, *d_gates, *d_sums;
    ptrdiff_t hidden;
};

INLINE VECTOR NAME(load_some)(const REAL *from, int lanes) {
    return lanes == LANES ? NAME(load)(from) : NAME(load_part)(from, NAME(first_lanes)(lanes));
}

INLINE void NAME(store_some)(REAL *to, VECTOR value, int lanes) {
    if (lanes == LANES)
        NAME(store)(to, value);
    else
        NAME(store_part)(to, value, NAME(first_lanes)(lanes));
}

#define LOAD(name) NAME(load_some)(row->name + unit, lanes)
#define STORE(name, value) NAME(store_some)(row->name + unit, value, lanes)
#define GATE(name, number) NAME(load_some)(row->name + (number) * row->hidden + unit, lanes)
#define STORE_GATE(name, number, value) \
    NAME(store_some)(row->name + (number) * row->hidden + unit, value, lanes)
#define UNIT_FUNCTION(name) \
    INLINE void NAME(name)(const struct NAME(rnn_row) *row, ptrdiff_t unit, int lanes)

UNIT_FUNCTION(tanh_forward) { STORE(state, NAME(tanh)(LOAD(gates))); }
UNIT_FUNCTION(relu_forward) { STORE(state, NAME(bent)(LOAD(gates), 0)); }

UNIT_FUNCTION(tanh_backward) {
    const VECTOR state = LOAD(state);
    STORE(d_gates, LOAD(d_state) * (1 - state * state));
}

UNIT_FUNCTION(relu_backward) {
    const BITS positive = (BITS)(LOAD(state) > (VECTOR){0});
    STORE(d_gates, (VECTOR)((BITS)LOAD(d_state) & positive));
}

UNIT_FUNCTION(gru_forward) {
    const VECTOR reset = NAME(sigmoid)(GATE(gates, 0)), update = NAME(sigmoid)(GATE(gates, 1));
    const VECTOR new = NAME(tanh)(GATE(gates, 2) + reset * GATE(gates, 3));
    STORE_GATE(gates, 0, reset);
    STORE_GATE(gates, 1, update);
    STORE_GATE(gates, 2, new);
    STORE(state, new + update * (LOAD(state_from) - new));
}

UNIT_FUNCTION(gru_backward) {
    const VECTOR reset = GATE(gates, 0), update = GATE(gates, 1), new = GATE(gates, 2);
    const VECTOR d_state = LOAD(d_state);
    const VECTOR d_new = d_state * (1 - update) * (1 - new * new);
    const VECTOR d_reset = d_new * GATE(gates, 3) * reset * (1 - reset);
    const VECTOR d_update = d_state * (LOAD(state_from) - new) * update * (1 - update);
    STORE_GATE(d_gates, 0, d_reset);
    STORE_GATE(d_gates, 1, d_update);
    STORE_GATE(d_gates, 2, d_new);
    STORE_GATE(d_sums, 0, d_reset);
    STORE_GATE(d_sums, 1, d_update);
    STORE_GATE(d_sums, 2, d_new * reset);
    STORE(d_state_from, LOAD(d_state_from) + d_state * update);
}

UNIT_FUNCTION(lstm_forward) {
    const VECTOR input = NAME(sigmoid)(GATE(gates, 0)), forget = NAME(sigmoid)(GATE(gates, 1));
    const VECTOR new = NAME(tanh)(GATE(gates, 2)), output = NAME(sigmoid)(GATE(gates, 3));
    const VECTOR cell = forget * LOAD(cell_from) + input * new;
    STORE_GATE(gates, 0, input);
    STORE_GATE(gates, 1, forget);
    STORE_GATE(gates, 2, new);
    STORE_GATE(gates, 3, output);
    STORE(cell, cell);
    STORE(state, output * NAME(tanh)(cell));
}

UNIT_FUNCTION(lstm_backward) {
    const VECTOR input = GATE(gates, 0), forget = GATE(gates, 1), new = GATE(gates, 2);
    const VECTOR output = GATE(gates, 3), squashed = NAME(tanh)(LOAD(cell));
    const VECTOR d_state = LOAD(d_state);
    const VECTOR d_cell = LOAD(d_cell) + d_state * output * (1 - squashed * squashed);
    STORE_GATE(d_gates, 0, d_cell * new * input * (1 - input));
    STORE_GATE(d_gates, 1, d_cell * LOAD(cell_from) * forget * (1 - forget));
    STORE_GATE(d_gates, 2, d_cell * input * (1 - new * new));
    STORE_GATE(d_gates, 3, d_state * squashed * output * (1 - output));
    STORE(d_cell_from, d_cell * forget);
}

#define ROW_FUNCTION(name)                                                                     \
    static void NAME(name##_row)(const struct NAME(rnn_row) *row, ptrdiff_t units) {           \
        const ptrdiff_t whole = units / LANES * LANES;                                         \
        for (ptrdiff_t unit = 0; unit < whole; unit += LANES) NAME(name)(row, unit, LANES);    \
        if (whole < units) NAME(name)(row, whole, (int)(units - whole));                       \
    }
ROW_FUNCTION(tanh_forward) ROW_FUNCTION(relu_forward)
ROW_FUNCTION(gru_forward) ROW_FUNCTION(lstm_forward)
ROW_FUNCTION(tanh_backward) ROW_FUNCTION(relu_backward)
ROW_FUNCTION(gru_backward) ROW_FUNCTION(lstm_backward)

typedef void NAME(row_function)(const struct NAME(rnn_row) *, ptrdiff_t);
static NAME(row_function) *const NAME(rows_forward)[] = {
    NAME(tanh_forward_row), NAME(relu_forward_row), NAME(gru_forward_row), NAME(lstm_forward_row)};
static NAME(row_function) *const NAME(rows_backward)[] = {
    NAME(tanh_backward_row), NAME(relu_backward_row), NAME(gru_backward_row),
    NAME(lstm_backward_row)};

#undef LOAD
#undef STORE
#undef GATE
#undef STORE_GATE
#undef UNIT_FUNCTION
#undef ROW_FUNCTION
