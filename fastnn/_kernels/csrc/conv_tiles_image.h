/* Images split into bfloat16 parts, of which a convolution's operands are tiles as they lie.
 *
 * A band of rows of an image, with the padding around it, is cut into the planes that one stride
 * passes by; rows of a plane follow each other without gaps, so that a tap is a shift, the same for
 * all places. For every plane and block of channels there are three parts, each with TILE_ROW bytes
 * for a place. Sums at places between the rows' ends are computed and thrown away.
 */
#ifndef FASTNN_CONV_TILES_IMAGE_H
#define FASTNN_CONV_TILES_IMAGE_H

struct tiles_image {
    ptrdiff_t height, width, channels;         /* of the image itself */
    ptrdiff_t planes_h, planes_w, pad_h, pad_w;
    ptrdiff_t first_row, rows, first_column, columns; /* of the planes, counted from padding */
    ptrdiff_t places, part, blocks; /* places and bytes of a part; blocks of channels */
};

static inline ptrdiff_t image_bytes(const struct tiles_image *image) {
    return 3 * image->part * image->blocks * image->planes_h * image->planes_w;
}

/* Where a plane's block of channels begins. */
static inline ptrdiff_t plane_offset(const struct tiles_image *image, ptrdiff_t plane,
                                     ptrdiff_t block) {
    return 3 * image->part * (plane * image->blocks + block);
}

/* With some places behind the last, where the last tiles end. */
static inline void measure_image(struct tiles_image *image, ptrdiff_t channels_of_block,
                                 ptrdiff_t spare) {
    image->places = image->rows * image->columns + spare;
    image->part = image->places * TILE_ROW;
    image->blocks = ceil_div(image->channels, channels_of_block);
}

/* Up to 16 channels of one pixel, zeros in the padding. */
INLINE vector_f32 pixel_of(const struct tiles_image *image, const float *x, ptrdiff_t row,
                           ptrdiff_t column, ptrdiff_t channel) {
    const ptrdiff_t left = image->channels - channel;
    if (row < 0 || row >= image->height || column < 0 || column >= image->width || left <= 0)
        return (vector_f32){0};
    const float *from = x + (row * image->width + column) * image->channels + channel;
    return left >= LANES ? load_f32(from) : load_part_f32(from, first_lanes_f32((int)left));
}

/* The pixel that a plane shows at a place. */
INLINE vector_f32 place_of(const struct tiles_image *image, const float *x, ptrdiff_t plane,
                           ptrdiff_t row, ptrdiff_t column, ptrdiff_t channel) {
    const ptrdiff_t down = plane / image->planes_w, right = plane % image->planes_w;
    return pixel_of(image, x, (image->first_row + row) * image->planes_h + down - image->pad_h,
                    (image->first_column + column) * image->planes_w + right - image->pad_w,
                    channel);
}

/* A row of a plane: 32 channels of each place. Returns the largest magnitudes. */
static __m512i pack_row(const struct tiles_image *image, const float *x, ptrdiff_t plane,
                        ptrdiff_t row, ptrdiff_t block, char *to) {
    __m512i largest = _mm512_setzero_si512();
    to += row * image->columns * TILE_ROW;
    for (ptrdiff_t column = 0; column < image->columns; column++, to += TILE_ROW) {
        const ptrdiff_t channel = block * TILE_DEPTH;
        const vector_f32 low = place_of(image, x, plane, row, column, channel);
        const vector_f32 high = place_of(image, x, plane, row, column, channel + LANES);
        largest = _mm512_max_epu32(largest, magnitude(low));
        largest = _mm512_max_epu32(largest, magnitude(high));
        store_parts(to, image->part, (__m512)low, (__m512)high);
    }
    return largest;
}

/* The image that this thread will probably pack next: its numbers are read in short runs, for
 * which the processor does not look ahead. Weight gradients of 14x14 images went from 155 to 177
 * GFLOP/s. */
static inline void prefetch_image(const struct tiles_image *image, const float *x) {
    for (ptrdiff_t i = 0; i < image->height * image->width * image->channels; i += LANES)
        __builtin_prefetch(x + i, 0, 2);
}

/* All planes and channels. Returns whether the tiles can take the numbers. */
static int pack_image(const struct tiles_image *image, const float *x, char *to) {
    __m512i largest = _mm512_setzero_si512();
    for (ptrdiff_t plane = 0; plane < image->planes_h * image->planes_w; plane++)
        for (ptrdiff_t block = 0; block < image->blocks; block++)
            for (ptrdiff_t row = 0; row < image->rows; row++)
                largest = _mm512_max_epu32(
                    largest, pack_row(image, x, plane, row, block,
                                      to + plane_offset(image, plane, block)));
    return tiles_take(_mm512_reduce_max_epu32(largest));
}

#endif
