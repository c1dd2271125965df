/* Winograd's transforms of one vector of channels, for the points 0, +-3/4, +-3/2 and infinity.
 *
 * REAL_BITS must be defined, see gemm_real.h. A transform of a square is that of its columns and
 * then of its rows. `step` is the distance of the numbers. With p = 9/16 and q = 9/4, the squares
 * of the points, a patch d becomes the values of the polynomials whose roots are all points but
 * one; their leading factors are on the side of the weights.
 */
#define POINT ((REAL)0.75)
#define FAR_POINT ((REAL)1.5)
#define P ((REAL)0.5625)
#define Q ((REAL)2.25)
#define ZERO_FACTOR ((REAL)(64.0 / 81))
#define POINT_FACTOR ((REAL)(-128.0 / 243))
#define FAR_FACTOR ((REAL)(32.0 / 243))

/* Six inputs. */
INLINE void NAME(transform_line)(VECTOR *d, const int step) {
    const VECTOR d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    const VECTOR even = d4 - Q * d2, odd = POINT * (d3 - Q * d1);
    const VECTOR far_even = d4 - P * d2, far_odd = FAR_POINT * (d3 - P * d1);
    d[0] = d4 - (P + Q) * d2 + P * Q * d0;
    d[step] = even + odd;
    d[2 * step] = even - odd;
    d[3 * step] = far_even + far_odd;
    d[4 * step] = far_even - far_odd;
    d[5 * step] = d[5 * step] - (P + Q) * d3 + P * Q * d1;
}

/* Up to four numbers of a filter (three weights, or four gradients of outputs), to six. */
INLINE void NAME(spread_line)(VECTOR *g, const int step, const int count) {
    const VECTOR none = {0}, g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const VECTOR g3 = count == 4 ? g[3 * step] : none;
    const VECTOR even = POINT_FACTOR * (g0 + P * g2);
    const VECTOR odd = POINT_FACTOR * POINT * (g1 + P * g3);
    const VECTOR far_even = FAR_FACTOR * (g0 + Q * g2);
    const VECTOR far_odd = FAR_FACTOR * FAR_POINT * (g1 + Q * g3);
    g[0] = ZERO_FACTOR * g0;
    g[step] = even + odd;
    g[2 * step] = even - odd;
    g[3 * step] = far_even + far_odd;
    g[4 * step] = far_even - far_odd;
    g[5 * step] = count == 4 ? g3 : g2;
}

/* Six sums of products, to `count` results: four outputs, or three gradients of weights. */
INLINE void NAME(collect_line)(VECTOR *m, const int step, const int count) {
    const VECTOR m0 = m[0], last = m[5 * step];
    const VECTOR sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
    const VECTOR far_sum = m[3 * step] + m[4 * step], far_difference = m[3 * step] - m[4 * step];
    m[0] = m0 + sum + far_sum;
    m[step] = POINT * difference + FAR_POINT * far_difference;
    m[2 * step] = P * sum + Q * far_sum + (count == 3 ? last : (VECTOR){0});
    if (count == 4) m[3 * step] = P * POINT * difference + Q * FAR_POINT * far_difference + last;
}

#undef POINT
#undef FAR_POINT
#undef P
#undef Q
#undef ZERO_FACTOR
#undef POINT_FACTOR
#undef FAR_FACTOR

INLINE void NAME(transform_patch)(VECTOR *d) {
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) NAME(transform_line)(d + j, 6);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) NAME(transform_line)(d + 6 * i, 1);
}

/* The first `count` rows and columns of a square of 6 by 6 are given, and all are filled. */
INLINE void NAME(spread_filter)(VECTOR *g, const int count) {
#pragma GCC unroll 6
    for (int j = 0; j < count; j++) NAME(spread_line)(g + j, 6, count);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) NAME(spread_line)(g + 6 * i, 1, count);
}

/* The first `count` rows and columns are the results. */
INLINE void NAME(collect_products)(VECTOR *m, const int count) {
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) NAME(collect_line)(m + j, 6, count);
#pragma GCC unroll 6
    for (int i = 0; i < count; i++) NAME(collect_line)(m + 6 * i, 1, count);
}
