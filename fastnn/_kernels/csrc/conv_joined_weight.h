/* The weight gradient of joined groups.
 *
 *     partial[t][o][lane] += sum over pixels of x[pixel + offset of tap t][lane] * gy[o][lane]
 *
 * where gy[o] has, in each lane, output o of the lane's group. A unit's gradients are spread so in
 * a copy first, unless groups are single channels. Tasks are pieces of the pixels, each with sums
 * of its own: [block][tap][output of a group][input channels' lanes], then the bias's.
 */
typedef struct {
    const conv_joined_pieces *work;
    conv_windows windows;
    const REAL *x, *gy;
    REAL *partials, *gw, *gbias;
    REAL *copies; /* of each worker */
    TYPED(choice) choices[TILE_VECTORS][TILE_VECTORS]; /* of gy[o], vector by vector */
} TYPED(joined_call);

/* A unit, as a block of channels sees it. */
typedef struct {
    ptrdiff_t image, image_last, row_first, row_last; /* the pixels */
    ptrdiff_t vectors, last_lanes;                    /* of input channels */
    const REAL *x, *gy; /* the first pixel of the first image; the unit's first gradient */
    ptrdiff_t gy_pixel, gy_image;
    REAL *partial;
} TYPED(joined_unit);

static inline __attribute__((always_inline)) void TYPED(joined_weight_tile)(
    const int taps, const int vectors, const int outputs, const ptrdiff_t last_lanes,
    const TYPED(area) *area, const REAL *const *x, const REAL *gy, REAL *const *partial) {
    const int count = vectors * outputs;
    VECTOR sum[TILE_PIXELS][TILE_VECTORS];
    const ptrdiff_t x_col = area->x_col, gy_col = area->gy_col;
    UNROLL for (int t = 0; t < taps; t++)
        UNROLL for (int v = 0; v < count; v++) sum[t][v] = TYPED(load)(partial[t] + v * LANES);
    for (ptrdiff_t n = 0; n < area->images; n++)
        for (ptrdiff_t i = 0; i < area->rows; i++) {
            const REAL *source[TILE_PIXELS];
            const REAL *gradient = gy + n * area->gy_image + i * area->gy_row;
            const REAL *end = gradient + area->cols * gy_col;
            UNROLL for (int t = 0; t < taps; t++)
                source[t] = x[t] + n * area->x_image + i * area->x_row;
            for (ptrdiff_t at = 0; gradient < end; gradient += gy_col, at += x_col) {
                UNROLL for (int v = 0; v < vectors; v++) {
                    const ptrdiff_t lanes = v + 1 < vectors ? LANES : last_lanes;
                    VECTOR value[TILE_PIXELS];
                    UNROLL for (int t = 0; t < taps; t++)
                        value[t] = TYPED(load_some)(source[t] + at + v * LANES, lanes);
                    UNROLL for (int o = 0; o < outputs; o++) {
                        const REAL *from = gradient + (o * vectors + v) * LANES;
                        VECTOR factor = TYPED(load_some)(from, outputs > 1 ? LANES : lanes);
                        UNROLL for (int t = 0; t < taps; t++)
                            sum[t][o * vectors + v] += factor * value[t];
                    }
                }
            }
        }
    UNROLL for (int t = 0; t < taps; t++)
        UNROLL for (int v = 0; v < count; v++) TYPED(store)(partial[t] + v * LANES, sum[t][v]);
}

#define NAME(taps, vectors, outputs) TYPED(joined_weight_tile_##taps##_##vectors##_##outputs)
#define TILE(taps, vectors, outputs)                                                              \
    static void NAME(taps, vectors, outputs)(const TYPED(area) * area, const REAL *const *x,      \
                                             const REAL *gy, REAL *const *partial) {              \
        if (area->last_lanes == LANES)                                                            \
            TYPED(joined_weight_tile)(taps, vectors, outputs, LANES, area, x, gy, partial);       \
        else                                                                                      \
            TYPED(joined_weight_tile)(taps, vectors, outputs, area->last_lanes, area, x, gy,      \
                                      partial);                                                   \
    }
