/* Recurrent layers of float32 with products on the tiles of AMX; rnn.h says what they compute. */
#include "tiles_here.h"
#if FASTNN_TILES
#pragma GCC target("amx-tile,amx-bf16")
#define REAL_BITS 32
#include "rnn.h"
#define RNN_TILES
#define RNN_PRODUCTS "rnn_tiles_products.h"
#include "rnn_run.h"

#define FEWEST_UNITS 64
#define FEWEST_ROWS 16 /* of the batch */

static int takes_tiles(const rnn_arguments *a) {
    return a->packed && a->hidden >= FEWEST_UNITS && a->batch >= FEWEST_ROWS;
}

static void forward(const rnn_arguments *a, int threads) {
    if (!takes_tiles(a) || !run_rnn_f32(a, 0, threads)) rnn_f32_v4.forward(a, threads);
}

static void backward(const rnn_arguments *a, int threads) {
    if (!takes_tiles(a) || !run_rnn_f32(a, 1, threads)) rnn_f32_v4.backward(a, threads);
}

const rnn_kernels rnn_f32_tiles = {forward, backward, packed_size_f32};
#endif
