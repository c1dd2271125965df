/* The weight gradient: tasks of (piece of pixels, group, block of output channels, taps). */
typedef struct {
    const conv_weight_plan *work;
    conv_axis rows, cols;
    const conv_segment *row_segments, *col_segments;
    ptrdiff_t row_count, col_count;
    const ptrdiff_t *offsets; /* of each term from a window's first input */
    const REAL *x, *gy;
    REAL *partials, *gw, *gbias;
} TYPED(weight_call);

typedef struct {
    ptrdiff_t image_first, image_last, row_first, row_last; /* the unit */
    ptrdiff_t group, first_vector, vectors, tap_first, tap_last;
    REAL *partial, *bias;
    ptrdiff_t last_lanes;
} TYPED(weight_part);

/* Terms [first, last), at most a tile of them, over the outputs of two segments. */
static void TYPED(weight_terms)(const TYPED(weight_call) *call, const TYPED(weight_part) *part,
                                const TYPED(area) *area, const REAL *x, const REAL *gy,
                                ptrdiff_t first, ptrdiff_t last) {
    ptrdiff_t width = part->vectors * LANES;
    const REAL *sources[TILE_PIXELS];
    REAL *partials[TILE_PIXELS];
    for (ptrdiff_t k = first; k < last; k++) {
        sources[k - first] = x + call->offsets[k];
        partials[k - first] = part->partial + k * width;
    }
    TYPED(weight_tiles)[call->work->depthwise][part->vectors - 1][last - first - 1](area, sources, gy, partials);
}

/* Taps [tap_first, tap_last) over a rectangle of outputs where all are inside. */
static void TYPED(weight_taps)(const TYPED(weight_call) *call, const TYPED(weight_part) *part,
                               conv_segment r, conv_segment c, ptrdiff_t tap_first,
                               ptrdiff_t tap_last) {
    const conv_weight_plan *work = call->work;
    const conv_plan *plan = &work->plan;
    ptrdiff_t row = plan->w * plan->c;
    ptrdiff_t first = tap_first * work->in_group, count = tap_last * work->in_group - first;
    ptrdiff_t tiles = ceil_div(count, TILE_PIXELS), size = count / tiles, longer = count % tiles;
    TYPED(area) area = {
        .images = part->image_last - part->image_first, .rows = r.last - r.first,
        .cols = c.last - c.first, .x_image = plan->h * row, .x_row = plan->stride_h * row,
        .x_col = plan->stride_w * plan->c, .gy_image = plan->oh * plan->ow * plan->o,
        .gy_row = plan->ow * plan->o, .gy_col = plan->o, .last_lanes = part->last_lanes};
    const REAL *gy = call->gy + part->image_first * area.gy_image + r.first * area.gy_row
                   + c.first * area.gy_col + part->group * work->out_group
                   + part->first_vector * LANES;
    const REAL *x = call->x + part->image_first * area.x_image
                  + (work->depthwise ? part->first_vector * LANES : part->group * work->in_group)
                  + (call->rows.start + r.first * plan->stride_h) * row
                  + (call->cols.start + c.first * plan->stride_w) * plan->c;
    for (ptrdiff_t tile = 0, k = first; tile < tiles; tile++) {
        ptrdiff_t next = k + size + (tile < longer);
        TYPED(weight_terms)(call, part, &area, x, gy, k, next);
        k = next;
    }
}

static conv_segment TYPED(rows_of_unit)(const TYPED(weight_part) *part, conv_segment rows) {
    rows.first = ptrdiff_max(rows.first, part->row_first);
    rows.last = ptrdiff_min(rows.last, part->row_last);
    return rows;
}

static void TYPED(weight_by_tap)(const TYPED(weight_call) *call, const TYPED(weight_part) *part) {
    for (ptrdiff_t tap = part->tap_first; tap < part->tap_last; tap++) {
        conv_segment r = {0}, c = {0};
        conv_reach_of_tap(&call->rows, tap / call->work->plan.kw, &r.first, &r.last);
        conv_reach_of_tap(&call->cols, tap % call->work->plan.kw, &c.first, &c.last);
        r = TYPED(rows_of_unit)(part, r);
        if (r.first < r.last && c.first < c.last)
            TYPED(weight_taps)(call, part, r, c, tap, tap + 1);
    }
}

