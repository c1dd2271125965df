/* Vectors of the current real type: loads and stores of some lanes, and the bend.
 *
 * Included once per type, after conv_f32.h or conv_f64.h.
 */
#if ISA >= 3
#include <immintrin.h>
#endif
#if ISA == 3
#include "lanes_avx2.h"
#endif

/* Sums stay in registers only if every loop over them is unrolled. */
#undef UNROLL
#define UNROLL _Pragma("GCC unroll 16")

static inline VECTOR TYPED(load)(const REAL *from) { return *(const LOOSE *)from; }
static inline void TYPED(store)(REAL *to, VECTOR value) { *(LOOSE *)to = value; }

/* The first `count` lanes; the others are zero, and their memory is not touched. Narrow masked
 * accesses cross fewer cache lines than wide ones. */
static inline VECTOR TYPED(load_lanes)(const REAL *from, ptrdiff_t count) {
#if ISA == 4
    if (count <= LANES / 2) return LOAD_MASKED_HALF((1u << count) - 1, from);
    return LOAD_MASKED((1u << count) - 1, from);
#elif ISA == 3
    return (VECTOR)load_bytes_256(from, count * sizeof(REAL));
#else
    union { VECTOR vector; REAL lanes[LANES]; } value = {.vector = {0}};
    for (ptrdiff_t lane = 0; lane < count; lane++) value.lanes[lane] = from[lane];
    return value.vector;
#endif
}

static inline void TYPED(store_lanes)(REAL *to, VECTOR value, ptrdiff_t count) {
#if ISA == 4
    if (count <= LANES / 2)
        STORE_MASKED_HALF(to, (1u << count) - 1, value);
    else
        STORE_MASKED(to, (1u << count) - 1, value);
#elif ISA == 3
    store_bytes_256(to, (__m256i)value, count * sizeof(REAL));
#else
    union { VECTOR vector; REAL lanes[LANES]; } whole = {.vector = value};
    for (ptrdiff_t lane = 0; lane < count; lane++) to[lane] = whole.lanes[lane];
#endif
}

static inline VECTOR TYPED(load_some)(const REAL *from, ptrdiff_t lanes) {
    return lanes == LANES ? TYPED(load)(from) : TYPED(load_lanes)(from, lanes);
}

static inline void TYPED(store_some)(REAL *to, VECTOR value, ptrdiff_t lanes) {
    if (lanes == LANES)
        TYPED(store)(to, value);
    else
        TYPED(store_lanes)(to, value, lanes);
}

/* The given bytes of `from`, as often as they fit into a vector. */
static inline __attribute__((always_inline)) VECTOR TYPED(spread)(const REAL *from, int bytes) {
    if (bytes == sizeof(REAL)) return *from - (VECTOR){0};
    if (bytes == 8) {
        int64_t both;
        memcpy(&both, from, 8);
        return (VECTOR)((vector_i64){0} + both);
    }
#if ISA == 4
    if (bytes == 16) return (VECTOR)_mm512_broadcast_f32x4(_mm_loadu_ps((const float *)from));
    if (bytes == 32) return (VECTOR)_mm512_broadcast_f64x4(_mm256_loadu_pd((const double *)from));
#elif ISA == 3
    if (bytes == 16) return (VECTOR)_mm256_broadcast_ps((const __m128 *)from);
#endif
    return TYPED(load)(from);
}

/* Lane i is value's lane place[i]. */
static inline VECTOR TYPED(permute)(VECTOR value, MASK place) {
#ifdef __clang__
    VECTOR result;
    for (int lane = 0; lane < LANES; lane++) result[lane] = value[place[lane]];
    return result;
#else
    return __builtin_shuffle(value, place);
#endif
}

/* Lane i is lane place[i] of the two, counted through. */
static inline VECTOR TYPED(permute_two)(VECTOR one, VECTOR two, MASK place) {
#ifdef __clang__
    VECTOR result;
    for (int lane = 0; lane < LANES; lane++)
        result[lane] = place[lane] < LANES ? one[place[lane]] : two[place[lane] - LANES];
    return result;
#else
    return __builtin_shuffle(one, two, place);
#endif
}

/* Lane c is the sum of the lanes c*fold to c*fold + fold - 1. */
static inline __attribute__((always_inline)) VECTOR TYPED(fold_lanes)(VECTOR value, int fold) {
    MASK lane;
    UNROLL for (int i = 0; i < LANES; i++) lane[i] = i;
    UNROLL for (int step = 1; step < fold; step *= 2)
        value += TYPED(permute)(value, lane ^ step);
    return fold == 1 ? value : TYPED(permute)(value, lane * fold & (LANES - 1));
}

/* Lanes c*fold to c*fold + fold - 1 are from[c], of `count` channels. */
static inline __attribute__((always_inline)) VECTOR TYPED(load_unfolded)(
    const REAL *from, ptrdiff_t count, int fold) {
    MASK lane;
    UNROLL for (int i = 0; i < LANES; i++) lane[i] = i / fold;
#if ISA == 4
    if (fold == 2) return TYPED(permute)(LOAD_MASKED_HALF((1u << count) - 1, from), lane);
    if (fold == 4) return TYPED(permute)(LOAD_MASKED_QUARTER((1u << count) - 1, from), lane);
#endif
    return TYPED(permute)(TYPED(load_lanes)(from, count), lane);
}

/* What is not above 0 times `below`, of which 0 makes 0 even of infinity; NaN stays NaN. */
static inline VECTOR TYPED(bent)(VECTOR value, REAL below) {
    const VECTOR lower = below == 0 ? (VECTOR){0} : value * below;
    const MASK bends = (MASK)(value <= 0);
    return (VECTOR)(((MASK)value & ~bends) | ((MASK)lower & bends));
}
