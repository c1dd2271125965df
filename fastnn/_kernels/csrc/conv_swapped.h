/* The weight gradient for fewer output channels than input channels.
 *
 * The micro-kernel of conv_weight_tile.h with exchanged roles: the vectors hold input channels, and
 * its terms are the output channels of a pixel. Tasks are pieces of the pixels, each with sums of
 * its own: partial[tap][o][c], and the bias's behind them.
 */
typedef struct {
    const conv_swapped *work;
    conv_axis rows, cols;
    const REAL *x, *gy;
    REAL *partials, *gw, *gbias;
} TYPED(swapped_call);

static void TYPED(swapped_tap)(const TYPED(swapped_call) *call, ptrdiff_t image, ptrdiff_t tap,
                               conv_segment r, conv_segment c, REAL *partial) {
    const conv_plan *plan = &call->work->plan;
    ptrdiff_t row = plan->w * plan->c, width = call->work->vectors * LANES;
    TYPED(area) area = {
        .images = 1, .rows = r.last - r.first, .cols = c.last - c.first,
        .x_row = plan->ow * plan->o, .x_col = plan->o, .gy_row = plan->stride_h * row,
        .gy_col = plan->stride_w * plan->c};
    const REAL *x = call->x + image * plan->h * row
                  + (call->rows.start + r.first * plan->stride_h
                     + tap / plan->kw * plan->dilation_h) * row
                  + (call->cols.start + c.first * plan->stride_w
                     + tap % plan->kw * plan->dilation_w) * plan->c;
    const REAL *gy = call->gy + ((image * plan->oh + r.first) * plan->ow + c.first) * plan->o;
    ptrdiff_t tiles = ceil_div(plan->o, TILE_PIXELS);
    for (ptrdiff_t block = 0; block < call->work->blocks; block++) {
        ptrdiff_t first = block * call->work->vectors / call->work->blocks;
        ptrdiff_t last = (block + 1) * call->work->vectors / call->work->blocks;
        area.last_lanes = ptrdiff_min(LANES, plan->c - (last - 1) * LANES);
        for (ptrdiff_t tile = 0; tile < tiles; tile++) {
            ptrdiff_t o = tile * plan->o / tiles, count = (tile + 1) * plan->o / tiles - o;
            const REAL *terms[TILE_PIXELS] = {gy + o};
            REAL *sums[TILE_PIXELS];
            for (ptrdiff_t t = 0; t < count; t++)
                sums[t] = partial + (tap * plan->o + o + t) * width + first * LANES;
            TYPED(weight_tiles)[1][last - first - 1][count - 1](&area, terms, x + first * LANES,
                                                                sums);
        }
    }
}

