/* What the passes share: tiles, the products of a block of tiles, forward and data gradient.
 *
 * REAL_BITS must be 32. Tiles are numbered through all images, by rows; a block of them is one
 * piece of work, whose transformed patches and products stay in the cache: [36][tile][channel].
 */
#include "gemm_micro.h"
#include "gemm_plan.h"
#include "gemm_scratch.h"
#include "gemm_near.h"
#include "gemm_square.h"
#include "winograd_transform.h"
#include "winograd.h"

#define SIDE WINOGRAD_SIDE
#define POINTS 36
#define BLOCK_TILES 48
#define BLOCK_NUMBERS 163840 /* of a block's patches and products: 640 KB */
/* Squares of values a thousandfold as large: in noise, also of 99 % zeros, none of 100,000 tiles
 * has such quarters; 1e6 among noise does up to some 100,000 channels. */
#define UNEVEN ((REAL)(1 << 20))
#define SUM_OF_ZEROS ((REAL)(1 << 10))
#define REAL_MOST __FLT_MAX__
#define SPACE 16 /* keeps the 36 points of a tile out of one set of the cache */

/* A convolution of `inputs` to `outputs` channels, in whole vectors `wide_inputs` and so on. */
struct winograd_work {
    ptrdiff_t images, height, width, inputs, outputs, out_height, out_width, pad_h, pad_w;
    ptrdiff_t wide_inputs, wide_outputs, down, across, tiles, block;
    ptrdiff_t patch_pitch, product_pitch; /* from one of the 36 points to the next */
};

static struct winograd_work winograd_work_of(const conv_plan *plan, int transposed) {
    struct winograd_work work = {
        .images = plan->n, .height = plan->h, .width = plan->w, .inputs = plan->c,
        .outputs = plan->o, .out_height = plan->oh, .out_width = plan->ow, .pad_h = plan->pad_h,
        .pad_w = plan->pad_w};
    if (transposed)
        work = (struct winograd_work){
            .images = plan->n, .height = plan->oh, .width = plan->ow, .inputs = plan->o,
            .outputs = plan->c, .out_height = plan->h, .out_width = plan->w,
            .pad_h = 2 - plan->pad_h, .pad_w = 2 - plan->pad_w};
    work.wide_inputs = ceil_div(work.inputs, LANES) * LANES;
    work.wide_outputs = ceil_div(work.outputs, LANES) * LANES;
    work.down = winograd_tiles(work.out_height);
    work.across = winograd_tiles(work.out_width);
    work.tiles = work.images * work.down * work.across;
    const ptrdiff_t most = BLOCK_NUMBERS / (POINTS * (work.wide_inputs + work.wide_outputs));
    work.block = larger(TILE_ROWS, smaller(BLOCK_TILES, most / TILE_ROWS * TILE_ROWS));
    work.patch_pitch = work.block * work.wide_inputs + SPACE;
    work.product_pitch = work.block * work.wide_outputs + SPACE;
    return work;
}

/* The first output of a tile. */
struct winograd_place {
    ptrdiff_t image, row, column;
};

static struct winograd_place winograd_place_of(const struct winograd_work *work, ptrdiff_t tile) {
    const ptrdiff_t row = tile / work->across;
    return (struct winograd_place){row / work->down, row % work->down * SIDE,
                                   tile % work->across * SIDE};
}

struct winograd_area {
    ptrdiff_t first_row, last_row, first_column, last_column;
};

/* Which of the `side` rows and columns from one on lie in an image. */
static struct winograd_area winograd_inside(ptrdiff_t row, ptrdiff_t column, ptrdiff_t side,
                                            ptrdiff_t height, ptrdiff_t width) {
    return (struct winograd_area){larger(0, -row), smaller(side, height - row),
                                  larger(0, -column), smaller(side, width - column)};
}

