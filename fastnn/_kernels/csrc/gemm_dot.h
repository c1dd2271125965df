/* Products whose A and B are both contiguous along k, for few rows: nothing is packed.
 *
 * REAL_BITS must be defined and gemm_micro.h included. A tile of up to 4 rows by 4 columns (one
 * row by 8) keeps one vector of partial sums for each element, and adds their lanes at the end.
 */

#ifndef FASTNN_GEMM_DOT_H
#define FASTNN_GEMM_DOT_H
#define DOT_ROWS (TILE_ROWS / 2)
#define DOT_COLUMNS 4
#endif

struct NAME(dot) {
    const REAL *a;
    ptrdiff_t a_row;
    const REAL *b;
    ptrdiff_t b_col;
    REAL *c;
    ptrdiff_t c_row, c_col, depth;
    const REAL *bias; /* of the first element, with a step along rows or columns */
    ptrdiff_t bias_row, bias_col;
    REAL below;
    int options;
};

INLINE void NAME(finish_dot)(const struct NAME(dot) *dot, int i, int j, REAL sum) {
    REAL *c = dot->c + i * dot->c_row + j * dot->c_col;
    if (dot->options & TILE_ACCUMULATE) sum += *c;
    if (dot->options & (TILE_BIAS_COLUMN | TILE_BIAS_ROW))
        sum += dot->bias[i * dot->bias_row + j * dot->bias_col];
    *c = dot->options & TILE_BENT ? NAME(bent_number)(sum, dot->below) : sum;
}

/* The same for SQUARE dense columns at once. */
INLINE void NAME(finish_dots)(const struct NAME(dot) *dot, int i, int j, NAME(short) sum) {
    NAME(loose_short) *c = (NAME(loose_short) *)(dot->c + i * dot->c_row + j);
    if (dot->options & TILE_ACCUMULATE) sum += *c;
    if (dot->options & TILE_BIAS_COLUMN) sum += *(const NAME(loose_short) *)(dot->bias + j);
    if (dot->options & TILE_BENT) {
        const NAME(short) lower = dot->below == 0 ? (NAME(short)){0} : sum * dot->below;
        const NAME(index) bends = (NAME(index))(sum <= (NAME(short)){0});
        sum = (NAME(short))(((NAME(index))sum & ~bends) | ((NAME(index))lower & bends));
    }
    *c = sum;
}

INLINE void NAME(compute_dot)(const struct NAME(dot) *dot, const int rows, const int columns) {
    VECTOR sum[DOT_ROWS][2 * DOT_COLUMNS];
    const REAL *a = dot->a, *b = dot->b;
    const ptrdiff_t a_row = dot->a_row, b_col = dot->b_col;
    const ptrdiff_t whole = dot->depth / LANES * LANES;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < 2 * DOT_COLUMNS; j++) sum[i][j] = (VECTOR){0};
#define DOT_STEP(LOAD)                                                                  \
    VECTOR right[2 * DOT_COLUMNS];                                                          \
    _Pragma("GCC unroll 8") for (int j = 0; j < columns; j++) right[j] = LOAD(b + j * b_col); \
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++) {                            \
        VECTOR left = LOAD(a + i * a_row);                                              \
        _Pragma("GCC unroll 8") for (int j = 0; j < columns; j++) sum[i][j] += left * right[j]; \
    }
    for (ptrdiff_t k = 0; k < whole; k += LANES, a += LANES, b += LANES) {
        DOT_STEP(NAME(load))
    }
    if (whole < dot->depth) {
        const MASK mask = NAME(first_lanes)((int)(dot->depth - whole));
#define LOAD_REST(from) NAME(load_part)(from, mask)
        DOT_STEP(LOAD_REST)
#undef LOAD_REST
    }
#undef DOT_STEP
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j += SQUARE) {
            const NAME(short) total = NAME(sums_of_lanes)(sum[i] + j);
            const int count = columns - j < SQUARE ? columns - j : SQUARE;
            if (dot->c_col == 1 && count == SQUARE && !dot->bias_row)
                NAME(finish_dots)(dot, i, j, total);
            else
                for (int lane = 0; lane < count; lane++)
                    NAME(finish_dot)(dot, i, j + lane, total[lane]);
        }
}

typedef void NAME(dot_kernel)(const struct NAME(dot) *);
#define DOT_KERNEL(rows, columns)                                               \
    static void NAME(dot_##rows##x##columns)(const struct NAME(dot) *dot) {     \
        NAME(compute_dot)(dot, rows, columns);                                  \
    }
#define DOT_KERNELS(rows) \
    DOT_KERNEL(rows, 1) DOT_KERNEL(rows, 2) DOT_KERNEL(rows, 3) DOT_KERNEL(rows, 4)
#define DOT_ROW(rows)                                                           \
    {NAME(dot_##rows##x1), NAME(dot_##rows##x2), NAME(dot_##rows##x3), NAME(dot_##rows##x4)}
DOT_KERNELS(1) DOT_KERNELS(2)
DOT_KERNEL(1, 8)
#if DOT_ROWS == 4
DOT_KERNELS(3) DOT_KERNELS(4)
#endif
static NAME(dot_kernel) *const NAME(dot_kernels)[DOT_ROWS][DOT_COLUMNS] = {
    DOT_ROW(1), DOT_ROW(2),
#if DOT_ROWS == 4
    DOT_ROW(3), DOT_ROW(4),
#endif
};
#undef DOT_ROW
#undef DOT_KERNELS
#undef DOT_KERNEL

INLINE void NAME(run_dot)(const struct NAME(dot) *dot, int rows, int columns) {
    if (columns == 8)
        NAME(dot_1x8)(dot);
    else
        NAME(dot_kernels)[rows - 1][columns - 1](dot);
}
