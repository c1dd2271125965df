/* One block of C on one thread, which packs for itself.
 *
 * REAL_BITS must be defined; gemm_slab.h and gemm_dot.h included.
 */

#ifndef FASTNN_GEMM_BLOCK_H
#define FASTNN_GEMM_BLOCK_H
#define BLOCK_PANELS 6 /* of a packed slab: with its depth, an eighth of a 2 MB cache */
#define BLOCK_BYTES ((size_t)SLAB_DEPTH * BLOCK_PANELS * TILE_VECTORS * VECTOR_BYTES)
#define FEW_ROWS 128
#define DOT_MOST_ROWS 24
/* With more k's, a panel whose rows lie in different pages is packed even for few rows. Tiles of
 * four rows read it twice as often as tiles of eight: 128x64 by 64x9216 30 to 44 GFLOP/s, Zen 3. */
#define PAGED_DEPTH (TILE_ROWS > 4 ? 64 : 16)

/* A rectangle of C and a range of k. */
struct block {
    ptrdiff_t m, rows, n, columns, k, depth;
};

/* What is done with the sum of slab i of some. */
static inline int slab_options(int options, ptrdiff_t i, ptrdiff_t slabs) {
    const int first = i ? TILE_ACCUMULATE : options & TILE_ACCUMULATE;
    return first | (i == slabs - 1 ? options & ~TILE_ACCUMULATE : 0);
}
#endif

/* Few rows, or few k's, use a panel too little to pay for packing it; with more than one tile of
 * rows, a panel whose every row lies in another page does pay. */
INLINE int NAME(reads_b_in_place)(const gemm_arguments *g, ptrdiff_t rows, ptrdiff_t columns,
                                  ptrdiff_t depth) {
    const ptrdiff_t few = NAME(paged)(g) && depth > PAGED_DEPTH ? TILE_ROWS : FEW_ROWS;
    return g->b_col == 1 && (rows <= few || depth <= 16) &&
           (MASKED_LOADS || columns % LANES == 0);
}

/* Decided for the whole product, because it decides the order of its sums. */
INLINE int NAME(takes_dots)(const gemm_arguments *g) {
    return g->a_col == 1 && g->b_row == 1 && g->b_col != 1 && g->m <= DOT_MOST_ROWS;
}

static void NAME(run_columns)(const gemm_arguments *g, const struct block *block, int options,
                              REAL *scratch) {
    const struct cut depths = cut_evenly(block->depth ? block->depth : 1, 1, SLAB_DEPTH);
    struct NAME(slab) slab = {
        .g = g, .m = block->m, .n = block->n, .b = scratch,
        .tiles = cut_evenly(block->rows, 1, TILE_ROWS),
        .panels = cut_evenly(block->columns, LANES, block->rows == 1 ? WIDEST_TILE : TILE_VECTORS),
    };
    for (ptrdiff_t i = 0; i < depths.pieces; i++) {
        slab.k = block->k + cut_start(&depths, i);
        slab.depth = block->depth ? cut_units(&depths, i) : 0;
        slab.options = slab_options(options, i, depths.pieces);
        const int all = NAME(sweeps_rows)(&slab) || NAME(paged)(g);
        const ptrdiff_t together = all ? slab.panels.pieces : 1;
        for (ptrdiff_t panel = 0; panel < slab.panels.pieces; panel += together) {
            if (scratch) NAME(pack_panels)(&slab, panel, panel + together);
            NAME(run_tiles)(&slab, 0, slab.tiles.pieces, panel, panel + together);
        }
    }
}

/* Both operands are contiguous along k, and the rows are few. */
static void NAME(run_dots)(const gemm_arguments *g, const struct block *block, int options) {
    const ptrdiff_t end_m = block->m + block->rows, end_n = block->n + block->columns;
    const int widest = block->rows == 1 && block->columns % 8 == 0 ? 8 : DOT_COLUMNS;
    struct NAME(dot) dot = {.a_row = g->a_row, .b_col = g->b_col, .c_row = g->c_row,
                            .c_col = g->c_col, .depth = block->depth,
                            .options = options, .below = (REAL)g->below,
                            .bias_row = g->bias_per_row, .bias_col = !g->bias_per_row};
    for (ptrdiff_t n = block->n; n < end_n; n += widest)
        for (ptrdiff_t m = block->m; m < end_m; m += DOT_ROWS) {
            const ptrdiff_t rows = end_m - m < DOT_ROWS ? end_m - m : DOT_ROWS;
            const ptrdiff_t columns = end_n - n < widest ? end_n - n : widest;
            dot.a = (const REAL *)g->a + m * g->a_row + block->k;
            dot.b = (const REAL *)g->b + n * g->b_col + block->k;
            dot.c = (REAL *)g->c + m * g->c_row + n * g->c_col;
            dot.bias = (const REAL *)g->bias + m * dot.bias_row + n * dot.bias_col;
            NAME(run_dot)(&dot, (int)rows, (int)columns);
        }
}

static void NAME(run_block)(const gemm_arguments *g, const struct block *block, int options,
                            REAL *scratch) {
    const int in_place = NAME(reads_b_in_place)(g, block->rows, block->columns, block->depth);
    struct block part = *block;
    if (NAME(takes_dots)(g)) {
        NAME(run_dots)(g, block, options);
        return;
    }
    const ptrdiff_t near = NEAR_BYTES / VECTOR_BYTES / TILE_VECTORS / larger(block->depth, 1);
    const ptrdiff_t most = !in_place ? BLOCK_PANELS : near ? near : block->columns;
    const struct cut parts = cut_evenly(block->columns, TILE_VECTORS * LANES, most);
    for (ptrdiff_t i = 0; i < parts.pieces; i++) {
        part.n = block->n + cut_start(&parts, i);
        part.columns = cut_length(&parts, i);
        NAME(run_columns)(g, &part, options, in_place ? NULL : scratch);
    }
}
