/* Matrix products of the library: C = bent([C +] A B + bias), for one item or a batch.
 *
 * C[m,n] is the sum over k of A[m,k] B[k,n]. All strides count elements, not bytes, and may be
 * anything (also 0 or negative for A and B). The result depends on sizes and strides alone, never
 * on the number of threads.
 */
#ifndef FASTNN_GEMM_H
#define FASTNN_GEMM_H

#include <stddef.h>


typedef struct {
    ptrdiff_t batch, m, n, k;
    const void *a;
    ptrdiff_t a_batch, a_row, a_col;
    const void *b;
    ptrdiff_t b_batch, b_row, b_col;
    void *c;
    ptrdiff_t c_batch, c_row, c_col;
    const void *bias;           /* NULL, or contiguous */
    int bias_per_row;           /* bias has m elements instead of n */
    int accumulate; /* before the bias is added */
    double below;   /* at last, what is not above 0 is multiplied by it: 1, and 0 for relu */
} gemm_arguments;

/* Returns 0, or -1 if memory ran out. */
typedef int gemm_function(const gemm_arguments *arguments, int threads);

#endif
