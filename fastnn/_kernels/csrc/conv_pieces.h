/* What weight gradients share: the axes of a plan, units of its pixels, and pieces of units. */
#ifndef FASTNN_CONV_PIECES_H
#define FASTNN_CONV_PIECES_H

#include "conv.h"
#include "conv_axis.h"

static inline conv_axis conv_rows(const conv_plan *p) {
    return conv_forward_axis(p->h, p->oh, p->kh, p->stride_h, p->pad_h, p->dilation_h);
}

static inline conv_axis conv_cols(const conv_plan *p) {
    return conv_forward_axis(p->w, p->ow, p->kw, p->stride_w, p->pad_w, p->dilation_w);
}

static inline double conv_products(const conv_plan *plan, ptrdiff_t partial) {
    return (double)plan->n * plan->oh * plan->ow * partial;
}

/* The rectangles of outputs whose windows have the same taps inside, and what a window reads. */
typedef struct {
    conv_axis rows, cols;
    const conv_segment *row_segments, *col_segments;
    ptrdiff_t row_count, col_count;
    const ptrdiff_t *offsets; /* of each term from a window's first input */
} conv_windows;

static inline size_t conv_windows_bytes(const conv_plan *plan, ptrdiff_t channels) {
    return (plan->oh + plan->ow) * sizeof(conv_segment)
         + plan->kh * plan->kw * channels * sizeof(ptrdiff_t) + 3 * 64;
}

/* For terms of `channels` channels of pixels that have `pixel` values; carved from the scratch. */
static inline conv_windows conv_windows_of(const conv_plan *plan, ptrdiff_t pixel,
                                           ptrdiff_t channels, char **scratch) {
    conv_windows windows = {.rows = conv_rows(plan), .cols = conv_cols(plan)};
    conv_segment *rows = conv_take(scratch, plan->oh * sizeof(conv_segment));
    conv_segment *cols = conv_take(scratch, plan->ow * sizeof(conv_segment));
    ptrdiff_t *offsets =
        conv_take(scratch, plan->kh * plan->kw * channels * sizeof(ptrdiff_t));
    windows.row_segments = rows, windows.row_count = conv_segments(&windows.rows, rows);
    windows.col_segments = cols, windows.col_count = conv_segments(&windows.cols, cols);
    conv_fill_offsets(&windows.rows, &windows.cols, plan->w, pixel, channels, offsets);
    windows.offsets = offsets;
    return windows;
}

/* Whole rows of an image, or whole images, whose gradients take about NEAR_BYTES. */
typedef struct {
    ptrdiff_t images, rows, per_image, count; /* of a unit; units of an image; of all images */
} conv_units;

static inline conv_units conv_units_of(const conv_plan *plan, ptrdiff_t pixels) {
    conv_units units = {.images = 1, .rows = ptrdiff_min(plan->oh, ceil_div(pixels, plan->ow))};
    units.per_image = ceil_div(plan->oh, units.rows);
    if (units.per_image == 1) units.images = ptrdiff_max(1, pixels / (plan->oh * plan->ow));
    units.count = ceil_div(plan->n, units.images) * units.per_image;
    return units;
}

/* Pieces of a unit or more and of at least so many products, each with a partial sum of its own:
 * at most 32, and at most 8 MiB of sums. Sizes alone decide, and not the number of threads. */
static inline ptrdiff_t conv_pieces(const conv_plan *plan, ptrdiff_t partial, ptrdiff_t itemsize,
                                    ptrdiff_t units, double least_products) {
    double most = conv_products(plan, partial) / least_products;
    ptrdiff_t pieces = most < 32 ? (ptrdiff_t)most : 32;
    pieces = ptrdiff_min(pieces, ((ptrdiff_t)8 << 20) / (partial * itemsize));
    return ptrdiff_max(1, ptrdiff_min(pieces, units));
}

#endif