#define TABLE TYPED(weight_function) TYPED(joined_weight_tiles)
#include "conv_joined_shapes.h"

/* The gradient of output o of each group, in the lanes of its inputs. */
static void TYPED(joined_lanes)(TYPED(joined_call) *call) {
    const conv_joined *joined = &call->work->joined;
    for (ptrdiff_t o = 0; o < joined->outputs; o++)
        for (ptrdiff_t v = 0; v * joined->outputs < TILE_VECTORS; v++) {
            ptrdiff_t numbers[LANES];
            for (ptrdiff_t lane = 0; lane < LANES; lane++)
                numbers[lane] = (v * LANES + lane) / joined->inputs * joined->outputs + o;
            TYPED(choose)(call->choices[o] + v, numbers);
        }
}

/* `pixels` gradients of a block, of `channels` outputs each, to those lanes. */
static void TYPED(joined_spread)(const TYPED(joined_call) *call, ptrdiff_t vectors,
                                 ptrdiff_t channels, const REAL *gy, ptrdiff_t pixels, REAL *to) {
    for (ptrdiff_t p = 0; p < pixels; p++, gy += call->work->plan.o) {
        VECTOR from[TILE_VECTORS] = {{0}};
        for (ptrdiff_t first = 0; first < channels; first += LANES)
            from[first / LANES] =
                TYPED(load_some)(gy + first, ptrdiff_min(channels - first, LANES));
        for (ptrdiff_t o = 0; o < call->work->joined.outputs; o++)
            for (ptrdiff_t v = 0; v < vectors; v++, to += LANES)
                TYPED(store)(to, TYPED(chosen)(call->choices[o] + v, from));
    }
}

/* The taps of a rectangle's outputs, all of which are inside. */
static void TYPED(joined_rectangle)(const TYPED(joined_call) *call,
                                    const TYPED(joined_unit) *unit, conv_segment r,
                                    conv_segment c) {
    const conv_plan *plan = &call->work->plan;
    ptrdiff_t outputs = call->work->joined.outputs, width = unit->vectors * outputs * LANES;
    ptrdiff_t row = plan->w * plan->c, across = c.tap_last - c.tap_first;
    TYPED(area) area = {
        .images = unit->image_last - unit->image, .rows = r.last - r.first,
        .cols = c.last - c.first, .x_image = plan->h * row, .x_row = plan->stride_h * row,
        .x_col = plan->stride_w * plan->c, .gy_image = unit->gy_image,
        .gy_row = plan->ow * unit->gy_pixel, .gy_col = unit->gy_pixel,
        .last_lanes = unit->last_lanes};
    const REAL *x = unit->x + (call->windows.rows.start + r.first * plan->stride_h) * row
                  + (call->windows.cols.start + c.first * plan->stride_w) * plan->c;
    const REAL *gy = unit->gy + ((r.first - unit->row_first) * plan->ow + c.first) * unit->gy_pixel;
    ptrdiff_t taps = (r.tap_last - r.tap_first) * across, tiles = ceil_div(taps, TILE_PIXELS);
    for (ptrdiff_t tile = 0, k = 0; tile < tiles; tile++) {
        const REAL *source[TILE_PIXELS];
        REAL *partial[TILE_PIXELS];
        ptrdiff_t first = k, end = (tile + 1) * taps / tiles;
        for (; k < end; k++) {
            ptrdiff_t tap = (r.tap_first + k / across) * plan->kw + c.tap_first + k % across;
            source[k - first] = x + call->windows.offsets[tap];
            partial[k - first] = unit->partial + tap * width;
        }
        TYPED(joined_weight_tiles)[outputs - 1][unit->vectors - 1][end - first - 1](
            &area, source, gy, partial);
    }
}

