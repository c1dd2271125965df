/* The weight gradient's micro-kernel: some terms times some vectors of output channels.
 *
 *     partial[t][lanes] += sum over an area's pixels of x[t][pixel] * gy[pixel][lanes]
 *
 * With a fold above 1, for few output channels, lane c*fold + r belongs to channel c and to the
 * r-th of `fold` neighbouring terms. Terms that lie `together`, the channels of one tap, need only
 * the first one's address.
 */
typedef struct {
    ptrdiff_t images, rows, cols;
    ptrdiff_t x_image, x_row, x_col, gy_image, gy_row, gy_col;
    ptrdiff_t last_lanes;
} TYPED(area);

static inline __attribute__((always_inline)) void TYPED(weight_step)(
    const int terms, const int vectors, const int fold, const REAL *const *x, ptrdiff_t at,
    const REAL *gy, ptrdiff_t last_lanes, VECTOR (*sum)[TILE_VECTORS]) {
    VECTOR factor[TILE_VECTORS];
    if (fold > 1)
        factor[0] = TYPED(load_unfolded)(gy, last_lanes, fold);
    else
        UNROLL for (int v = 0; v < vectors; v++)
            factor[v] = TYPED(load_some)(gy + v * LANES, v + 1 < vectors ? LANES : last_lanes);
    UNROLL for (int t = 0; t < terms; t++) {
        VECTOR value = TYPED(spread)(x[t] + at, fold * (int)sizeof(REAL));
        UNROLL for (int v = 0; v < vectors; v++) sum[t][v] += factor[v] * value;
    }
}

static inline __attribute__((always_inline)) void TYPED(weight_tile)(
    const int terms, const int vectors, const int fold, const int together,
    const ptrdiff_t last_lanes, const TYPED(area) *area, const REAL *const *x, const REAL *gy,
    REAL *const *partial) {
    /* Six sums would wait for each other, so neighbouring pixels have their own. */
    const int ways = vectors == 1 ? WAYS : 1;
    VECTOR sum[WAYS][TILE_PIXELS][TILE_VECTORS];
    const ptrdiff_t x_col = area->x_col, gy_col = area->gy_col;
    UNROLL for (int way = 0; way < ways; way++)
        UNROLL for (int t = 0; t < terms; t++)
            UNROLL for (int v = 0; v < vectors; v++) sum[way][t][v] = (VECTOR){0};
    for (ptrdiff_t n = 0; n < area->images; n++)
        for (ptrdiff_t i = 0; i < area->rows; i++) {
            const REAL *source[TILE_PIXELS];
            const REAL *gradient = gy + n * area->gy_image + i * area->gy_row;
            const REAL *end = gradient + area->cols * gy_col;
            ptrdiff_t at = 0;
            source[0] = x[0] + n * area->x_image + i * area->x_row;
            UNROLL for (int t = 1; t < terms; t++)
                source[t] = together ? source[0] + t
                                     : x[t] + n * area->x_image + i * area->x_row;
            for (; gradient + (ways - 1) * gy_col < end; gradient += gy_col, at += x_col) {
                TYPED(weight_step)(terms, vectors, fold, source, at, gradient, last_lanes, sum[0]);
                if (ways == 1) continue;
                gradient += gy_col, at += x_col;
                TYPED(weight_step)(terms, vectors, fold, source, at, gradient, last_lanes,
                                   sum[WAYS - 1]);
            }
            if (ways > 1 && gradient < end)
                TYPED(weight_step)(terms, vectors, fold, source, at, gradient, last_lanes, sum[0]);
        }
    UNROLL for (int t = 0; t < terms; t++)
        UNROLL for (int v = 0; v < vectors; v++) {
            REAL *place = partial[t] + v * LANES;
            VECTOR value = ways > 1 ? sum[0][t][v] + sum[WAYS - 1][t][v] : sum[0][t][v];
            TYPED(store)(place, TYPED(load)(place) + value);
        }
}

#define TILE(terms, vectors, fold, together)                                                      \
    static void TYPED(weight_tile_##terms##_##vectors##_##fold##_##together)(                     \
        const TYPED(area) * area, const REAL *const *x, const REAL *gy, REAL *const *partial) {   \
        if (area->last_lanes == LANES)                                                            \
            TYPED(weight_tile)(terms, vectors, fold, together, LANES, area, x, gy, partial);      \
        else                                                                                      \
            TYPED(weight_tile)(terms, vectors, fold, together, area->last_lanes, area, x, gy,     \
                               partial);                                                          \
    }
#define TILES(vectors, fold, together)                                                            \
    TILE(1, vectors, fold, together) TILE(2, vectors, fold, together)                             \
    TILE(3, vectors, fold, together) TILE(4, vectors, fold, together)                             \
    TILE(5, vectors, fold, together) TILE(6, vectors, fold, together)
#define TILE_NAME(terms, vectors, fold, together)                                                 \
    TYPED(weight_tile_##terms##_##vectors##_##fold##_##together)
#define TILE_NAMES(vectors, fold, together)                                                       \
    {TILE_NAME(1, vectors, fold, together), TILE_NAME(2, vectors, fold, together),                \
     TILE_NAME(3, vectors, fold, together), TILE_NAME(4, vectors, fold, together),                \
     TILE_NAME(5, vectors, fold, together), TILE_NAME(6, vectors, fold, together)}

TILES(1, 1, 0)
TILES(2, 1, 0)
TILES(1, 1, 1)
TILES(2, 1, 1)
#if TILE_VECTORS == 4
TILES(3, 1, 0)
TILES(4, 1, 0)
TILES(3, 1, 1)
TILES(4, 1, 1)
#endif
TILES(1, 2, 0)
#if LANES >= 4
TILES(1, 4, 0)
#endif

typedef void (*TYPED(weight_function))(const TYPED(area) *, const REAL *const *, const REAL *,
                                       REAL *const *);

/* Terms apart, terms together. */
static const TYPED(weight_function) TYPED(weight_tiles)[2][TILE_VECTORS][TILE_PIXELS] = {
    {TILE_NAMES(1, 1, 0), TILE_NAMES(2, 1, 0),
#if TILE_VECTORS == 4
     TILE_NAMES(3, 1, 0), TILE_NAMES(4, 1, 0),
#endif
    },
    {TILE_NAMES(1, 1, 1), TILE_NAMES(2, 1, 1),
#if TILE_VECTORS == 4
     TILE_NAMES(3, 1, 1), TILE_NAMES(4, 1, 1),
#endif
    },
};

/* A fold of 2, and of 4. */
static const TYPED(weight_function) TYPED(folded_weight_tiles)[][TILE_PIXELS] = {
    TILE_NAMES(1, 2, 0),
#if LANES >= 4
    TILE_NAMES(1, 4, 0),
#endif
};

#undef TILE
#undef TILES
#undef TILE_NAME
#undef TILE_NAMES
#undef WAYS
