/* Squares of numbers transposed in registers, and so the sums of the lanes of several vectors.
 *
 * REAL_BITS must be defined and gemm_real.h or gemm_micro.h included.
 */

#ifndef FASTNN_GEMM_SQUARE_H
#define FASTNN_GEMM_SQUARE_H
#if defined(__clang__)
#define SHUFFLE(x, y, index, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, index, ...) __builtin_shuffle(x, y, (index){__VA_ARGS__})
#endif
#define SQUARE NAME(square)
enum { square_f32 = 4, square_f64 = 2 }; /* side of the squares that are transposed in registers */
typedef float short_f32 __attribute__((vector_size(16)));
typedef double short_f64 __attribute__((vector_size(16)));
typedef float loose_short_f32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef double loose_short_f64 __attribute__((vector_size(16), aligned(8), may_alias));
typedef int32_t index_f32 __attribute__((vector_size(16)));
typedef int64_t index_f64 __attribute__((vector_size(16)));

INLINE void transpose_f32(short_f32 *row) {
    short_f32 low01 = SHUFFLE(row[0], row[1], index_f32, 0, 4, 1, 5);
    short_f32 low23 = SHUFFLE(row[2], row[3], index_f32, 0, 4, 1, 5);
    short_f32 high01 = SHUFFLE(row[0], row[1], index_f32, 2, 6, 3, 7);
    short_f32 high23 = SHUFFLE(row[2], row[3], index_f32, 2, 6, 3, 7);
    row[0] = SHUFFLE(low01, low23, index_f32, 0, 1, 4, 5);
    row[1] = SHUFFLE(low01, low23, index_f32, 2, 3, 6, 7);
    row[2] = SHUFFLE(high01, high23, index_f32, 0, 1, 4, 5);
    row[3] = SHUFFLE(high01, high23, index_f32, 2, 3, 6, 7);
}

INLINE void transpose_f64(short_f64 *row) {
    short_f64 first = SHUFFLE(row[0], row[1], index_f64, 0, 2);
    row[1] = SHUFFLE(row[0], row[1], index_f64, 1, 3);
    row[0] = first;
}
#endif

/* The sums of the lanes of SQUARE vectors. */
INLINE NAME(short) NAME(sums_of_lanes)(const VECTOR *sum) {
    NAME(short) row[SQUARE], total;
#pragma GCC unroll 4
    for (int i = 0; i < SQUARE; i++) {
        NAME(short) part[VECTOR_BYTES / 16];
        memcpy(part, &sum[i], sizeof part);
        row[i] = part[0];
#pragma GCC unroll 4
        for (int j = 1; j < VECTOR_BYTES / 16; j++) row[i] += part[j];
    }
    NAME(transpose)(row);
    total = row[0];
#pragma GCC unroll 4
    for (int i = 1; i < SQUARE; i++) total += row[i];
    return total;
}

#if ISA >= 3 && !defined(__clang__) /* which has no shuffle by variable indices */
/* Exchanges the off-diagonal halves of every square of 2 * half rows and lanes. */
INLINE void NAME(exchange)(VECTOR *row, const int half) {
    BITS low, high;
#pragma GCC unroll 16
    for (int lane = 0; lane < LANES; lane++) {
        low[lane] = lane & half ? LANES + lane - half : lane;
        high[lane] = lane & half ? LANES + lane : lane + half;
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        if (!(i & half)) {
            VECTOR upper = row[i], lower = row[i + half];
            row[i] = __builtin_shuffle(upper, lower, low);
            row[i + half] = __builtin_shuffle(upper, lower, high);
        }
}
#endif
