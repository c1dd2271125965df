/* The micro-kernel for joined groups: some pixels times some vectors of input channels.
 *
 *     sum[p][o][lane] = sum over the taps k of in[p][offsets[k]][lane] * weights[k][o][lane]
 *
 * for each output o of a lane's group. The lanes of a group are added at the end: pairs of
 * neighbours as often as that takes. Then the outputs of a group, each in a vector of its own or in
 * a part of one, are put side by side.
 */

/* A vector whose lanes come from several. */
typedef struct {
    ptrdiff_t count, source[TILE_VECTORS];
    MASK place[TILE_VECTORS];
} TYPED(choice);

/* Lane i is value numbers[i] of some vectors, counted through. */
static void TYPED(choose)(TYPED(choice) *choice, const ptrdiff_t *numbers) {
    choice->count = 0;
    for (ptrdiff_t source = 0; source < TILE_VECTORS; source++) {
        MASK place;
        int used = 0;
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            int found = numbers[lane] / LANES == source;
            place[lane] = !found ? lane : numbers[lane] % LANES + (choice->count ? LANES : 0);
            used |= found;
        }
        if (!used) continue;
        choice->source[choice->count] = source;
        choice->place[choice->count++] = place;
    }
}

static inline VECTOR TYPED(chosen)(const TYPED(choice) *choice, const VECTOR *from) {
    VECTOR value = TYPED(permute)(from[choice->source[0]], choice->place[0]);
    for (ptrdiff_t i = 1; i < choice->count; i++)
        value = TYPED(permute_two)(value, from[choice->source[i]], choice->place[i]);
    return value;
}

/* What a block of joined groups writes of each pixel. */
struct TYPED(joined_outputs) {
    ptrdiff_t inputs, outputs, channels;  /* of a group; outputs of all its groups */
    TYPED(choice) choices[TILE_VECTORS];  /* of the added lanes, for each vector of outputs */
};

/* Output q of the block is output q % outputs of its group q / outputs. */
static void TYPED(joined_choices)(struct TYPED(joined_outputs) *joined, ptrdiff_t vectors) {
    ptrdiff_t outputs = joined->outputs, groups = vectors * LANES / joined->inputs;
    if (outputs == 1) return;
    for (ptrdiff_t first = 0; first < groups * outputs; first += LANES) {
        ptrdiff_t numbers[LANES];
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            ptrdiff_t q = ptrdiff_min(first + lane, groups * outputs - 1);
            numbers[lane] = q % outputs * groups + q / outputs;
        }
        TYPED(choose)(joined->choices + first / LANES, numbers);
    }
}

static inline void TYPED(joined_store)(const TYPED(tile_job) *job, ptrdiff_t first, VECTOR value,
                                       REAL *out) {
    value += TYPED(load)(job->bias + first);
    if (job->below != 1) value = TYPED(bent)(value, job->below);
    TYPED(store_some)(out + first, value, ptrdiff_min(job->joined->channels - first, LANES));
}

/* Sums of pairs of lanes, as often as there are inputs; `count` vectors to as many as that leaves.
 * The loops have known ends, so that all stays in registers. */
static inline __attribute__((always_inline)) void TYPED(joined_add)(
    const int count, ptrdiff_t inputs, VECTOR *sums) {
    MASK even;
    UNROLL for (int i = 0; i < LANES; i++) even[i] = 2 * i;
    UNROLL for (int width = 1; width < LANES; width *= 2) {
        const int left = (count + width - 1) / width;
        if (width >= inputs) return;
        UNROLL for (int i = 0; i < (left + 1) / 2; i++) {
            VECTOR next = 2 * i + 1 < left ? sums[2 * i + 1] : (VECTOR){0};
            sums[i] = TYPED(permute_two)(sums[2 * i], next, even)
                    + TYPED(permute_two)(sums[2 * i], next, even + 1);
        }
    }
}

static inline __attribute__((always_inline)) void TYPED(joined_pixel)(
    const int count, const int outputs, const TYPED(tile_job) *job, const VECTOR *from,
    REAL *out) {
    const struct TYPED(joined_outputs) *joined = job->joined;
    VECTOR sums[TILE_VECTORS] = {{0}};
    UNROLL for (int v = 0; v < count; v++) sums[v] = from[v];
    TYPED(joined_add)(count, joined->inputs, sums);
    if (outputs > 1 && count <= joined->inputs) {
        VECTOR value = TYPED(permute)(sums[0], joined->choices[0].place[0]);
        TYPED(joined_store)(job, 0, value, out);
        return;
    }
    for (ptrdiff_t first = 0; first < joined->channels; first += LANES) {
        VECTOR value = outputs == 1 ? sums[first / LANES]
                     : TYPED(chosen)(joined->choices + first / LANES, sums);
        TYPED(joined_store)(job, first, value, out);
    }
}

