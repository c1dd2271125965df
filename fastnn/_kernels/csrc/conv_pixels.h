/* The forward convolution of one channel into few, with vectors over pixels.
 *
 * Weights are packed [tap row][tap column][output channel].
 */
typedef struct {
    const conv_pixels *all;
    const REAL *x, *bias;
    REAL *y;
    REAL below;
    REAL weight[PIXELS_TAPS * PIXELS_OUTPUTS];
} TYPED(pixels_call);

/* `count` vectors from as many: lane i of vector j is value number chosen(j, i) of all. */
#define COLLECT(count, chosen)                                                                    \
    UNROLL for (int j = 0; j < count; j++) {                                                      \
        VECTOR value = from[0];                                                                   \
        UNROLL for (int source = 1; source < count; source++) {                                   \
            MASK place;                                                                           \
            UNROLL for (int i = 0; i < LANES; i++) {                                              \
                const int number = chosen(j, i), lane = number % LANES;                           \
                place[i] = number / LANES == source ? LANES + lane                                \
                         : source == 1 && number < LANES ? lane : i;                              \
            }                                                                                     \
            value = TYPED(permute_two)(value, from[source], place);                               \
        }                                                                                         \
        to[j] = value;                                                                            \
    }

/* From one vector per channel, or per pair of channels, to pixels with their channels in order. */
static inline __attribute__((always_inline)) void TYPED(merge)(
    const int channels, const int pair, const VECTOR *from, VECTOR *to) {
    const int count = channels / pair;
#define CHOSEN(j, i)                                                                              \
    (((j) * LANES + (i)) % channels / pair * LANES + ((j) * LANES + (i)) / channels * pair        \
     + ((j) * LANES + (i)) % channels % pair)
    COLLECT(count, CHOSEN)
#undef CHOSEN
}

static inline __attribute__((always_inline)) void TYPED(part)(
    const int channels, const int pair, const VECTOR *from, VECTOR *to) {
    const int count = channels / pair;
#define CHOSEN(j, i) ((i) / pair * channels + (j) * pair + (i) % pair)
    COLLECT(count, CHOSEN)
#undef CHOSEN
}

/* Pairs of channels first: 18 shuffles instead of 30 for 6 channels. */
static inline __attribute__((always_inline)) void TYPED(interleave)(
    const int channels, const VECTOR *from, VECTOR *to) {
    if (channels % 2) {
        TYPED(merge)(channels, 1, from, to);
        return;
    }
    UNROLL for (int half = 0; half < 2; half++) {
        VECTOR pairs[PIXELS_OUTPUTS / 2];
        MASK place;
        UNROLL for (int i = 0; i < LANES; i++)
            place[i] = half * (LANES / 2) + i / 2 + i % 2 * LANES;
        UNROLL for (int p = 0; p < channels / 2; p++)
            pairs[p] = TYPED(permute_two)(from[2 * p], from[2 * p + 1], place);
        TYPED(merge)(channels, 2, pairs, to + half * (channels / 2));
    }
}

static inline __attribute__((always_inline)) void TYPED(separate)(
    const int channels, const VECTOR *from, VECTOR *to) {
    if (channels % 2) {
        TYPED(part)(channels, 1, from, to);
        return;
    }
    VECTOR pairs[2][PIXELS_OUTPUTS / 2];
    MASK even;
    UNROLL for (int i = 0; i < LANES; i++) even[i] = 2 * i;
    UNROLL for (int half = 0; half < 2; half++)
        TYPED(part)(channels, 2, from + half * (channels / 2), pairs[half]);
    UNROLL for (int p = 0; p < channels / 2; p++) {
        to[2 * p] = TYPED(permute_two)(pairs[0][p], pairs[1][p], even);
        to[2 * p + 1] = TYPED(permute_two)(pairs[0][p], pairs[1][p], even + 1);
    }
}

/* The inputs of a band, with zeros for the padding and for what is read past the end. */
static void TYPED(pixels_pad)(const conv_pixels *all, const REAL *x, conv_band band,
                              REAL *padded) {
    const conv_plan *plan = &all->plan;
    ptrdiff_t rows = band.rows + plan->kh - 1, left = ptrdiff_min(plan->pad_w, all->pitch);
    ptrdiff_t width = ptrdiff_min(plan->w, all->pitch - left);
    memset(padded, 0, (rows * all->pitch + 2 * LANES + plan->kw) * sizeof(REAL));
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t row = band.first + i - plan->pad_h;
        if (row >= 0 && row < plan->h)
            memcpy(padded + i * all->pitch + left,
                   x + (band.image * plan->h + row) * plan->w, width * sizeof(REAL));
    }
}

