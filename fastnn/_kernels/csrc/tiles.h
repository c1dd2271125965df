/* Products of float32 numbers on the tiles of AMX, which multiply bfloat16 numbers.
 *
 * A number is the sum of three bfloat16 numbers of 8 bits each. Of the nine products of the parts
 * of two numbers six are added up, in float32; the other three are below 2^-25 of the whole.
 * On one core at 2.6 GHz the tiles give 3072 GFLOP/s, so 512 of float32's, where AVX-512 gives 210.
 *
 * An operand lies in panels of 32 lines (rows of A, columns of B) by some blocks of 32 k's. Of each
 * block there are the parts, largest first, and of each part two tiles of 16 lines. In a tile k and
 * k + 16 are neighbours. Include after gemm_micro.h, gemm_square.h and gemm_plan.h, with REAL_BITS
 * 32 and ISA 4, and the target amx-bf16.
 */
#ifndef FASTNN_TILES_H
#define FASTNN_TILES_H

#define TILE_LINES 16
#define TILE_DEPTH 32 /* k's */
#define TILE_ROW 64 /* bytes */
#define TILE_BYTES (TILE_LINES * TILE_ROW)
#define PART_STEP (2 * TILE_BYTES)
#define PANEL_LINES (2 * TILE_LINES)
#define PANEL_BLOCK (3 * PART_STEP) /* three parts of 32 lines by 32 k's */

struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Eight tiles of 16 rows of 64 bytes. */
static const struct tile_configuration whole_tiles = {
    1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

/* Before the first product of a piece of work; `tiles_end` after the last. */
static void tiles_begin(void) { _tile_loadconfig(&whole_tiles); }

/* The same for products of up to 32 rows of A: tiles 0, 1 and 4 have the first 16 of them. */
INLINE void tiles_begin_rows(ptrdiff_t rows) {
    struct tile_configuration some = whole_tiles;
    const uint8_t upper = (uint8_t)smaller(rows, TILE_LINES);
    some.rows[0] = some.rows[1] = some.rows[4] = upper;
    if (rows > TILE_LINES)
        some.rows[2] = some.rows[3] = some.rows[5] = (uint8_t)(rows - TILE_LINES);
    /* GCC thinks that only the first bytes are read, and would not store the others. */
    __asm__ volatile("" : : "r"(&some) : "memory");
    _tile_loadconfig(&some);
}

static void tiles_end(void) { _tile_release(); }

#define TILES_LARGEST ((127 + 56) << 23) /* bits of a number that is too large */

/* Where the parts are exact and neither products nor sums leave float32's range: each panel's
 * largest number is 0, or its exponent is from -48 to 55. Bits of a float without its sign. */
static inline int tiles_take(uint32_t largest) {
    return !largest || (largest >= (127 - 48) << 23 && largest < TILES_LARGEST);
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

/* One row of each of three tiles, which lie so many bytes apart. */
INLINE void store_parts(char *to, ptrdiff_t part_step, __m512 low, __m512 high) {
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
        const __m512i low_part = high_half_rounded((__m512i)low);
        const __m512i high_part = high_half_rounded((__m512i)high);
        store_pairs(to + part * part_step, low_part, high_part);
        low -= high_half(low_part);
        high -= high_half(high_part);
    }
    store_pairs(to + 2 * part_step, (__m512i)low, (__m512i)high);
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
        store_parts(to + i * TILE_ROW, PART_STEP, (__m512)low[i], (__m512)high[i]);
    }
    return largest;
}

/* A block of k of both operands: where its tiles lie. What is streamed shall not drive the other
 * out of the first cache: so hinted, a 128x512 by 512x512 went from 229 to 247 GFLOP/s. */
struct tiles_block {
    const char *a, *b;
    ptrdiff_t a_part, a_group, b_part, b_group;
};

#define LOAD(tile, from, streams)                                                          \
    do {                                                                                   \
        if (streams)                                                                       \
            _tile_stream_loadd(tile, from, TILE_ROW);                                      \
        else                                                                               \
            _tile_loadd(tile, from, TILE_ROW);                                             \
    } while (0)
#define LOAD_A(part)                                                                       \
    LOAD(4, block.a + (part) * block.a_part, streams_a);                                   \
    if (rows == 2) LOAD(5, block.a + (part) * block.a_part + block.a_group, streams_a)
#define LOAD_B(part)                                                                       \
    LOAD(6, block.b + (part) * block.b_part, streams_b);                                   \
    if (columns == 2) LOAD(7, block.b + (part) * block.b_part + block.b_group, streams_b)
#define MULTIPLY_PARTS()                                                                   \
    _tile_dpbf16ps(0, 4, 6);                                                               \
    if (columns == 2) _tile_dpbf16ps(1, 4, 7);                                             \
    if (rows == 2) _tile_dpbf16ps(2, 5, 6);                                                \
    if (rows == 2 && columns == 2) _tile_dpbf16ps(3, 5, 7)

/* Tiles 0 to 3 += the block's product, of which one or two groups of lines count. */
INLINE void multiply_block(const struct tiles_block block, const int streams_a,
                           const int streams_b, const int rows, const int columns) {
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
}
#undef LOAD
#undef LOAD_A
#undef LOAD_B
#undef MULTIPLY_PARTS

/* Where a product of panels goes: rows so many bytes apart. It is added to what lies at `start`,
 * whose rows may be 0 bytes apart, or to 0 if that is NULL. */
struct tiles_place {
    float *to;
    ptrdiff_t step;
    const float *start;
    ptrdiff_t start_step;
};

INLINE void begin_sums(const struct tiles_place *place, const int rows, const int columns) {
    __asm__ volatile("" : : : "memory"); /* GCC does not know that tiles are loaded from memory */
    const char *from = (const char *)place->start;
    const ptrdiff_t step = place->start_step, lower = TILE_LINES * step;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (!from) return;
    _tile_loadd(0, from, step);
    if (columns == 2) _tile_loadd(1, from + TILE_ROW, step);
    if (rows == 2) _tile_loadd(2, from + lower, step);
    if (rows == 2 && columns == 2) _tile_loadd(3, from + lower + TILE_ROW, step);
}

INLINE void end_sums(const struct tiles_place *place, const int rows, const int columns) {
    char *to = (char *)place->to;
    const ptrdiff_t step = place->step, lower = TILE_LINES * step;
    _tile_stored(0, to, step);
    if (columns == 2) _tile_stored(1, to + TILE_ROW, step);
    if (rows == 2) _tile_stored(2, to + lower, step);
    if (rows == 2 && columns == 2) _tile_stored(3, to + lower + TILE_ROW, step);
}

#endif
