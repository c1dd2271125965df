/* The way of the spans through the products and the gates.
 *
 * REAL_BITS must be defined. Rows of the batch do not touch each other, so the threads share the
 * batch first, and each takes its rows through all spans; where there are too few tiles of rows,
 * they share the hidden units too, anew in every span. The recurrent weight is packed once. How,
 * and how rows are multiplied by it, is in RNN_PRODUCTS.
 */
#include "gemm_micro.h"
#include "gemm_plan.h"
#include "rnn_math.h"
#include "rnn_gates.h"
#include "fetch.h"

#ifndef FASTNN_RNN_RUN_H
#define FASTNN_RNN_RUN_H
#ifndef RNN_PRODUCTS
#define RNN_PRODUCTS "rnn_products.h"
#endif

/* A call: tiles of rows are dealt to the groups in turn, hidden units are cut into pieces. */
struct rnn_call {
    const rnn_arguments *a;
    int backward;
    struct cut units;
    ptrdiff_t tile_rows, row_groups;
    const rnn_span *span; /* where the pieces of one span are the work */
    int *unfit;           /* becomes 1 if the weight is none for these products */
};

/* What one piece of work does: every so many tiles of rows, and pieces [first, last) of units. */
struct rnn_share {
    const rnn_arguments *a;
    struct cut units;
    ptrdiff_t tile_rows, row_group, row_groups, first, last;
    int backward;
};

/* A group of rows with all units. */
static inline struct rnn_share rnn_rows(const struct rnn_call *call, ptrdiff_t group) {
    return (struct rnn_share){call->a, call->units, call->tile_rows, group, call->row_groups,
                              0, call->units.pieces, call->backward};
}

/* A group of rows with one piece of the units. */
static inline struct rnn_share rnn_units_of_rows(const struct rnn_call *call, ptrdiff_t piece) {
    struct rnn_share share = rnn_rows(call, piece % call->row_groups);
    share.first = piece / call->row_groups;
    share.last = share.first + 1;
    return share;
}

/* The rows of a tile that lie in a span, counted from its first. */
static inline ptrdiff_t rnn_tile(const struct rnn_share *share, const rnn_span *span,
                                 ptrdiff_t tile, ptrdiff_t *first) {
    const ptrdiff_t start = larger(tile * share->tile_rows, span->batch);
    const ptrdiff_t end = smaller((tile + 1) * share->tile_rows, span->batch + span->count);
    *first = start - span->batch;
    return end - start;
}

#define EACH_TILE(tile, share, span)                                        \
    (ptrdiff_t tile = (share)->row_group;                                   \
     tile * (share)->tile_rows < (span)->batch + (span)->count; tile += (share)->row_groups)
#define EACH_PIECE(piece, share) \
    (ptrdiff_t piece = (share)->first; piece < (share)->last; piece++)
#endif

#include RNN_PRODUCTS

/* Row i of a span, from the first unit of a piece on. */
INLINE struct NAME(rnn_row) NAME(row_of)(const rnn_arguments *a, const rnn_span *span, ptrdiff_t i,
                                         ptrdiff_t start) {
    const ptrdiff_t hidden = a->hidden, row = span->row + i;
    const ptrdiff_t state = (row + a->shift) * hidden + start;
    const ptrdiff_t from = (span->from + i) * hidden + start;
    const ptrdiff_t gradient = row * rnn_gates(a->kind) * hidden + start;
    return (struct NAME(rnn_row)){
        .gates = (REAL *)a->gates + row * rnn_kept(a->kind) * hidden + start,
        .state = (REAL *)a->states + state, .state_from = (REAL *)a->states + from,
        .cell = (REAL *)a->cells + state, .cell_from = (REAL *)a->cells + from,
        .d_state = (REAL *)a->d_states + state, .d_state_from = (REAL *)a->d_states + from,
        .d_cell = (REAL *)a->d_cells + state, .d_cell_from = (REAL *)a->d_cells + from,
        .d_gates = (REAL *)a->d_gates + gradient, .d_sums = (REAL *)a->d_sums + gradient,
        .hidden = hidden,
    };
}

/* Asks for the row's gates in the next piece and the place of their gradients, short rows that lie
 * far apart: the way back of an LSTM of 256 units went from 8.0 to 7.3 ms. */
static void NAME(fetch_gates)(const struct NAME(rnn_row) *row, ptrdiff_t gates, ptrdiff_t units) {
    for (ptrdiff_t gate = 0; gate < gates; gate++)
        for (ptrdiff_t i = units; i < 2 * units; i += CACHE_LINE / (ptrdiff_t)sizeof(REAL)) {
            FETCH_TO_READ(row->gates + gate * row->hidden + i);
            FETCH_TO_WRITE(row->d_gates + gate * row->hidden + i);
        }
}