static void TYPED(joined_block)(const TYPED(joined_call) *call, TYPED(joined_unit) *unit,
                                ptrdiff_t block, REAL *partial, REAL *copy) {
    const conv_joined_pieces *work = call->work;
    const conv_joined *joined = &work->joined;
    const conv_plan *plan = &work->plan;
    ptrdiff_t first = conv_joined_block(joined, block) * LANES;
    unit->vectors = conv_joined_block(joined, block + 1) - first / LANES;
    ptrdiff_t used = ptrdiff_min(joined->channels - first, unit->vectors * LANES);
    unit->last_lanes = used - (unit->vectors - 1) * LANES;
    unit->x = call->x + unit->image * plan->h * plan->w * plan->c + first;
    unit->gy = call->gy + (unit->image * plan->oh + unit->row_first) * plan->ow * plan->o
             + first / joined->inputs * joined->outputs;
    unit->gy_pixel = plan->o, unit->gy_image = plan->oh * plan->ow * plan->o;
    unit->partial = partial + first * joined->outputs * plan->kh * plan->kw;
    if (work->copied) {
        ptrdiff_t pixels = (unit->row_last - unit->row_first) * plan->ow;
        const REAL *gy = unit->gy;
        unit->gy = copy, unit->gy_pixel = unit->vectors * joined->outputs * LANES;
        for (ptrdiff_t n = unit->image; n < unit->image_last; n++) {
            TYPED(joined_spread)(call, unit->vectors, used / joined->inputs * joined->outputs, gy,
                                 pixels, copy);
            gy += unit->gy_image, copy += pixels * unit->gy_pixel;
        }
        unit->gy_image = pixels * unit->gy_pixel;
    }
    for (ptrdiff_t i = 0; i < call->windows.row_count; i++) {
        conv_segment r = call->windows.row_segments[i];
        r.first = ptrdiff_max(r.first, unit->row_first);
        r.last = ptrdiff_min(r.last, unit->row_last);
        if (r.first >= r.last || r.tap_first == r.tap_last) continue;
        for (ptrdiff_t j = 0; j < call->windows.col_count; j++) {
            conv_segment c = call->windows.col_segments[j];
            if (c.tap_first < c.tap_last) TYPED(joined_rectangle)(call, unit, r, c);
        }
    }
}

static void TYPED(joined_bias)(const TYPED(joined_call) *call, const TYPED(joined_unit) *unit,
                               REAL *place) {
    const conv_plan *plan = &call->work->plan;
    ptrdiff_t pixels = (unit->row_last - unit->row_first) * plan->ow;
    for (ptrdiff_t n = unit->image; n < unit->image_last; n++)
        for (ptrdiff_t o = 0; o < plan->o; o += LANES) {
            const REAL *gy = call->gy + (n * plan->oh + unit->row_first) * plan->ow * plan->o + o;
            VECTOR sum = TYPED(sum_of_pixels)(gy, pixels, plan->o,
                                              ptrdiff_min(LANES, plan->o - o));
            TYPED(store)(place + o, TYPED(load)(place + o) + sum);
        }
}

static void TYPED(joined_piece)(const void *argument, ptrdiff_t piece, int worker) {
    const TYPED(joined_call) *call = argument;
    const conv_joined_pieces *work = call->work;
    REAL *copy = call->copies + worker * work->copied;
    REAL *partial = call->partials + piece * work->partial;
    memset(partial, 0, work->partial * sizeof(REAL));
    for (ptrdiff_t index = piece * work->units.count / work->pieces;
         index < (piece + 1) * work->units.count / work->pieces; index++) {
        TYPED(joined_unit) unit = {
            .image = index / work->units.per_image * work->units.images,
            .row_first = index % work->units.per_image * work->units.rows};
        unit.image_last = ptrdiff_min(unit.image + work->units.images, work->plan.n);
        unit.row_last = ptrdiff_min(unit.row_first + work->units.rows, work->plan.oh);
        for (ptrdiff_t block = 0; block < work->joined.blocks; block++)
            TYPED(joined_block)(call, &unit, block, partial, copy);
        if (call->gbias) TYPED(joined_bias)(call, &unit, partial + work->bias);
    }
}

