/* Sigmoid and tanh of a vector, within 4 units in the last place; NaN stays NaN.
 *
 * REAL_BITS must be defined and gemm_real.h included. Both come from exp of a number that is not
 * positive, as 2**n * (1 + expm1(r)); vmath_f32.py and vmath_f64.py say where the numbers are from.
 */

#if REAL_BITS == 32
#define RNN_MANTISSA 23
#define RNN_ONE_BITS 0x3F800000
#define RNN_ROUNDER 12582912.0f
#define RNN_LOG2_E 1.4426950408889634f
#define RNN_LN2_HIGH 0.693359375f
#define RNN_LN2_LOW -2.1219444005469057e-4f
#define RNN_LOWEST -87.33f
#define RNN_TERMS 5
static const float rnn_expm1_f32[RNN_TERMS] = {
    0.0013839409220963717f, 0.008367056958377361f, 0.041667744517326355f, 0.16666539013385773f,
    0.4999999701976776f};
#else
#define RNN_MANTISSA 52
#define RNN_ONE_BITS 0x3FF0000000000000
#define RNN_ROUNDER 6755399441055744.0
#define RNN_LOG2_E 1.4426950408889634
#define RNN_LN2_HIGH 0.6931471803691238
#define RNN_LN2_LOW 1.9082149292705877e-10
#define RNN_LOWEST -708.39
#define RNN_TERMS 11
static const double rnn_expm1_f64[RNN_TERMS] = {
    2.0945547874328814e-09, 2.5109244274506307e-08, 2.7557210244733263e-07, 2.7557244044036994e-06,
    2.4801587352462292e-05, 0.00019841269885834603, 0.0013888888888886897, 0.00833333333332183,
    0.041666666666666685, 0.16666666666666677, 0.5};
#endif

INLINE VECTOR NAME(select)(BITS mask, VECTOR yes, VECTOR no) {
    return (VECTOR)(((BITS)yes & mask) | ((BITS)no & ~mask));
}

INLINE VECTOR NAME(magnitude)(VECTOR x) {
    return (VECTOR)((BITS)x & ~(BITS)NAME(broadcast)((REAL)-0.0));
}

/* exp(x) = scale * (1 + rest) for x from RNN_LOWEST to 0. */
INLINE void NAME(exp_parts)(VECTOR x, VECTOR *scale, VECTOR *rest) {
    const VECTOR t = x * (REAL)RNN_LOG2_E + (REAL)RNN_ROUNDER, n = t - (REAL)RNN_ROUNDER;
    const VECTOR r = (x - n * (REAL)RNN_LN2_HIGH) - n * (REAL)RNN_LN2_LOW;
    VECTOR sum = NAME(broadcast)(NAME(rnn_expm1)[0]);
#pragma GCC unroll 10
    for (int i = 1; i < RNN_TERMS; i++) sum = sum * r + NAME(rnn_expm1)[i];
    *rest = r + r * r * sum;
    *scale = (VECTOR)(((BITS)t << RNN_MANTISSA) + RNN_ONE_BITS);
}

INLINE VECTOR NAME(sigmoid)(VECTOR x) {
    const VECTOR one = NAME(broadcast)(1), far = -NAME(magnitude)(x);
    const VECTOR lowest = NAME(broadcast)(RNN_LOWEST);
    VECTOR scale, rest;
    const BITS is_zero = (BITS)(far < lowest), negative = (BITS)(x < (VECTOR){0});
    NAME(exp_parts)(NAME(select)(is_zero, lowest, far), &scale, &rest);
    const VECTOR power = NAME(select)(is_zero, (VECTOR){0}, scale + scale * rest);
    return NAME(select)(negative, power, one) / (one + power);
}

INLINE VECTOR NAME(tanh)(VECTOR x) {
    const VECTOR far = NAME(magnitude)(x) * (REAL)-2, lowest = NAME(broadcast)(RNN_LOWEST);
    const BITS sign = (BITS)x & (BITS)NAME(broadcast)((REAL)-0.0);
    VECTOR scale, rest;
    NAME(exp_parts)(NAME(select)((BITS)(far < lowest), lowest, far), &scale, &rest);
    const VECTOR below = (scale - 1) + scale * rest;
    return (VECTOR)((BITS)(-below / (below + 2)) ^ sign);
}

#undef RNN_MANTISSA
#undef RNN_ONE_BITS
#undef RNN_ROUNDER
#undef RNN_LOG2_E
#undef RNN_LN2_HIGH
#undef RNN_LN2_LOW
#undef RNN_LOWEST
#undef RNN_TERMS
