/* A slab: some rows and columns of C and a range of k, in tiles of rows and panels of columns.
 *
 * REAL_BITS must be defined; gemm_plan.h, gemm_micro.h and gemm_pack.h included.
 */
#ifndef FASTNN_GEMM_SLAB_H
#define FASTNN_GEMM_SLAB_H
#define SLAB_DEPTH 512
#define PACKED_ROWS 16  /* k's in one turn of packing rows of contiguous columns */
#define ROW_PADDING 16 /* keeps the rows of packed A out of each other's cache sets */
#define MANY_TILES 64
#endif

struct NAME(slab) {
    const gemm_arguments *g;
    ptrdiff_t m, n, k, depth; /* where the slab starts, and its range of k */
    struct cut tiles, panels;
    int options;
    REAL *a, *b; /* packed copies, or NULL to read in place */
};

INLINE ptrdiff_t NAME(packed_row)(const struct NAME(slab) *slab) {
    return slab->depth + ROW_PADDING;
}

INLINE const REAL *NAME(origin_a)(const struct NAME(slab) *slab) {
    const gemm_arguments *g = slab->g;
    return (const REAL *)g->a + slab->m * g->a_row + slab->k * g->a_col;
}

INLINE const REAL *NAME(origin_b)(const struct NAME(slab) *slab) {
    const gemm_arguments *g = slab->g;
    return (const REAL *)g->b + slab->k * g->b_row + slab->n * g->b_col;
}

/* Some k's of a tile of A: contiguous rows with padding between them, or else dense columns. */
static void NAME(pack_tile)(const struct NAME(slab) *slab, ptrdiff_t tile, ptrdiff_t first,
                            ptrdiff_t depth) {
    const gemm_arguments *g = slab->g;
    const ptrdiff_t start = cut_start(&slab->tiles, tile), rows = cut_units(&slab->tiles, tile);
    const REAL *from = NAME(origin_a)(slab) + start * g->a_row + first * g->a_col;
    REAL *to = slab->a + start * NAME(packed_row)(slab) + first * (g->a_col == 1 ? 1 : rows);
    if (g->a_col == 1)
        for (ptrdiff_t i = 0; i < rows; i++)
            memcpy(to + i * NAME(packed_row)(slab), from + i * g->a_row,
                   (size_t)depth * sizeof(REAL));
    else if (g->a_row == 1 && rows == TILE_ROWS)
        for (ptrdiff_t k = 0; k < depth; k++)
            memcpy(to + k * TILE_ROWS, from + k * g->a_col, TILE_ROWS * sizeof(REAL));
    else
        NAME(pack_elements)(to, rows, from, g->a_col, g->a_row, depth, rows, rows);
}

/* Tiles of A, in turns of a few k's so that rows of columns are read in long runs. */
static void NAME(pack_tiles)(const struct NAME(slab) *slab, ptrdiff_t tile, ptrdiff_t last) {
    const ptrdiff_t step = slab->g->a_col == 1 ? slab->depth : PACKED_ROWS;
    for (ptrdiff_t k = 0; k < slab->depth; k += step)
        for (ptrdiff_t i = tile; i < last; i++)
            NAME(pack_tile)(slab, i, k, smaller(step, slab->depth - k));
}

/* The k's from `first` on of one panel of B. */
static void NAME(pack_panel)(const struct NAME(slab) *slab, ptrdiff_t panel, ptrdiff_t first,
                             ptrdiff_t depth) {
    const gemm_arguments *g = slab->g;
    const ptrdiff_t start = cut_start(&slab->panels, panel);
    const ptrdiff_t width = cut_units(&slab->panels, panel) * LANES;
    const ptrdiff_t left = slab->panels.length - start, columns = left < width ? left : width;
    const REAL *from = NAME(origin_b)(slab) + first * g->b_row + start * g->b_col;
    REAL *to = slab->b + start * slab->depth + first * width;
    if (g->b_col == 1)
        NAME(pack_rows)(to, from, g->b_row, depth, columns);
    else if (g->b_row == 1)
        NAME(pack_columns)(to, width, from, g->b_col, depth, columns);
    else
        NAME(pack_elements)(to, width, from, g->b_row, g->b_col, depth, columns, width);
}