/* The pieces' sums of the vector at `from`, in order, to values. */
static void TYPED(joined_sum)(const TYPED(joined_call) *call, ptrdiff_t from, REAL *values) {
    VECTOR sum = TYPED(load)(call->partials + from);
    for (ptrdiff_t piece = 1; piece < call->work->pieces; piece++)
        sum += TYPED(load)(call->partials + piece * call->work->partial + from);
    TYPED(store)(values, sum);
}

static void TYPED(joined_reduce_bias)(const TYPED(joined_call) *call) {
    const conv_plan *plan = &call->work->plan;
    for (ptrdiff_t o = 0; o < plan->o; o += LANES) {
        REAL values[LANES];
        TYPED(joined_sum)(call, call->work->bias + o, values);
        memcpy(call->gbias + o, values, ptrdiff_min(LANES, plan->o - o) * sizeof(REAL));
    }
}

/* One block, to gw (O, C/groups, KH, KW); with the first, the bias. */
static void TYPED(joined_reduce)(const void *argument, ptrdiff_t block, int worker) {
    const TYPED(joined_call) *call = argument;
    const conv_joined *joined = &call->work->joined;
    ptrdiff_t taps = call->work->plan.kh * call->work->plan.kw;
    ptrdiff_t first = conv_joined_block(joined, block) * LANES;
    ptrdiff_t last = conv_joined_block(joined, block + 1) * LANES;
    ptrdiff_t from = first * joined->outputs * taps;
    (void)worker;
    if (call->gbias && block == 0) TYPED(joined_reduce_bias)(call);
    for (ptrdiff_t tap = 0; tap < taps; tap++)
        for (ptrdiff_t o = 0; o < joined->outputs; o++)
            for (ptrdiff_t base = first; base < last; base += LANES, from += LANES) {
                REAL values[LANES];
                TYPED(joined_sum)(call, from, values);
                for (ptrdiff_t c = base; c < ptrdiff_min(base + LANES, joined->channels); c++) {
                    ptrdiff_t filter = c / joined->inputs * joined->outputs + o;
                    call->gw[(filter * joined->inputs + c % joined->inputs) * taps + tap] =
                        values[c - base];
                }
            }
}

/* Returns 0 where groups run one by one. */
static int TYPED(joined_weight_gradient)(const conv_plan *plan, const REAL *x, const REAL *gy,
                                         REAL *gw, REAL *gbias, void *memory, int threads) {
    conv_joined_pieces work;
    if (!conv_joined_pieces_of(plan, LANES, TILE_VECTORS, sizeof(REAL), &work)) return 0;
    char *scratch = memory;
    TYPED(joined_call) call = {
        .work = &work, .x = x, .gy = gy, .gw = gw, .gbias = gbias,
        .windows = conv_windows_of(plan, plan->c, 1, &scratch)};
    TYPED(joined_lanes)(&call);
    call.partials = conv_take(&scratch, work.pieces * work.partial * sizeof(REAL));
    call.copies = conv_take(&scratch, 0);
    team_run(TYPED(joined_piece), &call, work.pieces, threads);
    team_run(TYPED(joined_reduce), &call, work.joined.blocks, threads);
    return 1;
}

static size_t TYPED(joined_weight_scratch)(const conv_plan *plan, int threads) {
    conv_joined_pieces work;
    if (!conv_joined_pieces_of(plan, LANES, TILE_VECTORS, sizeof(REAL), &work)) return 0;
    return (work.pieces * work.partial + threads * work.copied) * sizeof(REAL)
         + conv_windows_bytes(plan, 1) + 64;
}
