/* How a product is cut into pieces of work.
 *
 * The range of k is cut by the sizes alone, because its pieces are summed in order. Rows and
 * columns are cut as the number of threads asks: that changes no sum.
 */
#ifndef FASTNN_GEMM_PLAN_H
#define FASTNN_GEMM_PLAN_H

#include <unistd.h>
#include "gemm.h"

#define ENOUGH_SPLITS 16
#define WORTH_A_PIECE 2.5e5 /* multiply-adds: some 3 us */
#define SHORTEST_SPLIT 512  /* k's; a partial result costs as much as a few of them */
#define MOST_PARTIALS ((ptrdiff_t)1 << 20)
#define MOST_ROWS 512       /* of a block that packs for itself */

static inline ptrdiff_t ceil_div(ptrdiff_t x, ptrdiff_t y) { return (x + y - 1) / y; }
static inline ptrdiff_t smaller(ptrdiff_t x, ptrdiff_t y) { return x < y ? x : y; }
static inline ptrdiff_t larger(ptrdiff_t x, ptrdiff_t y) { return x > y ? x : y; }

static inline ptrdiff_t rounded_up(ptrdiff_t size, ptrdiff_t unit) {
    return ceil_div(size, unit) * unit;
}

/* Bytes; how tiles are ordered changes no sum, so it may depend on the machine. */
static inline ptrdiff_t half_of_second_cache(void) {
    static ptrdiff_t found;
    ptrdiff_t bytes = __atomic_load_n(&found, __ATOMIC_RELAXED);
    if (!bytes) {
        bytes = 1 << 17;
#ifdef _SC_LEVEL2_CACHE_SIZE
        bytes = larger(bytes, sysconf(_SC_LEVEL2_CACHE_SIZE) / 2);
#endif
        __atomic_store_n(&found, bytes, __ATOMIC_RELAXED);
    }
    return bytes;
}

/* A length in pieces that are nearly equal multiples of a unit. */
struct cut {
    ptrdiff_t length, unit, pieces, small, larger;
};

static inline struct cut cut_into(ptrdiff_t length, ptrdiff_t unit, ptrdiff_t pieces) {
    const ptrdiff_t units = ceil_div(length, unit);
    return (struct cut){length, unit, pieces, units / pieces, units % pieces};
}

/* As few pieces as possible of at most so many units. */
static inline struct cut cut_evenly(ptrdiff_t length, ptrdiff_t unit, ptrdiff_t most) {
    return cut_into(length, unit, ceil_div(ceil_div(length, unit), most));
}

/* Where a piece starts; that of the piece after the last is rounded up to a unit. */
static inline ptrdiff_t cut_start(const struct cut *cut, ptrdiff_t piece) {
    return (piece * cut->small + smaller(piece, cut->larger)) * cut->unit;
}

static inline ptrdiff_t cut_units(const struct cut *cut, ptrdiff_t piece) {
    return cut->small + (piece < cut->larger);
}

static inline ptrdiff_t cut_length(const struct cut *cut, ptrdiff_t piece) {
    return smaller(cut_units(cut, piece) * cut->unit, cut->length - cut_start(cut, piece));
}

typedef struct {
    struct cut batch, rows, columns, depth;
} gemm_plan;

static inline ptrdiff_t gemm_pieces(const gemm_plan *plan) {
    return plan->batch.pieces * plan->rows.pieces * plan->columns.pieces * plan->depth.pieces;
}

/* The same product with C transposed. */
static inline gemm_arguments transposed(const gemm_arguments *g) {
    gemm_arguments t = *g;
    t.m = g->n, t.n = g->m;
    t.a = g->b, t.a_batch = g->b_batch, t.a_row = g->b_col, t.a_col = g->b_row;
    t.b = g->a, t.b_batch = g->a_batch, t.b_row = g->a_col, t.b_col = g->a_row;
    t.c_row = g->c_col, t.c_col = g->c_row;
    t.bias_per_row = !g->bias_per_row;
    return t;
}

