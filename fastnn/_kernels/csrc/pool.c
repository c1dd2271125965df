/* Maximum and average pooling, for float and double. */
#include "simd.h"
#include "conv_axis.h"
#include "pool.h"

typedef int64_t vector_i64 __attribute__((vector_size(VECTOR_BYTES)));

static inline conv_axis pool_rows(const pool_plan *plan) {
    return conv_forward_axis(plan->h, plan->oh, plan->kh, plan->stride_h, plan->pad_h,
                             plan->dilation_h);
}

static inline conv_axis pool_cols(const pool_plan *plan) {
    return conv_forward_axis(plan->w, plan->ow, plan->kw, plan->stride_w, plan->pad_w,
                             plan->dilation_w);
}

/* Place of a window's first tap (perhaps in the padding) in the images. */
static inline ptrdiff_t pool_window(const pool_plan *plan, ptrdiff_t n, ptrdiff_t i, ptrdiff_t j) {
    return ((n * plan->h + i * plan->stride_h - plan->pad_h) * plan->w + j * plan->stride_w
            - plan->pad_w) * plan->c;
}

/* Each input lies in exactly one window. */
static inline int pool_windows_tile(const pool_plan *plan) {
    return plan->dilation_h == 1 && plan->dilation_w == 1 && plan->stride_h == plan->kh
        && plan->stride_w == plan->kw && plan->oh * plan->kh >= plan->h + plan->pad_h
        && plan->ow * plan->kw >= plan->w + plan->pad_w;
}

/* Taps of the window at output i that lie in the image or its padding. */
static inline ptrdiff_t pool_padded_taps(const conv_axis *axis, ptrdiff_t i, ptrdiff_t pad) {
    return ptrdiff_min(axis->taps, axis->size + pad - (axis->start + i * axis->step));
}

static inline ptrdiff_t pool_divisor(const pool_plan *plan, const conv_axis *rows,
                                     const conv_axis *cols, conv_segment r, conv_segment c) {
    ptrdiff_t inside = (r.tap_last - r.tap_first) * (c.tap_last - c.tap_first);
    if (plan->divisor) return plan->divisor;
    if (plan->count_include_pad)
        inside = pool_padded_taps(rows, r.first, plan->pad_h)
               * pool_padded_taps(cols, c.first, plan->pad_w);
    return inside ? inside : 1;
}

/* Few images are cut by channels too, into whole vectors: 8 tasks or more. */
static inline ptrdiff_t pool_channel_parts(const pool_plan *plan, ptrdiff_t lanes) {
    ptrdiff_t wanted = plan->n ? ceil_div(8, plan->n) : 1;
    return ptrdiff_max(1, ptrdiff_min(wanted, plan->c / lanes));
}

static inline ptrdiff_t pool_channel(const pool_plan *plan, ptrdiff_t lanes, ptrdiff_t parts,
                                     ptrdiff_t part) {
    return part == parts ? plan->c : part * (plan->c / lanes) / parts * lanes;
}

/* A call: images or their gradient, from one to the other, and the places of the maxima. */
typedef struct {
    const pool_plan *plan;
    const void *from;
    void *to, *index;
    ptrdiff_t parts; /* of the channels */
} pool_call;

#if ISA == 3
#include <immintrin.h>

/* The lowest byte of each lane of 4 or 8; GCC 12 takes the lanes out one by one. */
static inline int64_t pool_low_bytes(__m256i value, int lane_bytes) {
    const __m256i fours = _mm256_set1_epi32(0x0c080400), eights = _mm256_set1_epi32(0x0800);
    const __m256i both = _mm256_shuffle_epi8(value, lane_bytes == 4 ? fours : eights);
    const __m128i one = _mm256_castsi256_si128(both), two = _mm256_extracti128_si256(both, 1);
    return _mm_cvtsi128_si64(lane_bytes == 4 ? _mm_unpacklo_epi32(one, two)
                                             : _mm_unpacklo_epi16(one, two));
}
#endif

/* Fewer than eight bytes, the first of them the lowest, as they lie in the integer's memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bytes of indices are little-endian");
static inline uint64_t pool_load_bytes(const uint8_t *from, ptrdiff_t count) {
    uint64_t value = 0;
    uint32_t four = 0;
    uint16_t two = 0;
    if (count & 1) value = from[count - 1];
    if (count & 2) {
        memcpy(&two, from + (count & 4), 2);
        value = value << 16 | two;
    }
    if (count & 4) {
        memcpy(&four, from, 4);
        value = value << 32 | four;
    }
    return value;
}

static inline void pool_store_bytes(uint8_t *to, uint64_t value, ptrdiff_t count) {
    const uint32_t four = (uint32_t)value;
    if (count & 4) {
        memcpy(to, &four, 4);
        value >>= 32;
        to += 4;
    }
    const uint16_t two = (uint16_t)value;
    if (count & 2) {
        memcpy(to, &two, 2);
        value >>= 16;
        to += 2;
    }
    if (count & 1) *to = (uint8_t)value;
}

#include "conv_f32.h"
#define KERNELS FN(pool_f32)
#include "conv_lanes.h"
#include "pool_body.h"

#include "conv_f64.h"
#define KERNELS FN(pool_f64)
#include "conv_lanes.h"
#include "pool_body.h"
