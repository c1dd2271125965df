/* Products of float32 numbers on the tiles of AMX, which multiply bfloat16 numbers.
 *
 * A number is the sum of three bfloat16 numbers of 8 bits each. Of the nine products of the parts of
 * two numbers six are added up, in float32; the other three together are below 2^-25 of the whole.
 * On one core at 2.6 GHz the tiles give 3072 GFLOP/s, so 512 of float32's, where AVX-512 gives 210.
 *
 * An operand lies in panels of 32 lines (rows of A, columns of B) by some blocks of 32 k's. Of each
 * block there are the parts, largest first, and of each part two tiles of 16 lines. In a tile k and
 * k + 16 are neighbours. Include after gemm_real.h, with REAL_BITS 32 and ISA 4.
 */
#ifndef FASTNN_TILES_H
#define FASTNN_TILES_H

#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16")

#define TILE_LINES 16
#define TILE_DEPTH 32 /* k's */
#define TILE_BYTES 1024
#define PANEL_LINES (2 * TILE_LINES)
#define PANEL_BLOCK (6 * TILE_BYTES) /* three parts of 32 lines by 32 k's */

/* Eight tiles of 16 rows of 64 bytes. A constant: GCC sees only the first bytes that the
 * instruction reads, and would not fill in the others of a variable. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

/* Before the first product of a piece of work; `tiles_end` after the last. */
static void tiles_begin(void) { _tile_loadconfig(&tile_configuration); }

static void tiles_end(void) { _tile_release(); }

/* Where the parts are exact and neither products nor sums leave float32's range: each panel's
 * largest number is 0, or its exponent is from -48 to 55. Bits of a float without its sign. */
static inline int tiles_take(uint32_t largest) {
    return !largest || (largest >= (127 - 48) << 23 && largest < (127 + 56) << 23);
}

INLINE __m512i high_half_rounded(__m512i bits) {
    return _mm512_add_epi32(bits, _mm512_set1_epi32(0x8000));
}

INLINE __m512 high_half(__m512i rounded) {
    return (__m512)_mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000));
}

/* Number k in the lower halves and k + 16 in the upper ones. */
INLINE void store_pairs(void *to, __m512i low, __m512i high) {
    _mm512_store_si512(to, _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(low, 16), high));
}

/* One row of each of the three tiles of a block. */
INLINE void store_parts(char *to, __m512 low, __m512 high) {
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
        const __m512i low_part = high_half_rounded((__m512i)low);
        const __m512i high_part = high_half_rounded((__m512i)high);
        store_pairs(to + part * 2 * TILE_BYTES, low_part, high_part);
        low -= high_half(low_part);
        high -= high_half(high_part);
    }
    store_pairs(to + 4 * TILE_BYTES, (__m512i)low, (__m512i)high);
}

INLINE __m512i magnitude(vector_f32 value) {
    return _mm512_and_si512((__m512i)value, _mm512_set1_epi32(0x7fffffff));
}

/* row[i] becomes column i of a square of 16 by 16. */
INLINE void turn_square(vector_f32 *row) {
    exchange_f32(row, 8);
    exchange_f32(row, 4);
    exchange_f32(row, 2);
    exchange_f32(row, 1);
}

/* Up to 16 lines and 32 k's of an operand, whose k's or lines lie side by side, as three tiles.
 * `along`: whether the k's of a line are to be a row of the tile (A), or the lines of a k (B).
 * Returns the largest magnitudes. */
INLINE __m512i pack_block(char *to, const float *from, ptrdiff_t line_step, ptrdiff_t k_step,
                          int lines, int depth, const int along) {
    const int turns = along != (k_step == 1);
    vector_f32 low[TILE_LINES], high[TILE_LINES];
    const int dense_k = k_step == 1;
    const int count = dense_k ? lines : depth; /* vectors that are there */
    const mask_f32 low_mask = first_lanes_f32(dense_k ? smaller(depth, 16) : lines);
    const mask_f32 high_mask = dense_k ? first_lanes_f32((int)larger(depth - 16, 0)) : low_mask;
    const ptrdiff_t step = dense_k ? line_step : k_step;
    const float *high_from = from + (dense_k ? 16 : 16 * k_step);
    const int high_count = dense_k ? count : count - 16;
#pragma GCC unroll 16
    for (int i = 0; i < TILE_LINES; i++) {
        low[i] = i < count ? load_part_f32(from + i * step, low_mask) : (vector_f32){0};
        high[i] = i < high_count ? load_part_f32(high_from + i * step, high_mask)
                                 : (vector_f32){0};
    }
    if (turns) {
        turn_square(low);
        turn_square(high);
    }
    __m512i largest = _mm512_setzero_si512();
#pragma GCC unroll 16
    for (int i = 0; i < TILE_LINES; i++) {
        largest = _mm512_max_epu32(largest, magnitude(low[i]));
        largest = _mm512_max_epu32(largest, magnitude(high[i]));
        store_parts(to + i * 64, (__m512)low[i], (__m512)high[i]);
    }
    return largest;
}

