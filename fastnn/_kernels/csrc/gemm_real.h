/* Names of one floating-point type for the headers that are written once for both.
 *
 * Define REAL_BITS as 32 or 64 and include such a header; include it again for the other type.
 * NAME(tile) is then tile_f32 or tile_f64. A MASK stands for the first `count` lanes of a vector.
 */
#include "simd.h"
#if ISA >= 3
#include <immintrin.h>
#endif

#ifndef FASTNN_GEMM_REAL_H
#define FASTNN_GEMM_REAL_H
#define INLINE static inline __attribute__((always_inline))
#define REAL_JOIN(name, bits) name##_f##bits
#define REAL_EXPAND(name, bits) REAL_JOIN(name, bits)
#define NAME(name) REAL_EXPAND(name, REAL_BITS)
#define EXPORTED(name) FN_EXPAND(NAME(name), ISA)
#define REAL NAME(real)
#define VECTOR NAME(vector)
#define LOOSE NAME(loose)
#define BITS NAME(bits)
#define MASK NAME(mask)
#define LANES (VECTOR_BYTES * 8 / REAL_BITS)
typedef float real_f32;
typedef double real_f64;
typedef int32_t bits_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t bits_f64 __attribute__((vector_size(VECTOR_BYTES)));
/* Whether loading part of a vector costs no more than loading all of it. */
#define MASKED_LOADS (ISA >= 3)
#if ISA == 4
typedef __mmask16 mask_f32;
typedef __mmask8 mask_f64;
#elif ISA == 3
typedef __m256i mask_f32;
typedef __m256i mask_f64;
#else
typedef int mask_f32;
typedef int mask_f64;
#endif
#endif

INLINE VECTOR NAME(broadcast)(REAL value) { return value - (VECTOR){0}; }

INLINE VECTOR NAME(load)(const REAL *from) { return *(const LOOSE *)from; }

INLINE void NAME(store)(REAL *to, VECTOR value) { *(LOOSE *)to = value; }

INLINE MASK NAME(first_lanes)(int count) {
#if ISA == 4
    return (MASK)((1u << count) - 1);
#elif ISA == 3 && REAL_BITS == 32
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#elif ISA == 3
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
#else
    return count;
#endif
}

/* The lanes outside the mask become 0, and their memory is not touched. */
INLINE VECTOR NAME(load_part)(const REAL *from, MASK mask) {
#if ISA == 4 && REAL_BITS == 32
    return (VECTOR)_mm512_maskz_loadu_ps(mask, from);
#elif ISA == 4
    return (VECTOR)_mm512_maskz_loadu_pd(mask, from);
#elif ISA == 3 && REAL_BITS == 32
    return (VECTOR)_mm256_maskload_ps(from, mask);
#elif ISA == 3
    return (VECTOR)_mm256_maskload_pd(from, mask);
#else
    VECTOR value = {0};
    for (int lane = 0; lane < LANES; lane++)
        if (lane < mask) value[lane] = from[lane];
    return value;
#endif
}

INLINE void NAME(store_part)(REAL *to, VECTOR value, MASK mask) {
#if ISA == 4 && REAL_BITS == 32
    _mm512_mask_storeu_ps(to, mask, (__m512)value);
#elif ISA == 4
    _mm512_mask_storeu_pd(to, mask, (__m512d)value);
#elif ISA == 3 && REAL_BITS == 32
    _mm256_maskstore_ps(to, mask, (__m256)value);
#elif ISA == 3
    _mm256_maskstore_pd(to, mask, (__m256d)value);
#else
    for (int lane = 0; lane < LANES; lane++)
        if (lane < mask) to[lane] = value[lane];
#endif
}

/* What is not above 0 times `below`, of which 0 makes 0 even of infinity; NaN stays NaN. */
INLINE VECTOR NAME(bent)(VECTOR value, REAL below) {
    const VECTOR lower = below == 0 ? (VECTOR){0} : value * NAME(broadcast)(below);
    const BITS bends = (BITS)(value <= (VECTOR){0});
    return (VECTOR)(((BITS)value & ~bends) | ((BITS)lower & bends));
}

INLINE REAL NAME(bent_number)(REAL value, REAL below) {
    return value > 0 || value != value ? value : below == 0 ? 0 : value * below;
}
