/* One block of C, on one thread: which operand to pack, and the order of its tiles.
 *
 * REAL_BITS must be defined; gemm_micro.h, gemm_pack.h and gemm_dot.h included.
 */
#include "gemm.h"

#ifndef FASTNN_GEMM_BLOCK_H
#define FASTNN_GEMM_BLOCK_H
#define BLOCK_DEPTH 256     /* k's of a packed panel */
#define BLOCK_WIDTH (4 * TILE_VECTORS * LANES)
#define SHALLOW_DEPTH 64    /* k's of a panel that is read in place: as many pages at a time */
#define FEW_ROWS (2 * TILE_ROWS)
#define SCRATCH_BYTES ((size_t)BLOCK_DEPTH * 4 * TILE_VECTORS * VECTOR_BYTES)

/* A rectangle of C and a range of k. */
struct block {
    ptrdiff_t m, rows, n, columns, k, depth;
};
#endif

/* The tile that starts at row m and column n of C, without its operands. */
INLINE struct NAME(tile) NAME(place_tile)(const gemm_arguments *g, int options, ptrdiff_t m,
                                          ptrdiff_t n) {
    struct NAME(tile) tile;
    tile.c = (REAL *)g->c + m * g->c_row + n * g->c_col;
    tile.c_row = g->c_row;
    tile.bias = (const REAL *)g->bias + (g->bias_per_row ? m : n);
    tile.options = options;
    return tile;
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

/* All rows of the block against one panel of B, in tiles of nearly equal height. */
static void NAME(run_panel)(const gemm_arguments *g, const struct block *block, int options,
                            ptrdiff_t n, ptrdiff_t columns, const REAL *b, ptrdiff_t b_row) {
    const ptrdiff_t tiles = (block->rows + TILE_ROWS - 1) / TILE_ROWS;
    const int vectors = (int)((columns + LANES - 1) / LANES);
    const ptrdiff_t low = block->rows / tiles, higher = block->rows % tiles;
    ptrdiff_t m = block->m;
    for (ptrdiff_t i = 0; i < tiles; i++) {
        const int rows = (int)(low + (i < higher));
        struct NAME(tile) tile = NAME(place_tile)(g, options, m, n);
        tile.a = (const REAL *)g->a + m * g->a_row + block->k * g->a_col;
        tile.a_row = g->a_row;
        tile.a_col = g->a_col;
        tile.b = b;
        tile.b_row = b_row;
        tile.depth = block->depth;
        tile.last_lanes = (int)(columns - (vectors - 1) * LANES);
        if (g->c_col == 1)
            NAME(run_tile)(&tile, rows, vectors);
        else
            NAME(run_gapped_tile)(&tile, rows, vectors, g->c_col);
        m += rows;
    }
}

static void NAME(pack_panel)(REAL *panel, ptrdiff_t width, const gemm_arguments *g, const REAL *b,
                             ptrdiff_t depth, ptrdiff_t columns) {
    if (g->b_col == 1)
        NAME(pack_rows)(panel, b, g->b_row, depth, columns);
    else if (g->b_row == 1)
        NAME(pack_columns)(panel, width, b, g->b_col, depth, columns);
    else
        NAME(pack_elements)(panel, width, b, g->b_row, g->b_col, depth, columns, width);
}

/* Few rows use a panel only once or twice: packing it would cost more than it gives. */
INLINE int NAME(reads_b_in_place)(const gemm_arguments *g, const struct block *block) {
    return g->b_col == 1 && block->rows <= FEW_ROWS &&
           (MASKED_LOADS || block->columns % LANES == 0);
}

/* The block for a range of k that fits a panel; panels differ in width by at most one vector. */
static void NAME(run_slab)(const gemm_arguments *g, const struct block *block, int options,
                           int in_place, REAL *scratch) {
    const ptrdiff_t vectors = (block->columns + LANES - 1) / LANES;
    const ptrdiff_t widest = block->rows == 1 ? WIDEST_TILE : TILE_VECTORS;
    const ptrdiff_t panels = (vectors + widest - 1) / widest;
    const ptrdiff_t low = vectors / panels, higher = vectors % panels;
    const ptrdiff_t end = block->n + block->columns;
    ptrdiff_t n = block->n;
    for (ptrdiff_t i = 0; i < panels; i++) {
        const ptrdiff_t width = (low + (i < higher)) * LANES;
        const ptrdiff_t columns = end - n < width ? end - n : width;
        const REAL *b = (const REAL *)g->b + block->k * g->b_row + n * g->b_col;
        if (!in_place) NAME(pack_panel)(scratch, width, g, b, block->depth, columns);
        NAME(run_panel)(g, block, options, n, columns, in_place ? b : scratch,
                        in_place ? g->b_row : width);
        n += columns;
    }
}

static void NAME(run_tiled)(const gemm_arguments *g, const struct block *block, int options,
                            REAL *scratch) {
    const int in_place = NAME(reads_b_in_place)(g, block);
    const ptrdiff_t step = in_place ? SHALLOW_DEPTH : BLOCK_DEPTH;
    const ptrdiff_t slabs = block->depth > step ? (block->depth + step - 1) / step : 1;
    const int first = options & TILE_ACCUMULATE, last = options & ~TILE_ACCUMULATE;
    struct block slab = *block;
    for (ptrdiff_t i = 0; i < slabs; i++) {
        slab.k = block->k + block->depth * i / slabs;
        slab.depth = block->k + block->depth * (i + 1) / slabs - slab.k;
        NAME(run_slab)(g, &slab, (i ? TILE_ACCUMULATE : first) | (i == slabs - 1 ? last : 0),
                       in_place, scratch);
    }
}

/* Both operands are contiguous along k, and the rows are few. */
static void NAME(run_dots)(const gemm_arguments *g, const struct block *block, int options) {
    const ptrdiff_t end_m = block->m + block->rows, end_n = block->n + block->columns;
    const int widest = DOT_COLUMNS;
    struct NAME(dot) dot = {.a_row = g->a_row, .b_col = g->b_col, .c_row = g->c_row,
                            .c_col = g->c_col, .depth = block->depth, .options = options,
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
    if (g->a_col == 1 && g->b_row == 1 && g->b_col != 1 && block->rows <= FEW_ROWS)
        NAME(run_dots)(g, block, options);
    else
        NAME(run_tiled)(g, block, options, scratch);
}
