/* The micro-kernel: some pixels times some vectors of output channels, held in registers.
 *
 *     out[p][lanes] = activation(bias[lanes] + sum over k of in[p][offsets[k]] * weights[k][lanes])
 *
 * k counts the (tap, input channel) pairs. The pixels may lie anywhere, so a tile of small images
 * spans several of them. The k of valid taps are `runs` of `length`, `stride` apart.
 */
typedef struct {
    const REAL *weights, *bias;
    const ptrdiff_t *offsets;
    ptrdiff_t first, runs, length, stride;
    int activation;
    ptrdiff_t last_lanes;
} TYPED(tile_job);

static inline __attribute__((always_inline)) void TYPED(tile)(
    const int pixels, const int vectors, const TYPED(tile_job) *job, const REAL *const *in,
    REAL *const *out) {
    VECTOR sum[TILE_PIXELS][TILE_VECTORS];
    const REAL *source[TILE_PIXELS];
    for (int p = 0; p < pixels; p++) {
        source[p] = in[p];
        for (int v = 0; v < vectors; v++) sum[p][v] = (VECTOR){0};
    }
    for (ptrdiff_t run = 0; run < job->runs; run++) {
        ptrdiff_t first = job->first + run * job->stride;
        const ptrdiff_t *offset = job->offsets + first, *end = offset + job->length;
        const REAL *weights = job->weights + first * vectors * LANES;
        for (; offset < end; offset++, weights += vectors * LANES) {
            VECTOR weight[TILE_VECTORS];
            for (int v = 0; v < vectors; v++) weight[v] = TYPED(load)(weights + v * LANES);
            for (int p = 0; p < pixels; p++) {
                REAL value = source[p][*offset];
                for (int v = 0; v < vectors; v++) sum[p][v] += weight[v] * value;
            }
        }
    }
    for (int p = 0; p < pixels; p++)
        for (int v = 0; v < vectors; v++) {
            VECTOR value = sum[p][v] + TYPED(load)(job->bias + v * LANES);
            if (job->activation) value = TYPED(relu)(value);
            if (v + 1 < vectors || job->last_lanes == LANES)
                TYPED(store)(out[p] + v * LANES, value);
            else
                TYPED(store_lanes)(out[p] + v * LANES, value, job->last_lanes);
        }
}

#define TILE(pixels, vectors)                                                                     \
    static void TYPED(tile_##pixels##_##vectors)(const TYPED(tile_job) * job,                     \
                                                 const REAL *const *in, REAL *const *out) {       \
        TYPED(tile)(pixels, vectors, job, in, out);                                               \
    }
#define TILES(vectors)                                                                            \
    TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors)          \
    TILE(6, vectors)
#define TILE_NAMES(vectors)                                                                       \
    {TYPED(tile_1_##vectors), TYPED(tile_2_##vectors), TYPED(tile_3_##vectors),                   \
     TYPED(tile_4_##vectors), TYPED(tile_5_##vectors), TYPED(tile_6_##vectors)}

TILES(1)
TILES(2)
#if TILE_VECTORS == 4
TILES(3)
TILES(4)
#endif

typedef void (*TYPED(tile_function))(const TYPED(tile_job) *, const REAL *const *, REAL *const *);

static const TYPED(tile_function) TYPED(tiles)[TILE_VECTORS][TILE_PIXELS] = {
    TILE_NAMES(1), TILE_NAMES(2),
#if TILE_VECTORS == 4
    TILE_NAMES(3), TILE_NAMES(4),
#endif
};

#undef TILE
#undef TILES
#undef TILE_NAMES
