/* The micro-kernel: a tile of C of a few rows by a few vectors, held in registers over the depth.
 *
 * REAL_BITS must be defined, see gemm_real.h. `NAME(run_tile)` computes and stores one
 * tile.
 *
 * With 32 registers the tile is 8 rows by 3 vectors (24 sums, 3 of B, 1 of A), with 16 it is 4 by
 * 3. 11 loads for 24 multiply-adds leave room to read A in place with any strides.
 */
#include "gemm_real.h"

#ifndef FASTNN_GEMM_MICRO_H
#define FASTNN_GEMM_MICRO_H
#if ISA == 4 || ISA == 1
#define TILE_ROWS 8
#else
#define TILE_ROWS 4
#endif
#define TILE_VECTORS 3
#define WIDEST_TILE 8 /* vectors of one row alone, which hide the latency of the adds */
enum tile_options { TILE_ACCUMULATE = 1, TILE_BIAS_COLUMN = 2, TILE_BIAS_ROW = 4, TILE_BENT = 8 };
#endif

struct NAME(tile) {
    const REAL *a;
    ptrdiff_t a_row, a_col;
    const REAL *b; /* rows of contiguous columns, b_row apart */
    ptrdiff_t b_row;
    REAL *c;
    ptrdiff_t c_row;
    ptrdiff_t depth;
    const REAL *bias;
    REAL below;
    int options;
    int last_lanes; /* columns in the last vector, 1 to LANES */
};

/* sum[i][j] += A[i,:] B[:,j]. A masked load takes a slot of the multiply-adds, which costs 3 % of
 * a large product: only a part of a vector is read so. */
INLINE void NAME(multiply)(VECTOR (*sum)[WIDEST_TILE], const int rows, const int vectors,
                           const int masked, const struct NAME(tile) *tile, MASK mask) {
    const REAL *a = tile->a, *b = tile->b;
    const ptrdiff_t a_row = tile->a_row, a_col = tile->a_col, b_row = tile->b_row;
    const ptrdiff_t depth = tile->depth;
#pragma GCC unroll 4
    for (ptrdiff_t k = 0; k < depth; k++) {
        VECTOR columns[WIDEST_TILE];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            columns[j] = j == vectors - 1 && masked ? NAME(load_part)(b + j * LANES, mask)
                                                    : NAME(load)(b + j * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            VECTOR value = NAME(broadcast)(a[i * a_row]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++) sum[i][j] += value * columns[j];
        }
        a += a_col;
        b += b_row;
    }
}

/* Stores the tile, after adding what was there and the bias, and bends it. */
INLINE void NAME(finish)(VECTOR (*sum)[WIDEST_TILE], const int rows, const int vectors,
                         const struct NAME(tile) *tile, MASK mask) {
    const int options = tile->options, whole = tile->last_lanes == LANES;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            const int masked = j == vectors - 1 && !whole;
            REAL *c = tile->c + i * tile->c_row + j * LANES;
            VECTOR value = sum[i][j];
            if (options) {
                if (options & TILE_ACCUMULATE)
                    value += masked ? NAME(load_part)(c, mask) : NAME(load)(c);
                if (options & TILE_BIAS_COLUMN) {
                    const REAL *bias = tile->bias + j * LANES;
                    value += masked ? NAME(load_part)(bias, mask) : NAME(load)(bias);
                }
                if (options & TILE_BIAS_ROW) value += NAME(broadcast)(tile->bias[i]);
                if (options & TILE_BENT) value = NAME(bent)(value, tile->below);
            }
            if (masked)
                NAME(store_part)(c, value, mask);
            else
                NAME(store)(c, value);
        }
}

INLINE void NAME(compute_tile)(const struct NAME(tile) *tile, const int rows, const int vectors) {
    VECTOR sum[TILE_ROWS][WIDEST_TILE];
    const MASK mask = NAME(first_lanes)(tile->last_lanes);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) sum[i][j] = (VECTOR){0};
    if (MASKED_LOADS && tile->last_lanes < LANES)
        NAME(multiply)(sum, rows, vectors, 1, tile, mask);
    else
        NAME(multiply)(sum, rows, vectors, 0, tile, mask);
    NAME(finish)(sum, rows, vectors, tile, mask);
}

#define TILE_KERNEL(rows, vectors)                                                    \
    static void NAME(tile_##rows##x##vectors)(const struct NAME(tile) *tile) {        \
        NAME(compute_tile)(tile, rows, vectors);                                      \
    }
#define TILE_KERNELS(rows) TILE_KERNEL(rows, 1) TILE_KERNEL(rows, 2) TILE_KERNEL(rows, 3)
TILE_KERNELS(1) TILE_KERNELS(2) TILE_KERNELS(3) TILE_KERNELS(4)
TILE_KERNEL(1, 4) TILE_KERNEL(1, 5) TILE_KERNEL(1, 6) TILE_KERNEL(1, 7) TILE_KERNEL(1, 8)
#if TILE_ROWS == 8
TILE_KERNELS(5) TILE_KERNELS(6) TILE_KERNELS(7) TILE_KERNELS(8)
#endif
#undef TILE_KERNELS
#undef TILE_KERNEL

typedef void NAME(tile_kernel)(const struct NAME(tile) *);
#define TILE_ROW(rows) {NAME(tile_##rows##x1), NAME(tile_##rows##x2), NAME(tile_##rows##x3)}
static NAME(tile_kernel) *const NAME(tile_kernels)[TILE_ROWS][WIDEST_TILE] = {
    {NAME(tile_1x1), NAME(tile_1x2), NAME(tile_1x3), NAME(tile_1x4), NAME(tile_1x5),
     NAME(tile_1x6), NAME(tile_1x7), NAME(tile_1x8)},
    TILE_ROW(2), TILE_ROW(3), TILE_ROW(4),
#if TILE_ROWS == 8
    TILE_ROW(5), TILE_ROW(6), TILE_ROW(7), TILE_ROW(8),
#endif
};
#undef TILE_ROW

INLINE void NAME(run_tile)(const struct NAME(tile) *tile, int rows, int vectors) {
    NAME(tile_kernels)[rows - 1][vectors - 1](tile);
}
