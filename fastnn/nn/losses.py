"""Losses and distances as modules."""

from ..ops import binary_loss, class_loss, distance, margin_loss, regression_loss
from .from_functions import module_of

MSELoss = module_of(regression_loss.mse_loss, "MSELoss", without=("weight",))
L1Loss = module_of(regression_loss.l1_loss, "L1Loss", without=("weight",))
HuberLoss = module_of(regression_loss.huber_loss, "HuberLoss", without=("weight",))
SmoothL1Loss = module_of(regression_loss.smooth_l1_loss, "SmoothL1Loss")
PoissonNLLLoss = module_of(regression_loss.poisson_nll_loss, "PoissonNLLLoss")
GaussianNLLLoss = module_of(regression_loss.gaussian_nll_loss, "GaussianNLLLoss")
KLDivLoss = module_of(regression_loss.kl_div, "KLDivLoss")

CrossEntropyLoss = module_of(class_loss.cross_entropy, "CrossEntropyLoss", tensors=("weight",))
NLLLoss = module_of(class_loss.nll_loss, "NLLLoss", tensors=("weight",))

BCELoss = module_of(binary_loss.binary_cross_entropy, "BCELoss", tensors=("weight",))
BCEWithLogitsLoss = module_of(
    binary_loss.binary_cross_entropy_with_logits, "BCEWithLogitsLoss",
    tensors=("weight", "pos_weight"), last=("pos_weight",))
SoftMarginLoss = module_of(binary_loss.soft_margin_loss, "SoftMarginLoss")
HingeEmbeddingLoss = module_of(binary_loss.hinge_embedding_loss, "HingeEmbeddingLoss")
MultiLabelSoftMarginLoss = module_of(
    binary_loss.multilabel_soft_margin_loss, "MultiLabelSoftMarginLoss", tensors=("weight",))

MarginRankingLoss = module_of(margin_loss.margin_ranking_loss, "MarginRankingLoss")
CosineEmbeddingLoss = module_of(margin_loss.cosine_embedding_loss, "CosineEmbeddingLoss")
MultiMarginLoss = module_of(margin_loss.multi_margin_loss, "MultiMarginLoss", tensors=("weight",),
                            check=margin_loss.check_power)
MultiLabelMarginLoss = module_of(margin_loss.multilabel_margin_loss, "MultiLabelMarginLoss")
TripletMarginLoss = module_of(
    margin_loss.triplet_margin_loss, "TripletMarginLoss", check=margin_loss.check_margin)
TripletMarginWithDistanceLoss = module_of(
    margin_loss.triplet_margin_with_distance_loss, "TripletMarginWithDistanceLoss",
    check=margin_loss.check_margin)

CosineSimilarity = module_of(distance.cosine_similarity, "CosineSimilarity")
PairwiseDistance = module_of(distance.pairwise_distance, "PairwiseDistance")
