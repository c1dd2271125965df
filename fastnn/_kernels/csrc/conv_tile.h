/* The micro-kernel: some pixels times some vectors of output channels, held in registers.
 *
 *     out[p][lanes] = bent(bias[lanes] + sum over k of in[p][offsets[k]] * weights[k][lanes])
 *
 * k counts the (tap, input channel) pairs. The pixels may lie anywhere, so a tile of small images
 * spans several of them. The k of valid taps are `runs` of `length`, `stride` apart.
 *
 * Few output channels fill a vector with `fold` terms: lane c*fold + r holds channel c's terms
 * r, r + fold, ..., multiplied by `fold` neighbouring inputs at once and added at the end.
 */
#ifndef PREFETCHED_STEPS
#define PREFETCHED_STEPS 4 /* weights larger than the first cache: 181 to 195 GFLOP/s */
#endif
typedef struct {
    const REAL *weights, *bias;
    const ptrdiff_t *offsets;
    ptrdiff_t first, runs, length, stride;
    REAL below;
    ptrdiff_t last_lanes;
    const struct TYPED(joined_outputs) *joined; /* for joined groups: see conv_joined_tile.h */
} TYPED(tile_job);

static inline __attribute__((always_inline)) void TYPED(tile_step)(
    const int pixels, const int vectors, const int fold, const REAL *const *source,
    ptrdiff_t offset, const REAL *weights, VECTOR (*sum)[TILE_VECTORS]) {
    VECTOR weight[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) {
        weight[v] = TYPED(load)(weights + v * LANES);
        if (fold == 1 && vectors > 1)
            __builtin_prefetch(weights + (PREFETCHED_STEPS * vectors + v) * LANES);
    }
    UNROLL for (int p = 0; p < pixels; p++) {
        VECTOR value = TYPED(spread)(source[p] + offset, fold * (int)sizeof(REAL));
        UNROLL for (int v = 0; v < vectors; v++) sum[p][v] += weight[v] * value;
    }
}

/* Sums of a tile of one vector alternate between two: six alone would wait for each other. */
#define WAYS 2

static inline __attribute__((always_inline)) void TYPED(tile)(
    const int pixels, const int vectors, const int fold, const TYPED(tile_job) *job,
    const REAL *const *in, REAL *const *out) {
    const int ways = vectors == 1 ? WAYS : 1, width = vectors * LANES;
    VECTOR sum[WAYS][TALL_PIXELS][TILE_VECTORS];
    const REAL *source[TALL_PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) {
        source[p] = in[p];
        UNROLL for (int v = 0; v < vectors; v++)
            UNROLL for (int way = 0; way < ways; way++) sum[way][p][v] = (VECTOR){0};
    }
    for (ptrdiff_t run = 0; run < job->runs; run++) {
        ptrdiff_t first = job->first + run * job->stride;
        const ptrdiff_t *offset = job->offsets + first, *end = offset + job->length;
        const REAL *weights = job->weights + first / fold * width;
        for (; offset + (ways - 1) * fold < end; offset += ways * fold, weights += ways * width)
            UNROLL for (int way = 0; way < ways; way++)
                TYPED(tile_step)(pixels, vectors, fold, source, offset[way * fold],
                                 weights + way * width, sum[way]);
        if (ways > 1 && offset < end)
            TYPED(tile_step)(pixels, vectors, fold, source, *offset, weights, sum[0]);
    }
    UNROLL for (int p = 0; p < pixels; p++)
        UNROLL for (int v = 0; v < vectors; v++) {
            VECTOR value = ways > 1 ? sum[0][p][v] + sum[WAYS - 1][p][v] : sum[0][p][v];
            value = TYPED(fold_lanes)(value, fold) + TYPED(load)(job->bias + v * LANES);
            if (job->below != 1) value = TYPED(bent)(value, job->below);
            if (v + 1 < vectors || job->last_lanes == LANES)
                TYPED(store)(out[p] + v * LANES, value);
            else
                TYPED(store_lanes)(out[p] + v * LANES, value, job->last_lanes);
        }
}

#define TILE(pixels, vectors, fold)                                                               \
    static void TYPED(tile_##pixels##_##vectors##_##fold)(                                        \
        const TYPED(tile_job) * job, const REAL *const *in, REAL *const *out) {                   \
        TYPED(tile)(pixels, vectors, fold, job, in, out);                                         \
    }
#define TILES(vectors, fold)                                                                      \
    TILE(1, vectors, fold) TILE(2, vectors, fold) TILE(3, vectors, fold)                          \
    TILE(4, vectors, fold) TILE(5, vectors, fold) TILE(6, vectors, fold)
#define TILE_NAMES(vectors, fold)                                                                 \
    {TYPED(tile_1_##vectors##_##fold), TYPED(tile_2_##vectors##_##fold),                          \
     TYPED(tile_3_##vectors##_##fold), TYPED(tile_4_##vectors##_##fold),                          \
     TYPED(tile_5_##vectors##_##fold), TYPED(tile_6_##vectors##_##fold)}
#if TALL_PIXELS == 9
#define TALL_TILES(vectors)                                                                       \
    TILES(vectors, 1) TILE(7, vectors, 1) TILE(8, vectors, 1) TILE(9, vectors, 1)
#define TALL_NAMES(vectors)                                                                       \
    {TYPED(tile_1_##vectors##_1), TYPED(tile_2_##vectors##_1), TYPED(tile_3_##vectors##_1),       \
     TYPED(tile_4_##vectors##_1), TYPED(tile_5_##vectors##_1), TYPED(tile_6_##vectors##_1),       \
     TYPED(tile_7_##vectors##_1), TYPED(tile_8_##vectors##_1), TYPED(tile_9_##vectors##_1)}
#else
#define TALL_TILES(vectors) TILES(vectors, 1)
#define TALL_NAMES(vectors) TILE_NAMES(vectors, 1)
#endif

TALL_TILES(1)
TALL_TILES(2)
#if TILE_VECTORS == 4
TILES(3, 1)
TILES(4, 1)
#endif
TILES(1, 2)
#if LANES >= 4
TILES(1, 4)
#endif
#if LANES >= 8
TILES(1, 8)
#endif
#if LANES >= 16
TILES(1, 16)
#endif

typedef void (*TYPED(tile_function))(const TYPED(tile_job) *, const REAL *const *, REAL *const *);

static const TYPED(tile_function) TYPED(tiles)[TILE_VECTORS][TALL_PIXELS] = {
    TALL_NAMES(1), TALL_NAMES(2),
#if TILE_VECTORS == 4
    TILE_NAMES(3, 1), TILE_NAMES(4, 1),
#endif
};

/* By the binary logarithm of fold. */
static const TYPED(tile_function) TYPED(folded_tiles)[][TILE_PIXELS] = {
    TILE_NAMES(1, 1), TILE_NAMES(1, 2),
#if LANES >= 4
    TILE_NAMES(1, 4),
#endif
#if LANES >= 8
    TILE_NAMES(1, 8),
#endif
#if LANES >= 16
    TILE_NAMES(1, 16),
#endif
};

#undef TILE
#undef TILES
#undef TILE_NAMES
#undef TALL_TILES
#undef TALL_NAMES
