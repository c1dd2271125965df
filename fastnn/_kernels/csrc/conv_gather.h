/* The forward convolution and the data gradient: gather, for each output pixel, its inputs.
 *
 * Packed weights: [phase][group][block][tap row][tap column][input channel][block's lanes].
 */
typedef struct {
    const conv_gather *all;
    const REAL *in, *weight, *bias;
    REAL *out, *packed, *packed_bias;
    REAL below;
} TYPED(gather_call);

/* Where the weights (O, C/groups, KH, KW) from an output channel on begin, and their strides. */
typedef struct {
    const REAL *weight;
    ptrdiff_t by_output, by_input;
} TYPED(source);

static TYPED(source) TYPED(source_of)(const TYPED(gather_call) *call, ptrdiff_t group,
                                      ptrdiff_t channel) {
    const conv_plan *plan = &call->all->plan;
    ptrdiff_t kernel = plan->kh * plan->kw;
    ptrdiff_t filter = plan->c / plan->groups * kernel;
    ptrdiff_t by_output = call->all->transposed ? kernel : filter;
    const REAL *weight = call->weight + group * (plan->o / plan->groups) * filter;
    return (TYPED(source)){weight + channel * by_output, by_output,
                           call->all->transposed ? filter : kernel};
}

static void TYPED(pack_block)(const TYPED(gather_call) *call, const conv_phase *phase,
                              ptrdiff_t group, ptrdiff_t block) {
    const conv_gather *all = call->all;
    const conv_plan *plan = &all->plan;
    const conv_axis *rows = &phase->rows->axis, *cols = &phase->cols->axis;
    ptrdiff_t first = conv_block(all, block);
    ptrdiff_t width = (conv_block(all, block + 1) - first) * LANES;
    ptrdiff_t used = ptrdiff_min(width, all->out_group - first * LANES);
    TYPED(source) source = TYPED(source_of)(call, group, first * LANES);
    REAL *to = call->packed + phase->weights
             + (group * all->vectors + first) * LANES * phase->terms;
    for (ptrdiff_t i = 0; i < rows->taps; i++)
        for (ptrdiff_t j = 0; j < cols->taps; j++) {
            const REAL *tap = source.weight + (rows->tap_first + i * rows->tap_step) * plan->kw
                            + cols->tap_first + j * cols->tap_step;
            for (ptrdiff_t c = 0; c < all->in_group; c++, to += width) {
                for (ptrdiff_t lane = 0; lane < used; lane++)
                    to[lane] = tap[c * source.by_input + lane * source.by_output];
                for (ptrdiff_t lane = used; lane < width; lane++) to[lane] = 0;
            }
        }
}

/* The same for few output channels: [tap row][tap column][input channel / fold][lanes]. */
static void TYPED(pack_folded)(const TYPED(gather_call) *call, const conv_phase *phase,
                               ptrdiff_t group) {
    const conv_gather *all = call->all;
    const conv_plan *plan = &all->plan;
    const conv_axis *rows = &phase->rows->axis, *cols = &phase->cols->axis;
    TYPED(source) source = TYPED(source_of)(call, group, 0);
    REAL *to = call->packed + phase->weights + group * LANES * (phase->terms / all->fold);
    memset(to, 0, LANES * (phase->terms / all->fold) * sizeof(REAL));
    for (ptrdiff_t i = 0; i < rows->taps; i++)
        for (ptrdiff_t j = 0; j < cols->taps; j++) {
            const REAL *tap = source.weight + (rows->tap_first + i * rows->tap_step) * plan->kw
                            + cols->tap_first + j * cols->tap_step;
            for (ptrdiff_t c = 0; c < all->in_group; c++)
                for (ptrdiff_t o = 0; o < all->out_group; o++)
                    to[c / all->fold * LANES + o * all->fold + c % all->fold] =
                        tap[c * source.by_input + o * source.by_output];
            to += all->in_group / all->fold * LANES;
        }
}