/* Columns of C dense where possible; a single column becomes a single row. */
static inline gemm_arguments normalised(const gemm_arguments *g) {
    const int turn = g->m > 1 && (g->n == 1 || (g->c_col != 1 && g->c_row == 1));
    gemm_arguments t = turn ? transposed(g) : *g;
    if (t.n == 1) t.c_col = 1, t.b_col = 0;
    if (t.k == 1) t.a_col = 1;
    return t;
}

static inline ptrdiff_t limited(double value, ptrdiff_t most) {
    return value < (double)most ? (ptrdiff_t)value : most;
}

/* Ranges of k, for a C too small to give enough pieces. */
static inline ptrdiff_t depth_pieces(const gemm_arguments *g, ptrdiff_t lanes, double work) {
    const ptrdiff_t wanted = limited(work / WORTH_A_PIECE, ENOUGH_SPLITS);
    if (wanted < 2 || g->k < 2 * SHORTEST_SPLIT) return 1;
    const double size = (double)g->m * (double)g->n * (double)g->batch;
    const double others = ((double)g->m / 64 + 1) * ((double)g->n / (2 * (double)lanes) + 1) *
                          (double)g->batch;
    const ptrdiff_t most = smaller(g->k / SHORTEST_SPLIT, limited(MOST_PARTIALS / size, wanted));
    return larger(1, smaller(limited(ENOUGH_SPLITS / others + 0.5, wanted), most));
}

/* Pieces of rows where A's rows are not contiguous: each pack B anew, and pieces of columns read A
 * anew, which is as slow. On two threads a 384x2048 by 2048x128 went from 235 to 270 GFLOP/s. */
static inline ptrdiff_t row_pieces(const gemm_arguments *g, ptrdiff_t pieces) {
    ptrdiff_t best = 1;
    for (ptrdiff_t rows = 2; rows <= smaller(pieces, g->m / 64); rows++)
        if (ceil_div(pieces, rows) * g->m + rows * g->n <
            ceil_div(pieces, best) * g->m + best * g->n)
            best = rows;
    return best;
}

/* Columns are cut first, unless A's rows are not contiguous; then rows. */
static inline gemm_plan gemm_planned(const gemm_arguments *g, ptrdiff_t lanes, ptrdiff_t tile_rows,
                                     int threads) {
    const double item = (double)g->m * (double)g->n * (double)larger(g->k, 1);
    const double work = item * (double)g->batch;
    const ptrdiff_t splits = depth_pieces(g, lanes, work);
    const ptrdiff_t wanted = threads > 1 ? limited(work / WORTH_A_PIECE, 4 * threads) : 1;
    const ptrdiff_t others = splits * g->batch, vectors = ceil_div(g->n, lanes);
    const ptrdiff_t blocks = ceil_div(g->m, MOST_ROWS);
    ptrdiff_t columns = 1, rows = 1, groups = 1;
    if (wanted > 1) {
        groups = smaller(g->batch, larger(wanted, limited(work / WORTH_A_PIECE, 64)));
        const ptrdiff_t turns = larger(2, smaller(4, vectors / (6 * threads)));
        const ptrdiff_t each = ceil_div(smaller(wanted, turns * threads), others);
        const ptrdiff_t of_rows = g->a_col != 1 ? row_pieces(g, each) : 1;
        columns = smaller(ceil_div(each, of_rows), ceil_div(vectors, 2));
        rows = smaller(ceil_div(each, columns), ceil_div(g->m, g->b_col == 1 ? 16 : 64));
    }
    return (gemm_plan){
        .batch = cut_into(g->batch, 1, groups),
        .rows = cut_into(g->m, tile_rows, smaller(larger(rows, blocks), ceil_div(g->m, tile_rows))),
        .columns = cut_into(g->n, lanes, columns),
        .depth = cut_into(g->k, 1, splits),
    };
}

#endif
