"""The oracle: every operation in plain NumPy, by its own name and with its own arguments.

Written to be read and believed, not to be fast. Tests compare the operations with these; nothing
in the library calls them. Activations, images and losses have files of their own.
"""


from .reference_activations import (  # noqa: F401
    alpha_dropout,
    celu,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    elu,
    feature_alpha_dropout,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    mish,
    relu,
    relu6,
    rrelu,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from .reference_attention import scaled_dot_product_attention  # noqa: F401
from .reference_grids import *  # noqa: F403
from .reference_images import (  # noqa: F401
    avg_pool2d,
    conv2d,
    conv_transpose2d,
    fold,
    max_pool2d,
    unfold,
)
from .reference_linear import *  # noqa: F403
from .reference_losses import (  # noqa: F401
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    normalize,
    pairwise_distance,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .reference_norms import (  # noqa: F401
    batch_norm,
    bilinear,
    embedding,
    embedding_bag,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from .reference_places import *  # noqa: F403
from .reference_pointwise import *  # noqa: F403
from .reference_pooling import *  # noqa: F403
from .reference_ranks import *  # noqa: F403  # noqa: F403
from .reference_reductions import *  # noqa: F403
from .reference_resizing import *  # noqa: F403  # noqa: F403
from .reference_shapes import *  # noqa: F403

# Random numbers


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al., 2011) of four counter and two key words, as four words."""
    a, b, c, d = counter
    k, m = key
    word = 0xFFFFFFFF
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ k, second & word, (first >> 32) ^ d ^ m, first & word
        k, m = (k + 0x9E3779B9) & word, (m + 0xBB67AE85) & word
    return a, b, c, d
