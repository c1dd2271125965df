/* How a product is cut into pieces of work: from its sizes alone. */
#ifndef FASTNN_GEMM_PLAN_H
#define FASTNN_GEMM_PLAN_H

#include "gemm.h"

#define ENOUGH_PIECES 16
#define WORTH_A_PIECE 5e5  /* multiply-adds: some 5 us */
#define SHORTEST_SPLIT 512 /* k's; a partial result costs as much as a few of them */
#define MOST_PARTIALS ((ptrdiff_t)1 << 20)

typedef struct {
    ptrdiff_t items, rows, columns; /* of one piece */
    ptrdiff_t groups, m_pieces, n_pieces, k_pieces;
} gemm_plan;

static inline ptrdiff_t ceil_div(ptrdiff_t x, ptrdiff_t y) { return (x + y - 1) / y; }
static inline ptrdiff_t smaller(ptrdiff_t x, ptrdiff_t y) { return x < y ? x : y; }

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

/* Split columns first: it costs nothing. Then k, then rows, for which panels are packed again. */
static inline gemm_plan gemm_planned(const gemm_arguments *g, ptrdiff_t panel) {
    gemm_plan plan = {.items = 1, .rows = g->m, .columns = g->n, .groups = g->batch,
                      .m_pieces = 1, .n_pieces = 1, .k_pieces = 1};
    const double work = (double)g->m * (double)g->n * (double)(g->k ? g->k : 1);
    const ptrdiff_t wanted = (ptrdiff_t)(work / WORTH_A_PIECE) + 1;
    if (wanted == 1) {
        plan.items = smaller(g->batch, (ptrdiff_t)(WORTH_A_PIECE / (work + 1e3)) + 1);
        plan.groups = ceil_div(g->batch, plan.items);
        return plan;
    }
    const ptrdiff_t pieces = smaller(wanted, ceil_div(ENOUGH_PIECES, g->batch));
    plan.n_pieces = smaller(ceil_div(g->n, panel), pieces);
    if (ceil_div(g->n, plan.n_pieces) > 4 * panel) plan.n_pieces = ceil_div(g->n, 4 * panel);
    plan.columns = ceil_div(ceil_div(g->n, plan.n_pieces), 16) * 16;
    plan.n_pieces = ceil_div(g->n, plan.columns);
    plan.m_pieces = ceil_div(g->m, 256);
    ptrdiff_t missing = ceil_div(pieces, plan.n_pieces * plan.m_pieces);
    if (missing > 1 && g->k >= 2 * SHORTEST_SPLIT) {
        plan.k_pieces = smaller(missing, g->k / SHORTEST_SPLIT);
        plan.k_pieces = smaller(plan.k_pieces, MOST_PARTIALS / (g->m * g->n * g->batch) + 1);
        missing = ceil_div(missing, plan.k_pieces);
    }
    if (missing > 2) plan.m_pieces *= smaller(missing, ceil_div(g->m, 32 * plan.m_pieces));
    plan.rows = ceil_div(ceil_div(g->m, plan.m_pieces), 8) * 8;
    plan.m_pieces = ceil_div(g->m, plan.rows);
    return plan;
}

#endif
