/* The weight gradient for one input channel and few outputs, with vectors over pixels.
 *
 *     sums[t][o][lanes] += x[pixel + offset of t] * gy[o][pixel]
 *
 * gy of a band is separated by channel into rows of `pitch` values, as the input's, with zeros
 * after each row: so a band is one run of pixels. Sums of a piece: [group of outputs][tap][output],
 * then the bias's.
 */
#if ISA == 4
#define GROUP_OUTPUTS 6
#define GROUP_TAPS 4
#else
#define GROUP_OUTPUTS 2
#define GROUP_TAPS 5
#endif

typedef struct {
    const conv_pixels *all;
    const REAL *x, *gy;
    REAL *partials, *gw, *gbias;
    ptrdiff_t offsets[PIXELS_TAPS];
} TYPED(pixels_weight_call);

typedef struct {
    REAL x[PIXELS_X_BYTES / sizeof(REAL)];
    REAL gy[PIXELS_GY_BYTES / sizeof(REAL)];
    ptrdiff_t length, channel; /* pixels, in whole vectors; from one channel of gy to the next */
    VECTOR sums[(PIXELS_TAPS + 1) * PIXELS_OUTPUTS];
} TYPED(pixels_piece);

/* LANES pixels, by channel: the first `count` belong to the row, the others become zero; gy holds
 * `left` values from here on. */
static inline __attribute__((always_inline)) void TYPED(load_pixels)(
    const int outputs, const REAL *gy, ptrdiff_t left, ptrdiff_t count, VECTOR *channels) {
    REAL spare[PIXELS_OUTPUTS * LANES];
    VECTOR pixels[PIXELS_OUTPUTS];
    MASK inside, lane;
    if (left < outputs * LANES) {
        memset(spare, 0, sizeof spare);
        if (left > 0) memcpy(spare, gy, left * sizeof(REAL));
        gy = spare;
    }
    UNROLL for (int o = 0; o < outputs; o++) pixels[o] = TYPED(load)(gy + o * LANES);
    TYPED(separate)(outputs, pixels, channels);
    UNROLL for (int i = 0; i < LANES; i++) lane[i] = i;
    inside = lane < (MASK_LANE)count;
    UNROLL for (int o = 0; o < outputs; o++) channels[o] = (VECTOR)((MASK)channels[o] & inside);
}

/* The gradients of a band, by channel; adds the bias's gradient. */
static inline __attribute__((always_inline)) void TYPED(pixels_separate)(
    const int outputs, const conv_pixels *all, const REAL *gy, conv_band band,
    TYPED(pixels_piece) *piece) {
    const conv_plan *plan = &all->plan;
    VECTOR *bias = piece->sums + all->taps * outputs, channels[PIXELS_OUTPUTS];
    ptrdiff_t size = plan->n * plan->oh * plan->ow;
    ptrdiff_t first = (band.image * plan->oh + band.first) * plan->ow;
    for (ptrdiff_t i = 0; i < band.rows; i++, first += plan->ow)
        for (ptrdiff_t j = 0; j < all->pitch; j += LANES) {
            TYPED(load_pixels)(outputs, gy + (first + j) * outputs, (size - first - j) * outputs,
                               ptrdiff_max(0, ptrdiff_min(plan->ow - j, LANES)), channels);
            UNROLL for (int o = 0; o < outputs; o++) {
                TYPED(store)(piece->gy + o * piece->channel + i * all->pitch + j, channels[o]);
                bias[o] += channels[o];
            }
        }
}

#define SEPARATE(outputs)                                                                         \
    static void TYPED(pixels_separate_##outputs)(const conv_pixels *all, const REAL *gy,          \
                                                 conv_band band, TYPED(pixels_piece) * piece) {   \
        TYPED(pixels_separate)(outputs, all, gy, band, piece);                                    \
    }
SEPARATE(1) SEPARATE(2) SEPARATE(3) SEPARATE(4)
SEPARATE(5) SEPARATE(6) SEPARATE(7) SEPARATE(8)
#undef SEPARATE

static void (*const TYPED(pixels_separates)[PIXELS_OUTPUTS])(
    const conv_pixels *, const REAL *, conv_band, TYPED(pixels_piece) *) = {
    TYPED(pixels_separate_1), TYPED(pixels_separate_2), TYPED(pixels_separate_3),
    TYPED(pixels_separate_4), TYPED(pixels_separate_5), TYPED(pixels_separate_6),
    TYPED(pixels_separate_7), TYPED(pixels_separate_8)};

