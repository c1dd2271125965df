/* The whole product: its pieces on the threads, and the sum of partial results over ranges of k.
 *
 * REAL_BITS must be defined, see gemm_real.h.
 */
#include "gemm_micro.h"
#include "gemm_pack.h"
#include "gemm_dot.h"
#include "gemm_plan.h"
#include "gemm_slab.h"
#include "gemm_block.h"
#include "gemm_scratch.h"
#include "gemm_shared.h"

INLINE int NAME(options_of)(const gemm_arguments *g) {
    return (g->accumulate ? TILE_ACCUMULATE : 0) | (g->below != 1 ? TILE_BENT : 0) |
           (!g->bias ? 0 : g->bias_per_row ? TILE_BIAS_ROW : TILE_BIAS_COLUMN);
}

INLINE gemm_arguments NAME(item_of)(const gemm_arguments *g, ptrdiff_t item) {
    gemm_arguments one = *g;
    one.a = (const REAL *)g->a + item * g->a_batch;
    one.b = (const REAL *)g->b + item * g->b_batch;
    one.c = (REAL *)g->c + item * g->c_batch;
    return one;
}

/* Pieces are numbered with the rows fastest, so that neighbours share columns of B. */
static void NAME(run_piece)(const gemm_arguments *g, const gemm_plan *plan, ptrdiff_t piece,
                            REAL *partials, REAL *scratch) {
    const ptrdiff_t i = piece % plan->rows.pieces, rest = piece / plan->rows.pieces;
    const ptrdiff_t j = rest % plan->columns.pieces, group = rest / plan->columns.pieces;
    const ptrdiff_t part = group % plan->depth.pieces, items = group / plan->depth.pieces;
    const struct block block = {
        .m = cut_start(&plan->rows, i), .rows = cut_length(&plan->rows, i),
        .n = cut_start(&plan->columns, j), .columns = cut_length(&plan->columns, j),
        .k = cut_start(&plan->depth, part), .depth = cut_length(&plan->depth, part)};
    const ptrdiff_t end = cut_start(&plan->batch, items + 1);
    for (ptrdiff_t item = cut_start(&plan->batch, items); item < end; item++) {
        gemm_arguments one = NAME(item_of)(g, item);
        if (partials) {
            one.c = partials + (item * plan->depth.pieces + part) * g->m * g->n;
            one.c_row = g->n;
            one.c_col = 1;
        }
        NAME(run_block)(&one, &block, partials ? 0 : NAME(options_of)(g), scratch);
    }
}

/* One product cut into pieces; `partials` has the results over ranges of k, if k is cut. */
struct NAME(product) {
    const gemm_arguments *g;
    const gemm_plan *plan;
    REAL *partials;
    int *failed;
};

/* One row of C from its partial results, in the order of k. */
static void NAME(add_partials)(const void *work, ptrdiff_t row, int worker) {
    const struct NAME(product) *product = work;
    const gemm_arguments *g = product->g;
    const ptrdiff_t parts = product->plan->depth.pieces, size = g->m * g->n;
    const ptrdiff_t item = row / g->m, m = row % g->m;
    REAL *c = (REAL *)g->c + item * g->c_batch + m * g->c_row;
    const REAL *partial = product->partials + item * parts * size + m * g->n, *bias = g->bias;
    (void)worker;
    for (ptrdiff_t n = 0; n < g->n; n++) {
        REAL sum = partial[n];
        for (ptrdiff_t part = 1; part < parts; part++) sum += partial[part * size + n];
        if (g->accumulate) sum += c[n * g->c_col];
        if (bias) sum += bias[g->bias_per_row ? m : n];
        c[n * g->c_col] = g->below != 1 ? NAME(bent_number)(sum, (REAL)g->below) : sum;
    }
}

static void NAME(run_pieces)(const void *work, ptrdiff_t piece, int worker) {
    const struct NAME(product) *product = work;
    REAL *scratch = scratch_memory(BLOCK_BYTES);
    (void)worker;
    if (scratch)
        NAME(run_piece)(product->g, product->plan, piece, product->partials, scratch);
    else
        __atomic_store_n(product->failed, 1, __ATOMIC_RELAXED);
}

static int NAME(run_product)(const gemm_arguments *g, const gemm_plan *plan, REAL *partials,
                             int threads) {
    int failed = 0;
    const struct NAME(product) product = {g, plan, partials, &failed};
    team_run(NAME(run_pieces), &product, gemm_pieces(plan), threads);
    if (partials) team_run(NAME(add_partials), &product, g->batch * g->m, threads);
    return -failed;
}

int EXPORTED(gemm)(const gemm_arguments *arguments, int threads) {
    if (arguments->batch < 1 || arguments->m < 1 || arguments->n < 1) return 0;
    const gemm_arguments g = normalised(arguments);
    const gemm_plan plan = gemm_planned(&g, LANES, TILE_ROWS, threads);
    REAL *partials = NULL;
    if (plan.depth.pieces > 1) {
        partials = malloc((size_t)(g.batch * plan.depth.pieces * g.m * g.n) * sizeof(REAL));
        if (!partials) return -1;
    } else if (plan.rows.pieces > 1 && NAME(shares)(&g)) {
        return NAME(run_shared)(&g, NAME(options_of)(&g), threads);
    }
    const int status = NAME(run_product)(&g, &plan, partials, threads);
    free(partials);
    return status;
}