/* The packing of a panel, up to 32 lines of an operand with zeros beyond them, in steps of 16 lines
 * by 32 k's. One of `line_step` and `k_step` is 1. Steps that are taken between the products of
 * other panels cost nearly nothing: the vector units are idle then. */
struct tiles_packing {
    char *to;
    const float *from;
    ptrdiff_t line_step, k_step, lines, depth;
    int is_a;
    ptrdiff_t step, steps;
    uint32_t largest; /* magnitude, so far */
};

static struct tiles_packing packing_of(char *to, const float *from, ptrdiff_t line_step,
                                       ptrdiff_t k_step, ptrdiff_t lines, ptrdiff_t depth,
                                       int is_a) {
    return (struct tiles_packing){to, from, line_step, k_step, lines, depth, is_a, 0,
                                  2 * ceil_div(depth, TILE_DEPTH), 0};
}

static void pack_step(struct tiles_packing *packing) {
    const ptrdiff_t group = packing->step % 2, k = packing->step / 2 * TILE_DEPTH;
    const ptrdiff_t line = group * TILE_LINES, lines_step = packing->line_step;
    const float *from = packing->from + line * lines_step + k * packing->k_step;
    char *to = packing->to + packing->step / 2 * PANEL_BLOCK + group * TILE_BYTES;
    const int lines = (int)larger(0, smaller(packing->lines - line, TILE_LINES));
    const int depth = (int)smaller(TILE_DEPTH, packing->depth - k);
    __m512i found;
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

/* What all threads share comes from the second cache and shall not drive one's own panel out of
 * the first: so hinted, a 128x512 by 512x512 went from 229 to 247 GFLOP/s. */
#define LOAD(tile, from, streams)                                                      \
    do {                                                                               \
        if (streams)                                                                   \
            _tile_stream_loadd(tile, from, 64);                                        \
        else                                                                           \
            _tile_loadd(tile, from, 64);                                               \
    } while (0)
#define LOAD_A(part)                                                                   \
    LOAD(4, a + (part) * 2 * TILE_BYTES, shares_a);                                    \
    if (rows == 2) LOAD(5, a + (part) * 2 * TILE_BYTES + TILE_BYTES, shares_a)
#define LOAD_B(part)                                                                   \
    LOAD(6, b + (part) * 2 * TILE_BYTES, !shares_a);                                   \
    if (columns == 2) LOAD(7, b + (part) * 2 * TILE_BYTES + TILE_BYTES, !shares_a)
#define MULTIPLY_PARTS()                                                               \
    _tile_dpbf16ps(0, 4, 6);                                                           \
    if (columns == 2) _tile_dpbf16ps(1, 4, 7);                                         \
    if (rows == 2) _tile_dpbf16ps(2, 5, 6);                                            \
    if (rows == 2 && columns == 2) _tile_dpbf16ps(3, 5, 7)

/* Where a product of panels goes: rows so many bytes apart. It is added to what lies at `start`,
 * whose rows may be 0 bytes apart, or to 0 if that is NULL. */
struct tiles_place {
    float *to;
    ptrdiff_t step;
    const float *start;
    ptrdiff_t start_step;
};

#define START(tile, row, column)                                                       \
    _tile_loadd(tile, (const char *)place->start + (row) * place->start_step + 64 * (column),   \
                place->start_step)
#define FINISH(tile, row, column)                                                      \
    _tile_stored(tile, (char *)place->to + (row) * place->step + 64 * (column), place->step)

/* A panel of A by one of B, of which one or two groups of lines count; meanwhile, a step of another
 * packing for each block. */
INLINE void multiply_groups(const char *a, const char *b, ptrdiff_t blocks,
                            const struct tiles_place *place, struct tiles_packing *aside,
                            const int shares_a, const int rows, const int columns) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (place->start) {
        START(0, 0, 0);
        if (columns == 2) START(1, 0, 1);
        if (rows == 2) START(2, TILE_LINES, 0);
        if (rows == 2 && columns == 2) START(3, TILE_LINES, 1);
    }
    for (ptrdiff_t block = 0; block < blocks; block++, a += PANEL_BLOCK, b += PANEL_BLOCK) {
        LOAD_A(0);
        LOAD_B(2);
        MULTIPLY_PARTS();
        LOAD_B(1);
        MULTIPLY_PARTS();
        LOAD_A(1);
        MULTIPLY_PARTS();
        LOAD_B(0);
        MULTIPLY_PARTS();
        LOAD_A(2);
        MULTIPLY_PARTS();
        LOAD_A(0);
        MULTIPLY_PARTS();
        if (aside->step < aside->steps) pack_step(aside);
    }
    FINISH(0, 0, 0);
    if (columns == 2) FINISH(1, 0, 1);
    if (rows == 2) FINISH(2, TILE_LINES, 0);
    if (rows == 2 && columns == 2) FINISH(3, TILE_LINES, 1);
}
#undef START
#undef FINISH
#undef LOAD
#undef LOAD_A
#undef LOAD_B
#undef MULTIPLY_PARTS

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

#pragma GCC pop_options
#endif
