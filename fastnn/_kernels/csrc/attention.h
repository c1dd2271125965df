/* Scaled dot-product attention by blocks: what the Cython module calls.
 *
 * out[i] = sum over keys j of p[i,j] v[j], p[i,:] = softmax over j of (scale q[i] . k[j] + mask).
 * Arrays are [batch][head][row][column]; strides count elements, columns lie next to each other
 * (but for the mask, whose strides may be anything). Query head h reads key head h / group.
 */
#ifndef FASTNN_ATTENTION_H
#define FASTNN_ATTENTION_H

#include <stddef.h>

enum attention_mask { ATTENTION_NO_MASK = 0, ATTENTION_ALLOWS = 1, ATTENTION_ADDS = 2 };

typedef struct {
    void *data;
    ptrdiff_t batch, head, row, column;
} attention_array;

typedef struct {
    ptrdiff_t batch, heads, group, rows, keys, depth, width;
    double scale;
    int causal, mask_kind;
    attention_array q, k, v, mask, out;
    /* Of each row, [batch][head][row]: the largest score, 1 / the sum of exp(score - that), and in
     * the backward pass the sum of gradient times out. */
    void *largest, *inverse, *delta;
    attention_array gradient, dq, dk, dv;
} attention_plan;

/* Return 0, or -1 if memory ran out. */
typedef struct {
    int (*forward)(const attention_plan *, int threads);
    int (*backward)(const attention_plan *, int threads);
} attention_kernels;

#if FASTNN_X86
extern const attention_kernels attention_f32_v2, attention_f32_v3, attention_f32_v4;
extern const attention_kernels attention_f64_v2, attention_f64_v3, attention_f64_v4;
static inline const attention_kernels *attention_kernels_for(int isa, int is_double) {
    if (isa == 4) return is_double ? &attention_f64_v4 : &attention_f32_v4;
    if (isa == 3) return is_double ? &attention_f64_v3 : &attention_f32_v3;
    return is_double ? &attention_f64_v2 : &attention_f32_v2;
}
#else
extern const attention_kernels attention_f32_v1, attention_f64_v1;
static inline const attention_kernels *attention_kernels_for(int isa, int is_double) {
    (void)isa;
    return is_double ? &attention_f64_v1 : &attention_f32_v1;
}
#endif

#endif