/* A square of an image at one vector of channels into rows of 6, with zeros outside the area. */
INLINE void NAME(take_square)(const REAL *from, ptrdiff_t row_step, ptrdiff_t column_step,
                              const struct winograd_area *area, const int side, const int whole,
                              MASK mask, VECTOR *square) {
#pragma GCC unroll 6
    for (int i = 0; i < side; i++)
#pragma GCC unroll 6
        for (int j = 0; j < side; j++) {
            const int inside = i >= area->first_row && i < area->last_row &&
                               j >= area->first_column && j < area->last_column;
            const REAL *at = from + i * row_step + j * column_step;
            square[6 * i + j] = !inside ? (VECTOR){0}
                                : whole ? NAME(load)(at) : NAME(load_part)(at, mask);
        }
}

/* Whether the largest sum of a square's quarters lies far above those of two others. Zeros, which
 * a direct product keeps, count as SUM_OF_ZEROS. Where a quarter is beyond the image, the other one
 * of its side stands for it, and zeros besides: the gradients of taps that end there are sums of
 * other terms. */
static __attribute__((noinline)) int NAME(is_uneven)(NAME(short) sums,
                                                     const struct winograd_area *area, int half) {
    const int no_top = area->first_row >= half, no_bottom = area->last_row <= half;
    const int no_left = area->first_column >= half, no_right = area->last_column <= half;
    const int beyond = no_top || no_bottom || no_left || no_right;
    REAL most = 0, least = REAL_MOST, second = beyond ? SUM_OF_ZEROS : REAL_MOST;
    for (int quarter = 0; quarter < 4; quarter++) {
        const int down = no_top || (quarter / 2 && !no_bottom);
        const int right = no_left || (quarter % 2 && !no_right);
        const REAL sum = sums[2 * down + right], low = sum > 0 ? sum : SUM_OF_ZEROS;
        if (sum > most) most = sum;
        if (low < least) {
            second = least < second ? least : second;
            least = low;
        } else if (low < second)
            second = low;
    }
    return most > UNEVEN * second;
}

/* Whether values of one quarter of a square lie so far above others that a transform, which is as
 * exact as the largest value, would lose what a direct product has of the others. `squares` are the
 * quarters' sums, lane by lane. Two of them must be far below: one is that often where nearly all
 * values are zeros and the quarter has a single tiny one. */
INLINE int NAME(has_uneven_quarters)(const VECTOR *squares, const struct winograd_area *area,
                                     int half) {
    const NAME(short) sums = NAME(sums_of_lanes)(squares);
    const REAL down = sums[0] < sums[1] ? sums[0] : sums[1];
    const REAL least = sums[2] < down ? sums[2] : down;
    const REAL all = sums[0] + sums[1] + sums[2] + sums[3];
    if (all <= UNEVEN * least && all <= UNEVEN * sums[3]) return 0;
    return NAME(is_uneven)(sums, area, half);
}

/* All channels of a tile's patch, or (with a side of 4) of its outputs' gradients, transformed to
 * [36][pitch]. Adds the latter to `sums`. Returns whether its values are too uneven for that. */
INLINE int NAME(transform_tile)(const REAL *image, ptrdiff_t height, ptrdiff_t width,
                                 ptrdiff_t channels, ptrdiff_t row, ptrdiff_t column,
                                 const int side, REAL *to, ptrdiff_t pitch, REAL *sums) {
    const struct winograd_area area = winograd_inside(row, column, side, height, width);
    const struct winograd_area all = {0, side, 0, side};
    const int inner = !memcmp(&area, &all, sizeof all);
    VECTOR squares[4] = {{0}};
    const REAL *from = image + (row * width + column) * channels;
    for (ptrdiff_t c = 0; c < channels; c += LANES) {
        VECTOR square[POINTS];
        const MASK mask = NAME(first_lanes)((int)smaller(LANES, channels - c));
        if (inner && c + LANES <= channels)
            NAME(take_square)(from + c, width * channels, channels, &all, side, 1, mask, square);
        else
            NAME(take_square)(from + c, width * channels, channels, &area, side, 0, mask, square);
#pragma GCC unroll 6
        for (int i = 0; i < side; i++)
#pragma GCC unroll 6
            for (int j = 0; j < side; j++)
                squares[2 * i / side * 2 + 2 * j / side] += square[6 * i + j] * square[6 * i + j];
        if (side == 6)
            NAME(transform_patch)(square);
        else {
            VECTOR sum = {0};
            for (int i = 0; sums && i < SIDE; i++)
                for (int j = 0; j < SIDE; j++) sum += square[6 * i + j];
            if (sums) NAME(store)(sums + c, NAME(load)(sums + c) + sum);
            NAME(spread_filter)(square, SIDE);
        }
#pragma GCC unroll 36
        for (int point = 0; point < POINTS; point++)
            NAME(store)(to + point * pitch + c, square[point]);
    }
    return NAME(has_uneven_quarters)(squares, &area, side / 2);
}

