/* What both passes of attention share: products of blocks, exp, masks.
 *
 * REAL_BITS must be defined, see gemm_real.h.
 */
#include <math.h>
#include "gemm_micro.h"
#include "gemm_pack.h"
#include "gemm_plan.h"
#include "gemm_scratch.h"
#include "gemm_near.h"
#include "attention.h"

#ifndef FASTNN_ATTENTION_BLOCK_H
#define FASTNN_ATTENTION_BLOCK_H
#define ACROSS 96 /* queries (forward) or keys (backward) of a block, which lie along vectors */
#define ALONG 64  /* the others */
#define STRIP 16  /* queries or keys of a block that causality cuts: what it hides is left out */

/* Some queries and some keys. */
struct attention_cut {
    int causal;
    ptrdiff_t row, rows, key, keys;
};

/* How many queries or keys, of `lines`, are computed at a time. */
static inline ptrdiff_t strip_of(const struct attention_cut *cut, ptrdiff_t lines) {
    return cut->causal && cut->row < cut->key + cut->keys - 1 ? STRIP : lines;
}

/* Of the block's keys those, in whole strips, that a query of the strip with `i` sees. */
static inline ptrdiff_t keys_seen(const struct attention_cut *cut, ptrdiff_t i) {
    const ptrdiff_t behind = cut->row + rounded_up(i + 1, STRIP) - cut->key;
    return cut->causal ? larger(0, smaller(cut->keys, rounded_up(behind, STRIP))) : cut->keys;
}

/* The first of the block's queries, in whole strips, that sees a key of the strip with `j`. */
static inline ptrdiff_t first_seeing(const struct attention_cut *cut, ptrdiff_t j) {
    const ptrdiff_t query = cut->key + j / STRIP * STRIP - cut->row;
    return cut->causal ? larger(0, query) / STRIP * STRIP : 0;
}

#endif

INLINE REAL *NAME(place)(const attention_array *array, ptrdiff_t batch, ptrdiff_t head,
                         ptrdiff_t row) {
    return (REAL *)array->data + batch * array->batch + head * array->head + row * array->row;
}

INLINE VECTOR NAME(chosen)(BITS condition, VECTOR yes, VECTOR no) {
    return (VECTOR)(((BITS)yes & condition) | ((BITS)no & ~condition));
}

/* exp(x) for x that is not far above 0, within 2 ulp: vmath_f32.py and vmath_f64.py have the
 * method and the constants. What would be denormal is 0; NaN stays NaN. */
INLINE VECTOR NAME(exp)(VECTOR x) {
#if REAL_BITS == 32
    static const REAL terms[] = {
        0.0013839409220963717f, 0.008367056958377361f, 0.041667744517326355f,
        0.16666539013385773f, 0.4999999701976776f};
    const REAL rounder = 12582912.0f, log2_e = 1.4426950408889634f, least = -87.33654022216797f;
    const REAL high = 0.693359375f, low = -2.1219444005469057e-4f;
    const int shift = 23;
#else
    static const REAL terms[] = {
        2.0945547874328814e-09, 2.5109244274506307e-08, 2.7557210244733263e-07,
        2.7557244044036994e-06, 2.4801587352462292e-05, 0.00019841269885834603,
        0.0013888888888886897, 0.00833333333332183, 0.041666666666666685,
        0.16666666666666677, 0.5};
    const REAL rounder = 6755399441055744.0, log2_e = 1.4426950408889634;
    const REAL least = -708.3964185322641;
    const REAL high = 0.6931471803691238, low = 1.9082149292705877e-10;
    const int shift = 52;
#endif
    const VECTOR t = x * log2_e + rounder, n = t - rounder;
    const VECTOR r = (x - n * high) - n * low;
    VECTOR sum = NAME(broadcast)(terms[0]);
#pragma GCC unroll 16
    for (size_t i = 1; i < sizeof terms / sizeof *terms; i++) sum = sum * r + terms[i];
    const VECTOR y = 1 + (r + r * r * sum);
    const VECTOR scaled = (VECTOR)((BITS)y + ((BITS)t << shift)) + (x - x);
    return (VECTOR)((BITS)scaled & ~(BITS)(x < least));
}

/* What the mask adds to the scores of some rows and keys, to[row][key]. */
static void NAME(mask_rows)(const attention_plan *plan, ptrdiff_t batch, ptrdiff_t head,
                            ptrdiff_t row, ptrdiff_t rows, ptrdiff_t key, ptrdiff_t keys, REAL *to,
                            ptrdiff_t to_row) {
    const attention_array *mask = &plan->mask;
    const ptrdiff_t start = batch * mask->batch + head * mask->head + row * mask->row
                          + key * mask->column, step = mask->column;
    for (ptrdiff_t i = 0; i < rows; i++, to += to_row) {
        const REAL *adds = (const REAL *)mask->data + start + i * mask->row;
        const unsigned char *allows = (const unsigned char *)mask->data + start + i * mask->row;
        const REAL hidden = -(REAL)INFINITY;
        if (plan->mask_kind == ATTENTION_ADDS && step == 1)
            memcpy(to, adds, (size_t)keys * sizeof(REAL));
        else if (plan->mask_kind == ATTENTION_ADDS)
            for (ptrdiff_t j = 0; j < keys; j++) to[j] = adds[j * step];
        else if (step == 1)
            for (ptrdiff_t j = 0; j < keys; j++) to[j] = allows[j] ? 0 : hidden;
        else
            for (ptrdiff_t j = 0; j < keys; j++) to[j] = allows[j * step] ? 0 : hidden;
    }
}

/* x *= factor for whole vectors. */
INLINE void NAME(scale_all)(REAL *x, ptrdiff_t count, REAL factor) {
    for (ptrdiff_t i = 0; i < count; i += LANES) NAME(store)(x + i, NAME(load)(x + i) * factor);
}

/* to[i] = factor * from[i] for one row, whose last vector may be a part of one. */
INLINE void NAME(copy_row)(REAL *to, const REAL *from, ptrdiff_t count, REAL factor) {
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES) NAME(store)(to + i, NAME(load)(from + i) * factor);
    if (i < count) {
        const MASK mask = NAME(first_lanes)((int)(count - i));
        NAME(store_part)(to + i, NAME(load_part)(from + i, mask) * factor, mask);
    }
}
