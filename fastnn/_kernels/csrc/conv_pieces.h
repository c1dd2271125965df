/* What the weight gradients share: the axes of a plan, and how many pieces its pixels are cut in. */
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
