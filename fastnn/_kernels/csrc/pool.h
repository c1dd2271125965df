/* Pooling kernels over channels-last images: what the Cython module calls.
 *
 * x[N,H,W,C], y[N,OH,OW,C], contiguous. The index of a maximum is its place in the window,
 * tap row * KW + tap column, as uint8 if the window has at most 256 places, else as int32.
 */
#ifndef FASTNN_POOL_H
#define FASTNN_POOL_H

#include <stddef.h>

typedef struct {
    ptrdiff_t n, h, w, c, oh, ow, kh, kw;
    ptrdiff_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int count_include_pad;
    ptrdiff_t divisor; /* 0: the window's size */
} pool_plan;

typedef struct {
    void (*max_forward)(const pool_plan *, const void *x, void *y, void *index, int threads);
    void (*max_backward)(const pool_plan *, const void *gy, const void *index, void *gx,
                         int threads);
    /* y[window] = x[the indexed place]: the derivative of max_backward. */
    void (*max_gather)(const pool_plan *, const void *x, const void *index, void *y, int threads);
    void (*average_forward)(const pool_plan *, const void *x, void *y, int threads);
    void (*average_backward)(const pool_plan *, const void *gy, void *gx, int threads);
} pool_kernels;

#if FASTNN_X86
extern const pool_kernels pool_f32_v2, pool_f32_v3, pool_f32_v4;
extern const pool_kernels pool_f64_v2, pool_f64_v3, pool_f64_v4;
static inline const pool_kernels *pool_kernels_for(int isa, int is_double) {
    if (isa == 4) return is_double ? &pool_f64_v4 : &pool_f32_v4;
    if (isa == 3) return is_double ? &pool_f64_v3 : &pool_f32_v3;
    return is_double ? &pool_f64_v2 : &pool_f32_v2;
}
#else
extern const pool_kernels pool_f32_v1, pool_f64_v1;
static inline const pool_kernels *pool_kernels_for(int isa, int is_double) {
    (void)isa;
    return is_double ? &pool_f64_v1 : &pool_f32_v1;
}
#endif

#endif
