/* The products of recurrent layers by the vector kernels, whose tiles share the batch.
 *
 * The recurrent weight is packed in panels of up to TILE_VECTORS vectors of units.
 */
#include "gemm_pack.h"
#define RNN_DEPTH 512 /* k's in one pass of a panel */

static size_t NAME(packed_size)(const rnn_arguments *a) {
    return (size_t)(rnn_gates(a->kind) * a->hidden * ceil_div(a->hidden, LANES) * LANES);
}

static struct rnn_call NAME(call_of)(const rnn_arguments *a, int backward, int threads) {
    struct rnn_call call = {
        .a = a, .backward = backward, .units = cut_evenly(a->hidden, LANES, TILE_VECTORS)};
    const ptrdiff_t tiles = ceil_div(a->batch, TILE_ROWS);
    call.row_groups = smaller(threads, tiles);
    const ptrdiff_t even_tiles = ceil_div(tiles, call.row_groups) * call.row_groups;
    call.tile_rows = ceil_div(a->batch, even_tiles);
    return call;
}

/* Before and after the products of a span, nothing is to be done. */
INLINE void NAME(begin_products)(const struct rnn_share *share, const rnn_span *span) {
    (void)share, (void)span;
}

INLINE void NAME(end_products)(void) {}

static void NAME(pack_weight)(const void *work, ptrdiff_t piece, int worker) {
    const struct rnn_call *call = work;
    const rnn_arguments *a = call->a;
    const ptrdiff_t hidden = a->hidden, gates = rnn_gates(a->kind);
    const ptrdiff_t start = cut_start(&call->units, piece);
    const ptrdiff_t columns = cut_length(&call->units, piece);
    const ptrdiff_t width = cut_units(&call->units, piece) * LANES;
    REAL *to = (REAL *)a->packed + start * gates * hidden;
    (void)worker;
    if (call->backward)
        NAME(pack_rows)(to, (const REAL *)a->weight + start, hidden, gates * hidden, columns);
    else
        for (ptrdiff_t gate = 0; gate < gates; gate++)
            NAME(pack_columns)(to + gate * hidden * width, width,
                               (const REAL *)a->weight + (gate * hidden + start) * hidden, hidden,
                               hidden, columns);
}

/* C += A B (+ bias), or = A B, for a share's tiles of a span; B is one packed panel. */
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
