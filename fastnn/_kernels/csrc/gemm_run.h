/* The whole product: its pieces on the threads, and the sum of partial results over ranges of k.
 *
 * REAL_BITS must be defined, see gemm_real.h.
 */
#include "gemm_micro.h"
#include "gemm_pack.h"
#include "gemm_dot.h"
#include "gemm_block.h"
#include "gemm_plan.h"
#include "gemm_scratch.h"

INLINE int NAME(options_of)(const gemm_arguments *g) {
    return (g->accumulate ? TILE_ACCUMULATE : 0) | (g->activation == GEMM_RELU ? TILE_RELU : 0) |
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
    const ptrdiff_t m = piece % plan->m_pieces * plan->rows;
    piece /= plan->m_pieces;
    const ptrdiff_t n = piece % plan->n_pieces * plan->columns;
    piece /= plan->n_pieces;
    const ptrdiff_t part = piece % plan->k_pieces, first = piece / plan->k_pieces * plan->items;
    const ptrdiff_t k = g->k * part / plan->k_pieces;
    const struct block block = {m, smaller(plan->rows, g->m - m), n,
                                smaller(plan->columns, g->n - n), k,
                                g->k * (part + 1) / plan->k_pieces - k};
    for (ptrdiff_t item = first; item < smaller(first + plan->items, g->batch); item++) {
        gemm_arguments one = NAME(item_of)(g, item);
        if (partials) {
            one.c = partials + (item * plan->k_pieces + part) * g->m * g->n;
            one.c_row = g->n;
            one.c_col = 1;
        }
        NAME(run_block)(&one, &block, partials ? 0 : NAME(options_of)(g), scratch);
    }
}

/* One row of C from its partial results, in the order of k. */
static void NAME(add_partials)(const gemm_arguments *g, ptrdiff_t parts, ptrdiff_t row,
                               const REAL *partials) {
    const ptrdiff_t item = row / g->m, m = row % g->m, size = g->m * g->n;
    REAL *c = (REAL *)g->c + item * g->c_batch + m * g->c_row;
    const REAL *partial = partials + item * parts * size + m * g->n, *bias = g->bias;
    for (ptrdiff_t n = 0; n < g->n; n++) {
        REAL sum = partial[n];
        for (ptrdiff_t part = 1; part < parts; part++) sum += partial[part * size + n];
        if (g->accumulate) sum += c[n * g->c_col];
        if (bias) sum += bias[g->bias_per_row ? m : n];
        c[n * g->c_col] = g->activation == GEMM_RELU && sum <= 0 ? 0 : sum;
    }
}

static int NAME(run_threads)(const gemm_arguments *g, const gemm_plan *plan, REAL *partials,
                             int threads) {
    const ptrdiff_t pieces = plan->groups * plan->m_pieces * plan->n_pieces * plan->k_pieces;
    int failed = 0;
    if (threads > pieces) threads = (int)pieces;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t saved = denormals_flush();
        REAL *scratch = scratch_memory(SCRATCH_BYTES);
#pragma omp for schedule(dynamic)
        for (ptrdiff_t piece = 0; piece < pieces; piece++) {
            if (scratch)
                NAME(run_piece)(g, plan, piece, partials, scratch);
            else
                __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
        }
        if (partials) {
#pragma omp for schedule(static)
            for (ptrdiff_t row = 0; row < g->batch * g->m; row++)
                NAME(add_partials)(g, plan->k_pieces, row, partials);
        }
        denormals_restore(saved);
    }
    return -failed;
}

static int NAME(run_alone)(const gemm_arguments *g, const gemm_plan *plan) {
    REAL *scratch = scratch_memory(SCRATCH_BYTES);
    if (!scratch) return -1;
    const uint64_t saved = denormals_flush();
    for (ptrdiff_t group = 0; group < plan->groups; group++)
        NAME(run_piece)(g, plan, group, NULL, scratch);
    denormals_restore(saved);
    return 0;
}

int EXPORTED(gemm)(const gemm_arguments *arguments, int threads) {
    if (arguments->batch < 1 || arguments->m < 1 || arguments->n < 1) return 0;
    const gemm_arguments g = normalised(arguments);
    const gemm_plan plan = gemm_planned(&g, TILE_VECTORS * LANES);
    REAL *partials = NULL;
    if (plan.m_pieces * plan.n_pieces * plan.k_pieces * plan.groups == 1)
        return NAME(run_alone)(&g, &plan);
    if (plan.k_pieces > 1) {
        partials = malloc((size_t)(g.batch * plan.k_pieces * g.m * g.n) * sizeof(REAL));
        if (!partials) return -1;
    }
    const int status = NAME(run_threads)(&g, &plan, partials, threads);
    free(partials);
    return status;
}
