/* The way of the spans through the products and the gates, on one team of threads.
 *
 * REAL_BITS must be defined. Rows of the batch do not touch each other, so the threads share the
 * batch first and then never wait; what threads are left share the hidden units, with a barrier in
 * every span. The recurrent weight is packed once, in panels of up to TILE_VECTORS vectors of units.
 */
#include "gemm_micro.h"
#include "gemm_pack.h"
#include "gemm_plan.h"
#include "rnn_math.h"
#include "rnn_gates.h"

#ifndef FASTNN_RNN_RUN_H
#define FASTNN_RNN_RUN_H
#define RNN_DEPTH 512 /* k's in one pass of a panel */

/* What one thread does: every so many tiles of rows, and every so many pieces of units. */
struct rnn_share {
    const rnn_arguments *a;
    struct cut units;
    ptrdiff_t tile_rows, row_group, row_groups, unit_group, unit_groups;
};

static inline struct cut rnn_units(const rnn_arguments *a, ptrdiff_t lanes) {
    return cut_evenly(a->hidden, lanes, TILE_VECTORS);
}

static inline struct rnn_share rnn_share_of(const rnn_arguments *a, ptrdiff_t lanes, int thread,
                                            int threads) {
    struct rnn_share share = {.a = a, .units = rnn_units(a, lanes)};
    const ptrdiff_t tiles = ceil_div(a->batch, TILE_ROWS);
    share.row_groups = smaller(threads, tiles);
    share.unit_groups = smaller(threads / share.row_groups, share.units.pieces);
    const ptrdiff_t even_tiles = ceil_div(tiles, share.row_groups) * share.row_groups;
    share.tile_rows = ceil_div(a->batch, even_tiles);
    share.row_group = thread % share.row_groups;
    share.unit_group = thread / share.row_groups;
    if (share.unit_group >= share.unit_groups) share.unit_group = share.units.pieces; /* none */
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
#define EACH_PIECE(piece, share)                                            \
    (ptrdiff_t piece = (share)->unit_group; piece < (share)->units.pieces;  \
     piece += (share)->unit_groups)
#endif

static void NAME(pack_weight)(const rnn_arguments *a, int backward) {
    const ptrdiff_t hidden = a->hidden, gates = rnn_gates(a->kind);
    const struct cut units = rnn_units(a, LANES);
#pragma omp for schedule(static)
    for (ptrdiff_t piece = 0; piece < units.pieces; piece++) {
        const ptrdiff_t start = cut_start(&units, piece), columns = cut_length(&units, piece);
        const ptrdiff_t width = cut_units(&units, piece) * LANES;
        REAL *to = (REAL *)a->packed + start * gates * hidden;
        if (backward)
            NAME(pack_rows)(to, (const REAL *)a->weight + start, hidden, gates * hidden, columns);
        else
            for (ptrdiff_t gate = 0; gate < gates; gate++)
                NAME(pack_columns)(to + gate * hidden * width, width,
                                   (const REAL *)a->weight + (gate * hidden + start) * hidden,
                                   hidden, hidden, columns);
    }
}

/* C += A B (+ bias), or = A B, for the thread's tiles of a span; B is one packed panel. */
struct NAME(span_product) {
    const REAL *a, *b, *bias;
    REAL *c;
    ptrdiff_t a_row, c_row, depth, columns;
    int accumulates;
};

static void NAME(run_product)(const struct rnn_share *share, const rnn_span *span,
                              const struct NAME(span_product) *product) {
    const struct cut depths = cut_evenly(product->depth, 1, RNN_DEPTH);
    const int vectors = (int)ceil_div(product->columns, LANES);
    for (ptrdiff_t i = 0; i < depths.pieces; i++) {
        const ptrdiff_t k = cut_start(&depths, i);
        struct NAME(tile) tile = {
            .a_row = product->a_row, .a_col = 1, .b = product->b + k * vectors * LANES,
            .b_row = vectors * LANES, .c_row = product->c_row, .depth = cut_units(&depths, i),
            .bias = product->bias,
            .options = (i || product->accumulates ? TILE_ACCUMULATE : 0) |
                       (!i && product->bias ? TILE_BIAS_COLUMN : 0),
            .last_lanes = (int)(product->columns - (vectors - 1) * LANES),
        };
        for EACH_TILE(number, share, span) {
            ptrdiff_t first;
            const ptrdiff_t rows = rnn_tile(share, span, number, &first);
            if (rows < 1) continue;
            tile.a = product->a + first * product->a_row + k;
            tile.c = product->c + first * product->c_row;
            NAME(run_tile)(&tile, (int)rows, vectors);
        }
    }
}

static void NAME(multiply_forward)(const struct rnn_share *share, const rnn_span *span,
                                   ptrdiff_t piece) {
    const rnn_arguments *a = share->a;
    const ptrdiff_t hidden = a->hidden, gates = rnn_gates(a->kind);
    const ptrdiff_t start = cut_start(&share->units, piece);
    const ptrdiff_t panel = hidden * cut_units(&share->units, piece) * LANES;
    const ptrdiff_t pitch = rnn_kept(a->kind) * hidden;
    for (ptrdiff_t gate = 0; gate < gates; gate++) {
        const int apart = a->kind == RNN_GRU && gate == 2;
        const struct NAME(span_product) product = {
            .a = (const REAL *)a->states + span->from * hidden, .a_row = hidden,
            .b = (const REAL *)a->packed + start * gates * hidden + gate * panel,
            .bias = a->bias ? (const REAL *)a->bias + gate * hidden + start : NULL,
            .c = (REAL *)a->gates + span->row * pitch + (gate + apart) * hidden + start,
            .c_row = pitch, .depth = hidden, .columns = cut_length(&share->units, piece),
            .accumulates = !apart,
        };
        NAME(run_product)(share, span, &product);
    }
}

static void NAME(multiply_backward)(const struct rnn_share *share, const rnn_span *span,
                                    ptrdiff_t piece) {
    const rnn_arguments *a = share->a;
    const ptrdiff_t hidden = a->hidden, start = cut_start(&share->units, piece);
    const ptrdiff_t all = rnn_gates(a->kind) * hidden;
    const struct NAME(span_product) product = {
        .a = (const REAL *)a->d_sums + span->row * all, .a_row = all,
        .b = (const REAL *)a->packed + start * all, .bias = NULL,
        .c = (REAL *)a->d_states + span->from * hidden + start, .c_row = hidden,
        .depth = all, .columns = cut_length(&share->units, piece), .accumulates = 1,
    };
    NAME(run_product)(share, span, &product);
}

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

static void NAME(run_gates)(const struct rnn_share *share, const rnn_span *span, ptrdiff_t piece,
                            NAME(row_function) *function) {
    const ptrdiff_t start = cut_start(&share->units, piece);
    const ptrdiff_t units = cut_length(&share->units, piece);
    for EACH_TILE(number, share, span) {
        ptrdiff_t first;
        const ptrdiff_t rows = rnn_tile(share, span, number, &first);
        for (ptrdiff_t i = 0; i < rows; i++) {
            const struct NAME(rnn_row) row = NAME(row_of)(share->a, span, first + i, start);
            function(&row, units);
        }
    }
}

static void NAME(walk_forward)(const struct rnn_share *share) {
    const rnn_arguments *a = share->a;
    for (ptrdiff_t i = 0; i < a->span_count; i++) {
        for EACH_PIECE(piece, share) {
            if (a->packed) NAME(multiply_forward)(share, &a->spans[i], piece);
            NAME(run_gates)(share, &a->spans[i], piece, NAME(rows_forward)[a->kind]);
        }
        if (share->unit_groups > 1) {
#pragma omp barrier
        }
    }
}

static void NAME(walk_backward)(const struct rnn_share *share) {
    const rnn_arguments *a = share->a;
    for (ptrdiff_t i = a->span_count - 1; i >= 0; i--) {
        for EACH_PIECE(piece, share)
            NAME(run_gates)(share, &a->spans[i], piece, NAME(rows_backward)[a->kind]);
        if (share->unit_groups > 1) {
#pragma omp barrier
        }
        if (a->packed)
            for EACH_PIECE(piece, share) NAME(multiply_backward)(share, &a->spans[i], piece);
    }
}

static void NAME(run_rnn)(const rnn_arguments *a, int backward, int threads) {
    if (!a->span_count || a->batch < 1 || a->hidden < 1) return;
    (void)threads;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t saved = denormals_flush();
        int thread = 0, team = 1;
#ifdef _OPENMP
        thread = omp_get_thread_num(), team = omp_get_num_threads();
#endif
        const struct rnn_share share = rnn_share_of(a, LANES, thread, team);
        if (a->packed) NAME(pack_weight)(a, backward);
        if (backward)
            NAME(walk_backward)(&share);
        else
            NAME(walk_forward)(&share);
        denormals_restore(saved);
    }
}

static void NAME(rnn_forward)(const rnn_arguments *arguments, int threads) {
    NAME(run_rnn)(arguments, 0, threads);
}

static void NAME(rnn_backward)(const rnn_arguments *arguments, int threads) {
    NAME(run_rnn)(arguments, 1, threads);
}

const rnn_kernels EXPORTED(rnn) = {NAME(rnn_forward), NAME(rnn_backward), LANES};
