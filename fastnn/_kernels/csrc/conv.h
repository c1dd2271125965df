/* Convolution kernels over channels-last images: what the Cython module calls.
 *
 * Letters: x[N,H,W,C], y[N,OH,OW,O], weights (O, C/groups, KH, KW), all contiguous.
 */
#ifndef FASTNN_CONV_H
#define FASTNN_CONV_H

#include <stddef.h>
#include "tiles_here.h"

typedef struct {
    ptrdiff_t n, h, w, c, o, kh, kw, oh, ow;
    ptrdiff_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
} conv_plan;

typedef struct {
    /* y from x, and x's gradient from y's: y[i] or x[i] = sum + bias, where
     * that is not above 0 times `below`. */
    void (*forward)(const conv_plan *, const void *x, const void *weight, const void *bias,
                    double below, void *y, void *scratch, int threads);
    void (*data_gradient)(const conv_plan *, const void *gy, const void *weight,
                          const void *bias, double below, void *gx, void *scratch, int threads);
    /* gbias may be NULL. */
    void (*weight_gradient)(const conv_plan *, const void *x, const void *gy, void *gw,
                            void *gbias, void *scratch, int threads);
    size_t (*forward_scratch)(const conv_plan *);
    size_t (*data_gradient_scratch)(const conv_plan *);
    size_t (*weight_gradient_scratch)(const conv_plan *, int threads);
} conv_kernels;

#if FASTNN_X86
extern const conv_kernels conv_f32_v2, conv_f32_v3, conv_f32_v4;
extern const conv_kernels conv_f64_v2, conv_f64_v3, conv_f64_v4, conv_f32_tiles;
static inline const conv_kernels *conv_kernels_for(int isa, int tiles, int is_double) {
#if FASTNN_TILES
    if (tiles && !is_double) return &conv_f32_tiles;
#endif
    (void)tiles;
    if (isa == 4) return is_double ? &conv_f64_v4 : &conv_f32_v4;
    if (isa == 3) return is_double ? &conv_f64_v3 : &conv_f32_v3;
    return is_double ? &conv_f64_v2 : &conv_f32_v2;
}
#else
extern const conv_kernels conv_f32_v1, conv_f64_v1;
static inline const conv_kernels *conv_kernels_for(int isa, int tiles, int is_double) {
    (void)isa, (void)tiles;
    return is_double ? &conv_f64_v1 : &conv_f32_v1;
}
#endif

#endif
