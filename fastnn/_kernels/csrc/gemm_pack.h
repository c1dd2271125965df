/* Copies of blocks of A and B into the order in which the micro-kernel reads them.
 *
 * REAL_BITS must be defined and gemm_real.h or gemm_micro.h included. A panel of B is
 * panel[k][column] in whole vectors, with zeros beyond the last column.
 */
#include "gemm_square.h"

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
    for (ptrdiff_t k = 0; k < depth; k++)
        for (ptrdiff_t column = 0; column < padded; column++)
            panel[k * width + column] = column < columns ? b[k * b_row + column * b_col] : 0;
}

#if ISA >= 3 && !defined(__clang__) /* which has no shuffle by variable indices */
/* to[k][column] = from[column][k] for LANES k's; columns beyond those of B become zeros. */
INLINE void NAME(pack_square)(REAL *to, ptrdiff_t width, const REAL *from, ptrdiff_t b_col,
                              const int columns) {
    VECTOR row[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        row[i] = i < columns ? NAME(load)(from + i * b_col) : (VECTOR){0};
    if (LANES > 8) NAME(exchange)(row, 8);
    if (LANES > 4) NAME(exchange)(row, 4);
    NAME(exchange)(row, 2);
    NAME(exchange)(row, 1);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) NAME(store)(to + i * width, row[i]);
}

/* Columns of B are contiguous: transpose squares in registers. */
static void NAME(pack_columns)(REAL *panel, ptrdiff_t width, const REAL *b, ptrdiff_t b_col,
                               ptrdiff_t depth, ptrdiff_t columns) {
    const ptrdiff_t deep = depth / LANES * LANES;
    for (ptrdiff_t column = 0; column < columns; column += LANES) {
        const int wide = (int)(columns - column < LANES ? columns - column : LANES);
        REAL *to = panel + column;
        const REAL *from = b + column * b_col;
        if (wide == LANES)
            for (ptrdiff_t k = 0; k < deep; k += LANES)
                NAME(pack_square)(to + k * width, width, from + k, b_col, LANES);
        else
            for (ptrdiff_t k = 0; k < deep; k += LANES)
                NAME(pack_square)(to + k * width, width, from + k, b_col, wide);
        NAME(pack_elements)(to + deep * width, width, from + deep, 1, b_col, depth - deep, wide,
                            LANES);
    }
}
#else
/* Columns of B are contiguous: transpose squares in registers. */
static void NAME(pack_columns)(REAL *panel, ptrdiff_t width, const REAL *b, ptrdiff_t b_col,
                               ptrdiff_t depth, ptrdiff_t columns) {
    const ptrdiff_t deep = depth / SQUARE * SQUARE, wide = columns / SQUARE * SQUARE;
    for (ptrdiff_t k = 0; k < deep; k += SQUARE)
        for (ptrdiff_t column = 0; column < wide; column += SQUARE) {
            NAME(short) square[SQUARE];
            for (int i = 0; i < SQUARE; i++)
                square[i] = *(const NAME(loose_short) *)(b + (column + i) * b_col + k);
            NAME(transpose)(square);
            for (int i = 0; i < SQUARE; i++)
                *(NAME(loose_short) *)(panel + (k + i) * width + column) = square[i];
        }
    NAME(pack_elements)(panel + deep * width, width, b + deep, 1, b_col, depth - deep, wide, wide);
    NAME(pack_elements)(panel + wide, width, b + wide * b_col, 1, b_col, depth, columns - wide,
                        width - wide);
}
#endif