/* For joined groups: [block][tap row][tap column][output of its group][input channels' lanes]. */
static void TYPED(pack_joined)(const TYPED(gather_call) *call, const conv_phase *phase,
                               ptrdiff_t block) {
    const conv_joined *joined = &call->all->joined;
    const conv_plan *plan = &call->all->plan;
    const conv_axis *rows = &phase->rows->axis, *cols = &phase->cols->axis;
    ptrdiff_t first = conv_joined_block(joined, block);
    ptrdiff_t width = (conv_joined_block(joined, block + 1) - first) * LANES, base = first * LANES;
    ptrdiff_t used = ptrdiff_min(width, joined->channels - base);
    ptrdiff_t kernel = plan->kh * plan->kw;
    ptrdiff_t by_input = call->all->transposed ? joined->outputs * kernel : kernel;
    ptrdiff_t by_output = call->all->transposed ? kernel : joined->inputs * kernel;
    ptrdiff_t by_group = joined->inputs * joined->outputs * kernel;
    REAL *to = call->packed + phase->weights + base * joined->outputs * phase->terms;
    for (ptrdiff_t i = 0; i < rows->taps; i++)
        for (ptrdiff_t j = 0; j < cols->taps; j++) {
            const REAL *tap = call->weight + (rows->tap_first + i * rows->tap_step) * plan->kw
                            + cols->tap_first + j * cols->tap_step;
            for (ptrdiff_t o = 0; o < joined->outputs; o++, to += width) {
                for (ptrdiff_t lane = 0; lane < used; lane++)
                    to[lane] = tap[(base + lane) / joined->inputs * by_group
                                   + (base + lane) % joined->inputs * by_input + o * by_output];
                for (ptrdiff_t lane = used; lane < width; lane++) to[lane] = 0;
            }
        }
}

static void TYPED(pack_bias)(const TYPED(gather_call) *call) {
    const conv_gather *all = call->all;
    ptrdiff_t width = all->is_joined ? all->out_c : all->vectors * LANES;
    memset(call->packed_bias, 0, (all->plan.groups * width + LANES) * sizeof(REAL));
    for (ptrdiff_t group = 0; call->bias && group < all->plan.groups; group++)
        memcpy(call->packed_bias + group * width, call->bias + group * all->out_group,
               all->out_group * sizeof(REAL));
}

static void TYPED(pack)(const void *work, ptrdiff_t index, int worker) {
    const TYPED(gather_call) *call = work;
    const conv_gather *all = call->all;
    (void)worker;
    const conv_phase *phase = all->phases + index / (all->plan.groups * all->blocks);
    ptrdiff_t group = index / all->blocks % all->plan.groups;
    if (all->is_joined)
        TYPED(pack_joined)(call, phase, index % all->blocks);
    else if (all->fold > 1)
        TYPED(pack_folded)(call, phase, group);
    else
        TYPED(pack_block)(call, phase, group, index % all->blocks);
}

typedef struct {
    ptrdiff_t image_first, image_last, row_first, row_last, group, block;
    ptrdiff_t in_channel, out_channel;  /* the first of each */
    const TYPED(tile_function) *tiles;  /* by their pixels, */
    ptrdiff_t tall;                     /* of which there are at most so many */
} TYPED(gather_part);

/* The outputs of one segment of rows and one of columns, over some images. */
static void TYPED(rectangle)(const TYPED(gather_call) *call, const conv_phase *phase,
                             const TYPED(gather_part) *part, TYPED(tile_job) *job,
                             conv_segment r, conv_segment c) {
    const conv_gather *all = call->all;
    const conv_axis *rows = &phase->rows->axis, *cols = &phase->cols->axis;
    ptrdiff_t taps = c.tap_last - c.tap_first, whole = taps == cols->taps;
    job->stride = cols->taps * all->in_group;
    job->first = r.tap_first * job->stride + c.tap_first * all->in_group;
    job->runs = whole ? 1 : r.tap_last - r.tap_first;
    job->length = taps * all->in_group * (whole ? r.tap_last - r.tap_first : 1);
    const REAL *in = call->in + part->in_channel
                   + (rows->start * all->in_w + cols->start) * all->in_c;
    REAL *out = call->out + part->out_channel
              + (rows->out_first * all->out_w + cols->out_first) * all->out_c;
    ptrdiff_t in_row = rows->step * all->in_w * all->in_c, in_col = cols->step * all->in_c;
    ptrdiff_t out_row = rows->out_step * all->out_w * all->out_c;
    ptrdiff_t out_col = cols->out_step * all->out_c;
    ptrdiff_t in_image = all->in_h * all->in_w * all->in_c;
    ptrdiff_t out_image = all->out_h * all->out_w * all->out_c;
    ptrdiff_t area = (part->image_last - part->image_first) * (r.last - r.first)
                   * (c.last - c.first);
    ptrdiff_t tiles = ceil_div(area, part->tall), size = area / tiles, longer = area % tiles;
    ptrdiff_t n = part->image_first, i = r.first, j = c.first;
    const REAL *from = in + n * in_image + i * in_row + j * in_col;
    REAL *to = out + n * out_image + i * out_row + j * out_col;
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {
        const REAL *source[TALL_PIXELS];
        REAL *target[TALL_PIXELS];
        ptrdiff_t pixels = size + (tile < longer);
        for (ptrdiff_t p = 0; p < pixels; p++) {
            source[p] = from, target[p] = to;
            from += in_col, to += out_col;
            if (++j < c.last) continue;
            j = c.first;
            if (++i == r.last) i = r.first, n++;
            from = in + n * in_image + i * in_row + j * in_col;
            to = out + n * out_image + i * out_row + j * out_col;
        }
        part->tiles[pixels - 1](job, source, target);
    }
}

