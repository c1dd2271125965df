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

static void SIZED(transpose_part)(const void *work, ptrdiff_t piece, int worker) {
    const transposition *call = work;
    ptrdiff_t parts = (call->rows + ROWS_PER_PART - 1) / ROWS_PER_PART;
    ptrdiff_t matrix = piece / parts * call->rows * call->cols;
    ptrdiff_t first = piece % parts * ROWS_PER_PART, last = first + ROWS_PER_PART;
    (void)worker;
    SIZED(transpose_rows)(call->rows, call->cols, first, last < call->rows ? last : call->rows,
                          (const ITEM *)call->from + matrix, (ITEM *)call->to + matrix);
}

void FN(SIZED(transpose))(ptrdiff_t batch, ptrdiff_t rows, ptrdiff_t cols, const void *from,
                          void *to, int threads) {
    const transposition call = {rows, cols, from, to};
    ptrdiff_t parts = (rows + ROWS_PER_PART - 1) / ROWS_PER_PART;
    team_run(SIZED(transpose_part), &call, batch * parts, threads);
}

#undef SIDE
