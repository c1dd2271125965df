/* The tiles of joined groups that fit the registers, and a table of them by the outputs of a group,
 * the vectors, and the pixels or taps. Who includes this defines TILE, which makes one, its NAME,
 * and the TABLE's type and name.
 */
#define TILES(vectors, outputs)                                                                   \
    TILE(1, vectors, outputs) TILE(2, vectors, outputs) TILE(3, vectors, outputs)                 \
    TILE(4, vectors, outputs) TILE(5, vectors, outputs) TILE(6, vectors, outputs)
#define NAMES(vectors, outputs)                                                                   \
    {NAME(1, vectors, outputs), NAME(2, vectors, outputs), NAME(3, vectors, outputs),             \
     NAME(4, vectors, outputs), NAME(5, vectors, outputs), NAME(6, vectors, outputs)}

TILES(1, 1)
TILES(2, 1)
TILES(1, 2)
#if TILE_VECTORS == 4
TILES(3, 1)
TILES(4, 1)
TILES(2, 2)
TILES(1, 3)
TILES(1, 4)
#endif

static const TABLE[TILE_VECTORS][TILE_VECTORS][TILE_PIXELS] = {
#if TILE_VECTORS == 4
    {NAMES(1, 1), NAMES(2, 1), NAMES(3, 1), NAMES(4, 1)},
    {NAMES(1, 2), NAMES(2, 2)},
    {NAMES(1, 3)},
    {NAMES(1, 4)},
#else
    {NAMES(1, 1), NAMES(2, 1)},
    {NAMES(1, 2)},
#endif
};

#undef TILES
#undef NAMES
#undef TILE
#undef NAME
#undef TABLE
