/* The weight gradient: tasks of (piece of pixels, group, block of output channels, taps). */
typedef struct {
    const conv_weight_plan *work;
    conv_windows windows;
    const REAL *x, *gy;
    REAL *partials, *gw, *gbias;
    REAL *copies; /* of each worker */
} TYPED(weight_call);

typedef struct {
    ptrdiff_t image_first, image_last, row_first, row_last; /* the unit */
    ptrdiff_t group, first_vector, vectors, tap_first, tap_last;
    REAL *partials, *partial, *folded, *bias; /* the piece's sums; of them the group's */
    ptrdiff_t last_lanes;
    const REAL *x, *gy; /* the first pixels of the unit's first image, at the group's channels */
} TYPED(weight_part);

static TYPED(area) TYPED(area_of)(const TYPED(weight_call) *call, const TYPED(weight_part) *part,
                                  conv_segment r, conv_segment c) {
    const conv_weight_plan *work = call->work;
    const conv_plan *plan = &work->plan;
    return (TYPED(area)){
        .images = part->image_last - part->image_first, .rows = r.last - r.first,
        .cols = c.last - c.first, .x_image = work->x_image,
        .x_row = plan->stride_h * plan->w * work->x_pixel, .x_col = plan->stride_w * work->x_pixel,
        .gy_image = work->gy_image, .gy_row = plan->ow * work->gy_pixel,
        .gy_col = work->gy_pixel, .last_lanes = part->last_lanes};
}

/* A tile of `fold` neighbouring terms each. A run whose length is no multiple of fold ends with a
 * group that overlaps the one before: its first `skip` terms are counted there already. */
typedef struct {
    ptrdiff_t count, skip[TILE_PIXELS];
    const REAL *x[TILE_PIXELS];
    REAL *partial[TILE_PIXELS];
} TYPED(term_tile);

static void TYPED(folded_tile)(const TYPED(weight_call) *call, const TYPED(area) *area,
                               const REAL *gy, const TYPED(term_tile) *tile) {
    ptrdiff_t fold = call->work->fold;
    REAL spare[TILE_PIXELS][LANES], *partial[TILE_PIXELS];
    for (ptrdiff_t t = 0; t < tile->count; t++) {
        partial[t] = tile->skip[t] ? spare[t] : tile->partial[t];
        if (tile->skip[t]) memset(spare[t], 0, sizeof spare[t]);
    }
    TYPED(folded_weight_tiles)[fold / 4][tile->count - 1](area, tile->x, gy, partial);
    for (ptrdiff_t t = 0; t < tile->count; t++)
        for (ptrdiff_t lane = 0; tile->skip[t] && lane < LANES; lane++)
            if (lane % fold >= tile->skip[t]) tile->partial[t][lane] += spare[t][lane];
}

/* The terms [first, last) of the kernel rows [top, bottom), over a rectangle of outputs where all
 * of them are inside. */
static void TYPED(weight_terms)(const TYPED(weight_call) *call, const TYPED(weight_part) *part,
                                conv_segment r, conv_segment c, ptrdiff_t top, ptrdiff_t bottom,
                                ptrdiff_t first, ptrdiff_t last) {
    const conv_weight_plan *work = call->work;
    const conv_plan *plan = &work->plan;
    const TYPED(area) area = TYPED(area_of)(call, part, r, c);
    ptrdiff_t fold = last - first < work->fold ? 1 : work->fold, row = plan->w * work->x_pixel;
    ptrdiff_t width = part->vectors * LANES, terms = plan->kw * work->in_group;
    REAL *partial = fold > 1 ? part->folded : part->partial;
    const REAL *gy = part->gy + r.first * area.gy_row + c.first * area.gy_col
                   + part->first_vector * LANES;
    const REAL *x = part->x + (call->windows.rows.start + r.first * plan->stride_h) * row
                  + (call->windows.cols.start + c.first * plan->stride_w) * work->x_pixel;
    ptrdiff_t left = (bottom - top) * ceil_div(last - first, fold), k = first;
    for (ptrdiff_t tiles = ceil_div(left, TILE_PIXELS); tiles > 0; tiles--) {
        TYPED(term_tile) tile = {.count = ceil_div(left, tiles)};
        left -= tile.count;
        for (ptrdiff_t t = 0; t < tile.count; t++) {
            ptrdiff_t begin = ptrdiff_min(k, last - fold), term = top * terms + begin;
            tile.skip[t] = k - begin;
            tile.x[t] = x + call->windows.offsets[term];
            tile.partial[t] = partial + term * width;
            k += fold;
            if (k < last) continue;
            k = first;
            top++;
        }
        if (fold > 1)
            TYPED(folded_tile)(call, &area, gy, &tile);
        else
            TYPED(weight_tiles)[work->by_tap][part->vectors - 1]
                               [tile.count - 1](&area, tile.x, gy, tile.partial);
    }
}

