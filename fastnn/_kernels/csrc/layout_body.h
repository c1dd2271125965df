/* Batched transposition for one element size; layout.c includes this once per size. */

#define SIDE 8

/* A square of 8 by 8 elements through registers: three rounds of interleaving. */
static inline void SIZED(transpose_square)(const ITEM *from, ptrdiff_t from_row, ITEM *to,
                                           ptrdiff_t to_row) {
    SQUARE_ROW a[SIDE], b[SIDE];
#pragma GCC unroll 8
    for (int i = 0; i < SIDE; i++) memcpy(&a[i], from + i * from_row, sizeof a[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = __builtin_shufflevector(b[i], b[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        a[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
#pragma GCC unroll 8
    for (int i = 0; i < SIDE; i++) memcpy(to + i * to_row, &b[i], sizeof b[i]);
}

/* Rows [first, last) of one matrix; writes run along the rows. */
static void SIZED(transpose_rows)(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t first, ptrdiff_t last,
                                  const ITEM *from, ITEM *to) {
    ptrdiff_t square_last = first + (last - first) / SIDE * SIDE, j = 0;
    for (; j + SIDE <= cols; j += SIDE) {
        for (ptrdiff_t i = first; i < square_last; i += SIDE)
            SIZED(transpose_square)(from + i * cols + j, cols, to + j * rows + i, rows);
        for (ptrdiff_t k = j; k < j + SIDE; k++)
            for (ptrdiff_t i = square_last; i < last; i++) to[k * rows + i] = from[i * cols + k];
    }
    for (; j < cols; j++)
        for (ptrdiff_t i = first; i < last; i++) to[j * rows + i] = from[i * cols + j];
}

void FN(SIZED(transpose))(ptrdiff_t batch, ptrdiff_t rows, ptrdiff_t cols, const void *from,
                          void *to, int threads) {
    ptrdiff_t part = 64, parts = (rows + part - 1) / part;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (ptrdiff_t task = 0; task < batch * parts; task++) {
        ptrdiff_t matrix = task / parts * rows * cols, first = task % parts * part;
        ptrdiff_t last = first + part < rows ? first + part : rows;
        SIZED(transpose_rows)(rows, cols, first, last, (const ITEM *)from + matrix,
                              (ITEM *)to + matrix);
    }
}

#undef SIDE
