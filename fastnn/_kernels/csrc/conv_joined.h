/* Groups of few channels, joined: the vectors hold the channels of several groups.
 *
 * Each lane is an input channel, and each of the `outputs` of its group has a sum in that lane. A
 * depthwise convolution is the case of one input and one output.
 */
#ifndef FASTNN_CONV_JOINED_H
#define FASTNN_CONV_JOINED_H

#include "conv_pieces.h"

typedef struct {
    ptrdiff_t inputs, outputs; /* channels of a group */
    ptrdiff_t channels;        /* inputs of all groups, in `vectors` vectors */
    ptrdiff_t vectors, blocks; /* of them that run together, with block_vectors sums */
} conv_joined;

/* Returns 0 where each group is to run by itself: it fills vectors of outputs, or would be cut. */
static inline int conv_joined_of(ptrdiff_t groups, ptrdiff_t inputs, ptrdiff_t outputs,
                                 ptrdiff_t lanes, ptrdiff_t block_vectors, conv_joined *joined) {
    if (groups < 2 || inputs < 1 || outputs < 1 || lanes % inputs) return 0;
    if (outputs > block_vectors || (outputs >= lanes && outputs > 1)) return 0;
    *joined = (conv_joined){inputs, outputs, groups * inputs};
    joined->vectors = ceil_div(joined->channels, lanes);
    joined->blocks = ceil_div(joined->vectors, block_vectors / outputs);
    return 1;
}

/* First vector of input channels in a block. */
static inline ptrdiff_t conv_joined_block(const conv_joined *joined, ptrdiff_t block) {
    return block * joined->vectors / joined->blocks;
}

/* The weight gradient: pieces of pixels, each with a partial sum of its own. */
typedef struct {
    conv_plan plan;
    conv_joined joined;
    conv_units units;
    ptrdiff_t copied;                /* values of a unit's copy, or 0 */
    ptrdiff_t pieces, partial, bias; /* elements of one piece; where its bias begins */
} conv_joined_pieces;

static inline int conv_joined_pieces_of(const conv_plan *plan, ptrdiff_t lanes,
                                        ptrdiff_t block_vectors, ptrdiff_t itemsize,
                                        conv_joined_pieces *work) {
    conv_joined *joined = &work->joined;
    if (!conv_joined_of(plan->groups, plan->c / plan->groups, plan->o / plan->groups, lanes,
                        block_vectors, joined))
        return 0;
    work->plan = *plan;
    ptrdiff_t width = ceil_div(joined->vectors, joined->blocks) * joined->outputs * lanes;
    work->units = conv_units_of(plan, NEAR_BYTES / (width * itemsize));
    work->copied = joined->inputs * joined->outputs == 1 ? 0
                 : work->units.images * work->units.rows * plan->ow * width;
    work->bias = plan->kh * plan->kw * joined->vectors * joined->outputs * lanes;
    work->partial = work->bias + ceil_div(plan->o, lanes) * lanes;
    work->pieces = conv_pieces(plan, work->partial, itemsize, work->units.count, 1e6);
    return 1;
}

#endif
