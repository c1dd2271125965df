/* The weight gradient's micro-kernel: some terms times some vectors of output channels.
 *
 *     partial[t][lanes] += sum over an area's pixels of x[t][pixel] * gy[pixel][lanes]
 */
typedef struct {
    ptrdiff_t images, rows, cols;
    ptrdiff_t x_image, x_row, x_col, gy_image, gy_row, gy_col;
    ptrdiff_t last_lanes;
} TYPED(area);

static inline __attribute__((always_inline)) void TYPED(weight_tile)(
    const int terms, const int vectors, const TYPED(area) *area, const REAL *const *x,
    const REAL *gy, REAL *const *partial) {
    VECTOR sum[TILE_PIXELS][TILE_VECTORS];
    const ptrdiff_t x_col = area->x_col, gy_col = area->gy_col, last_lanes = area->last_lanes;
    for (int t = 0; t < terms; t++)
        for (int v = 0; v < vectors; v++) sum[t][v] = (VECTOR){0};
    for (ptrdiff_t n = 0; n < area->images; n++)
        for (ptrdiff_t i = 0; i < area->rows; i++) {
            const REAL *source[TILE_PIXELS];
            const REAL *gradient = gy + n * area->gy_image + i * area->gy_row;
            for (int t = 0; t < terms; t++) source[t] = x[t] + n * area->x_image + i * area->x_row;
            for (ptrdiff_t j = 0, at = 0; j < area->cols; j++, at += x_col, gradient += gy_col) {
                VECTOR factor[TILE_VECTORS];
                for (int v = 0; v + 1 < vectors; v++)
                    factor[v] = TYPED(load)(gradient + v * LANES);
                factor[vectors - 1] = last_lanes == LANES
                    ? TYPED(load)(gradient + (vectors - 1) * LANES)
                    : TYPED(load_lanes)(gradient + (vectors - 1) * LANES, last_lanes);
                for (int t = 0; t < terms; t++) {
                    REAL value = source[t][at];
                    for (int v = 0; v < vectors; v++) sum[t][v] += factor[v] * value;
                }
            }
        }
    for (int t = 0; t < terms; t++)
        for (int v = 0; v < vectors; v++) {
            REAL *place = partial[t] + v * LANES;
            TYPED(store)(place, TYPED(load)(place) + sum[t][v]);
        }
}

#define TILE(terms, vectors)                                                                      \
    static void TYPED(weight_tile_##terms##_##vectors)(const TYPED(area) * area,                  \
                                                       const REAL *const *x, const REAL *gy,      \
                                                       REAL *const *partial) {                    \
        TYPED(weight_tile)(terms, vectors, area, x, gy, partial);                                 \
    }
#define TILES(vectors)                                                                            \
    TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors)          \
    TILE(6, vectors)
#define TILE_NAMES(vectors)                                                                       \
    {TYPED(weight_tile_1_##vectors), TYPED(weight_tile_2_##vectors),                              \
     TYPED(weight_tile_3_##vectors), TYPED(weight_tile_4_##vectors),                              \
     TYPED(weight_tile_5_##vectors), TYPED(weight_tile_6_##vectors)}

TILES(1)
TILES(2)
#if TILE_VECTORS == 4
TILES(3)
TILES(4)
#endif

typedef void (*TYPED(weight_function))(const TYPED(area) *, const REAL *const *, const REAL *,
                                       REAL *const *);

static const TYPED(weight_function) TYPED(weight_tiles)[TILE_VECTORS][TILE_PIXELS] = {
    TILE_NAMES(1), TILE_NAMES(2),
#if TILE_VECTORS == 4
    TILE_NAMES(3), TILE_NAMES(4),
#endif
};

#undef TILE
#undef TILES
#undef TILE_NAMES