/* Some taps times some outputs over `length` pixels; sums[t * outputs + o]. */
static inline __attribute__((always_inline)) void TYPED(pixels_products)(
    const int taps, const int outputs, const TYPED(pixels_piece) *piece,
    const ptrdiff_t *offsets, const REAL *gy, VECTOR *sums) {
    const ptrdiff_t length = piece->length, channel = piece->channel;
    VECTOR sum[GROUP_TAPS][GROUP_OUTPUTS];
    const REAL *source[GROUP_TAPS];
    UNROLL for (int t = 0; t < taps; t++) {
        source[t] = piece->x + offsets[t];
        UNROLL for (int o = 0; o < outputs; o++) sum[t][o] = sums[t * outputs + o];
    }
    for (ptrdiff_t at = 0; at < length; at += LANES) {
        VECTOR factor[GROUP_OUTPUTS];
        UNROLL for (int o = 0; o < outputs; o++) factor[o] = TYPED(load)(gy + o * channel + at);
        UNROLL for (int t = 0; t < taps; t++) {
            VECTOR value = TYPED(load)(source[t] + at);
            UNROLL for (int o = 0; o < outputs; o++) sum[t][o] += factor[o] * value;
        }
    }
    UNROLL for (int t = 0; t < taps; t++)
        UNROLL for (int o = 0; o < outputs; o++) sums[t * outputs + o] = sum[t][o];
}

typedef void (*TYPED(pixels_function))(const TYPED(pixels_piece) *, const ptrdiff_t *,
                                       const REAL *, VECTOR *);
#define PRODUCT(taps, outputs)                                                                    \
    static void TYPED(pixels_products_##taps##_##outputs)(                                        \
        const TYPED(pixels_piece) * piece, const ptrdiff_t *offsets, const REAL *gy,              \
        VECTOR *sums) {                                                                           \
        TYPED(pixels_products)(taps, outputs, piece, offsets, gy, sums);                          \
    }
#define PRODUCTS(outputs)                                                                         \
    PRODUCT(1, outputs) PRODUCT(2, outputs) PRODUCT(3, outputs) PRODUCT(4, outputs) LAST(outputs)
