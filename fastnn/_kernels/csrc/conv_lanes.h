/* Vectors of the current real type: loads and stores of some lanes, and the activation.
 *
 * Included once per type, after conv_f32.h or conv_f64.h.
 */
#if ISA == 4
#include <immintrin.h>
#endif

static inline VECTOR TYPED(load)(const REAL *from) { return *(const LOOSE *)from; }
static inline void TYPED(store)(REAL *to, VECTOR value) { *(LOOSE *)to = value; }

/* The first `count` lanes; the others are zero, and their memory is not touched. */
static inline VECTOR TYPED(load_lanes)(const REAL *from, ptrdiff_t count) {
#if ISA == 4
    return LOAD_MASKED((1u << count) - 1, from);
#else
    union { VECTOR vector; REAL lanes[LANES]; } value = {.vector = {0}};
    for (ptrdiff_t lane = 0; lane < count; lane++) value.lanes[lane] = from[lane];
    return value.vector;
#endif
}

static inline void TYPED(store_lanes)(REAL *to, VECTOR value, ptrdiff_t count) {
#if ISA == 4
    STORE_MASKED(to, (1u << count) - 1, value);
#else
    union { VECTOR vector; REAL lanes[LANES]; } whole = {.vector = value};
    for (ptrdiff_t lane = 0; lane < count; lane++) to[lane] = whole.lanes[lane];
#endif
}

/* NaN stays NaN. */
static inline VECTOR TYPED(relu)(VECTOR value) {
    return (VECTOR)((MASK)value & ~(MASK)(value <= 0));
}
