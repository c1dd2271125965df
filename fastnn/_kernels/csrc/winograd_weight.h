/* The weight gradient: sums over all tiles of products of patches and gradients of the outputs.
 *
 * REAL_BITS must be 32 and winograd_run.h included. A piece of work is a range of tiles by the
 * sizes alone, with sums of its own, [36][input][output] and the bias's; they are added in order.
 */
#define MOST_WEIGHT_PIECES 16
#define MOST_SUMS ((ptrdiff_t)1 << 21)

struct NAME(winograd_weight_call) {
    struct winograd_work work;
    const REAL *x, *gy;
    REAL *gw, *gbias, *sums;
    ptrdiff_t pieces, piece_sums;
    char *failed; /* of each image; a weight that is not finite fails the first one */
};

static ptrdiff_t winograd_piece_sums(const struct winograd_work *work) {
    return (POINTS * work->inputs + 1) * work->wide_outputs;
}

static ptrdiff_t winograd_weight_pieces(const struct winograd_work *work) {
    const ptrdiff_t most = larger(1, MOST_SUMS / winograd_piece_sums(work));
    return smaller(smaller(MOST_WEIGHT_PIECES, most), ceil_div(work->tiles, work->block));
}

static void NAME(transform_gradients)(const struct NAME(winograd_weight_call) *call,
                                      ptrdiff_t first, ptrdiff_t count, REAL *to, REAL *sums) {
    const struct winograd_work *work = &call->work;
    const ptrdiff_t size = work->out_height * work->out_width * work->outputs;
    for (ptrdiff_t tile = 0; tile < count; tile++) {
        const struct winograd_place at = winograd_place_of(work, first + tile);
        if (NAME(transform_tile)(call->gy + at.image * size, work->out_height, work->out_width,
                                 work->outputs, at.row, at.column, SIDE,
                                 to + tile * work->wide_outputs, work->product_pitch, sums))
            winograd_fail(call->failed, at.image);
    }
}

static void NAME(sum_piece)(const void *argument, ptrdiff_t piece, int worker) {
    const struct NAME(winograd_weight_call) *call = argument;
    const struct winograd_work *work = &call->work;
    const ptrdiff_t in = work->patch_pitch, out = work->product_pitch;
    const ptrdiff_t last = work->tiles * (piece + 1) / call->pieces;
    const ptrdiff_t start = work->tiles * piece / call->pieces;
    const ptrdiff_t square = work->inputs * work->wide_outputs;
    REAL *sums = call->sums + piece * call->piece_sums, *bias = sums + POINTS * square;
    REAL *patches = scratch_memory((size_t)(POINTS * (in + out)) * sizeof(REAL));
    (void)worker;
    memset(bias, 0, (size_t)work->wide_outputs * sizeof(REAL));
    if (!patches) {
        winograd_fail(call->failed, 0);
        return;
    }
    for (ptrdiff_t first = start; first < last; first += work->block) {
        const ptrdiff_t count = smaller(work->block, last - first);
        NAME(transform_inputs)(work, call->x, first, count, patches, call->failed);
        NAME(transform_gradients)(call, first, count, patches + POINTS * in, bias);
        for (int point = 0; point < POINTS; point++)
            NAME(multiply_blocks)(patches + point * in, 1, work->wide_inputs,
                                  patches + POINTS * in + point * out, work->wide_outputs,
                                  sums + point * square, work->wide_outputs, work->inputs,
                                  work->wide_outputs, count,
                                  first == start ? 0 : TILE_ACCUMULATE);
    }
}

/* The sums of all pieces at a place, in order. */
INLINE VECTOR NAME(sum_of_pieces)(const struct NAME(winograd_weight_call) *call, ptrdiff_t place) {
    VECTOR sum = NAME(load)(call->sums + place);
    for (ptrdiff_t piece = 1; piece < call->pieces; piece++)
        sum += NAME(load)(call->sums + piece * call->piece_sums + place);
    return sum;
}

/* All weights of one input channel; after the last channel, the bias. */
static void NAME(collect_weights)(const void *argument, ptrdiff_t input, int worker) {
    const struct NAME(winograd_weight_call) *call = argument;
    const struct winograd_work *work = &call->work;
    const ptrdiff_t pitch = work->inputs * work->wide_outputs;
    VECTOR check = {0};
    (void)worker;
    for (ptrdiff_t o = 0; o < work->outputs; o += LANES) {
        const ptrdiff_t lanes = smaller(LANES, work->outputs - o);
        if (input == work->inputs) {
            const VECTOR sum = NAME(sum_of_pieces)(call, POINTS * pitch + o);
            NAME(store_part)(call->gbias + o, sum, NAME(first_lanes)((int)lanes));
            continue;
        }
        VECTOR square[POINTS];
        for (int point = 0; point < POINTS; point++)
            square[point] =
                NAME(sum_of_pieces)(call, point * pitch + input * work->wide_outputs + o);
        NAME(collect_products)(square, 3);
        for (int tap = 0; tap < 9; tap++) {
            const VECTOR value = square[tap / 3 * 6 + tap % 3];
            check += value * 0;
            for (ptrdiff_t lane = 0; lane < lanes; lane++)
                call->gw[((o + lane) * work->inputs + input) * 9 + tap] = value[lane];
        }
    }
    if (NAME(has_nan)(check)) winograd_fail(call->failed, 0);
}

int FN(winograd_weight_gradient)(const conv_plan *plan, const REAL *x, const REAL *gy, REAL *gw,
                                 REAL *gbias, REAL *scratch, char *failed, int threads) {
    struct NAME(winograd_weight_call) call = {.work = winograd_work_of(plan, 0), .x = x, .gy = gy,
                                              .gw = gw, .gbias = gbias, .sums = scratch,
                                              .failed = failed};
    memset(failed, 0, (size_t)plan->n);
    call.pieces = winograd_weight_pieces(&call.work);
    call.piece_sums = winograd_piece_sums(&call.work);
    team_run(NAME(sum_piece), &call, call.pieces, threads);
    team_run(NAME(collect_weights), &call, plan->c + (gbias != NULL), threads);
    return !memchr(failed, 1, (size_t)plan->n);
}

size_t FN(winograd_weight_gradient_scratch)(const conv_plan *plan) {
    const struct winograd_work work = winograd_work_of(plan, 0);
    return (size_t)(winograd_weight_pieces(&work) * winograd_piece_sums(&work)) * sizeof(REAL);
}
