/* 3x3 convolution of stride 1 by tiles of 4x4 outputs: 36 products in the place of 144.
 *
 * Winograd's minimal filtering as in A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural
 * Networks", CVPR 2016, with the points 0, 3/4, -3/4, 3/2, -3/2 and infinity: against float64 its
 * results were within 1.3e-6 of the largest, those of the direct kernels within 1.4e-7, and those
 * of the usual points 0, 1, -1, 2, -2 within 3.5e-6. Float32 alone is computed so.
 *
 * Rounding errors are those of the largest values of a tile, and an infinity reaches all of it. So
 * an image fails whose values lie too far apart within a tile, or of which a result is not finite;
 * the direct kernels are then to run, for that image alone. Its own data decide, so the others'
 * results do not depend on it.
 */
#ifndef FASTNN_WINOGRAD_H
#define FASTNN_WINOGRAD_H

#include "conv.h"

#define WINOGRAD_SIDE 4 /* outputs of a tile */

/* What is done beside the 36 products, in multiply-adds that take as long: to transform a channel
 * of a tile, and a weight. From times of 90 sizes on AVX-512; a product here takes 0.9 of a direct
 * one's time. Tiles whose outputs are in part beyond the edge cost more, hence the margin. */
#define WINOGRAD_CHANNEL 560.0
#define WINOGRAD_WEIGHT 770.0
#define WINOGRAD_PRODUCTS (0.9 * 36)
#define WINOGRAD_MARGIN 1.25
#define WINOGRAD_VECTOR 16
#define WINOGRAD_MOST_WEIGHTS 16384 /* inputs by outputs: 36 numbers each are to stay in a cache */

static inline ptrdiff_t winograd_tiles(ptrdiff_t size) {
    return (size + WINOGRAD_SIDE - 1) / WINOGRAD_SIDE;
}

static inline double winograd_channels(ptrdiff_t channels) {
    return (double)((channels + WINOGRAD_VECTOR - 1) / WINOGRAD_VECTOR * WINOGRAD_VECTOR);
}

/* Whether it pays for images of oh x ow outputs, by the sizes alone. */
static inline int winograd_takes(const conv_plan *plan, ptrdiff_t oh, ptrdiff_t ow) {
    const double tiles = (double)plan->n * (double)(winograd_tiles(oh) * winograd_tiles(ow));
    const double weights = (double)plan->c * (double)plan->o;
    const double channels = winograd_channels(plan->c) + winograd_channels(plan->o);
    const double direct = (double)plan->n * (double)(oh * ow) * 9 * weights;
    const double cost = tiles * (WINOGRAD_PRODUCTS * weights + WINOGRAD_CHANNEL * channels) +
                        WINOGRAD_WEIGHT * weights;
    return plan->kh == 3 && plan->kw == 3 && plan->stride_h == 1 && plan->stride_w == 1 &&
           plan->dilation_h == 1 && plan->dilation_w == 1 && plan->groups == 1 &&
           weights <= WINOGRAD_MOST_WEIGHTS && WINOGRAD_MARGIN * cost < direct;
}

/* `failed` has a byte for each image, which becomes 1 where it fails and 0 elsewhere. The weight
 * gradient, a sum over all images, returns 0 if one did. */
typedef void winograd_function(const conv_plan *plan, const float *x, const float *weight,
                               const float *bias, double below, float *y, float *scratch,
                               char *failed, int threads);
typedef int winograd_weight_function(const conv_plan *plan, const float *x, const float *gy,
                                     float *gw, float *gbias, float *scratch, char *failed,
                                     int threads);
typedef size_t winograd_scratch_function(const conv_plan *plan); /* bytes */

#define WINOGRAD_LEVEL(isa)                                                              \
    winograd_function winograd_forward_v##isa, winograd_data_gradient_v##isa;            \
    winograd_weight_function winograd_weight_gradient_v##isa;                            \
    winograd_scratch_function winograd_forward_scratch_v##isa,                           \
        winograd_data_gradient_scratch_v##isa, winograd_weight_gradient_scratch_v##isa;
WINOGRAD_LEVEL(1) WINOGRAD_LEVEL(2) WINOGRAD_LEVEL(3) WINOGRAD_LEVEL(4)
#undef WINOGRAD_LEVEL

#endif
