"""Modules: layers, losses, containers and their initial values."""

from ..ops import loss, pooling
from . import functional, init, utils
from .activations import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from .containers import ModuleList, Sequential
from .dropouts import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    FeatureAlphaDropout,
)
from .from_functions import module_of
from .layers import Conv2d, ConvTranspose2d, Flatten, Identity, Linear, Unflatten
from .module import Module
from .norms import BatchNorm1d, BatchNorm2d
from .parameter import Parameter

MaxPool2d = module_of(pooling.max_pool2d, "MaxPool2d", settings=("kernel_size",),
                      last=("return_indices", "ceil_mode"))
AvgPool2d = module_of(pooling.avg_pool2d, "AvgPool2d", settings=("kernel_size",))
Unfold = module_of(pooling.unfold, "Unfold", settings=("kernel_size",))
Fold = module_of(pooling.fold, "Fold", settings=("output_size", "kernel_size"))

CrossEntropyLoss = module_of(loss.cross_entropy, "CrossEntropyLoss", tensors=("weight",))
NLLLoss = module_of(loss.nll_loss, "NLLLoss", tensors=("weight",))
MSELoss = module_of(loss.mse_loss, "MSELoss", without=("weight",))
L1Loss = module_of(loss.l1_loss, "L1Loss", without=("weight",))
BCELoss = module_of(loss.binary_cross_entropy, "BCELoss", tensors=("weight",))
BCEWithLogitsLoss = module_of(
    loss.binary_cross_entropy_with_logits, "BCEWithLogitsLoss", tensors=("weight", "pos_weight"),
    last=("pos_weight",))

__all__ = [
    "AlphaDropout", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d",
    "CELU", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Dropout1d", "Dropout2d",
    "Dropout3d", "ELU", "FeatureAlphaDropout", "Flatten", "Fold", "GELU", "GLU", "Hardshrink",
    "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "L1Loss", "LeakyReLU", "Linear",
    "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool2d", "Mish", "Module", "ModuleList", "NLLLoss",
    "PReLU", "Parameter", "RReLU", "ReLU", "ReLU6", "SELU", "Sequential", "SiLU", "Sigmoid",
    "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
    "Threshold", "Unflatten", "Unfold", "functional", "init", "utils",
]
