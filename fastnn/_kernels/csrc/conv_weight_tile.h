/* The weight gradient's micro-kernel: some terms times some vectors of output channels.
 *
 *     partial[t][lanes] += sum over an area's pixels of x[t][pixel] * gy[pixel][lanes]
 *
 * In a depthwise convolution x is as wide as gy: x[t][pixel][lanes].
 */
typedef struct {
    ptrdiff_t images, rows, cols;
    ptrdiff_t x_image, x_row, x_col, gy_image, gy_row, gy_col;
    ptrdiff_t last_lanes;
} TYPED(area);

static inline __attribute__((always_inline)) void TYPED(weight_tile)(
    const int terms, const int vectors, const int depthwise, const TYPED(area) *area, const REAL *const *x,
    const REAL *gy, REAL *const *partial) {
    VECTOR sum[TILE_PIXELS][TILE_VECTORS];
    const ptrdiff_t x_col = area->x_col, gy_col = area->gy_col, last_lanes = area->last_lanes;
    UNROLL for (int t = 0; t < terms; t++)
        UNROLL for (int v = 0; v < vectors; v++) sum[t][v] = (VECTOR){0};
    for (ptrdiff_t n = 0; n < area->images; n++)
        for (ptrdiff_t i = 0; i < area->rows; i++) {
            const REAL *source[TILE_PIXELS];
            const REAL *gradient = gy + n * area->gy_image + i * area->gy_row;
            UNROLL for (int t = 0; t < terms; t++) source[t] = x[t] + n * area->x_image + i * area->x_row;
            for (ptrdiff_t j = 0, at = 0; j < area->cols; j++, at += x_col, gradient += gy_col) {
                VECTOR factor[TILE_VECTORS];
                UNROLL for (int v = 0; v < vectors; v++)
                    factor[v] = TYPED(load_some)(gradient + v * LANES,
                                                 v + 1 < vectors ? LANES : last_lanes);
                UNROLL for (int t = 0; t < terms; t++)
                    UNROLL for (int v = 0; v < vectors; v++)
                        sum[t][v] += factor[v]
                            * (depthwise ? TYPED(load_some)(source[t] + at + v * LANES,
                                                            v + 1 < vectors ? LANES : last_lanes)
                                         : source[t][at] - (VECTOR){0});
            }
        }
    UNROLL for (int t = 0; t < terms; t++)
        UNROLL for (int v = 0; v < vectors; v++) {
            REAL *place = partial[t] + v * LANES;
            TYPED(store)(place, TYPED(load)(place) + sum[t][v]);
        }
}

#define TILE(terms, vectors, depthwise)                                                           \
    static void TYPED(weight_tile_##terms##_##vectors##_##depthwise)(                             \
        const TYPED(area) * area, const REAL *const *x, const REAL *gy, REAL *const *partial) {   \
        TYPED(weight_tile)(terms, vectors, depthwise, area, x, gy, partial);                      \
    }
#define TILES(vectors)                                                                            \
    TILE(1, vectors, 0) TILE(2, vectors, 0) TILE(3, vectors, 0) TILE(4, vectors, 0)               \
    TILE(5, vectors, 0) TILE(6, vectors, 0) TILE(1, vectors, 1) TILE(2, vectors, 1)               \
    TILE(3, vectors, 1) TILE(4, vectors, 1) TILE(5, vectors, 1) TILE(6, vectors, 1)
#define TILE_NAMES(vectors, depthwise)                                                            \
    {TYPED(weight_tile_1_##vectors##_##depthwise), TYPED(weight_tile_2_##vectors##_##depthwise),  \
     TYPED(weight_tile_3_##vectors##_##depthwise), TYPED(weight_tile_4_##vectors##_##depthwise),  \
     TYPED(weight_tile_5_##vectors##_##depthwise), TYPED(weight_tile_6_##vectors##_##depthwise)}

TILES(1)
TILES(2)
#if TILE_VECTORS == 4
TILES(3)
TILES(4)
#endif

typedef void (*TYPED(weight_function))(const TYPED(area) *, const REAL *const *, const REAL *,
                                       REAL *const *);

static const TYPED(weight_function) TYPED(weight_tiles)[2][TILE_VECTORS][TILE_PIXELS] = {
    {TILE_NAMES(1, 0), TILE_NAMES(2, 0),
#if TILE_VECTORS == 4
     TILE_NAMES(3, 0), TILE_NAMES(4, 0),
#endif
    },
    {TILE_NAMES(1, 1), TILE_NAMES(2, 1),
#if TILE_VECTORS == 4
     TILE_NAMES(3, 1), TILE_NAMES(4, 1),
#endif
    },
};

#undef TILE
#undef TILES
#undef TILE_NAMES