static void winograd_fail(char *failed, ptrdiff_t image) {
    __atomic_store_n(failed + image, 1, __ATOMIC_RELAXED);
}

/* The patches of `count` tiles. */
static void NAME(transform_inputs)(const struct winograd_work *work, const REAL *x, ptrdiff_t first,
                                   ptrdiff_t count, REAL *patches, char *failed) {
    for (ptrdiff_t tile = 0; tile < count; tile++) {
        const struct winograd_place at = winograd_place_of(work, first + tile);
        const ptrdiff_t image = at.image * work->height * work->width * work->inputs;
        if (NAME(transform_tile)(x + image, work->height, work->width, work->inputs,
                                 at.row - work->pad_h, at.column - work->pad_w, 6,
                                 patches + tile * work->wide_inputs, work->patch_pitch, NULL))
            winograd_fail(failed, at.image);
    }
}

struct NAME(winograd_call) {
    struct winograd_work work;
    const REAL *x, *weight, *bias;
    ptrdiff_t input_step, output_step; /* in the weights, from one channel to the next */
    int turned;                        /* the weights' taps are read backwards */
    REAL below;
    REAL *y, *filters; /* [36][input][output] */
    char *failed;      /* of each image */
};

/* The transformed weights of one input channel. */
static void NAME(transform_weights)(const void *argument, ptrdiff_t input, int worker) {
    const struct NAME(winograd_call) *call = argument;
    const struct winograd_work *work = &call->work;
    const ptrdiff_t pitch = work->inputs * work->wide_outputs;
    (void)worker;
    for (ptrdiff_t o = 0; o < work->outputs; o += LANES) {
        const REAL *from = call->weight + input * call->input_step + o * call->output_step;
        VECTOR square[POINTS] = {0};
        for (ptrdiff_t lane = 0; lane < smaller(LANES, work->outputs - o); lane++)
            for (int tap = 0; tap < 9; tap++)
                square[tap / 3 * 6 + tap % 3][lane] =
                    from[lane * call->output_step + (call->turned ? 8 - tap : tap)];
        NAME(spread_filter)(square, 3);
        for (int point = 0; point < POINTS; point++)
            NAME(store)(call->filters + point * pitch + input * work->wide_outputs + o,
                        square[point]);
    }
}

static int NAME(has_nan)(VECTOR values) {
    int found = 0;
    for (int lane = 0; lane < LANES; lane++) found |= values[lane] != values[lane];
    return found;
}

/* One tile's outputs from its products. */
static void NAME(finish_tile)(const struct NAME(winograd_call) *call, ptrdiff_t tile,
                                const REAL *products) {
    const struct winograd_work *work = &call->work;
    const struct winograd_place at = winograd_place_of(work, tile);
    const ptrdiff_t channels = work->outputs, pitch = work->product_pitch;
    const ptrdiff_t rows = smaller(SIDE, work->out_height - at.row);
    const ptrdiff_t columns = smaller(SIDE, work->out_width - at.column);
    REAL *y = call->y + ((at.image * work->out_height + at.row) * work->out_width + at.column) *
                            channels;
    VECTOR check = {0};
    for (ptrdiff_t o = 0; o < channels; o += LANES) {
        const MASK mask = NAME(first_lanes)((int)smaller(LANES, channels - o));
        const VECTOR bias = call->bias ? NAME(load_part)(call->bias + o, mask) : (VECTOR){0};
        VECTOR square[POINTS];
#pragma GCC unroll 36
        for (int point = 0; point < POINTS; point++)
            square[point] = NAME(load)(products + point * pitch + o);
        NAME(collect_products)(square, SIDE);
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t j = 0; j < columns; j++) {
                VECTOR value = square[6 * i + j] + bias;
                REAL *to = y + (i * work->out_width + j) * channels + o;
                check += value * 0;
                if (call->below != 1) value = NAME(bent)(value, call->below);
                if (o + LANES <= channels)
                    NAME(store)(to, value);
                else
                    NAME(store_part)(to, value, mask);
            }
    }
    if (NAME(has_nan)(check)) winograd_fail(call->failed, at.image);
}

