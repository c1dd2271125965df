/* Convolution of float32 on the tiles of AMX: tiles.h says how they multiply, conv_tiles_image.h
 * how an image lies, conv.h what is computed.
 *
 * The data gradient is the same sweep over the image of the outputs' gradients, once for each phase
 * of the stride; its taps lie before the place and not behind it. A piece of work is a band of rows
 * of one image by some panels of output channels. What the tiles cannot take, and shapes for which
 * they do not pay, are left to the vector kernels; an image by its own values.
 */
#include "tiles_here.h"
#if FASTNN_TILES
#pragma GCC target("amx-tile,amx-bf16")
#define REAL_BITS 32
#include "gemm_micro.h"
#include "gemm_square.h"
#include "gemm_plan.h"
#include "gemm_scratch.h"
#include "conv.h"
#include "conv_scratch.h"
#include "winograd.h"
#include "tiles.h"
#include "conv_tiles_image.h"
#include "conv_tiles_plan.h"

/* The weights of one panel of outputs; of the blocks of k, one tap's 32 input channels. */
static void pack_weights(const void *work, ptrdiff_t piece, int worker) {
    const struct conv_tiles *c = work;
    const ptrdiff_t taps = c->plan.kh * c->plan.kw, panel = piece / blocks_of(c);
    const struct conv_block *block = &c->block[piece % blocks_of(c)];
    const ptrdiff_t input = block->input * TILE_DEPTH;
    const ptrdiff_t in_step = c->transposed ? c->plan.c * taps : taps;
    const ptrdiff_t out_step = c->transposed ? taps : c->plan.c * taps;
    __m512i largest = _mm512_setzero_si512();
    (void)worker;
    for (int group = 0; group < 2; group++) {
        float gathered[TILE_DEPTH * TILE_LINES] __attribute__((aligned(64)));
        const ptrdiff_t output = panel * PANEL_LINES + group * TILE_LINES;
        const ptrdiff_t depth = smaller(TILE_DEPTH, c->image.channels - input);
        const ptrdiff_t lines = larger(0, smaller(TILE_LINES, c->out_channels - output));
        const float *from = c->weight + input * in_step + output * out_step + block->tap;
        for (ptrdiff_t k = 0; k < depth; k++)
            for (ptrdiff_t line = 0; line < lines; line++)
                gathered[k * TILE_LINES + line] = from[k * in_step + line * out_step];
        largest = _mm512_max_epu32(
            largest, pack_block(c->packed + piece * PANEL_BLOCK + group * TILE_BYTES, gathered, 1,
                                TILE_LINES, (int)lines, (int)depth, 0));
    }
    if (!tiles_take(_mm512_reduce_max_epu32(largest))) memset(c->failed, 1, (size_t)c->plan.n);
}

/* The sums of up to 32 places, whose numbers begin at `places`, for one panel of outputs. */
INLINE void sum_places(const struct conv_tiles *c, const struct conv_sweep *sweep,
                       const char *places, const char *weights, float *sums, const int rows,
                       const int columns) {
    const struct conv_block *block = &c->block[sweep->first_block];
    const struct tiles_place to = {sums, 4 * PANEL_LINES, NULL, 0};
    begin_sums(&to, rows, columns);
    for (ptrdiff_t i = 0; i < sweep->blocks; i++) {
        const struct tiles_block tiles = {places + block[i].offset, weights + i * PANEL_BLOCK,
                                          c->image.part, TILE_BYTES, PART_STEP, TILE_BYTES};
        multiply_block(tiles, 0, 0, rows, columns);
    }
    end_sums(&to, rows, columns);
}

/* The tiles take as long as they have rows, of which only so many are needed. */
static void sum_some(const struct conv_tiles *c, const struct conv_sweep *sweep,
                     const char *places, ptrdiff_t count, const char *weights, float *sums,
                     int wide) {
    if (count < PANEL_LINES) tiles_begin_rows(count);
    if (count > TILE_LINES && wide)
        sum_places(c, sweep, places, weights, sums, 2, 2);
    else if (count > TILE_LINES)
        sum_places(c, sweep, places, weights, sums, 2, 1);
    else if (wide)
        sum_places(c, sweep, places, weights, sums, 1, 2);
    else
        sum_places(c, sweep, places, weights, sums, 1, 1);
    if (count < PANEL_LINES) tiles_begin();
}

