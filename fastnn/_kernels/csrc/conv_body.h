/* All convolution kernels for one real type; conv.c includes this once per type. */
#include "conv_lanes.h"
#include "conv_pixels.h"
#include "conv_pixels_weight.h"
#include "conv_tile.h"
#include "conv_joined_tile.h"
#include "conv_gather.h"
#include "conv_weight_tile.h"
#include "conv_swapped.h"
#include "conv_joined_weight.h"
#include "conv_weight.h"

const conv_kernels KERNELS = {
    TYPED(forward), TYPED(data_gradient), TYPED(weight_gradient),
    TYPED(forward_scratch), TYPED(data_gradient_scratch), TYPED(weight_gradient_scratch)};