static conv_segment TYPED(rows_of_unit)(const TYPED(weight_part) *part, conv_segment rows) {
    rows.first = ptrdiff_max(rows.first, part->row_first);
    rows.last = ptrdiff_min(rows.last, part->row_last);
    return rows;
}

static void TYPED(weight_by_tap)(const TYPED(weight_call) *call, const TYPED(weight_part) *part) {
    ptrdiff_t kw = call->work->plan.kw, channels = call->work->in_group;
    for (ptrdiff_t tap = part->tap_first; tap < part->tap_last; tap++) {
        conv_segment r = {0}, c = {0};
        conv_reach_of_tap(&call->windows.rows, tap / kw, &r.first, &r.last);
        conv_reach_of_tap(&call->windows.cols, tap % kw, &c.first, &c.last);
        r = TYPED(rows_of_unit)(part, r);
        if (r.first < r.last && c.first < c.last)
            TYPED(weight_terms)(call, part, r, c, tap / kw, tap / kw + 1, tap % kw * channels,
                                (tap % kw + 1) * channels);
    }
}

static void TYPED(weight_by_rectangle)(const TYPED(weight_call) *call,
                                       const TYPED(weight_part) *part) {
    ptrdiff_t channels = call->work->in_group;
    for (ptrdiff_t i = 0; i < call->windows.row_count; i++) {
        conv_segment r = TYPED(rows_of_unit)(part, call->windows.row_segments[i]);
        if (r.first >= r.last || r.tap_first == r.tap_last) continue;
        for (ptrdiff_t j = 0; j < call->windows.col_count; j++) {
            conv_segment c = call->windows.col_segments[j];
            if (c.tap_first == c.tap_last) continue;
            TYPED(weight_terms)(call, part, r, c, r.tap_first, r.tap_last,
                                c.tap_first * channels, c.tap_last * channels);
        }
    }
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

/* The values of every group from `pixels` pixels, side by side; groups `apart` from each other. */
static inline __attribute__((always_inline)) void TYPED(copy_values)(
    const REAL *from, ptrdiff_t pixels, ptrdiff_t groups, const ptrdiff_t values, REAL *to,
    ptrdiff_t apart) {
    for (ptrdiff_t i = 0; i < pixels; i++, to += values)
        for (ptrdiff_t group = 0; group < groups; group++, from += values)
            memcpy(to + group * apart, from, values * sizeof(REAL));
}

/* Copies of a known size are single instructions. */
static void TYPED(copy_groups)(const REAL *from, ptrdiff_t pixels, ptrdiff_t groups,
                               ptrdiff_t values, REAL *to, ptrdiff_t apart) {
    switch (values) {
    case 1: return TYPED(copy_values)(from, pixels, groups, 1, to, apart);
    case 2: return TYPED(copy_values)(from, pixels, groups, 2, to, apart);
    case 4: return TYPED(copy_values)(from, pixels, groups, 4, to, apart);
    case 8: return TYPED(copy_values)(from, pixels, groups, 8, to, apart);
    case 16: return TYPED(copy_values)(from, pixels, groups, 16, to, apart);
    default: return TYPED(copy_values)(from, pixels, groups, values, to, apart);
    }
}

/* The unit's images where the tiles find them. Those of groups are copied: the pixels of one group
 * lie apart, in few sets of the first cache, which would hold none of them until the next tap. */
static void TYPED(place_unit)(const TYPED(weight_call) *call, TYPED(weight_part) *part,
                              REAL *copy) {
    const conv_weight_plan *work = call->work;
    const conv_plan *plan = &work->plan;
    part->x = call->x + part->image_first * work->x_image;
    part->gy = call->gy + part->image_first * work->gy_image;
    if (plan->groups == 1) return;
    ptrdiff_t rows = part->row_last - part->row_first;
    ptrdiff_t start = call->windows.rows.start + part->row_first * plan->stride_h;
    ptrdiff_t end = start + (rows - 1) * plan->stride_h + (plan->kh - 1) * plan->dilation_h + 1;
    start = ptrdiff_min(ptrdiff_max(start, 0), plan->h), end = ptrdiff_min(end, plan->h);
    REAL *x = copy, *gy = x + work->units.images * work->x_image;
    part->x = x - start * plan->w * work->in_group;
    part->gy = gy - part->row_first * plan->ow * work->out_group;
    for (ptrdiff_t n = part->image_first; n < part->image_last; n++) {
        TYPED(copy_groups)(call->x + (n * plan->h + start) * plan->w * plan->c,
                           (end - start) * plan->w, plan->groups, work->in_group, x,
                           work->unit_values);
        TYPED(copy_groups)(call->gy + (n * plan->oh + part->row_first) * plan->ow * plan->o,
                           rows * plan->ow, plan->groups, work->out_group, gy, work->unit_values);
        x += work->x_image, gy += work->gy_image;
    }
}

/* The group's sums, in those of the piece. */
static void TYPED(enter_group)(const conv_weight_plan *work, TYPED(weight_part) *part,
                               ptrdiff_t group) {
    ptrdiff_t place = (group * work->vectors + part->first_vector) * LANES;
    ptrdiff_t lanes = work->plan.groups * work->vectors * LANES;
    part->group = group;
    part->partial = part->partials + place * work->terms;
    part->folded = part->partials + lanes * work->terms + place * work->folded_terms;
    part->bias = part->partials + lanes * (work->terms + work->folded_terms) + place;
}

static void TYPED(clear_sums)(const conv_weight_plan *work, const TYPED(weight_part) *part) {
    ptrdiff_t width = part->vectors * LANES, first = part->tap_first * work->in_group * width;
    size_t bytes = (part->tap_last - part->tap_first) * work->in_group * width * sizeof(REAL);
    memset(part->partial + first, 0, bytes);
    if (work->fold > 1) memset(part->folded + first, 0, bytes);
    if (part->tap_first == 0) memset(part->bias, 0, width * sizeof(REAL));
}

static void TYPED(weight_unit)(const TYPED(weight_call) *call, TYPED(weight_part) *part,
                               ptrdiff_t unit, REAL *copy) {
    const conv_weight_plan *work = call->work;
    part->image_first = unit / work->units.per_image * work->units.images;
    part->image_last = ptrdiff_min(part->image_first + work->units.images, work->plan.n);
    part->row_first = unit % work->units.per_image * work->units.rows;
    part->row_last = ptrdiff_min(part->row_first + work->units.rows, work->plan.oh);
    TYPED(place_unit)(call, part, copy);
    for (ptrdiff_t group = 0; group < work->plan.groups; group++) {
        TYPED(enter_group)(work, part, group);
        if (call->gbias && part->tap_first == 0) TYPED(bias_of_unit)(call, part);
        if (work->by_tap)
            TYPED(weight_by_tap)(call, part);
        else
            TYPED(weight_by_rectangle)(call, part);
        part->x += work->unit_values, part->gy += work->unit_values;
    }
}

static void TYPED(weight_task)(const void *argument, ptrdiff_t task, int worker) {
    const TYPED(weight_call) *call = argument;
    const conv_weight_plan *work = call->work;
    REAL *copy = call->copies + worker * work->plan.groups * work->unit_values;
    ptrdiff_t taps = work->plan.kh * work->plan.kw, tap_part = task % work->tap_parts;
    task /= work->tap_parts;
    ptrdiff_t block = task % work->blocks, piece = task / work->blocks;
    ptrdiff_t first = conv_weight_block(work, block), last = conv_weight_block(work, block + 1);
    TYPED(weight_part) part = {
        .first_vector = first, .vectors = last - first,
        .tap_first = tap_part * taps / work->tap_parts,
        .tap_last = (tap_part + 1) * taps / work->tap_parts,
        .partials = call->partials + piece * work->partial,
        .last_lanes = ptrdiff_min(LANES, work->out_group - (last - 1) * LANES)};
    for (ptrdiff_t group = 0; group < work->plan.groups; group++) {
        TYPED(enter_group)(work, &part, group);
        TYPED(clear_sums)(work, &part);
    }
    for (ptrdiff_t unit = piece * work->units.count / work->pieces;
         unit < (piece + 1) * work->units.count / work->pieces; unit++)
        TYPED(weight_unit)(call, &part, unit, copy);
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

/* Adds to gw the sums that share vectors: term k is the r-th of the group that begins at k - r. */
static void TYPED(add_folded)(const TYPED(weight_call) *call, ptrdiff_t group) {
    const conv_weight_plan *work = call->work;
    ptrdiff_t row = work->plan.kw * work->in_group, taps = work->plan.kh * work->plan.kw;
    REAL *folded = call->partials + work->plan.groups * LANES * work->terms
                 + group * LANES * work->folded_terms;
    for (ptrdiff_t term = 0; term < work->terms; term++) {
        const REAL *last = folded + (term - term % row) * LANES;
        TYPED(add_pieces)(call, folded + term * LANES, folded + term * LANES, LANES, 1);
        for (ptrdiff_t o = 0; o < work->out_group; o++) {
            ptrdiff_t filter = (group * work->out_group + o) * work->in_group;
            const REAL *place = folded + term * LANES + o * work->fold;
            REAL sum = *place;
            for (ptrdiff_t r = 1; r < work->fold && place - r * LANES >= last; r++)
                sum += place[r - r * LANES];
            call->gw[(filter + term % work->in_group) * taps + term / work->in_group] += sum;
        }
    }
}

/* One vector of output channels: the pieces' sum, in order, to gw (O, C/groups, KH, KW). */
static void TYPED(weight_reduce)(const void *argument, ptrdiff_t index, int worker) {
    const TYPED(weight_call) *call = argument;
    const conv_weight_plan *work = call->work;
    ptrdiff_t group = index / work->vectors, vector = index % work->vectors;
    (void)worker;
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
    if (work->fold > 1) TYPED(add_folded)(call, group);
    if (call->gbias)
        TYPED(add_pieces)(call, call->partials + work->plan.groups * work->vectors * LANES
                          * (work->terms + work->folded_terms)
                          + (group * work->vectors + vector) * LANES,
                          call->gbias + channel, lanes, 1);
}

static void TYPED(weight_gradient)(const conv_plan *plan, const void *x, const void *gy, void *gw,
                                   void *gbias, void *memory, int threads) {
    if (TYPED(pixels_weight_gradient)(plan, x, gy, gw, gbias, memory, threads)) return;
    if (TAKES_WINOGRAD(plan, plan->oh, plan->ow)) {
        char *sums = memory, *failed = conv_take(&sums, plan->n);
        if (FN(winograd_weight_gradient)(plan, x, gy, gw, gbias, (void *)sums, failed, threads))
            return;
    }
    if (TYPED(swapped_weight_gradient)(plan, x, gy, gw, gbias, memory, threads)) return;
    if (TYPED(joined_weight_gradient)(plan, x, gy, gw, gbias, memory, threads)) return;
    char *scratch = memory;
    conv_weight_plan work = conv_weight_plan_of(plan, LANES, TILE_VECTORS, sizeof(REAL));
    TYPED(weight_call) call = {
        .work = &work, .x = x, .gy = gy, .gw = gw, .gbias = gbias,
        .windows = conv_windows_of(plan, work.x_pixel, work.in_group, &scratch)};
    call.partials = conv_take(&scratch, work.pieces * work.partial * sizeof(REAL));
    call.copies = conv_take(&scratch, 0);
    team_run(TYPED(weight_task), &call, work.pieces * work.blocks * work.tap_parts, threads);
    team_run(TYPED(weight_reduce), &call, work.plan.groups * work.vectors, threads);
}

static size_t TYPED(weight_gradient_scratch)(const conv_plan *plan, int threads) {
    conv_weight_plan work = conv_weight_plan_of(plan, LANES, TILE_VECTORS, sizeof(REAL));
    size_t bytes = ptrdiff_max(ptrdiff_max(conv_weight_bytes(&work, sizeof(REAL), threads),
                                           TYPED(joined_weight_scratch)(plan, threads)),
                               ptrdiff_max(TYPED(pixels_weight_scratch)(plan),
                                           TYPED(swapped_scratch)(plan)));
    if (!TAKES_WINOGRAD(plan, plan->oh, plan->ow)) return bytes;
    return ptrdiff_max(bytes, FN(winograd_weight_gradient_scratch)(plan) + plan->n + 64);
}