/* An output's channels of one panel, with bias and bend. */
static void finish_output(const struct conv_tiles *c, float *out, ptrdiff_t channel,
                          const float *sums) {
    const ptrdiff_t channels = smaller(PANEL_LINES, c->out_channels - channel);
    for (ptrdiff_t j = 0; j < channels; j += LANES) {
        const MASK mask = first_lanes_f32((int)smaller(LANES, channels - j));
        vector_f32 value = load_f32(sums + j);
        if (c->bias) value += load_part_f32(c->bias + channel + j, mask);
        store_part_f32(out + channel + j, c->below != 1 ? bent_f32(value, c->below) : value, mask);
    }
}

/* The outputs of a sweep within a band: a run of places, of which those between rows are none. */
struct sweep_run {
    ptrdiff_t first_row, place, end; /* places count from the band's first */
};

static struct sweep_run run_of(const struct conv_tiles *c, const struct conv_sweep *sweep,
                               ptrdiff_t band_row) {
    const ptrdiff_t first = larger(sweep->first_row, band_row);
    const ptrdiff_t end = smaller(sweep->end_row, smaller(band_row + c->band,
                                                          c->first_row + c->rows));
    const ptrdiff_t columns = c->image.columns, left = sweep->first_column - c->first_column;
    return (struct sweep_run){
        band_row, (first - band_row) * columns + left,
        end > first ? (end - 1 - band_row) * columns + sweep->end_column - c->first_column : 0};
}

static void finish_places(const struct conv_tiles *c, const struct conv_sweep *sweep,
                          const struct sweep_run *run, ptrdiff_t place, ptrdiff_t count, float *out,
                          ptrdiff_t panel, const float *sums) {
    ptrdiff_t row = run->first_row + place / c->image.columns;
    ptrdiff_t column = c->first_column + place % c->image.columns;
    for (ptrdiff_t i = 0; i < count; i++, sums += PANEL_LINES) {
        const ptrdiff_t y = row * c->step_h + sweep->start_h;
        const ptrdiff_t x = column * c->step_w + sweep->start_w;
        if (column >= sweep->first_column && column < sweep->end_column)
            finish_output(c, out + (y * c->out_width + x) * c->out_channels, panel * PANEL_LINES,
                          sums);
        if (++column == c->first_column + c->image.columns) column = c->first_column, row++;
    }
}

static void sweep_panel(const struct conv_tiles *c, const struct conv_sweep *sweep,
                        const char *image, float *out, ptrdiff_t band_row, ptrdiff_t panel) {
    const struct sweep_run run = run_of(c, sweep, band_row);
    const char *weights = c->packed + (panel * blocks_of(c) + sweep->first_block) * PANEL_BLOCK;
    const int wide = c->out_channels - panel * PANEL_LINES > TILE_LINES;
    float sums[PANEL_LINES * PANEL_LINES] __attribute__((aligned(64)));
    for (ptrdiff_t place = run.place; place < run.end; place += PANEL_LINES) {
        const ptrdiff_t count = smaller(PANEL_LINES, run.end - place);
        sum_some(c, sweep, image + place * TILE_ROW, count, weights, sums, wide);
        finish_places(c, sweep, &run, place, count, out, panel, sums);
    }
}

static void sweep_piece(const void *work, ptrdiff_t piece, int worker) {
    const struct conv_tiles *c = work;
    const ptrdiff_t group = piece % c->groups, rest = piece / c->groups;
    const ptrdiff_t band = rest % c->bands, n = rest / c->bands;
    const struct cut panels = cut_into(panels_of(c), 1, c->groups);
    const ptrdiff_t first = cut_start(&panels, group), end = first + cut_units(&panels, group);
    const ptrdiff_t band_row = c->first_row + band * c->band;
    const ptrdiff_t in_size = c->image.height * c->image.width * c->image.channels;
    const ptrdiff_t out_size = c->out_height * c->out_width * c->out_channels;
    struct tiles_image image = c->image;
    char *memory = scratch_memory((size_t)image_bytes(&image));
    (void)worker;
    image.first_row = band_row - (c->transposed ? reach_of(c->plan.kh, c->plan.stride_h) : 0);
    if (!memory || !pack_image(&image, c->in + n * in_size, memory)) {
        __atomic_store_n(&c->failed[n], 1, __ATOMIC_RELAXED);
        return;
    }
    if (c->bands == 1 && n + 1 < c->plan.n) prefetch_image(&image, c->in + (n + 1) * in_size);
    tiles_begin();
    for (ptrdiff_t panel = first; panel < end; panel++)
        for (ptrdiff_t sweep = 0; sweep < c->sweeps; sweep++)
            sweep_panel(c, &c->sweep[sweep], memory, c->out + n * out_size, band_row, panel);
    tiles_end();
}