static void TYPED(weight_by_rectangle)(const TYPED(weight_call) *call,
                                       const TYPED(weight_part) *part) {
    ptrdiff_t kw = call->work->plan.kw;
    for (ptrdiff_t i = 0; i < call->row_count; i++) {
        conv_segment r = TYPED(rows_of_unit)(part, call->row_segments[i]);
        if (r.first >= r.last || r.tap_first == r.tap_last) continue;
        for (ptrdiff_t j = 0; j < call->col_count; j++) {
            conv_segment c = call->col_segments[j];
            if (c.tap_first == c.tap_last) continue;
            if (c.tap_last - c.tap_first == kw)
                TYPED(weight_taps)(call, part, r, c, r.tap_first * kw, r.tap_last * kw);
            else
                for (ptrdiff_t t = r.tap_first; t < r.tap_last; t++)
                    TYPED(weight_taps)(call, part, r, c, t * kw + c.tap_first,
                                       t * kw + c.tap_last);
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

static void TYPED(bias_of_unit)(const TYPED(weight_call) *call, const TYPED(weight_part) *part) {
    const conv_plan *plan = &call->work->plan;
    ptrdiff_t pixels = (part->row_last - part->row_first) * plan->ow;
    for (ptrdiff_t n = part->image_first; n < part->image_last; n++)
        for (ptrdiff_t v = 0; v < part->vectors; v++) {
            const REAL *gy = call->gy + (n * plan->oh + part->row_first) * plan->ow * plan->o
                           + part->group * call->work->out_group
                           + (part->first_vector + v) * LANES;
            REAL *place = part->bias + v * LANES;
            VECTOR sum = v + 1 < part->vectors || part->last_lanes == LANES
                ? TYPED(sum_of_pixels)(gy, pixels, plan->o, LANES)
                : TYPED(sum_of_pixels)(gy, pixels, plan->o, part->last_lanes);
            TYPED(store)(place, TYPED(load)(place) + sum);
        }
}

static void TYPED(weight_unit)(const TYPED(weight_call) *call, TYPED(weight_part) *part,
                               ptrdiff_t unit) {
    const conv_weight_plan *work = call->work;
    part->image_first = unit / work->row_units * work->unit_images;
    part->image_last = ptrdiff_min(part->image_first + work->unit_images, work->plan.n);
    part->row_first = unit % work->row_units * work->unit_rows;
    part->row_last = ptrdiff_min(part->row_first + work->unit_rows, work->plan.oh);
    if (call->gbias && part->tap_first == 0) TYPED(bias_of_unit)(call, part);
    if (work->by_tap)
        TYPED(weight_by_tap)(call, part);
    else
        TYPED(weight_by_rectangle)(call, part);
}

static void TYPED(weight_task)(const TYPED(weight_call) *call, ptrdiff_t task) {
    const conv_weight_plan *work = call->work;
    ptrdiff_t taps = work->plan.kh * work->plan.kw, tap_part = task % work->tap_parts;
    task /= work->tap_parts;
    ptrdiff_t block = task % work->blocks;
    task /= work->blocks;
    ptrdiff_t group = task % work->plan.groups, piece = task / work->plan.groups;
    ptrdiff_t first = conv_weight_block(work, block), last = conv_weight_block(work, block + 1);
    TYPED(weight_part) part = {
        .group = group, .first_vector = first, .vectors = last - first,
        .tap_first = tap_part * taps / work->tap_parts,
        .tap_last = (tap_part + 1) * taps / work->tap_parts,
        .last_lanes = ptrdiff_min(LANES, work->out_group - (last - 1) * LANES)};
    ptrdiff_t place = group * work->vectors + first, width = part.vectors * LANES;
    part.partial = call->partials + piece * work->partial + place * LANES * work->terms;
    part.bias = call->partials + piece * work->partial + place * LANES
              + work->plan.groups * work->vectors * LANES * work->terms;
    memset(part.partial + part.tap_first * work->in_group * width, 0,
           (part.tap_last - part.tap_first) * work->in_group * width * sizeof(REAL));
    if (tap_part == 0) memset(part.bias, 0, width * sizeof(REAL));
    for (ptrdiff_t unit = piece * work->units / work->pieces;
         unit < (piece + 1) * work->units / work->pieces; unit++)
        TYPED(weight_unit)(call, &part, unit);
}

static void TYPED(add_pieces)(const TYPED(weight_call) *call, const REAL *from, REAL *to,
                              ptrdiff_t lanes, ptrdiff_t stride) {
    VECTOR sum = TYPED(load)(from);
    REAL values[LANES];
    for (ptrdiff_t piece = 1; piece < call->work->pieces; piece++)
        sum += TYPED(load)(from + piece * call->work->partial);
    TYPED(store)(values, sum);
    for (ptrdiff_t lane = 0; lane < lanes; lane++) to[lane * stride] = values[lane];
}

/* One vector of output channels: the pieces' sum, in order, to gw (O, C/groups, KH, KW). */
static void TYPED(weight_reduce)(const TYPED(weight_call) *call, ptrdiff_t group,
                                 ptrdiff_t vector) {
    const conv_weight_plan *work = call->work;
    ptrdiff_t taps = work->plan.kh * work->plan.kw, block = 0;
    while (conv_weight_block(work, block + 1) <= vector) block++;
    ptrdiff_t first = conv_weight_block(work, block);
    ptrdiff_t width = (conv_weight_block(work, block + 1) - first) * LANES;
    ptrdiff_t lanes = ptrdiff_min(LANES, work->out_group - vector * LANES);
    ptrdiff_t channel = group * work->out_group + vector * LANES;
    const REAL *from = call->partials + (group * work->vectors + first) * LANES * work->terms
                     + (vector - first) * LANES;
    for (ptrdiff_t c = 0; c < work->in_group; c++)
        for (ptrdiff_t tap = 0; tap < taps; tap++)
            TYPED(add_pieces)(call, from + (tap * work->in_group + c) * width,
                              call->gw + (channel * work->in_group + c) * taps + tap, lanes,
                              work->terms);
    if (call->gbias)
        TYPED(add_pieces)(call, call->partials
                          + work->plan.groups * work->vectors * LANES * work->terms
                          + (group * work->vectors + vector) * LANES,
                          call->gbias + channel, lanes, 1);
}

static void TYPED(weight_gradient)(const conv_plan *plan, const void *x, const void *gy, void *gw,
                                   void *gbias, void *memory, int threads) {
    char *scratch = memory;
    conv_weight_plan work = conv_weight_plan_of(plan, LANES, TILE_VECTORS, sizeof(REAL));
    TYPED(weight_call) call = {
        .work = &work, .x = x, .gy = gy, .gw = gw, .gbias = gbias,
        .rows = conv_forward_axis(plan->h, plan->oh, plan->kh, plan->stride_h, plan->pad_h,
                                  plan->dilation_h),
        .cols = conv_forward_axis(plan->w, plan->ow, plan->kw, plan->stride_w, plan->pad_w,
                                  plan->dilation_w)};
    conv_segment *rows = conv_take(&scratch, plan->oh * sizeof(conv_segment));
    conv_segment *cols = conv_take(&scratch, plan->ow * sizeof(conv_segment));
    call.row_segments = rows, call.row_count = conv_segments(&call.rows, rows);
    call.col_segments = cols, call.col_count = conv_segments(&call.cols, cols);
    ptrdiff_t *offsets = conv_take(&scratch, work.terms * sizeof(ptrdiff_t));
    conv_fill_offsets(&call.rows, &call.cols, plan->w, plan->c, work.in_group, offsets);
    call.offsets = offsets;
    call.partials = conv_take(&scratch, 0);
    ptrdiff_t groups = work.plan.groups;
    ptrdiff_t tasks = work.pieces * groups * work.blocks * work.tap_parts;
#pragma omp parallel num_threads(threads)
    {
        uint64_t saved = denormals_flush();
#pragma omp for schedule(dynamic)
        for (ptrdiff_t task = 0; task < tasks; task++) TYPED(weight_task)(&call, task);
#pragma omp for schedule(dynamic)
        for (ptrdiff_t vector = 0; vector < groups * work.vectors; vector++)
            TYPED(weight_reduce)(&call, vector / work.vectors, vector % work.vectors);
        denormals_restore(saved);
    }
}

static size_t TYPED(weight_gradient_scratch)(const conv_plan *plan) {
    conv_weight_plan work = conv_weight_plan_of(plan, LANES, TILE_VECTORS, sizeof(REAL));
    return conv_weight_bytes(&work, sizeof(REAL));
}