#define PRODUCT_NAMES(outputs)                                                                    \
    {TYPED(pixels_products_1_##outputs), TYPED(pixels_products_2_##outputs),                      \
     TYPED(pixels_products_3_##outputs), TYPED(pixels_products_4_##outputs),                      \
     LAST_NAME(outputs)}

#if GROUP_TAPS == 5
#define LAST(outputs) PRODUCT(5, outputs)
#define LAST_NAME(outputs) TYPED(pixels_products_5_##outputs)
#else
#define LAST(outputs)
#define LAST_NAME(outputs)
#endif

PRODUCTS(1) PRODUCTS(2)
#if GROUP_OUTPUTS == 6
PRODUCTS(3) PRODUCTS(4) PRODUCTS(5) PRODUCTS(6)
#endif

static const TYPED(pixels_function) TYPED(pixels_functions)[GROUP_OUTPUTS][GROUP_TAPS] = {
    PRODUCT_NAMES(1), PRODUCT_NAMES(2),
#if GROUP_OUTPUTS == 6
    PRODUCT_NAMES(3), PRODUCT_NAMES(4), PRODUCT_NAMES(5), PRODUCT_NAMES(6),
#endif
};
#undef LAST
#undef LAST_NAME
#undef PRODUCT
#undef PRODUCTS
#undef PRODUCT_NAMES

static void TYPED(pixels_weight_unit)(const TYPED(pixels_weight_call) *call, ptrdiff_t unit,
                                      TYPED(pixels_piece) *piece) {
    const conv_pixels *all = call->all;
    conv_band band = conv_band_of(all, unit);
    ptrdiff_t tap_groups = ceil_div(all->taps, GROUP_TAPS), outputs = all->plan.o;
    ptrdiff_t output_groups = ceil_div(outputs, GROUP_OUTPUTS);
    piece->length = ceil_div(band.rows * all->pitch, LANES) * LANES;
    piece->channel = piece->length + LANES;
    TYPED(pixels_pad)(all, call->x, band, piece->x);
    for (ptrdiff_t o = 0; o < outputs; o++) /* the last row's zeros may end before the run does */
        TYPED(store)(piece->gy + o * piece->channel + piece->length - LANES, (VECTOR){0});
    TYPED(pixels_separates)[outputs - 1](all, call->gy, band, piece);
    for (ptrdiff_t i = 0; i < output_groups; i++)
        for (ptrdiff_t j = 0; j < tap_groups; j++) {
            ptrdiff_t o = i * outputs / output_groups, t = j * all->taps / tap_groups;
            ptrdiff_t o_count = (i + 1) * outputs / output_groups - o;
            ptrdiff_t t_count = (j + 1) * all->taps / tap_groups - t;
            TYPED(pixels_functions)[o_count - 1][t_count - 1](
                piece, call->offsets + t, piece->gy + o * piece->channel,
                piece->sums + o * all->taps + t * o_count);
        }
}

static void TYPED(pixels_weight_piece)(const void *work, ptrdiff_t index, int worker) {
    const TYPED(pixels_weight_call) *call = work;
    const conv_pixels *all = call->all;
    ptrdiff_t values = (all->taps + 1) * all->plan.o;
    TYPED(pixels_piece) piece __attribute__((aligned(64)));
    REAL *partial = call->partials + index * values;
    (void)worker;
    memset(piece.sums, 0, values * sizeof(VECTOR));
    for (ptrdiff_t unit = index * all->units / all->pieces;
         unit < (index + 1) * all->units / all->pieces; unit++)
        TYPED(pixels_weight_unit)(call, unit, &piece);
    for (ptrdiff_t i = 0; i < values; i++) {
        VECTOR sum = TYPED(fold_lanes)(piece.sums[i], LANES);
        partial[i] = sum[0];
    }
}

/* Value `index` of the sums, over the pieces in order. */
static REAL TYPED(pixels_sum)(const TYPED(pixels_weight_call) *call, ptrdiff_t index) {
    const conv_pixels *all = call->all;
    REAL sum = 0;
    for (ptrdiff_t piece = 0; piece < all->pieces; piece++)
        sum += call->partials[piece * (all->taps + 1) * all->plan.o + index];
    return sum;
}

/* All taps of one output channel. */
static void TYPED(pixels_weight_reduce)(const void *work, ptrdiff_t o, int worker) {
    const TYPED(pixels_weight_call) *call = work;
    const conv_pixels *all = call->all;
    ptrdiff_t outputs = all->plan.o, groups = ceil_div(outputs, GROUP_OUTPUTS), group = 0;
    (void)worker;
    while ((group + 1) * outputs / groups <= o) group++;
    ptrdiff_t first = group * outputs / groups;
    ptrdiff_t count = (group + 1) * outputs / groups - first;
    for (ptrdiff_t tap = 0; tap < all->taps; tap++)
        call->gw[o * all->taps + tap] =
            TYPED(pixels_sum)(call, first * all->taps + tap * count + o - first);
    if (call->gbias) call->gbias[o] = TYPED(pixels_sum)(call, all->taps * outputs + o);
}

/* Returns 0 where the other kernels are to run: also where a sum is not finite, since padding,
 * and pixels past a row's end, are multiplied here. */
static int TYPED(pixels_weight_gradient)(const conv_plan *plan, const REAL *x, const REAL *gy,
                                         REAL *gw, REAL *gbias, REAL *partials, int threads) {
    conv_pixels all;
    if (!conv_pixels_weight_of(plan, LANES, sizeof(REAL), &all)) return 0;
    TYPED(pixels_weight_call) call = {.all = &all, .x = x, .gy = gy, .partials = partials,
                                      .gw = gw, .gbias = gbias};
    for (ptrdiff_t tap = 0; tap < all.taps; tap++)
        call.offsets[tap] = tap / plan->kw * all.pitch + tap % plan->kw;
    team_run(TYPED(pixels_weight_piece), &call, all.pieces, threads);
    /* Few sums: a hand-off to other threads would take longer. */
    team_run(TYPED(pixels_weight_reduce), &call, plan->o, 1);
    return TYPED(all_finite)(gw, all.taps * plan->o);
}

static size_t TYPED(pixels_weight_scratch)(const conv_plan *plan) {
    conv_pixels all;
    if (!conv_pixels_weight_of(plan, LANES, sizeof(REAL), &all)) return 0;
    return all.pieces * (all.taps + 1) * plan->o * sizeof(REAL);
}

#undef GROUP_OUTPUTS
#undef GROUP_TAPS