/* One tap. With one output each value is used once, and so needs no register of its own: 6 pixels
 * by 2 vectors leave 4 of 16. */
static inline __attribute__((always_inline)) void TYPED(joined_step)(
    const int pixels, const int vectors, const int outputs, const REAL *const *source,
    ptrdiff_t offset, const REAL *weights, ptrdiff_t lanes, VECTOR (*sum)[TILE_VECTORS]) {
    UNROLL for (int v = 0; v < vectors; v++) {
        const ptrdiff_t some = v + 1 < vectors ? LANES : lanes, at = offset + v * LANES;
        if (outputs == 1) {
            VECTOR weight = TYPED(load)(weights + v * LANES);
            UNROLL for (int p = 0; p < pixels; p++)
                sum[p][v] += weight * TYPED(load_some)(source[p] + at, some);
            continue;
        }
        VECTOR value[TILE_PIXELS];
        UNROLL for (int p = 0; p < pixels; p++)
            value[p] = TYPED(load_some)(source[p] + at, some);
        UNROLL for (int o = 0; o < outputs; o++) {
            VECTOR weight = TYPED(load)(weights + (o * vectors + v) * LANES);
            UNROLL for (int p = 0; p < pixels; p++) sum[p][o * vectors + v] += weight * value[p];
        }
    }
}

/* All taps; of the last vector `lanes` lanes. */
static inline __attribute__((always_inline)) void TYPED(joined_sums)(
    const int pixels, const int vectors, const int outputs, const TYPED(tile_job) *job,
    const REAL *const *source, ptrdiff_t lanes, VECTOR (*sum)[TILE_VECTORS]) {
    for (ptrdiff_t run = 0; run < job->runs; run++) {
        ptrdiff_t first = job->first + run * job->stride;
        for (ptrdiff_t k = first; k < first + job->length; k++)
            TYPED(joined_step)(pixels, vectors, outputs, source, job->offsets[k],
                               job->weights + k * vectors * outputs * LANES, lanes, sum);
    }
}

static inline __attribute__((always_inline)) void TYPED(joined_tile)(
    const int pixels, const int vectors, const int outputs, const TYPED(tile_job) *job,
    const REAL *const *in, REAL *const *out) {
    const int count = vectors * outputs;
    VECTOR sum[TILE_PIXELS][TILE_VECTORS];
    const REAL *source[TILE_PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) {
        source[p] = in[p];
        UNROLL for (int v = 0; v < count; v++) sum[p][v] = (VECTOR){0};
    }
    if (job->last_lanes == LANES)
        TYPED(joined_sums)(pixels, vectors, outputs, job, source, LANES, sum);
    else
        TYPED(joined_sums)(pixels, vectors, outputs, job, source, job->last_lanes, sum);
    if (outputs == 1 && job->joined->inputs == 1) {
        UNROLL for (int p = 0; p < pixels; p++)
            UNROLL for (int v = 0; v < vectors; v++)
                TYPED(joined_store)(job, v * LANES, sum[p][v], out[p]);
        return;
    }
    VECTOR sums[TILE_PIXELS][TILE_VECTORS];
    UNROLL for (int p = 0; p < pixels; p++)
        UNROLL for (int v = 0; v < count; v++) sums[p][v] = sum[p][v];
    for (int p = 0; p < pixels; p++)
        TYPED(joined_pixel)(count, outputs, job, sums[p], out[p]);
}

#define NAME(pixels, vectors, outputs) TYPED(joined_tile_##pixels##_##vectors##_##outputs)
#define TILE(pixels, vectors, outputs)                                                            \
    static void NAME(pixels, vectors, outputs)(const TYPED(tile_job) * job,                       \
                                               const REAL *const *in, REAL *const *out) {         \
        TYPED(joined_tile)(pixels, vectors, outputs, job, in, out);                               \
    }
#define TABLE TYPED(tile_function) TYPED(joined_tiles)
#include "conv_joined_shapes.h"