static void TYPED(gather_rows)(const TYPED(gather_call) *call, const conv_phase *phase,
                               const TYPED(gather_part) *part, TYPED(tile_job) *job) {
    for (ptrdiff_t i = 0; i < phase->rows->count; i++) {
        conv_segment rows = phase->rows->segments[i];
        rows.first = ptrdiff_max(rows.first, part->row_first);
        rows.last = ptrdiff_min(rows.last, part->row_last);
        if (rows.first >= rows.last) continue;
        for (ptrdiff_t j = 0; j < phase->cols->count; j++)
            TYPED(rectangle)(call, phase, part, job, rows, phase->cols->segments[j]);
    }
}

static void TYPED(gather_group)(const TYPED(gather_call) *call, const conv_phase *phase,
                                TYPED(gather_part) *part) {
    const conv_gather *all = call->all;
    ptrdiff_t first = conv_block(all, part->block), end = conv_block(all, part->block + 1);
    ptrdiff_t place = (part->group * all->vectors + first) * LANES, vectors = end - first;
    TYPED(tile_job) job = {
        .weights = call->packed + phase->weights + place * (phase->terms / all->fold),
        .bias = call->packed_bias + place, .offsets = phase->offsets,
        .below = call->below,
        .last_lanes = ptrdiff_min(all->out_group - (end - 1) * LANES, LANES)};
    part->in_channel = part->group * all->in_group;
    part->out_channel = part->group * all->out_group + first * LANES;
    part->tiles = all->fold > 1 ? TYPED(folded_tiles)[all->fold_log] : TYPED(tiles)[vectors - 1];
    part->tall = all->fold > 1 || vectors > 2 ? TILE_PIXELS : TALL_PIXELS;
    TYPED(gather_rows)(call, phase, part, &job);
}

static void TYPED(gather_joined)(const TYPED(gather_call) *call, const conv_phase *phase,
                                 TYPED(gather_part) *part) {
    const conv_joined *plan = &call->all->joined;
    ptrdiff_t first = conv_joined_block(plan, part->block);
    ptrdiff_t vectors = conv_joined_block(plan, part->block + 1) - first;
    ptrdiff_t left = plan->channels - first * LANES, used = ptrdiff_min(left, vectors * LANES);
    struct TYPED(joined_outputs) joined = {
        .inputs = plan->inputs, .outputs = plan->outputs,
        .channels = used / plan->inputs * plan->outputs};
    TYPED(joined_choices)(&joined, vectors);
    part->in_channel = first * LANES;
    part->out_channel = first * LANES / plan->inputs * plan->outputs;
    part->tiles = TYPED(joined_tiles)[plan->outputs - 1][vectors - 1];
    part->tall = TILE_PIXELS;
    TYPED(tile_job) job = {
        .weights = call->packed + phase->weights + first * LANES * plan->outputs * phase->terms,
        .bias = call->packed_bias + part->out_channel, .offsets = phase->offsets,
        .below = call->below, .joined = &joined,
        .last_lanes = used - (vectors - 1) * LANES};
    TYPED(gather_rows)(call, phase, part, &job);
}

static void TYPED(gather_task)(const void *work, ptrdiff_t task, int worker) {
    const TYPED(gather_call) *call = work;
    const conv_gather *all = call->all;
    (void)worker;
    const conv_phase *phase = all->phases + all->phase_count - 1;
    while (task < phase->first_task) phase--;
    task -= phase->first_task;
    TYPED(gather_part) part;
    ptrdiff_t first = task % all->spans * all->span;
    ptrdiff_t last = ptrdiff_min(first + all->span, all->plan.groups * all->blocks);
    task /= all->spans;
    part.row_first = task % phase->row_tasks * phase->rows_per_task;
    part.row_last = part.row_first + phase->rows_per_task;
    part.image_first = task / phase->row_tasks * phase->images_per_task;
    part.image_last = ptrdiff_min(part.image_first + phase->images_per_task, all->plan.n);
    for (ptrdiff_t unit = first; unit < last; unit++) {
        part.group = unit / all->blocks, part.block = unit % all->blocks;
        if (all->is_joined)
            TYPED(gather_joined)(call, phase, &part);
        else
            TYPED(gather_group)(call, phase, &part);
    }
}