/* The images that failed, by the vector kernels. */
static void sweep_failed(const struct conv_tiles *c, char *scratch, int threads) {
    const conv_kernels *vectors = &conv_f32_v4;
    const ptrdiff_t in_size = c->image.height * c->image.width * c->image.channels;
    const ptrdiff_t out_size = c->out_height * c->out_width * c->out_channels;
    conv_plan run = c->plan;
    run.n = 1;
    for (ptrdiff_t n = 0; n < c->plan.n; n++)
        if (c->failed[n])
            (c->transposed ? vectors->data_gradient : vectors->forward)(
                &run, c->in + n * in_size, c->weight, c->bias, c->below,
                c->out + n * out_size, scratch, threads);
}

static void sweep_images(const conv_plan *plan, int transposed, const void *in, const void *weight,
                         const void *bias, double below, void *out, char *scratch, int threads) {
    struct conv_tiles c = conv_tiles_of(plan, transposed);
    char *memory = scratch;
    c.in = in, c.weight = weight, c.bias = bias, c.below = (float)below, c.out = out;
    c.failed = conv_take(&memory, (size_t)plan->n);
    c.sweep = conv_take(&memory, (size_t)c.sweeps * sizeof *c.sweep);
    c.block = conv_take(&memory, (size_t)blocks_of(&c) * sizeof *c.block);
    c.packed = memory;
    memset(c.failed, 0, (size_t)plan->n);
    fill_sweeps(&c);
    team_run(pack_weights, &c, panels_of(&c) * blocks_of(&c), threads);
    team_run(sweep_piece, &c, plan->n * c.bands * c.groups, threads);
    sweep_failed(&c, c.packed, threads);
}

static size_t sweep_scratch(const conv_plan *plan, int transposed) {
    const struct conv_tiles c = conv_tiles_of(plan, transposed);
    conv_plan run = *plan;
    run.n = 1;
    const ptrdiff_t packed = panels_of(&c) * blocks_of(&c) * PANEL_BLOCK;
    const ptrdiff_t vectors = (ptrdiff_t)(transposed ? conv_f32_v4.data_gradient_scratch
                                                     : conv_f32_v4.forward_scratch)(&run);
    const ptrdiff_t tables = plan->n + c.sweeps * (ptrdiff_t)sizeof *c.sweep +
                             blocks_of(&c) * (ptrdiff_t)sizeof *c.block;
    return (size_t)(tables + 3 * 64 + larger(packed, vectors));
}

#include "conv_tiles_weight.h"

static void forward(const conv_plan *plan, const void *x, const void *weight, const void *bias,
                    double below, void *y, void *scratch, int threads) {
    if (conv_takes_tiles(plan, plan->oh, plan->ow))
        sweep_images(plan, 0, x, weight, bias, below, y, scratch, threads);
    else
        conv_f32_v4.forward(plan, x, weight, bias, below, y, scratch, threads);
}

static void data_gradient(const conv_plan *plan, const void *gy, const void *weight,
                          const void *bias, double below, void *gx, void *scratch, int threads) {
    if (conv_takes_tiles(plan, plan->h, plan->w))
        sweep_images(plan, 1, gy, weight, bias, below, gx, scratch, threads);
    else
        conv_f32_v4.data_gradient(plan, gy, weight, bias, below, gx, scratch, threads);
}

static void weight_gradient(const conv_plan *plan, const void *x, const void *gy, void *gw,
                            void *gbias, void *scratch, int threads) {
    if (!conv_takes_tiles(plan, plan->oh, plan->ow) ||
        !sum_weights(plan, x, gy, gw, gbias, scratch, threads))
        conv_f32_v4.weight_gradient(plan, x, gy, gw, gbias, scratch, threads);
}

static size_t forward_scratch(const conv_plan *plan) {
    return conv_takes_tiles(plan, plan->oh, plan->ow) ? sweep_scratch(plan, 0)
                                                      : conv_f32_v4.forward_scratch(plan);
}

static size_t data_gradient_scratch(const conv_plan *plan) {
    return conv_takes_tiles(plan, plan->h, plan->w) ? sweep_scratch(plan, 1)
                                                    : conv_f32_v4.data_gradient_scratch(plan);
}

static size_t weight_gradient_scratch(const conv_plan *plan, int threads) {
    const size_t vectors = conv_f32_v4.weight_gradient_scratch(plan, threads);
    if (!conv_takes_tiles(plan, plan->oh, plan->ow)) return vectors;
    return (size_t)larger((ptrdiff_t)vectors, (ptrdiff_t)sum_weights_scratch(plan));
}

const conv_kernels conv_f32_tiles = {forward, data_gradient, weight_gradient,
                                     forward_scratch, data_gradient_scratch,
                                     weight_gradient_scratch};
#endif
