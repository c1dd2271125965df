/* A large product, whose panels are packed once by all threads together and then shared.
 *
 * REAL_BITS must be defined; gemm_slab.h, gemm_block.h and gemm_scratch.h included. Each slab takes
 * two jobs: what is to be packed, and pieces of C.
 */

#ifndef FASTNN_GEMM_SHARED_H
#define FASTNN_GEMM_SHARED_H
#define SHARED_ROWS 4096
#define FEWEST_VECTORS 8 /* of columns of B that are packed at a time */
#define PACKED_TILES 16 /* of A in one turn of packing */
#define SHARED_PIECES 32
#define WORTH_A_SHARE 1e6 /* multiply-adds: some 8 us */

/* Pieces of tiles by panels. Few panels and many tiles in a piece keep the panel near. */
struct shared_pieces {
    ptrdiff_t rows, columns, tiles, panels;
};
#endif

/* Copying A pays for itself when it is read with gaps and each copy is used by some panels. */
INLINE int NAME(packs_a)(const gemm_arguments *g) {
    return g->n > 2 * TILE_VECTORS * LANES && g->a_col != 1;
}

/* Private panels would be packed again for every block of rows. */
INLINE int NAME(shares)(const gemm_arguments *g) {
    return g->batch == 1 && g->m > MOST_ROWS && !NAME(takes_dots)(g) &&
           !NAME(reads_b_in_place)(g, g->m, g->n, g->k) && g->k > 0;
}

INLINE struct shared_pieces NAME(cut_slab)(const struct NAME(slab) *slab) {
    const ptrdiff_t tiles = slab->tiles.pieces, panels = slab->panels.pieces;
    const double work = (double)slab->tiles.length * (double)slab->panels.length *
                        (double)slab->depth / WORTH_A_SHARE;
    const ptrdiff_t wanted = work > SHARED_PIECES ? SHARED_PIECES : (ptrdiff_t)work + 1;
    struct shared_pieces pieces;
    pieces.columns =
        NAME(sweeps_rows)(slab) ? 1 : smaller(panels, larger(wanted, ceil_div(panels, 4)));
    pieces.rows = larger(ceil_div(tiles, 32), smaller(tiles, wanted / pieces.columns));
    pieces.tiles = ceil_div(tiles, pieces.rows);
    pieces.panels = ceil_div(panels, pieces.columns);
    pieces.rows = ceil_div(tiles, pieces.tiles);
    pieces.columns = ceil_div(panels, pieces.panels);
    return pieces;
}

/* B is packed in turns of rows where they are dense, else of whole panels; A after it. */
INLINE ptrdiff_t NAME(turns_of_b)(const struct NAME(slab) *slab) {
    return slab->g->b_col == 1 ? ceil_div(slab->depth, PACKED_ROWS) : slab->panels.pieces;
}

static void NAME(pack_shared)(const void *work, ptrdiff_t turn, int worker) {
    const struct NAME(slab) *slab = work;
    const ptrdiff_t turns_b = NAME(turns_of_b)(slab);
    const ptrdiff_t k = turn * PACKED_ROWS, tile = (turn - turns_b) * PACKED_TILES;
    (void)worker;
    if (turn >= turns_b)
        NAME(pack_tiles)(slab, tile, smaller(tile + PACKED_TILES, slab->tiles.pieces));
    else if (slab->g->b_col == 1)
        for (ptrdiff_t panel = 0; panel < slab->panels.pieces; panel++)
            NAME(pack_panel)(slab, panel, k, smaller(PACKED_ROWS, slab->depth - k));
    else
        NAME(pack_panel)(slab, turn, 0, slab->depth);
}

static void NAME(multiply_shared)(const void *work, ptrdiff_t piece, int worker) {
    const struct NAME(slab) *slab = work;
    const struct shared_pieces cut = NAME(cut_slab)(slab);
    const ptrdiff_t tile = piece % cut.rows * cut.tiles, panel = piece / cut.rows * cut.panels;
    (void)worker;
    NAME(run_tiles)(slab, tile, smaller(tile + cut.tiles, slab->tiles.pieces), panel,
                    smaller(panel + cut.panels, slab->panels.pieces));
}

static void NAME(run_shared_slab)(const struct NAME(slab) *slab, int threads) {
    const struct shared_pieces cut = NAME(cut_slab)(slab);
    const ptrdiff_t turns_a = slab->a ? ceil_div(slab->tiles.pieces, PACKED_TILES) : 0;
    team_run(NAME(pack_shared), slab, NAME(turns_of_b)(slab) + turns_a, threads);
    team_run(NAME(multiply_shared), slab, cut.rows * cut.columns, threads);
}

static void NAME(run_shared_block)(const gemm_arguments *g, const struct block *block, int options,
                                   REAL *a, REAL *b, int threads) {
    const struct cut depths = cut_evenly(block->depth, 1, SLAB_DEPTH);
    for (ptrdiff_t i = 0; i < depths.pieces; i++) {
        const struct NAME(slab) slab = {
            .g = g, .m = block->m, .n = block->n, .k = cut_start(&depths, i),
            .depth = cut_units(&depths, i), .a = a, .b = b,
            .tiles = cut_evenly(block->rows, 1, TILE_ROWS),
            .panels = cut_evenly(block->columns, LANES, TILE_VECTORS),
            .options = slab_options(options, i, depths.pieces),
        };
        NAME(run_shared_slab)(&slab, threads);
    }
}

static int NAME(run_shared)(const gemm_arguments *g, int options, int threads) {
    const struct cut rows = cut_evenly(g->m, TILE_ROWS, SHARED_ROWS / TILE_ROWS);
    const ptrdiff_t near = half_of_second_cache() / (SLAB_DEPTH * VECTOR_BYTES);
    const struct cut columns = cut_evenly(g->n, LANES, larger(FEWEST_VECTORS, near));
    const size_t size_b = (size_t)cut_start(&columns, 1) * SLAB_DEPTH;
    const size_t size_a =
        NAME(packs_a)(g) ? (size_t)cut_start(&rows, 1) * (SLAB_DEPTH + ROW_PADDING) : 0;
    REAL *b = scratch_memory((size_a + size_b) * sizeof(REAL)), *a = size_a ? b + size_b : NULL;
    if (!b) return -1;
    for (ptrdiff_t i = 0; i < rows.pieces; i++)
        for (ptrdiff_t j = 0; j < columns.pieces; j++) {
            struct block block = {.m = cut_start(&rows, i), .n = cut_start(&columns, j),
                                  .depth = g->k};
            block.rows = smaller(cut_start(&rows, i + 1), g->m) - block.m;
            block.columns = smaller(cut_start(&columns, j + 1), g->n) - block.n;
            NAME(run_shared_block)(g, &block, options, a, b, threads);
        }
    return 0;
}