static void NAME(convolve_block)(const void *argument, ptrdiff_t piece, int worker) {
    const struct NAME(winograd_call) *call = argument;
    const struct winograd_work *work = &call->work;
    const ptrdiff_t first = piece * work->block, count = smaller(work->block, work->tiles - first);
    const ptrdiff_t in = work->patch_pitch, out = work->product_pitch;
    REAL *patches = scratch_memory((size_t)(POINTS * (in + out)) * sizeof(REAL));
    REAL *products = patches + POINTS * in;
    (void)worker;
    if (!patches) {
        for (ptrdiff_t tile = first; tile < first + count; tile++)
            winograd_fail(call->failed, winograd_place_of(work, tile).image);
        return;
    }
    NAME(transform_inputs)(work, call->x, first, count, patches, call->failed);
    for (int point = 0; point < POINTS; point++)
        NAME(multiply_blocks)(patches + point * in, work->wide_inputs, 1,
                              call->filters + point * work->inputs * work->wide_outputs,
                              work->wide_outputs, products + point * out, work->wide_outputs,
                              count, work->wide_outputs, work->inputs, 0);
    for (ptrdiff_t tile = 0; tile < count; tile++)
        NAME(finish_tile)(call, first + tile, products + tile * work->wide_outputs);
}

static void NAME(convolve)(const struct NAME(winograd_call) *call, int threads) {
    const struct winograd_work *work = &call->work;
    memset(call->failed, 0, (size_t)work->images);
    team_run(NAME(transform_weights), call, work->inputs, threads);
    team_run(NAME(convolve_block), call, ceil_div(work->tiles, work->block), threads);
}

void FN(winograd_forward)(const conv_plan *plan, const REAL *x, const REAL *weight,
                          const REAL *bias, double below, REAL *y, REAL *scratch, char *failed,
                          int threads) {
    struct NAME(winograd_call) call = {
        .work = winograd_work_of(plan, 0), .x = x, .weight = weight, .bias = bias,
        .input_step = 9, .output_step = 9 * plan->c, .below = (REAL)below, .y = y,
        .filters = scratch, .failed = failed};
    NAME(convolve)(&call, threads);
}

void FN(winograd_data_gradient)(const conv_plan *plan, const REAL *gy, const REAL *weight,
                                const REAL *bias, double below, REAL *gx, REAL *scratch,
                                char *failed, int threads) {
    struct NAME(winograd_call) call = {
        .work = winograd_work_of(plan, 1), .x = gy, .weight = weight, .bias = bias,
        .input_step = 9 * plan->c, .output_step = 9, .turned = 1, .below = (REAL)below,
        .y = gx, .filters = scratch, .failed = failed};
    NAME(convolve)(&call, threads);
}

static size_t winograd_filter_bytes(const struct winograd_work *work) {
    return (size_t)(POINTS * work->inputs * work->wide_outputs) * sizeof(REAL);
}

size_t FN(winograd_forward_scratch)(const conv_plan *plan) {
    const struct winograd_work work = winograd_work_of(plan, 0);
    return winograd_filter_bytes(&work);
}

size_t FN(winograd_data_gradient_scratch)(const conv_plan *plan) {
    const struct winograd_work work = winograd_work_of(plan, 1);
    return winograd_filter_bytes(&work);
}
