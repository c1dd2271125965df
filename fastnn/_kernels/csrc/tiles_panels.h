/* Panels of whole operands: how they are packed, step by step, and multiplied. Include tiles.h. */
#ifndef FASTNN_TILES_PANELS_H
#define FASTNN_TILES_PANELS_H

#include "fetch.h"

/* The packing of a panel, up to 32 lines of an operand with zeros beyond them, in steps of 16 lines
 * by 32 k's. One of `line_step` and `k_step` is 1. Steps that are taken between the products of
 * other panels cost nearly nothing: the vector units are idle then. */
struct tiles_packing {
    char *to;
    const float *from;
    ptrdiff_t line_step, k_step, lines, depth;
    int is_a;
    ptrdiff_t step, steps;
    uint32_t largest;   /* magnitude, so far */
    const float *ahead; /* what is to be packed next in the same way, or NULL */
};

static struct tiles_packing packing_of(char *to, const float *from, ptrdiff_t line_step,
                                       ptrdiff_t k_step, ptrdiff_t lines, ptrdiff_t depth,
                                       int is_a) {
    return (struct tiles_packing){to, from, line_step, k_step, lines, depth, is_a, 0,
                                  2 * ceil_div(depth, TILE_DEPTH), 0, NULL};
}

/* Asks for the 16 lines by 32 k's of a step. */
INLINE void fetch_block(const float *from, ptrdiff_t line_step, ptrdiff_t k_step) {
    const int dense_k = k_step == 1;
    for (int i = 0; i < (dense_k ? TILE_LINES : TILE_DEPTH); i++) {
        const float *vector = from + i * (dense_k ? line_step : k_step);
        FETCH_TO_READ(vector);
        if (dense_k) FETCH_TO_READ(vector + TILE_LINES);
    }
}

static void pack_step(struct tiles_packing *packing) {
    const ptrdiff_t group = packing->step % 2, k = packing->step / 2 * TILE_DEPTH;
    const ptrdiff_t line = group * TILE_LINES, lines_step = packing->line_step;
    const ptrdiff_t offset = line * lines_step + k * packing->k_step;
    const float *from = packing->from + offset;
    char *to = packing->to + packing->step / 2 * PANEL_BLOCK + group * TILE_BYTES;
    const int lines = (int)larger(0, smaller(packing->lines - line, TILE_LINES));
    const int depth = (int)smaller(TILE_DEPTH, packing->depth - k);
    __m512i found;
    if (packing->ahead) fetch_block(packing->ahead + offset, lines_step, packing->k_step);
    if (packing->is_a)
        found = packing->k_step == 1 ? pack_block(to, from, lines_step, 1, lines, depth, 1)
                                     : pack_block(to, from, 1, packing->k_step, lines, depth, 1);
    else
        found = packing->k_step == 1 ? pack_block(to, from, lines_step, 1, lines, depth, 0)
                                     : pack_block(to, from, 1, packing->k_step, lines, depth, 0);
    const uint32_t largest = _mm512_reduce_max_epu32(found);
    if (largest > packing->largest) packing->largest = largest;
    packing->step++;
}

/* Packs what is left, and returns whether the tiles can take the numbers. */
static int pack_all(struct tiles_packing *packing) {
    while (packing->step < packing->steps) pack_step(packing);
    return tiles_take(packing->largest);
}

/* Asks for one of `parts` parts of a block of C, which is to be written: 2048x128 by 128x384 into
 * memory went from 150 to 220 GFLOP/s. All at once they would hold up other loads. */
INLINE void fetch_sums(const struct tiles_place *place, ptrdiff_t part, ptrdiff_t parts,
                       const int rows, const int columns) {
    const ptrdiff_t each = ceil_div(rows * TILE_LINES, parts);
    const ptrdiff_t end = smaller((part + 1) * each, rows * TILE_LINES);
    for (ptrdiff_t row = part * each; row < end; row++) {
        const char *to = (const char *)place->to + row * place->step;
        FETCH_TO_WRITE(to);
        if (columns == 2) FETCH_TO_WRITE(to + TILE_ROW);
    }
}

/* A panel of A by one of B; meanwhile, a step of another packing for each block. */
INLINE void multiply_groups(const char *a, const char *b, ptrdiff_t blocks,
                            const struct tiles_place *place, struct tiles_packing *aside,
                            const int shares_a, const int rows, const int columns) {
    begin_sums(place, rows, columns);
    for (ptrdiff_t i = 0; i < blocks; i++) {
        const struct tiles_block block = {a + i * PANEL_BLOCK, b + i * PANEL_BLOCK, PART_STEP,
                                          TILE_BYTES, PART_STEP, TILE_BYTES};
        if (place->start != place->to) fetch_sums(place, i, blocks, rows, columns);
        multiply_block(block, shares_a, !shares_a, rows, columns);
        if (aside->step < aside->steps) pack_step(aside);
    }
    end_sums(place, rows, columns);
}

/* The same for up to 32 rows and columns; the rest of a tile that is begun is written, too. */
INLINE void multiply_some(const char *a, const char *b, ptrdiff_t blocks,
                          const struct tiles_place *place, struct tiles_packing *aside,
                          const int shares_a, ptrdiff_t rows, ptrdiff_t columns) {
    if (rows > TILE_LINES && columns > TILE_LINES)
        multiply_groups(a, b, blocks, place, aside, shares_a, 2, 2);
    else if (rows > TILE_LINES)
        multiply_groups(a, b, blocks, place, aside, shares_a, 2, 1);
    else if (columns > TILE_LINES)
        multiply_groups(a, b, blocks, place, aside, shares_a, 1, 2);
    else
        multiply_groups(a, b, blocks, place, aside, shares_a, 1, 1);
}

static void multiply_panels(const char *a, const char *b, ptrdiff_t blocks,
                            const struct tiles_place *place, struct tiles_packing *aside,
                            int shares_a, ptrdiff_t rows, ptrdiff_t columns) {
    if (shares_a)
        multiply_some(a, b, blocks, place, aside, 1, rows, columns);
    else
        multiply_some(a, b, blocks, place, aside, 0, rows, columns);
}

#endif
