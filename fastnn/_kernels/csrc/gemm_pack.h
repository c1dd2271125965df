/* Copies of blocks of B as panels of whole vectors: panel[k][column], zeros beyond the columns.
 *
 * REAL_BITS must be defined and gemm_real.h or gemm_micro.h included.
 */

#ifndef FASTNN_GEMM_PACK_H
#define FASTNN_GEMM_PACK_H
#if defined(__clang__)
#define SHUFFLE(x, y, index, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, index, ...) __builtin_shuffle(x, y, (index){__VA_ARGS__})
#endif
#define SQUARE (16 / (REAL_BITS / 8)) /* side of the squares that are transposed in registers */
typedef float short_f32 __attribute__((vector_size(16)));
typedef double short_f64 __attribute__((vector_size(16)));
typedef float loose_short_f32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef double loose_short_f64 __attribute__((vector_size(16), aligned(8), may_alias));
typedef int32_t index_f32 __attribute__((vector_size(16)));
typedef int64_t index_f64 __attribute__((vector_size(16)));

/* Row k of the square starts at rows + k * stride. */
INLINE void store_transposed_f32(const short_f32 *column, float *rows, ptrdiff_t stride) {
    short_f32 low01 = SHUFFLE(column[0], column[1], index_f32, 0, 4, 1, 5);
    short_f32 low23 = SHUFFLE(column[2], column[3], index_f32, 0, 4, 1, 5);
    short_f32 high01 = SHUFFLE(column[0], column[1], index_f32, 2, 6, 3, 7);
    short_f32 high23 = SHUFFLE(column[2], column[3], index_f32, 2, 6, 3, 7);
    *(loose_short_f32 *)rows = SHUFFLE(low01, low23, index_f32, 0, 1, 4, 5);
    *(loose_short_f32 *)(rows + stride) = SHUFFLE(low01, low23, index_f32, 2, 3, 6, 7);
    *(loose_short_f32 *)(rows + 2 * stride) = SHUFFLE(high01, high23, index_f32, 0, 1, 4, 5);
    *(loose_short_f32 *)(rows + 3 * stride) = SHUFFLE(high01, high23, index_f32, 2, 3, 6, 7);
}

INLINE void store_transposed_f64(const short_f64 *column, double *rows, ptrdiff_t stride) {
    *(loose_short_f64 *)rows = SHUFFLE(column[0], column[1], index_f64, 0, 2);
    *(loose_short_f64 *)(rows + stride) = SHUFFLE(column[0], column[1], index_f64, 1, 3);
}
#endif

/* Rows of B are contiguous: copy vectors. */
static void NAME(pack_rows)(REAL *panel, const REAL *b, ptrdiff_t b_row, ptrdiff_t depth,
                            ptrdiff_t columns) {
    const ptrdiff_t whole = columns / LANES * LANES;
    const MASK rest = NAME(first_lanes)((int)(columns - whole));
    for (ptrdiff_t k = 0; k < depth; k++, b += b_row) {
        for (ptrdiff_t column = 0; column < whole; column += LANES, panel += LANES)
            NAME(store)(panel, NAME(load)(b + column));
        if (whole < columns) {
            NAME(store)(panel, NAME(load_part)(b + whole, rest));
            panel += LANES;
        }
    }
}

/* Any strides: one element at a time, for `padded` columns of a panel of the given width. */
static void NAME(pack_elements)(REAL *panel, ptrdiff_t width, const REAL *b, ptrdiff_t b_row,
                                ptrdiff_t b_col, ptrdiff_t depth, ptrdiff_t columns,
                                ptrdiff_t padded) {
    for (ptrdiff_t column = 0; column < padded; column++)
        for (ptrdiff_t k = 0; k < depth; k++)
            panel[k * width + column] = column < columns ? b[k * b_row + column * b_col] : 0;
}

/* Columns of B are contiguous: transpose squares in registers. */
static void NAME(pack_columns)(REAL *panel, ptrdiff_t width, const REAL *b, ptrdiff_t b_col,
                               ptrdiff_t depth, ptrdiff_t columns) {
    const ptrdiff_t deep = depth / SQUARE * SQUARE, wide = columns / SQUARE * SQUARE;
    for (ptrdiff_t column = 0; column < wide; column += SQUARE)
        for (ptrdiff_t k = 0; k < deep; k += SQUARE) {
            NAME(short) square[SQUARE];
            for (int i = 0; i < SQUARE; i++)
                square[i] = *(const NAME(loose_short) *)(b + (column + i) * b_col + k);
            NAME(store_transposed)(square, panel + k * width + column, width);
        }
    NAME(pack_elements)(panel + deep * width, width, b + deep, 1, b_col, depth - deep, wide, wide);
    NAME(pack_elements)(panel + wide, width, b + wide * b_col, 1, b_col, depth, columns - wide,
                        width - wide);
}
