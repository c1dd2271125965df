/* The macros that make a body one for double. */
#undef REAL
#undef REAL_INFINITY
#undef VECTOR
#undef LOOSE
#undef LANES
#undef MASK
#undef MASK_LANE
#undef LOAD_MASKED
#undef LOAD_MASKED_HALF
#undef LOAD_MASKED_QUARTER
#undef STORE_MASKED
#undef STORE_MASKED_HALF
#undef TYPED
#undef TAKES_WINOGRAD
#undef KERNELS

typedef int64_t mask_f64 __attribute__((vector_size(VECTOR_BYTES)));
#define REAL double
#define REAL_INFINITY __builtin_inf()
#define VECTOR vector_f64
#define LOOSE loose_f64
#define LANES LANES_F64
#define MASK mask_f64
#define MASK_LANE int64_t
#define LOAD_MASKED(mask, from) (VECTOR) _mm512_maskz_loadu_pd((__mmask8)(mask), from)
#define LOAD_MASKED_HALF(mask, from) \
    (VECTOR) _mm512_zextpd256_pd512(_mm256_maskz_loadu_pd((__mmask8)(mask), from))
#define LOAD_MASKED_QUARTER(mask, from) \
    (VECTOR) _mm512_zextpd128_pd512(_mm_maskz_loadu_pd((__mmask8)(mask), from))
#define STORE_MASKED(to, mask, value) \
    _mm512_mask_storeu_pd(to, (__mmask8)(mask), (__m512d)value)
/* The empty asm keeps GCC 12 from fusing cast and store into one masked vextract, which faults on
 * masked-out memory too. */
#define STORE_MASKED_HALF(to, mask, value)                                                        \
    do {                                                                                          \
        __m256d half = _mm512_castpd512_pd256((__m512d)value);                                     \
        __asm__("" : "+v"(half));                                                                 \
        _mm256_mask_storeu_pd(to, (__mmask8)(mask), half);                                        \
    } while (0)
#define TYPED(name) name##_f64
#define TAKES_WINOGRAD(plan, rows, columns) 0 /* it would lose digits */