/* Vectors of pixels to `outputs` channels; y[v] receives the first `width` pixels of each. */
static inline __attribute__((always_inline)) void TYPED(pixels_tile)(
    const int outputs, const int vectors, const TYPED(pixels_call) *call, const REAL *const *x,
    REAL *const *y, ptrdiff_t width) {
    const conv_pixels *all = call->all;
    const REAL *weight = call->weight, *source[4];
    VECTOR sum[4][PIXELS_OUTPUTS];
    UNROLL for (int v = 0; v < vectors; v++) {
        source[v] = x[v];
        UNROLL for (int o = 0; o < outputs; o++)
            sum[v][o] = call->bias ? TYPED(spread)(call->bias + o, sizeof(REAL)) : (VECTOR){0};
    }
    for (ptrdiff_t i = 0; i < all->plan.kh; i++)
        for (ptrdiff_t j = 0; j < all->plan.kw; j++, weight += outputs) {
            VECTOR value[4];
            UNROLL for (int v = 0; v < vectors; v++)
                value[v] = TYPED(load)(source[v] + i * all->pitch + j);
            UNROLL for (int o = 0; o < outputs; o++) {
                VECTOR factor = TYPED(spread)(weight + o, sizeof(REAL));
                UNROLL for (int v = 0; v < vectors; v++) sum[v][o] += factor * value[v];
            }
        }
    UNROLL for (int v = 0; v < vectors; v++) {
        VECTOR pixels[PIXELS_OUTPUTS];
        TYPED(interleave)(outputs, sum[v], pixels);
        UNROLL for (int o = 0; o < outputs; o++) {
            ptrdiff_t left = width * outputs - o * LANES;
            if (call->below != 1) pixels[o] = TYPED(bent)(pixels[o], call->below);
            if (left > 0) TYPED(store_some)(y[v] + o * LANES, pixels[o], ptrdiff_min(left, LANES));
        }
    }
}

/* One band: `vectors` at a time of those that cover its rows. The last vector of a row overlaps
 * the one before, so it ends with the row; the last tile may repeat the last vector. */
static inline __attribute__((always_inline)) void TYPED(pixels_band)(
    const int outputs, const int vectors, const TYPED(pixels_call) *call, ptrdiff_t unit) {
    const conv_plan *plan = &call->all->plan;
    conv_band band = conv_band_of(call->all, unit);
    REAL padded[PIXELS_X_BYTES / sizeof(REAL)] __attribute__((aligned(64)));
    ptrdiff_t width = ptrdiff_min(plan->ow, LANES), across = ceil_div(plan->ow, LANES);
    ptrdiff_t count = band.rows * across;
    REAL *y = call->y + (band.image * plan->oh + band.first) * plan->ow * outputs;
    TYPED(pixels_pad)(call->all, call->x, band, padded);
    for (ptrdiff_t first = 0; first < count; first += vectors) {
        const REAL *source[4];
        REAL *target[4];
        for (int v = 0; v < vectors; v++) {
            ptrdiff_t index = ptrdiff_min(first + v, count - 1), row = index / across;
            ptrdiff_t column = ptrdiff_min(index % across * LANES, plan->ow - width);
            source[v] = padded + row * call->all->pitch + column;
            target[v] = y + (row * plan->ow + column) * outputs;
        }
        TYPED(pixels_tile)(outputs, vectors, call, source, target, width);
    }
}

#define BAND(outputs, vectors)                                                                    \
    static void TYPED(pixels_band_##outputs)(const TYPED(pixels_call) * call, ptrdiff_t unit) {   \
        TYPED(pixels_band)(outputs, vectors, call, unit);                                         \
    }
BAND(1, 4) BAND(2, 4) BAND(3, 4) BAND(4, 2) BAND(5, 2) BAND(6, 2)
#if ISA == 4
BAND(7, 2) BAND(8, 2)
#else
BAND(7, 1) BAND(8, 1)
#endif
#undef BAND

static void (*const TYPED(pixels_bands)[PIXELS_OUTPUTS])(const TYPED(pixels_call) *, ptrdiff_t) = {
    TYPED(pixels_band_1), TYPED(pixels_band_2), TYPED(pixels_band_3), TYPED(pixels_band_4),
    TYPED(pixels_band_5), TYPED(pixels_band_6), TYPED(pixels_band_7), TYPED(pixels_band_8)};

static void TYPED(pixels_task)(const void *work, ptrdiff_t task, int worker) {
    const TYPED(pixels_call) *call = work;
    const conv_pixels *all = call->all;
    ptrdiff_t last = ptrdiff_min((task + 1) * all->task_units, all->units);
    (void)worker;
    for (ptrdiff_t unit = task * all->task_units; unit < last; unit++)
        TYPED(pixels_bands)[all->plan.o - 1](call, unit);
}

static int TYPED(all_finite)(const REAL *values, ptrdiff_t count) {
    REAL zero = 0;
    for (ptrdiff_t i = 0; i < count; i++) zero += values[i] * 0;
    return zero == 0;
}

/* Returns 0, with nothing done, where the other kernels are to run: also for non-finite weights,
 * whose products with the padding's zeros would be NaN. */
static int TYPED(pixels_forward)(const conv_plan *plan, const REAL *x, const REAL *weight,
                                 const REAL *bias, double below, REAL *y, int threads) {
    conv_pixels all;
    if (!conv_pixels_of(plan, LANES, sizeof(REAL), &all)) return 0;
    if (!TYPED(all_finite)(weight, all.taps * plan->o)) return 0;
    TYPED(pixels_call) call = {.all = &all, .x = x, .bias = bias, .y = y,
                               .below = (REAL)below};
    for (ptrdiff_t tap = 0; tap < all.taps; tap++)
        for (ptrdiff_t o = 0; o < plan->o; o++)
            call.weight[tap * plan->o + o] = weight[o * all.taps + tap];
    team_run(TYPED(pixels_task), &call, ceil_div(all.units, all.task_units), threads);
    return 1;
}

#undef COLLECT