static void NAME(run_gates)(const struct rnn_share *share, const rnn_span *span, ptrdiff_t piece,
                            NAME(row_function) *function) {
    const ptrdiff_t start = cut_start(&share->units, piece);
    const ptrdiff_t units = cut_length(&share->units, piece);
    for EACH_TILE(number, share, span) {
        ptrdiff_t first;
        const ptrdiff_t rows = rnn_tile(share, span, number, &first);
        for (ptrdiff_t i = 0; i < rows; i++) {
            const struct NAME(rnn_row) row = NAME(row_of)(share->a, span, first + i, start);
            if (share->backward && piece + 1 < share->last)
                NAME(fetch_gates)(&row, rnn_gates(share->a->kind), units);
            function(&row, units);
        }
    }
}

static void NAME(forward_span)(const struct rnn_share *share, const rnn_span *span) {
    if (share->a->packed) NAME(begin_products)(share, span);
    for EACH_PIECE(piece, share) {
        if (share->a->packed) NAME(multiply_forward)(share, span, piece);
        NAME(run_gates)(share, span, piece, NAME(rows_forward)[share->a->kind]);
    }
    NAME(end_products)();
}

/* The gates of a span need what its product, which needs all of its gates, gives the one before. */
static void NAME(backward_gates)(const struct rnn_share *share, const rnn_span *span) {
    for EACH_PIECE(piece, share)
        NAME(run_gates)(share, span, piece, NAME(rows_backward)[share->a->kind]);
}

static void NAME(backward_products)(const struct rnn_share *share, const rnn_span *span) {
    NAME(begin_products)(share, span);
    for EACH_PIECE(piece, share) NAME(multiply_backward)(share, span, piece);
    NAME(end_products)();
}

/* Pieces of work: a group of rows in all spans, and a group of rows and of units in one. */
static void NAME(walk_rows)(const void *work, ptrdiff_t group, int worker) {
    const struct rnn_call *call = work;
    const rnn_arguments *a = call->a;
    const struct rnn_share share = rnn_rows(call, group);
    (void)worker;
    for (ptrdiff_t i = 0; i < a->span_count && !call->backward; i++)
        NAME(forward_span)(&share, &a->spans[i]);
    for (ptrdiff_t i = a->span_count - 1; i >= 0 && call->backward; i--) {
        NAME(backward_gates)(&share, &a->spans[i]);
        if (a->packed) NAME(backward_products)(&share, &a->spans[i]);
    }
}

#define PIECE_OF_SPAN(step)                                                          \
    static void NAME(step##_piece)(const void *work, ptrdiff_t piece, int worker) {  \
        const struct rnn_call *call = work;                                          \
        const struct rnn_share share = rnn_units_of_rows(call, piece);               \
        (void)worker;                                                                \
        NAME(step)(&share, call->span);                                              \
    }
PIECE_OF_SPAN(forward_span)
PIECE_OF_SPAN(backward_gates)
PIECE_OF_SPAN(backward_products)
#undef PIECE_OF_SPAN

static void NAME(walk_spans)(struct rnn_call *call, int threads) {
    const rnn_arguments *a = call->a;
    const ptrdiff_t pieces = call->row_groups * call->units.pieces;
    for (ptrdiff_t i = 0; i < a->span_count; i++) {
        call->span = &a->spans[call->backward ? a->span_count - 1 - i : i];
        team_run(call->backward ? NAME(backward_gates_piece) : NAME(forward_span_piece), call,
                 pieces, threads);
        if (call->backward && a->packed)
            team_run(NAME(backward_products_piece), call, pieces, threads);
    }
}

/* Returns whether it could be done. */
static int NAME(run_rnn)(const rnn_arguments *a, int backward, int threads) {
    if (!a->span_count || a->batch < 1 || a->hidden < 1) return 1;
    struct rnn_call call = NAME(call_of)(a, backward, threads);
    int unfit = 0;
    call.unfit = &unfit;
    if (a->packed) team_run(NAME(pack_weight), &call, call.units.pieces, threads);
    if (unfit) return 0;
    if (2 * call.row_groups > threads || call.units.pieces == 1)
        team_run(NAME(walk_rows), &call, call.row_groups, threads);
    else
        NAME(walk_spans)(&call, threads);
    return 1;
}

#ifndef RNN_TILES
static void NAME(rnn_forward)(const rnn_arguments *arguments, int threads) {
    NAME(run_rnn)(arguments, 0, threads);
}

static void NAME(rnn_backward)(const rnn_arguments *arguments, int threads) {
    NAME(run_rnn)(arguments, 1, threads);
}

const rnn_kernels EXPORTED(rnn) = {NAME(rnn_forward), NAME(rnn_backward), NAME(packed_size)};
#endif
