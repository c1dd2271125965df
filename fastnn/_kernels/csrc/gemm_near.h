/* Products of blocks that stay near, for kernels that make their operands themselves.
 *
 * REAL_BITS must be defined; gemm_micro.h and gemm_plan.h included.
 */

/* C [+]= A B; A has any strides, B whole vectors in its rows. */
static void NAME(multiply_blocks)(const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,
                                  ptrdiff_t b_row, REAL *c, ptrdiff_t c_row, ptrdiff_t rows,
                                  ptrdiff_t columns, ptrdiff_t depth, int options) {
    if (rows < 1 || columns < 1) return;
    const struct cut panels = cut_evenly(columns, LANES, TILE_VECTORS);
    for (ptrdiff_t panel = 0; panel < panels.pieces; panel++) {
        const ptrdiff_t n = cut_start(&panels, panel), vectors = cut_units(&panels, panel);
        const ptrdiff_t spare = larger(0, n + vectors * LANES - columns);
        struct NAME(tile) tile = {.a_row = a_row, .a_col = a_col, .b = b + n, .b_row = b_row,
                                  .c_row = c_row, .depth = depth, .options = options,
                                  .last_lanes = (int)(LANES - spare)};
        for (ptrdiff_t m = 0; m < rows; m += TILE_ROWS) {
            tile.a = a + m * a_row;
            tile.c = c + m * c_row + n;
            NAME(run_tile)(&tile, (int)smaller(TILE_ROWS, rows - m), (int)vectors);
        }
    }
}
