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

#include "conv_f32.h"
#define KERNELS FN(pool_f32)
#include "conv_lanes.h"
#include "pool_body.h"

#include "conv_f64.h"
#define KERNELS FN(pool_f64)
#include "conv_lanes.h"
#include "pool_body.h"
