/* The macros that make a body one for float. */
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

typedef int32_t mask_f32 __attribute__((vector_size(VECTOR_BYTES)));
#define REAL float
#define REAL_INFINITY __builtin_inff()
#define VECTOR vector_f32
#define LOOSE loose_f32
#define LANES LANES_F32
#define MASK mask_f32
#define MASK_LANE int32_t
#define LOAD_MASKED(mask, from) (VECTOR) _mm512_maskz_loadu_ps((__mmask16)(mask), from)
#define LOAD_MASKED_HALF(mask, from) \
    (VECTOR) _mm512_zextps256_ps512(_mm256_maskz_loadu_ps((__mmask8)(mask), from))
#define LOAD_MASKED_QUARTER(mask, from) \
    (VECTOR) _mm512_zextps128_ps512(_mm_maskz_loadu_ps((__mmask8)(mask), from))
#define STORE_MASKED(to, mask, value) \
    _mm512_mask_storeu_ps(to, (__mmask16)(mask), (__m512)value)
/* The empty asm keeps GCC 12 from fusing cast and store into one masked vextract, which faults on
 * masked-out memory too. */
#define STORE_MASKED_HALF(to, mask, value)                                                        \
    do {                                                                                          \
        __m256 half = _mm512_castps512_ps256((__m512)value);                                      \
        __asm__("" : "+v"(half));                                                                 \
        _mm256_mask_storeu_ps(to, (__mmask8)(mask), half);                                        \
    } while (0)
#define TYPED(name) name##_f32
#define TAKES_WINOGRAD(plan, rows, columns) winograd_takes(plan, rows, columns)