/* Panels of B, likewise. */
static void NAME(pack_panels)(const struct NAME(slab) *slab, ptrdiff_t panel, ptrdiff_t last) {
    const ptrdiff_t step = slab->g->b_col == 1 ? PACKED_ROWS : slab->depth;
    for (ptrdiff_t k = 0; k < slab->depth; k += step)
        for (ptrdiff_t j = panel; j < last; j++)
            NAME(pack_panel)(slab, j, k, smaller(step, slab->depth - k));
}

/* Whether every row of B lies in another page, which makes reading a narrow panel slow. */
INLINE int NAME(paged)(const gemm_arguments *g) {
    return g->b_col == 1 && g->b_row * (ptrdiff_t)sizeof(REAL) >= 4096;
}

/* C has gaps between its columns: the tile passes through a dense copy. */
static void NAME(run_gapped_tile)(const struct NAME(tile) *tile, int rows, int vectors,
                                  ptrdiff_t c_col) {
    REAL dense[TILE_ROWS * WIDEST_TILE * LANES];
    const ptrdiff_t width = vectors * LANES, columns = width - LANES + tile->last_lanes;
    struct NAME(tile) inner = *tile;
    inner.c = dense;
    inner.c_row = width;
    if (tile->options & TILE_ACCUMULATE)
        for (int i = 0; i < rows; i++)
            for (ptrdiff_t j = 0; j < columns; j++)
                dense[i * width + j] = tile->c[i * tile->c_row + j * c_col];
    NAME(run_tile)(&inner, rows, vectors);
    for (int i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            tile->c[i * tile->c_row + j * c_col] = dense[i * width + j];
}

INLINE void NAME(run_one)(const struct NAME(slab) *slab, ptrdiff_t tile_index, ptrdiff_t panel) {
    const gemm_arguments *g = slab->g;
    const ptrdiff_t m = cut_start(&slab->tiles, tile_index), n = cut_start(&slab->panels, panel);
    const int rows = (int)cut_units(&slab->tiles, tile_index);
    const int vectors = (int)cut_units(&slab->panels, panel), width = vectors * LANES;
    const ptrdiff_t left = slab->panels.length - n;
    struct NAME(tile) tile = {
        .a = slab->a ? slab->a + m * NAME(packed_row)(slab) : NAME(origin_a)(slab) + m * g->a_row,
        .a_row = !slab->a ? g->a_row : g->a_col == 1 ? NAME(packed_row)(slab) : 1,
        .a_col = !slab->a ? g->a_col : g->a_col == 1 ? 1 : rows,
        .b = slab->b ? slab->b + n * slab->depth : NAME(origin_b)(slab) + n,
        .b_row = slab->b ? width : g->b_row,
        .c = (REAL *)g->c + (slab->m + m) * g->c_row + (slab->n + n) * g->c_col,
        .c_row = g->c_row,
        .depth = slab->depth,
        .bias = (const REAL *)g->bias + (g->bias_per_row ? slab->m + m : slab->n + n),
        .below = (REAL)g->below,
        .options = slab->options,
        .last_lanes = left < width ? (int)left - width + LANES : LANES,
    };
    if (g->c_col == 1)
        NAME(run_tile)(&tile, rows, vectors);
    else
        NAME(run_gapped_tile)(&tile, rows, vectors, g->c_col);
}

/* Whether to sweep the tiles along C's rows: C is written in long runs, and A read once, where B
 * stays in the first cache, or for many rows in the second. A 2048x512 by 512x128 went from 132 to
 * 168 GFLOP/s on one thread, 2048x256 by 256x784 from 122 to 163. */
INLINE int NAME(sweeps_rows)(const struct NAME(slab) *slab) {
    const ptrdiff_t bytes = slab->depth * slab->panels.length * (ptrdiff_t)sizeof(REAL);
    return slab->depth <= 16 || bytes <= NEAR_BYTES ||
           (slab->tiles.pieces >= MANY_TILES && bytes <= half_of_second_cache());
}

/* Some tiles by some panels. If B is not small, each panel is kept near while the tiles pass it. */
static void NAME(run_tiles)(const struct NAME(slab) *slab, ptrdiff_t tile, ptrdiff_t last_tile,
                            ptrdiff_t panel, ptrdiff_t last_panel) {
    if (NAME(sweeps_rows)(slab)) {
        for (ptrdiff_t i = tile; i < last_tile; i++)
            for (ptrdiff_t j = panel; j < last_panel; j++) NAME(run_one)(slab, i, j);
    } else {
        for (ptrdiff_t j = panel; j < last_panel; j++)
            for (ptrdiff_t i = tile; i < last_tile; i++) NAME(run_one)(slab, i, j);
    }
}