/* Sum of one vector of channels over pixels, in four interleaved sums. */
static inline __attribute__((always_inline)) VECTOR TYPED(sum_of_pixels)(
    const REAL *gy, ptrdiff_t pixels, ptrdiff_t step, ptrdiff_t lanes) {
    VECTOR sum[4] = {{0}};
    ptrdiff_t p = 0;
    for (; p + 4 <= pixels; p += 4)
        UNROLL for (int i = 0; i < 4; i++) sum[i] += TYPED(load_some)(gy + (p + i) * step, lanes);
    for (; p < pixels; p++) sum[0] += TYPED(load_some)(gy + p * step, lanes);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void TYPED(swapped_bias)(const TYPED(swapped_call) *call, ptrdiff_t image, ptrdiff_t first,
                                ptrdiff_t last, REAL *partial) {
    const conv_plan *plan = &call->work->plan;
    const REAL *gy = call->gy + (image * plan->oh + first) * plan->ow * plan->o;
    REAL *place = partial + call->work->terms * call->work->vectors * LANES;
    for (ptrdiff_t o = 0; o < plan->o; o += LANES) {
        VECTOR sum = TYPED(sum_of_pixels)(gy + o, (last - first) * plan->ow, plan->o,
                                          ptrdiff_min(LANES, plan->o - o));
        TYPED(store)(place + o, TYPED(load)(place + o) + sum);
    }
}

static void TYPED(swapped_piece)(const void *argument, ptrdiff_t piece, int worker) {
    const TYPED(swapped_call) *call = argument;
    const conv_swapped *work = call->work;
    (void)worker;
    const conv_plan *plan = &work->plan;
    REAL *partial = call->partials + piece * work->partial;
    memset(partial, 0, work->partial * sizeof(REAL));
    for (ptrdiff_t unit = piece * work->units / work->pieces;
         unit < (piece + 1) * work->units / work->pieces; unit++) {
        ptrdiff_t image = unit / work->row_units, top = unit % work->row_units * work->unit_rows;
        ptrdiff_t bottom = ptrdiff_min(top + work->unit_rows, plan->oh);
        for (ptrdiff_t tap = 0; tap < plan->kh * plan->kw; tap++) {
            conv_segment r = {0}, c = {0};
            conv_reach_of_tap(&call->rows, tap / plan->kw, &r.first, &r.last);
            conv_reach_of_tap(&call->cols, tap % plan->kw, &c.first, &c.last);
            r.first = ptrdiff_max(r.first, top);
            r.last = ptrdiff_min(r.last, bottom);
            if (r.first < r.last && c.first < c.last)
                TYPED(swapped_tap)(call, image, tap, r, c, partial);
        }
        if (call->gbias) TYPED(swapped_bias)(call, image, top, bottom, partial);
    }
}

/* The pieces' sums, in order, of one vector at `from` to `lanes` places of `to`. */
static void TYPED(swapped_sum)(const TYPED(swapped_call) *call, ptrdiff_t from, REAL *to,
                               ptrdiff_t lanes, ptrdiff_t stride) {
    REAL values[LANES];
    VECTOR sum = TYPED(load)(call->partials + from);
    for (ptrdiff_t piece = 1; piece < call->work->pieces; piece++)
        sum += TYPED(load)(call->partials + piece * call->work->partial + from);
    TYPED(store)(values, sum);
    for (ptrdiff_t lane = 0; lane < lanes; lane++) to[lane * stride] = values[lane];
}

/* All taps of one output channel, to gw (O, C, KH, KW). */
static void TYPED(swapped_reduce)(const void *argument, ptrdiff_t o, int worker) {
    const TYPED(swapped_call) *call = argument;
    const conv_swapped *work = call->work;
    (void)worker;
    const conv_plan *plan = &work->plan;
    ptrdiff_t taps = plan->kh * plan->kw, width = work->vectors * LANES;
    for (ptrdiff_t c = 0; c < plan->c; c += LANES)
        for (ptrdiff_t tap = 0; tap < taps; tap++)
            TYPED(swapped_sum)(call, (tap * plan->o + o) * width + c,
                               call->gw + (o * plan->c + c) * taps + tap,
                               ptrdiff_min(LANES, plan->c - c), taps);
    if (call->gbias && o % LANES == 0)
        TYPED(swapped_sum)(call, work->terms * width + o, call->gbias + o,
                           ptrdiff_min(LANES, plan->o - o), 1);
}

/* Returns 0 where the vectors are to hold output channels. */
static int TYPED(swapped_weight_gradient)(const conv_plan *plan, const REAL *x, const REAL *gy,
                                          REAL *gw, REAL *gbias, void *memory, int threads) {
    conv_swapped work;
    if (!conv_swapped_of(plan, LANES, TILE_VECTORS, sizeof(REAL), &work)) return 0;
    char *scratch = memory;
    TYPED(swapped_call) call = {
        .work = &work, .x = x, .gy = gy, .gw = gw, .gbias = gbias,
        .partials = conv_take(&scratch, 0),
        .rows = conv_rows(plan), .cols = conv_cols(plan)};
    team_run(TYPED(swapped_piece), &call, work.pieces, threads);
    team_run(TYPED(swapped_reduce), &call, plan->o, threads);
    return 1;
}

static size_t TYPED(swapped_scratch)(const conv_plan *plan) {
    conv_swapped work;
    if (!conv_swapped_of(plan, LANES, TILE_VECTORS, sizeof(REAL), &work)) return 0;
    return work.pieces * work.partial * sizeof(REAL) + 1024;
}