static void TYPED(gather)(const conv_plan *plan, int transposed, const REAL *in,
                          const REAL *weight, const REAL *bias, double below, REAL *out,
                          char *scratch, int threads) {
    conv_gather all = conv_gather_of(plan, transposed, LANES, TILE_VECTORS);
    conv_gather_prepare(&all, LANES, &scratch);
    ptrdiff_t groups = all.plan.groups, channels = groups * all.vectors * LANES;
    TYPED(gather_call) call = {&all, in, weight, bias, out, NULL, NULL, (REAL)below};
    call.packed_bias = conv_take(&scratch, (channels + LANES) * sizeof(REAL));
    call.packed = conv_take(&scratch, 0);
    ptrdiff_t packs = all.phase_count * groups * all.blocks;
    TYPED(pack_bias)(&call);
    team_run(TYPED(pack), &call, packs, threads);
    team_run(TYPED(gather_task), &call, all.tasks, threads);
}

/* The images that Winograd's tiles failed at, in runs of neighbours. */
static void TYPED(gather_failed)(const conv_plan *plan, int transposed, const REAL *in,
                                 const REAL *weight, const REAL *bias, double below, REAL *out,
                                 char *scratch, const char *failed, int threads) {
    ptrdiff_t big = plan->h * plan->w * plan->c, small = plan->oh * plan->ow * plan->o;
    ptrdiff_t in_image = transposed ? small : big, out_image = transposed ? big : small;
    conv_plan run = *plan;
    for (ptrdiff_t first = 0; first < plan->n; first += ptrdiff_max(run.n, 1)) {
        for (run.n = 0; first + run.n < plan->n && failed[first + run.n];) run.n++;
        if (run.n)
            TYPED(gather)(&run, transposed, in + first * in_image, weight, bias, below,
                          out + first * out_image, scratch, threads);
    }
}

static void TYPED(forward)(const conv_plan *plan, const void *x, const void *weight,
                           const void *bias, double below, void *y, void *memory, int threads) {
    char *scratch = memory, *failed;
    if (TYPED(pixels_forward)(plan, x, weight, bias, below, y, threads)) return;
    if (!TAKES_WINOGRAD(plan, plan->oh, plan->ow)) {
        TYPED(gather)(plan, 0, x, weight, bias, below, y, scratch, threads);
        return;
    }
    failed = conv_take(&scratch, plan->n);
    FN(winograd_forward)(plan, x, weight, bias, below, y, (void *)scratch, failed, threads);
    TYPED(gather_failed)(plan, 0, x, weight, bias, below, y, scratch, failed, threads);
}

static void TYPED(data_gradient)(const conv_plan *plan, const void *gy, const void *weight,
                                 const void *bias, double below, void *gx, void *memory,
                                 int threads) {
    char *scratch = memory, *failed;
    if (!TAKES_WINOGRAD(plan, plan->h, plan->w)) {
        TYPED(gather)(plan, 1, gy, weight, bias, below, gx, scratch, threads);
        return;
    }
    failed = conv_take(&scratch, plan->n);
    FN(winograd_data_gradient)(plan, gy, weight, bias, below, gx, (void *)scratch, failed,
                               threads);
    TYPED(gather_failed)(plan, 1, gy, weight, bias, below, gx, scratch, failed, threads);
}

static size_t TYPED(forward_scratch)(const conv_plan *plan) {
    conv_gather all = conv_gather_of(plan, 0, LANES, TILE_VECTORS);
    size_t bytes = conv_gather_bytes(&all, LANES, sizeof(REAL));
    if (!TAKES_WINOGRAD(plan, plan->oh, plan->ow)) return bytes;
    return ptrdiff_max(bytes, FN(winograd_forward_scratch)(plan)) + plan->n + 64;
}

static size_t TYPED(data_gradient_scratch)(const conv_plan *plan) {
    conv_gather all = conv_gather_of(plan, 1, LANES, TILE_VECTORS);
    size_t bytes = conv_gather_bytes(&all, LANES, sizeof(REAL));
    if (!TAKES_WINOGRAD(plan, plan->h, plan->w)) return bytes;
    return ptrdiff_max(bytes, FN(winograd_data_gradient_scratch)(plan)) + plan->n + 64;
}
