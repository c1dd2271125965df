/* One input channel and few output channels: vectors run over neighbouring pixels of a row.
 *
 * A unit is a band of output rows of one image. Its input is copied to the stack with the padding
 * as zeros, in rows of `pitch` values.
 */
#ifndef FASTNN_CONV_PIXELS_PLAN_H
#define FASTNN_CONV_PIXELS_PLAN_H

#include "conv.h"
#include "conv_axis.h"

enum {
    PIXELS_OUTPUTS = 8,
    PIXELS_TAPS = 64,
    PIXELS_X_BYTES = 16384,  /* a band's input, */
    PIXELS_GY_BYTES = 32768, /* and its gradients by channel: both fit the L1 cache */
};

typedef struct {
    conv_plan plan;
    ptrdiff_t taps, pitch;
    ptrdiff_t rows, bands, units; /* output rows of a band, bands of an image, bands of all */
    ptrdiff_t task_units, pieces; /* units of a forward task; pieces of the weight gradient */
} conv_pixels;

static inline int conv_pixels_suit(const conv_plan *plan) {
    return plan->c == 1 && plan->groups == 1 && plan->o <= PIXELS_OUTPUTS
        && plan->stride_h == 1 && plan->stride_w == 1 && plan->dilation_h == 1
        && plan->dilation_w == 1 && plan->kh <= PIXELS_TAPS && plan->kw <= PIXELS_TAPS
        && plan->kh * plan->kw <= PIXELS_TAPS && plan->ow <= PIXELS_X_BYTES;
}

/* Tasks of about a million products; pieces of at least 4 million, at most 32. */
static inline void conv_pixels_cut(conv_pixels *all) {
    double unit = (double)all->rows * all->plan.ow * all->taps * all->plan.o;
    double pieces = unit * all->units / 4e6;
    all->task_units = unit < 1e6 ? (ptrdiff_t)(1e6 / unit) : 1;
    all->pieces = ptrdiff_max(1, ptrdiff_min(pieces < 32 ? (ptrdiff_t)pieces : 32, all->units));
}

/* Returns 0 where the other kernels are to run. */
static inline int conv_pixels_of(const conv_plan *plan, ptrdiff_t lanes, ptrdiff_t itemsize,
                                 conv_pixels *all) {
    if (!conv_pixels_suit(plan)) return 0;
    /* Rows of half a vector, and 8 channels that fill their vectors, are faster the other way. */
    if (plan->ow * 2 <= lanes || (plan->o == PIXELS_OUTPUTS && lanes <= PIXELS_OUTPUTS)) return 0;
    *all = (conv_pixels){.plan = *plan, .taps = plan->kh * plan->kw};
    all->pitch = plan->ow + plan->kw - 1;
    ptrdiff_t x_rows = (PIXELS_X_BYTES / itemsize - 2 * lanes - plan->kw) / all->pitch - plan->kh;
    ptrdiff_t gy_rows = (PIXELS_GY_BYTES / itemsize / plan->o - 2 * lanes) / all->pitch;
    ptrdiff_t most = ptrdiff_min(x_rows, gy_rows);
    if (most < 1 || most * 2 < ptrdiff_min(plan->kh, plan->oh)) return 0;
    all->bands = ceil_div(plan->oh, most);
    all->rows = ceil_div(plan->oh, all->bands);
    all->bands = ceil_div(plan->oh, all->rows);
    all->units = plan->n * all->bands;
    conv_pixels_cut(all);
    return 1;
}

/* With masked loads, separating many channels takes longer than the products of a few taps:
 * 0.40 ms instead of 0.31 for 8 channels, 3 x 3 taps and 128 images of 28 x 28. */
static inline int conv_pixels_weight_of(const conv_plan *plan, ptrdiff_t lanes,
                                        ptrdiff_t itemsize, conv_pixels *all) {
    int few_taps = plan->kh * plan->kw < 16 && plan->o > 4;
    return !(ISA == 4 && few_taps) && conv_pixels_of(plan, lanes, itemsize, all);
}

typedef struct {
    ptrdiff_t image, first, rows;
} conv_band;

static inline conv_band conv_band_of(const conv_pixels *all, ptrdiff_t unit) {
    ptrdiff_t first = unit % all->bands * all->rows;
    return (conv_band){unit / all->bands, first, ptrdiff_min(all->rows, all->plan.oh - first)};
}

#endif
