/* The weight gradient's work: pieces of pixels, each with a partial sum of its own.
 *
 * The pieces depend on the sizes alone and are added in order, so the bits do not depend on the
 * threads. Partial sums: [piece][group][block][tap row][tap column][input channel][lanes].
 */
#ifndef FASTNN_CONV_WEIGHT_PLAN_H
#define FASTNN_CONV_WEIGHT_PLAN_H

#include "conv_pieces.h"

typedef struct {
    conv_plan plan;
    ptrdiff_t in_group, out_group, vectors, blocks, terms;
    conv_units units;
    ptrdiff_t pieces, tap_parts;
    ptrdiff_t partial;                                  /* elements of one piece */
    int by_tap;
    ptrdiff_t x_pixel, x_image, gy_pixel, gy_image; /* from one to the next, as the tiles read */
    ptrdiff_t unit_values;                          /* of one group's copy: groups are copied */
    ptrdiff_t fold, folded_terms; /* neighbouring terms that share a vector, or 1; sums of such */
} conv_weight_plan;

/* With few input channels a tile spans several taps, over the rectangles where all are inside;
 * with more, it is one tap's channels, over that tap's own rectangle. */
enum { CONV_CHANNELS_BY_TAP = 6 };

/* Few output channels share a vector with neighbouring terms of a kernel row. */
static inline void conv_weight_fold(conv_weight_plan *work, ptrdiff_t lanes) {
    int together = work->in_group == work->plan.c && work->plan.dilation_w == 1;
    ptrdiff_t row = work->plan.kw * work->in_group;
    work->fold = 1;
    while (work->fold < 4 && work->out_group * work->fold * 2 <= lanes && work->fold * 2 <= row
           && (together || work->in_group % (work->fold * 2) == 0))
        work->fold *= 2;
    if (work->fold > 1) work->folded_terms = work->terms;
}

static inline void conv_weight_units(conv_weight_plan *work, ptrdiff_t block_lanes,
                                     ptrdiff_t itemsize) {
    const conv_plan *plan = &work->plan;
    int copied = plan->groups > 1;
    ptrdiff_t pixel_bytes = ptrdiff_min(work->out_group, block_lanes) * itemsize;
    ptrdiff_t pixels = ptrdiff_max(NEAR_BYTES / pixel_bytes, 16);
    if (copied) pixels = ptrdiff_max(ptrdiff_min(pixels / 2, 131072 / (plan->o * itemsize)), 16);
    work->units = conv_units_of(plan, pixels);
    work->x_pixel = copied ? work->in_group : plan->c;
    work->gy_pixel = copied ? work->out_group : plan->o;
    work->x_image = plan->h * plan->w * plan->c, work->gy_image = plan->oh * plan->ow * plan->o;
    if (!copied) return;
    ptrdiff_t window = (work->units.rows - 1) * plan->stride_h + (plan->kh - 1) * plan->dilation_h;
    work->x_image = ptrdiff_min(window + 1, plan->h) * plan->w * work->in_group;
    work->gy_image = work->units.rows * plan->ow * work->out_group;
    work->unit_values = work->units.images * (work->x_image + work->gy_image);
}

/* Pieces of at least 4 million products, or 1 million where groups leave no other parts to do. */
static inline void conv_weight_pieces(conv_weight_plan *work, ptrdiff_t itemsize) {
    const conv_plan *plan = &work->plan;
    double least = plan->groups > 1 ? 1e6 : 4e6;
    work->pieces = conv_pieces(plan, work->partial, itemsize, work->units.count, least);
    ptrdiff_t tasks = work->pieces * work->blocks;
    work->tap_parts = 1;
    if (work->by_tap && plan->groups == 1 && tasks < 16 && conv_products(plan, work->partial) > 4e6)
        work->tap_parts = ptrdiff_min(plan->kh * plan->kw, ceil_div(16, tasks));
}

static inline conv_weight_plan conv_weight_plan_of(const conv_plan *plan, ptrdiff_t lanes,
                                                   ptrdiff_t block_vectors, ptrdiff_t itemsize) {
    conv_weight_plan work = {.plan = *plan};
    work.in_group = plan->c / plan->groups;
    work.out_group = plan->o / plan->groups;
    work.vectors = ceil_div(work.out_group, lanes);
    work.blocks = ceil_div(work.vectors, block_vectors);
    work.terms = plan->kh * plan->kw * work.in_group;
    conv_weight_fold(&work, lanes);
    work.by_tap = work.in_group >= CONV_CHANNELS_BY_TAP;
    work.partial = (work.terms + work.folded_terms + 1) * work.plan.groups * work.vectors * lanes;
    conv_weight_units(&work, block_vectors * lanes, itemsize);
    conv_weight_pieces(&work, itemsize);
    return work;
}

static inline size_t conv_weight_bytes(const conv_weight_plan *work, size_t itemsize,
                                       int threads) {
    ptrdiff_t copies = threads * work->plan.groups * work->unit_values;
    return (work->pieces * work->partial + copies) * itemsize
         + conv_windows_bytes(&work->plan, work->in_group) + 64;
}

static inline ptrdiff_t conv_weight_block(const conv_weight_plan *work, ptrdiff_t block) {
    return block * work->vectors / work->blocks;
}

/* Whether vectors of input channels are fuller, or are as full and fill larger tiles: 64 inputs and
 * 1 output ran at 2 GFLOP/s with the output in the vectors, and at 40 with the inputs. */
static inline int conv_is_swapped(const conv_plan *plan, ptrdiff_t lanes,
                                  ptrdiff_t block_vectors) {
    ptrdiff_t inputs = ceil_div(plan->c, lanes), outputs = ceil_div(plan->o, lanes);
    if (plan->groups > 1 || plan->c <= plan->o || plan->c < CONV_CHANNELS_BY_TAP) return 0;
    return plan->c * outputs >= plan->o * inputs
        && (plan->o % lanes || outputs < block_vectors);
}

/* The weight gradient with input channels in the vectors. */
typedef struct {
    conv_plan plan;
    ptrdiff_t vectors, blocks, terms; /* of input channels; of them that run together; taps x O */
    ptrdiff_t unit_rows, row_units, units, pieces, partial;
} conv_swapped;

static inline int conv_swapped_of(const conv_plan *plan, ptrdiff_t lanes, ptrdiff_t block_vectors,
                                  ptrdiff_t itemsize, conv_swapped *work) {
    if (!conv_is_swapped(plan, lanes, block_vectors)) return 0;
    work->plan = *plan;
    work->vectors = ceil_div(plan->c, lanes);
    work->blocks = ceil_div(work->vectors, block_vectors);
    work->terms = plan->kh * plan->kw * plan->o;
    work->partial = work->terms * work->vectors * lanes + ceil_div(plan->o, lanes) * lanes;
    /* The inputs of a unit stay in the second cache while all taps read them. */
    ptrdiff_t row_bytes = ptrdiff_max(1, plan->stride_h * plan->w * plan->c * itemsize);
    work->unit_rows = ptrdiff_max(1, ptrdiff_min(plan->oh, 131072 / row_bytes));
    work->row_units = ceil_div(plan->oh, work->unit_rows);
    work->units = plan->n * work->row_units;
    work->pieces = conv_pieces(plan, work->partial, itemsize, work->units, 1e6);
    return 1;
}

#endif
