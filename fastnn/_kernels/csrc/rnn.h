/* Recurrent layers: one direction of one layer over a whole sequence.
 *
 * All states lie in one array of rows: the initial ones, and one for every row of the input. A span
 * is a run of rows that are computed from as many others: usually one step of time, but nothing
 * here knows of time, of its direction or of sequences that end early. Spans are done in their
 * order, and backwards in the reverse one. Results do not depend on the number of threads.
 *
 * Gates lie gate by gate in a row: of the tanh and relu networks the one sum, of LSTM input,
 * forget, cell and output, of GRU reset, update, new, and last what the recurrent weight gives to
 * the new one. They come in as the products with the input, and go out as their values.
 */
#ifndef FASTNN_RNN_H
#define FASTNN_RNN_H

#include <stddef.h>
#include <stdint.h>
#include "tiles_here.h"

enum rnn_kind { RNN_TANH = 0, RNN_RELU = 1, RNN_GRU = 2, RNN_LSTM = 3 };

typedef struct {
    int64_t batch; /* place of the first row in the batch: rows of one place share a thread */
    int64_t row;   /* first row of the gates; its state is `shift` rows further */
    int64_t from;  /* first row of the states before */
    int64_t count;
} rnn_span;

typedef struct {
    int kind;
    ptrdiff_t hidden, batch, shift, span_count;
    const rnn_span *spans;
    const void *weight, *bias; /* (gates * hidden, hidden), and (gates * hidden) or NULL */
    void *gates;               /* read only when going backwards */
    void *states, *cells;
    /* Gradients, for going backwards. d_states and d_cells hold those from outside and are added
     * to; d_gates is that of the input products, d_sums (GRU alone; else the same) of the
     * recurrent. */
    void *d_states, *d_cells, *d_gates, *d_sums;
    void *packed;              /* memory for the weight, or NULL: products are done elsewhere */
} rnn_arguments;

typedef void rnn_function(const rnn_arguments *arguments, int threads);

typedef struct {
    rnn_function *forward, *backward;
    size_t (*packed_size)(const rnn_arguments *arguments); /* numbers */
} rnn_kernels;

static inline int rnn_gates(int kind) { return kind == RNN_LSTM ? 4 : kind == RNN_GRU ? 3 : 1; }

/* Gates that are kept of each row. */
static inline int rnn_kept(int kind) { return kind >= RNN_GRU ? 4 : 1; }

#if FASTNN_X86
extern const rnn_kernels rnn_f32_v2, rnn_f32_v3, rnn_f32_v4, rnn_f64_v2, rnn_f64_v3, rnn_f64_v4;
extern const rnn_kernels rnn_f32_tiles;
static inline const rnn_kernels *rnn_kernels_for(int isa, int tiles, int is_double) {
#if FASTNN_TILES
    if (tiles && !is_double) return &rnn_f32_tiles;
#endif
    (void)tiles;
    if (isa == 4) return is_double ? &rnn_f64_v4 : &rnn_f32_v4;
    if (isa == 3) return is_double ? &rnn_f64_v3 : &rnn_f32_v3;
    return is_double ? &rnn_f64_v2 : &rnn_f32_v2;
}
#else
extern const rnn_kernels rnn_f32_v1, rnn_f64_v1;
static inline const rnn_kernels *rnn_kernels_for(int isa, int tiles, int is_double) {
    (void)isa, (void)tiles;
    return is_double ? &rnn_f64_v1 : &rnn_f32_v1;
}
#endif

#endif
